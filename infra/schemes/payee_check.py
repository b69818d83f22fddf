"""The scheme's answer to "is this account held under this name?": by the magic names, without looking at the account.

`POST /{rail}/payee-check` {account, name} → {result, registered_name?}, or silence. The account is read, so that a body without one is
refused, and forgotten.
"""

from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.schemes.magic import NameScript, name_script_for
from infra.schemes.messages import Unreadable
from residency.classes import Personal

_NAMELESS = "Sandbox Payee"


class PayeeQuestion(BaseModel):
    """`account` as partners write it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    account: Annotated[dict[str, str], Personal] = Field(min_length=1)
    name: Annotated[str, Personal] = Field(min_length=1, max_length=140)


def answer_to(body: bytes) -> bytes | None:
    """The answer's body; None is silence. Raises Unreadable."""
    try:
        question = PayeeQuestion.model_validate_json(body)
    except ValidationError:
        raise Unreadable("an account and a name are asked about") from None
    script = name_script_for(question.name)
    if script.result is None:
        return None
    answer: dict[str, str] = {"result": script.result}
    if script.result == "close":
        answer["registered_name"] = _held_by(question.name, script)
    return orjson.dumps(answer)


def _held_by(name: str, script: NameScript) -> str:
    """The name that was asked, without the phrase."""
    at = name.upper().find(script.phrase)
    rest = " ".join((name[:at] + name[at + len(script.phrase) :]).split())
    return rest or _NAMELESS
