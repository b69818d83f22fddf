"""What the fuzzer's process is taught of this API: a check of its own, and, where KOVRA_FUZZ_IDS names them, ids that exist.

Loaded by the fuzzer (SCHEMATHESIS_HOOKS), not by the tests.
"""

import json
import os
from itertools import count
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response

from cells.parties.models import BIRTH_YEAR_MIN
from residency.directory import load_directory

_IDS: dict[str, str] = json.loads(os.environ.get("KOVRA_FUZZ_IDS", "{}"))
_REGION = os.environ.get("KOVRA_FUZZ_REGION", "")
_REGIONS = frozenset(load_directory().regions)
_numbers = count()
# Rules over one field that JSON Schema has no words for: its patterns know no Unicode classes that every reader shares, and its dates
# and times no order.
_UNSAYABLE = {
    "a name has at least one letter",
    "it holds control or unassigned characters",
    "it has letters that no payment scheme here carries; write them in Latin letters",
    "the date of a payment is at most a year ahead: check the year",
    "a time lies within the years 1 to 9999 in UTC",
    # Over several fields of an address, which is a part of the body.
    "of street, lines and sub_division at most 2 are carried",
    f"a date of birth lies between {BIRTH_YEAR_MIN} and today",
}


@schemathesis.check
def the_document_says_what_each_field_takes(ctx: CheckContext, response: Response, case: Case) -> None:
    """A request that follows the document is refused by rules with codes of their own, and by rules over several fields (which point to
    the whole body), but never for the form of one field."""
    meta = case.meta
    if response.status_code != 422 or meta is None or not meta.generation.mode.is_positive:
        return
    problem = response.json()
    if problem["code"] == "invalid-request":
        wrong = [one for one in problem["errors"] if one.get("pointer") != "" and one["detail"] not in _UNSAYABLE]
        assert not wrong, f"the document allows it: {wrong}"


@schemathesis.check
def a_problem_names_its_page_and_its_request(ctx: CheckContext, response: Response, case: Case) -> None:
    if response.headers.get("content-type", [""])[0].startswith("application/problem+json"):
        problem = response.json()
        assert problem["type"] == f"/problems/{problem['code']}"
        assert problem["request_id"] == response.headers["kovra-request-id"][0]
        operation = case.operation.definition.raw["responses"].get(str(response.status_code), {})
        declared = operation.get("content", {}).get("application/problem+json", {}).get("examples", {})
        known = problem["code"] in declared or problem["code"] in ("not-found", "method-not-allowed")
        assert known, f"{problem['code']} is not among {sorted(declared)}"


@schemathesis.hook
def map_headers(context: Any, headers: dict[str, Any] | None) -> dict[str, Any] | None:
    """For the region under test where any is named, or most would be answered with 421; and a key for each request where ids are given, or
    most would be answered as an earlier one was."""
    if not headers:
        return headers
    own = {"Kovra-Region": _REGION} if headers.get("Kovra-Region") in _REGIONS else {}
    key = {"Idempotency-Key": f"fuzz-{next(_numbers)}"} if _IDS and "Idempotency-Key" in headers else {}
    return {**headers, **own, **key}


if _IDS:

    @schemathesis.hook
    def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
        return path_parameters and {name: _IDS.get(name, value) for name, value in path_parameters.items()}

    @schemathesis.hook
    def map_query(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
        return query and {name: _IDS.get(name, value) for name, value in query.items()}

    @schemathesis.hook
    def map_body(context: Any, body: Any) -> Any:
        return {name: _IDS.get(name, value) for name, value in body.items()} if isinstance(body, dict) else body
