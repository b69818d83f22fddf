"""What is built is used: a definition that tests alone speak of is a promise that the product does not keep."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.architecture.tree import HOUSE, Source, keep, sources

# Defined, and rightly not called by the product: why. An entry that is used after all, or gone, fails too.
_ALLOWED = {
    "cells.ledger.memory.MemoryLedger": "the ledger's twin for the explorer (DESIGN, section 5); the contract suite holds it to the engines",
    "cells.rails.snap.signatures.sign_notification": "the bank's half of SNAP's credit notification, of which a cell has the other",
    "cells.rails.snap.signatures.is_token_request": "the bank's half of SNAP's access token: it checks what a cell signs",
    "cells.webhooks.catalogue.table": "the README's table of events, written anew by hand as the test that holds it says",
    "cells.webhooks.schedule.in_words": "the README's sentence on retries, as above",
    "cells.rails.iso20022.upload_elements.markdown": "the README's table of pain.001's elements, as above",
    "residency.classes.nested_models": "walks a route's models, for the rule that all of their fields are classified",
    "infra.local.child.start": "`spawn` for callers without an event loop: the fixtures that start real servers",
    "router.client.client.KovraClient": "the package that partners import",
    "actors.runtime.Service": "a Protocol: what is hosted fulfils it by its shape",
    "cells.rails.later.RecallingRail": "a Protocol: a rail that recalls fulfils it by its shape",
}
# What a module is loaded for, whose name then comes from a table: commands, routes.
_BY_NAME = {"register", "main", "add_routes"}
# Where an event of the lifecycle is only listed, described or counted: that is not telling it.
_DESCRIBES = {"cells.payments.machine", "cells.payments.watch", "cells.reconciliation.standing"}


class Definition(NamedTuple):
    module: str
    name: str
    at: str


def module_of(source: Source) -> str:
    return source.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def definitions(found: Sequence[Source]) -> list[Definition]:
    """Functions and classes at the top of a module. What a decorator registers is used by it."""
    return [
        Definition(module_of(source), node.name, source.at(node, node.name))
        for source in found
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.decorator_list
    ]


def uses_of(source: Source, modules: frozenset[str]) -> Iterator[tuple[str, str]]:
    """(module, name) of what a file uses: by import, through an imported module, within itself, or in a string that names it."""
    own, aliases, imported = module_of(source), dict[str, str](), dict[str, tuple[str, str]]()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for one in node.names:
                whole = f"{node.module}.{one.name}"
                if whole in modules:
                    aliases[one.asname or one.name] = whole
                else:
                    imported[one.asname or one.name] = (node.module, one.name)
    yield from _names_in(source.tree, own, aliases, imported)


def _names_in(
    tree: ast.AST, own: str, aliases: Mapping[str, str], imported: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield imported.get(node.id, (own, node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            yield aliases[node.value.id], node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # "cells.cell:open_rail_desk", "actors.rail.RailActor": built where the name is looked up.
            module, _, name = node.value.replace(":", ".").rpartition(".")
            yield module or own, name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and isinstance(tree, ast.Module):
            # That it calls itself makes nobody call it.
            inner = _names_in(node, own, aliases, imported)
            yield from (one for one in inner if one != (own, node.name))
        else:
            yield from _names_in(node, own, aliases, imported)


def unused(found: Sequence[Source]) -> Iterator[Definition]:
    modules = frozenset(module_of(one) for one in found)
    used = Counter(use for source in found for use in uses_of(source, modules))
    yield from (one for one in definitions(found) if not used[one.module, one.name])


def untold(found: Sequence[Source], enum: str, home: str, describes: set[str]) -> Iterator[str]:
    """Members of an enumeration that nobody but those who describe them speaks of."""
    [members] = [
        [one.targets[0].id for one in node.body if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name)]
        for source in found
        for node in source.tree.body
        if module_of(source) == home and isinstance(node, ast.ClassDef) and node.name == enum
    ]
    spoken = {
        node.attr
        for source in found
        if module_of(source) not in describes
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == enum
    }
    yield from (f"{home}.{enum}.{one}" for one in members if one not in spoken)


def test_what_is_defined_is_used_outside_tests() -> None:
    found = {f"{one.module}.{one.name}": one.at for one in unused(sources(*HOUSE)) if one.name not in _BY_NAME}
    keep(
        "Every function and class at the top of a module is used by the product, and not by tests alone.",
        why="five things were built, tested and never called; a passing test said that they worked.",
        mend="call it where it was meant for, or remove it with its tests; only what is no code of ours to call goes into _ALLOWED, with why.",
        breaches=[at for name, at in found.items() if name not in _ALLOWED],
    )
    keep(
        "An exception stands only while it is one.",
        why="a list of exceptions that nobody clears hides the next breach.",
        mend="take the entry out of _ALLOWED.",
        breaches=[name for name in _ALLOWED if name not in found],
    )


def test_every_event_of_the_lifecycle_is_told_by_somebody() -> None:
    keep(
        "Every event of a payment's life is told by the product.",
        why="a row of the table that nothing takes is a life that nobody can have: reviews could not be cleared for months.",
        mend="tell it (Told(id, Event.X)) where it is learnt, or take its rows out of the table.",
        breaches=untold(sources(*HOUSE), "Event", "cells.payments.machine", _DESCRIBES),
    )


def test_every_effect_of_the_lifecycle_is_carried_out() -> None:
    keep(
        "Every effect of the lifecycle is carried out by the product.",
        why="an effect that nobody carries out is a payment that waits for ever.",
        mend="carry it out (step.py, books.py), or take it out of the table.",
        breaches=untold(sources(*HOUSE), "Effect", "cells.payments.machine", {"cells.payments.machine"}),
    )


def test_the_rule_sees_a_breach() -> None:
    tree = [
        Source("cells/one.py", "def erase(): return erase()\ndef called(): ...\nclass Kept: ...\n"),
        Source("cells/store.py", "def erase(): ...\n"),
        Source("cells/two.py", "from cells import store\nfrom cells.one import called\nstore.erase()\ncalled()\nNAMES = ['cells.one:Kept']\n"),
    ]  # fmt: skip
    assert [(one.module, one.name) for one in unused(tree)] == [("cells.one", "erase")]
    events = [
        Source("cells/life.py", "class Event:\n    PAID = 'paid'\n    CLEARED = 'cleared'\nTABLE = [Event.PAID, Event.CLEARED]\n"),
        Source("cells/saga.py", "tell(Event.PAID)\n"),
    ]  # fmt: skip
    assert list(untold(events, "Event", "cells.life", {"cells.life"})) == ["cells.life.Event.CLEARED"]
