"""What the explorer counts as fair is what something in the product, or the world outside, really does by itself."""

import ast
import importlib
import random
import re
from collections.abc import Iterable, Iterator

from tests.architecture.tree import HOUSE, sources
from tests.model.suite import SUITE
from tests.model.world import World

# Who makes each fair move: the product's own function or method, by module; "outside" where nothing of ours has to.
MAKERS = {
    r"# goes on the rail's record": "actors.rail:RailActor.submit",
    r"# is recorded as asked": "cells.rails.store:mark_asked",
    r"a copy thought dead asks the ledger: .*": "cells.wallets.handler:Saga.run",
    r"a copy thought dead journals the ledger's word: .*": "cells.wallets.handler:Saga.run",
    r"a partner asks for #": "outside",
    r"a receipt leaves": "cells.customs.receipts:make_receipts",
    r"\w+ # is (published|overdue, and published again)": "actors.workers.exporter:Exporter.run",
    r"(message|receipt) # of \w+-# (is admitted|arrives)": "actors.workers.admitter:Admitter.run",
    r"the answer on # is acknowledged": "cells.rails.store:acknowledge",
    r"the deadline of #'s review passes": "cells.payments.recovery:need_of",
    r"the exporter commits .*": "cells.payments.border:export_due",
    r"the late request reaches the ledger: .*": "outside",
    r"the rail is asked what became of #": "cells.rails.iso20022.connector:Iso20022Rail.inquire",
    r"the rail's answer on # is recorded: \w+": "cells.payments.answers:record",
    r"the scheme (is asked to pay #, and says \w+|sends # of # back)": "outside",
    r"the late payment # .*": "outside",
    r"the sweep takes up (#|return #)": "actors.workers.sweep:Sweep.run",
    r"the sweep tells again that # was paid": "cells.payments.doubts:contradicted",
    r"the wallet (asks the ledger|journals a batch|journals the ledger's word): .*": "cells.wallets.handler:Saga.run",
    r"the wallet is pushed the answer on #": "cells.payments.submissions:command_of",
    r"an operator raises the cap": "cells.ledger.prefunding:declare_caps",
}


def fair_moves(walks: int) -> set[str]:
    """The names of fair moves that random runs of every scenario come by, numbers left out."""
    found: set[str] = set()
    for one in SUITE:
        world = World(one.scenario)
        for seed in range(walks):
            dice, state, faults = random.Random(seed), world.start(), seed
            while moves := [move for move in world.moves(state) if faults or not move.fault]:
                found |= {re.sub(r"P\d|\d+", "#", move.name) for move in moves if move.fair and not move.fault}
                move = dice.choice(moves)
                faults -= move.fault
                state = move.make(state)
                if dice.random() < 0.005:
                    break
    return found


def without_maker(moves: Iterable[str]) -> Iterator[str]:
    for name in sorted(moves):
        what = name.partition(": ")[2] if re.match(r"\w+-#: ", name) else name
        if not any(re.fullmatch(pattern, what) for pattern in MAKERS):
            yield name


def test_every_fair_move_has_a_maker() -> None:
    found = fair_moves(8)
    assert len(found) > 50
    assert list(without_maker(found)) == [], "fair without a maker: nobody in the product does it by itself"
    used = {pattern for pattern in MAKERS for name in found if re.search(pattern, name)}
    rare = {r"the late payment # .*", r"the rail is asked what became of #"}
    assert MAKERS.keys() - used <= rare, "a maker of no move"


def test_every_maker_is_the_products_and_the_product_calls_it() -> None:
    read = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for one in sources(*HOUSE) for node in ast.walk(one.tree)
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load)
    } | {
        word for one in sources(*HOUSE) for node in ast.walk(one.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for word in re.findall(r"\w+", node.value)
    }  # fmt: skip
    for maker in {*MAKERS.values()} - {"outside"}:
        module, _, name = maker.partition(":")
        there: object = importlib.import_module(module)
        assert module.partition(".")[0] in HOUSE
        for part in name.split("."):
            there = getattr(there, part)
            assert part in read, f"nothing calls {maker}"


def test_a_persons_choice_is_no_fair_move() -> None:
    persons = {"eu-#: the partner cancels #", "eu-#: officers decide cleared of #", "id-#: an operator hopes"}
    assert list(without_maker(persons)) == sorted(persons)
