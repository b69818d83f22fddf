"""Every option of a batch with every form of its body, in any combination: what was asked is what is shown, or the request is refused. Pure.

What must come of each is worked out here by itself, from what `POST /v1/batches` promises.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from tests.integration.api.test_api_batch_files import BUDI, OURS, pain, xml_line
from tests.support.batch_api import of

OPTIONS = ("source_wallet_id", "payer_id", "scheduled_for", "all_or_nothing")
_LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
_TIMES = (_LATER.isoformat(), (_LATER + timedelta(hours=1)).isoformat(), _LATER.strftime("%Y-%m-%dT%H:%M:%SZ"))
_CHARSETS = {
    "": True,
    "; charset=utf-8": True,
    '; Charset="UTF-8"': True,
    "; charset=utf-16": False,
    ";charset=latin1": False,
}
_numbers = count()


@dataclass(frozen=True)
class Submission:
    """`shown`: the options that a batch made of it must have; None where it must be refused."""

    kind: str
    parameters: Mapping[str, str]
    content: bytes
    shown: Mapping[str, Any] | None

    def __str__(self) -> str:
        return f"{self.kind} {dict(self.parameters)} {self.content[:300]!r}, expecting {self.shown}"


def drawn(own: Mapping[str, str], debtor: Any, random: Random) -> Submission:
    """One submission. `own`: ids of wallet, another wallet, payer and recipient; `debtor`: the cell whose wallet pain.001 names."""
    choices: dict[str, list[Any]] = {
        "source_wallet_id": [None, own["wallet_id"], own["wallet_id"], own["sub_wallet_id"]],
        "payer_id": [None, own["payer_id"], own["payer_id"]],
        "scheduled_for": [None, *_TIMES],
        "all_or_nothing": [None, True, False],
    }
    said = {name: random.choice(choices[name]) for name in OPTIONS}
    parameters = {name: _text(value) for name, value in said.items() if value is not None}
    charset = random.choice(list(_CHARSETS))
    form = random.choice(["json", "csv", "xml"])
    match form:
        case "json":
            in_body = {name: random.choice([None, *choices[name]]) for name in OPTIONS}
            kind, content, asked = "application/json", _json(own, in_body), _merged(said, in_body)
        case "csv":
            kind, content, asked = "text/csv", _csv(own), said
        case _:
            kind, content, asked = "application/xml", _xml(debtor), _of_file(said, own)
    ok = asked is not None and asked["source_wallet_id"] == own["wallet_id"]
    ok = ok and _CHARSETS[charset] and (form != "xml" or said["payer_id"] is not None)
    return Submission(kind + charset, parameters, content, _shown(asked) if ok and asked else None)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _merged(said: Mapping[str, Any], in_body: Mapping[str, Any]) -> dict[str, Any] | None:
    """None where the two contradict each other."""
    for name in OPTIONS:
        here, there = (_value(name, one[name]) for one in (said, in_body))
        if here is not None and there is not None and here != there:
            return None
    return {name: said[name] if in_body[name] is None else in_body[name] for name in OPTIONS}


def _of_file(said: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, Any]:
    """The file names the wallet, and a date that has passed."""
    return {**said, "source_wallet_id": said["source_wallet_id"] or own["wallet_id"]}


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name == "scheduled_for" and value is not None else value


def _shown(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source_wallet_id": asked["source_wallet_id"],
        "scheduled_for": _value("scheduled_for", asked["scheduled_for"]),
        "all_or_nothing": bool(asked["all_or_nothing"]),
    }


def _json(own: Mapping[str, str], in_body: Mapping[str, Any]) -> bytes:
    lines = [
        of(own["recipient_id"], None),
        {**of(own["recipient_id"], None), "source": {"value": "bad", "currency": "EUR"}},
    ]
    return json.dumps({**{name: one for name, one in in_body.items() if one is not None}, "lines": lines}).encode()


def _csv(own: Mapping[str, str]) -> bytes:
    return f"recipient_id,source_amount,target_currency\n{own['recipient_id']},1.00,EUR\n{own['recipient_id']},x,EUR\n".encode()


def _xml(debtor: Any) -> bytes:
    # A file's own id stands for one file.
    text = pain(debtor, xml_line("A", creditor=OURS), xml_line("B", creditor=BUDI))
    return text.replace("<MsgId>M1<", f"<MsgId>FUZZ-{next(_numbers)}<").encode()
