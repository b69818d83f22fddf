"""Holds a history against the model, and says what no honest system could have answered, with the calls that show it.

Invariants: a clean answer needs the final reads (`resolve` them before); a call whose outcome is unknown may or may not have happened, and is
never an anomaly by itself; every anomaly carries the calls that make it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from tests.chaos.history.model import TERMINAL, Change, Look, WalletReplay, may_follow
from tests.chaos.history.record import Call, History


@dataclass(frozen=True, slots=True)
class Anomaly:
    """What cannot be, and the calls that make it."""

    name: str
    what: str
    calls: tuple[Call, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.name}: {self.what}", *(f"    {call}" for call in self.calls)])


@dataclass(frozen=True, slots=True)
class Final:
    """What the final read found of one transfer. `paid`: how often its scheme paid it."""

    transfer_id: str
    quote_id: str
    status: str
    source_minor: int
    paid: int


def check(
    history: History, opening: Mapping[str, int], final: Mapping[str, Final], closing: Mapping[str, int]
) -> list[Anomaly]:
    """Every anomaly. `opening` and `closing`: what was available in each wallet before the first and after the last call;
    `final`: every transfer of the tenant, as found at the end."""
    payments = _by_subject(history, "pay")
    found = [
        *_changed_answers(payments),
        *_lost(payments, final),
        *_doubled(payments, final),
        *_nobodys(payments, final),
        *_paid_wrongly(payments, final),
        *_went_back(history, final),
    ]
    owners = _owners(payments)
    for wallet, before in opening.items():
        found += _balances(history, wallet, before, closing[wallet], final, owners)
    return found


def _by_subject(history: History, kind: str) -> dict[str, list[Call]]:
    grouped: dict[str, list[Call]] = defaultdict(list)
    for call in history.calls:
        if call.kind == kind:
            grouped[call.subject].append(call)
    return grouped


def _definite(calls: Sequence[Call]) -> list[Call]:
    return [call for call in calls if call.outcome in ("accepted", "refused")]


def _owners(payments: Mapping[str, Sequence[Call]]) -> dict[str, str]:
    """The key under which each transfer was made, as far as a client was told."""
    return {
        str(call.answer["transfer_id"]): key
        for key, calls in payments.items()
        for call in calls
        if call.outcome == "accepted"
    }


def _changed_answers(payments: Mapping[str, Sequence[Call]]) -> Iterator[Anomaly]:
    for key, calls in payments.items():
        answered = _definite(calls)
        said = {(call.outcome, tuple(sorted(call.answer.items()))) for call in answered}
        if len(said) > 1:
            yield Anomaly("changed answer", f"the key {key} was answered in {len(said)} ways", tuple(answered))


def _lost(payments: Mapping[str, Sequence[Call]], final: Mapping[str, Final]) -> Iterator[Anomaly]:
    for calls in payments.values():
        for call in calls:
            if call.outcome != "accepted":
                continue
            known = final.get(str(call.answer["transfer_id"]))
            if known is None:
                yield Anomaly("lost payment", "it was accepted, and nobody knows of it at the end", (call,))
            elif known.status not in TERMINAL:
                yield Anomaly("unfinished payment", f"it was accepted, and is {known.status} at the end", (call,))
            elif known.source_minor != call.answer["source_minor"]:
                yield Anomaly(
                    "another amount", f"accepted for {call.answer['source_minor']}, now {known.source_minor}", (call,)
                )


def _doubled(payments: Mapping[str, Sequence[Call]], final: Mapping[str, Final]) -> Iterator[Anomaly]:
    """Two transfers that one key or one quote made."""
    for key, calls in payments.items():
        made = {str(call.answer["transfer_id"]) for call in calls if call.outcome == "accepted"}
        if len(made) > 1:
            yield Anomaly("double payment", f"the key {key} made {len(made)} transfers", tuple(_definite(calls)))
    of_quote: dict[str, list[Final]] = defaultdict(list)
    for one in final.values():
        of_quote[one.quote_id].append(one)
    owners = _owners(payments)
    for quote_id, made_of in of_quote.items():
        if len(made_of) > 1:
            keys = {owners[one.transfer_id] for one in made_of if one.transfer_id in owners}
            calls = [call for key in sorted(keys) for call in payments[key]]
            yield Anomaly("double payment", f"the quote {quote_id} made {len(made_of)} transfers", tuple(calls))


def _nobodys(payments: Mapping[str, Sequence[Call]], final: Mapping[str, Final]) -> Iterator[Anomaly]:
    """A transfer that no client was told of, though every unknown call has been resolved."""
    owners = _owners(payments)
    unresolved = [key for key, calls in payments.items() if not _definite(calls)]
    for one in final.values():
        if one.transfer_id not in owners and one.status != "REJECTED" and not unresolved:
            yield Anomaly("nobody's payment", f"{one.transfer_id} ({one.status}) answers no key of ours", ())


def _paid_wrongly(payments: Mapping[str, Sequence[Call]], final: Mapping[str, Final]) -> Iterator[Anomaly]:
    owners = _owners(payments)
    for one in final.values():
        expected = 1 if one.status in ("COMPLETED", "RETURNED") else 0
        if one.paid != expected:
            calls = tuple(payments[owners[one.transfer_id]]) if one.transfer_id in owners else ()
            name = "double payment" if one.paid > 1 else "paid wrongly"
            yield Anomaly(name, f"{one.transfer_id} is {one.status}, and its scheme paid it {one.paid} times", calls)


def _went_back(history: History, final: Mapping[str, Final]) -> Iterator[Anomaly]:
    """A transfer seen later, in real time, in a state that comes before one seen already."""
    for transfer_id, calls in _by_subject(history, "read_transfer").items():
        reads = [call for call in calls if call.outcome in ("read", "missing") and call.ended is not None]
        for missing in (call for call in reads if call.outcome == "missing"):
            yield Anomaly("lost payment", f"{transfer_id} was accepted and could not be read", (missing,))
        reads = sorted((call for call in reads if call.outcome == "read"), key=lambda call: call.started)
        for earlier, later in combinations(reads, 2):
            one_after_the_other = earlier.ended is not None and earlier.ended < later.started
            if one_after_the_other and not may_follow(str(earlier.answer["status"]), str(later.answer["status"])):
                yield Anomaly("went back", f"{transfer_id} was seen in an earlier state later", (earlier, later))
        known = final.get(transfer_id)
        for read in reads:
            if known is not None and not may_follow(str(read.answer["status"]), known.status):
                yield Anomaly("went back", f"{transfer_id} is {known.status} at the end", (read,))


def _balances(
    history: History, wallet: str, before: int, after: int, final: Mapping[str, Final], owners: Mapping[str, str]
) -> Iterator[Anomaly]:
    changes = _changes(history, wallet, final, owners)
    looks = [_look(call) for call in history.calls if call.wallet == wallet and _is_look(call)]
    end = history.now
    looks.append(Look(len(history.calls), end, end + 1, available=after))
    changes = [Change(one.number, one.amount, one.earliest, min(one.latest, end), one.what) for one in changes]
    replay = WalletReplay(before)
    wrong = replay.run(changes, looks)
    if wrong is None:
        return
    paying = [call for call in history.calls if call.wallet == wallet and call.kind == "pay"]
    if wrong.number == len(history.calls):
        expected = before + sum(one.amount for one in changes)
        yield Anomaly("lost money", f"{wallet} ends with {after}, where its payments leave {expected}", tuple(paying))
    else:
        what = f"{wallet} was never like that: no order of its payments explains it"
        near = [call for call in paying if _touches(call, wrong)]
        yield Anomaly("impossible balance", what, (history.calls[wrong.number], *near))


def _touches(call: Call, look: Look) -> bool:
    return call.started <= look.latest and (call.ended is None or call.ended >= look.earliest - 1.0)


def _is_look(call: Call) -> bool:
    told_short = call.kind == "pay" and call.outcome == "refused" and call.answer["code"] == "insufficient-funds"
    return call.ended is not None and (told_short or (call.kind == "read_wallet" and call.outcome == "read"))


def _look(call: Call) -> Look:
    assert call.ended is not None
    if call.kind == "pay":
        return Look(call.number, call.started, call.ended, below=int(call.answer["source_minor"]))
    return Look(call.number, call.started, call.ended, available=int(call.answer["available_minor"]))


def _changes(history: History, wallet: str, final: Mapping[str, Final], owners: Mapping[str, str]) -> list[Change]:
    """What each payment did to the wallet: its hold between the first call under its key and the first answer, and, if it was
    given back, that, between the answer (or the last read that saw it on its way) and the first that saw it refunded."""
    payments, reads = _by_subject(history, "pay"), _by_subject(history, "read_transfer")
    changes: list[Change] = []
    for one in final.values():
        calls = payments.get(owners.get(one.transfer_id, ""), [])
        if not calls or calls[0].wallet != wallet:
            continue
        answered = [call.ended for call in calls if call.outcome == "accepted" and call.ended is not None]
        seen = [call for call in reads.get(one.transfer_id, []) if call.outcome == "read" and call.ended is not None]
        held_by = min([*answered, *(call.ended for call in seen if call.ended is not None)], default=history.now)
        first = min(call.started for call in calls)
        if one.status == "REJECTED":
            continue
        changes.append(Change(2 * len(changes), -one.source_minor, first, held_by, f"hold of {one.transfer_id}"))
        if one.status in ("REFUNDED", "CANCELLED"):
            back = [call.ended for call in seen if call.answer["status"] == one.status and call.ended is not None]
            back_by = min(back, default=history.now)
            what = f"refund of {one.transfer_id}"
            changes.append(
                Change(2 * len(changes) + 1, one.source_minor, _not_before(seen, first), max(back_by, held_by), what)
            )
    return changes


def _not_before(seen: Sequence[Call], first: float) -> float:
    """The latest moment at which it was surely still on its way: the start of the last read that saw it so."""
    on_the_way = [call.started for call in seen if call.answer["status"] in ("CREATED", "INSTRUCTED", "PENDING_RAIL")]
    return max([first, *on_the_way])
