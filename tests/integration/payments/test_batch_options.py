"""Batches: each option with each form of body, obeyed or refused, and never passed over."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import router.cli
from router.client.batches import KINDS
from tests.integration.api.test_api_batch_files import BUDI, OURS, kovra, pain, served, xml_line
from tests.support.api_cell import PAYER, RECIPIENT, ApiCell, open_api_cell
from tests.support.batch_api import lines_of, of


@pytest.fixture
async def cell(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


_LATER = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def forms(cell: ApiCell, **in_body: Any) -> dict[str, tuple[bytes, dict[str, str]]]:
    """The same batch of a good and a bad line in each form: the content, and the parameters without which it cannot be."""
    recipient, payer, wallet = await cell.recipient(), await cell.payer(), cell.wallets["EUR"].wallet_id
    head = {"source_wallet_id": wallet, "payer_id": payer, **in_body}
    lines = [of(recipient, None), {**of(recipient, None), "source": {"value": "bad", "currency": "EUR"}}]
    body = {name: value for name, value in {**head, "lines": lines}.items() if value is not None}
    xml = pain(cell, xml_line("A", creditor=OURS), xml_line("B", creditor=BUDI))
    csv = f"recipient_id,source_amount,target_currency\n{recipient},10.00,EUR\n{recipient},bad,EUR\n"
    return {
        KINDS[".json"]: (json.dumps(body).encode(), {}),
        KINDS[".csv"]: (csv.encode(), {"source_wallet_id": wallet, "payer_id": payer}),
        KINDS[".xml"]: (xml.encode(), {"payer_id": payer}),
    }


async def sent(cell: ApiCell, kind: str, content: bytes, key: str, **parameters: str) -> httpx.Response:
    headers = {"Content-Type": kind, "Idempotency-Key": key}
    return await cell.client.post("/v1/batches", content=content, headers=headers, params=parameters)


async def test_an_option_holds_whatever_the_form(cell: ApiCell) -> None:
    for kind, (content, needed) in (await forms(cell)).items():
        answer = await sent(
            cell, kind, content, kind, **needed, scheduled_for=_LATER.isoformat(), all_or_nothing="true"
        )
        assert answer.status_code == 201, answer.text
        shown = answer.json()
        assert datetime.fromisoformat(shown["scheduled_for"]) == _LATER, kind
        assert shown["all_or_nothing"] is True, kind


async def test_a_json_batch_may_say_by_parameter_what_its_body_does_not(cell: ApiCell) -> None:
    content, _ = (await forms(cell, source_wallet_id=None, payer_id=None))["application/json"]
    answer = await sent(cell, "application/json", content, "none")
    assert code_of(answer) == (422, "batch-file-invalid")
    wallet, payer = cell.wallets["EUR"].wallet_id, await cell.payer()
    answer = await sent(cell, "application/json", content, "both", source_wallet_id=wallet, payer_id=payer)
    assert answer.status_code == 201, answer.text
    assert answer.json()["source_wallet_id"] == wallet
    lines = (await cell.client.get(f"/v1/batches/{answer.json()['id']}/lines")).json()["data"]
    assert [one["error"] and one["error"]["pointer"] for one in lines] == [None, "/source/value"]


@pytest.mark.parametrize(
    ("name", "in_body", "in_query"),
    [
        ("scheduled_for", _LATER.isoformat(), (_LATER + timedelta(seconds=1)).isoformat()),
        ("all_or_nothing", False, "true"),
        ("all_or_nothing", True, "false"),
        ("source_wallet_id", None, "wal_eu1_" + "0" * 26),
        ("payer_id", None, "pyr_eu1_" + "0" * 26),
    ],
    ids=["scheduled_for", "false-true", "true-false", "source_wallet_id", "payer_id"],
)
async def test_a_body_and_a_parameter_that_contradict_each_other_are_refused(
    cell: ApiCell, name: str, in_body: Any, in_query: str
) -> None:
    content, _ = (await forms(cell, **({} if in_body is None else {name: in_body})))["application/json"]
    answer = await sent(cell, "application/json", content, "k", **{name: in_query})
    assert code_of(answer) == (422, "option-contradicted")
    assert answer.json()["parameter"] == name
    assert (await cell.client.get("/v1/batches")).json()["data"] == []


async def test_the_same_said_twice_is_said_once(cell: ApiCell) -> None:
    content, _ = (await forms(cell, scheduled_for=_LATER.isoformat(), all_or_nothing=True))["application/json"]
    elsewhere = _LATER.astimezone(tz=None).isoformat()
    answer = await sent(cell, "application/json", content, "k", scheduled_for=elsewhere, all_or_nothing="true")
    assert answer.status_code == 201, answer.text


async def test_a_wallet_that_is_not_the_file_s_debtor_is_refused(cell: ApiCell) -> None:
    content, needed = (await forms(cell))["application/xml"]
    another = next(one.wallet_id for currency, one in cell.wallets.items() if currency != "EUR")
    answer = await sent(cell, "application/xml", content, "k", **needed, source_wallet_id=another)
    assert code_of(answer) == (422, "option-contradicted")
    assert answer.json()["parameter"] == "source_wallet_id"
    assert (await cell.client.get("/v1/batches")).json()["data"] == []


async def test_the_command_line_s_options_hold_whatever_the_file(cell: ApiCell, tmp_path: Path) -> None:
    key = cell.client.headers["Authorization"].removeprefix("Bearer ")
    at = _LATER.strftime("%Y-%m-%dT%H:%M:%S%z")
    named = ("--wallet", cell.wallets["EUR"].wallet_id, "--at", at, "--all-or-nothing")
    kinds = {kind: suffix for suffix, kind in KINDS.items()}
    async with served(cell.app) as url:
        for kind, (content, needed) in (await forms(cell)).items():
            file = tmp_path / f"november{kinds[kind]}"
            file.write_bytes(content)
            payer = ("--payer", needed["payer_id"]) if needed else ()
            made = await kovra(url, key, "submit", str(file), *named, *payer)
            shown = (await cell.client.get(f"/v1/batches/{made['id']}")).json()
            assert datetime.fromisoformat(shown["scheduled_for"]) == _LATER, kind
            assert shown["all_or_nothing"] is True, kind


async def test_a_file_of_persons_is_a_batch_of_ids(cell: ApiCell, tmp_path: Path) -> None:
    key = cell.client.headers["Authorization"].removeprefix("Bearer ")
    ids = await cell.recipient(), await cell.payer()
    iban, street = RECIPIENT["account"]["iban"], PAYER["address"]
    payer = f"Erika Beispiel,{street['street']},{street['town']},SE,C-1"
    file = tmp_path / "november.csv"
    file.write_text(
        "reference,source_currency,source_amount,target_currency,recipient_id,payer_id,payer_name,payer_street,payer_town,payer_country,"
        "payer_customer_number,recipient_name,recipient_iban,metadata.order\n"
        f"A,EUR,10.00,EUR,,,{payer},Muster KG,{iban},=1+1\n\n"
        f'"B\nb",,11.00,EUR,,,{payer},Muster KG,{iban},"two\nlines"\n'
        f"C,EUR,12.00,EUR,{ids[0]},{ids[1]},,,,,,,,\n"
        f"D,EUR,13.00,EUR,,,{payer},Muster KG,{iban[:-1]}1,\n"
        f"E,EUR,14.00,EUR,,,{payer},李 3,{iban},\n"
        f"F,GBP,15.00,EUR,,,{payer},Muster KG,{iban},\n"
        f"G,EUR,16.00,EUR,{ids[0]},,{payer},,,,too much\n"
    )
    parties = ("/v1/payers", "/v1/recipients")
    async with served(cell.app) as url:
        named = ("submit", str(file), "--wallet", cell.wallets["EUR"].wallet_id)
        made = await kovra(url, key, *named)
        counts = [len((await cell.client.get(path)).json()["data"]) for path in parties]
        again = await kovra(url, key, *named)
    assert (again["id"], again["refused"]) == (made["id"], made["refused"])
    assert counts == [2, 2] == [len((await cell.client.get(path)).json()["data"]) for path in parties]
    assert [(one["file_line"], one["code"]) for one in made["refused"]] == [
        (8, "iban-invalid"), (9, "letters-unwritable"), (11, "line-invalid"),
    ]  # fmt: skip
    lines = await lines_of(cell, made["id"])
    assert [(one["file_line"], (one["error"] or {}).get("pointer")) for one in lines] == [
        (2, None), (4, "/metadata.order"), (7, None), (8, "/payer_id"), (9, "/recipient_id"), (10, "/source_currency"), (11, "/payer_id"),
    ]  # fmt: skip
    assert lines[0]["metadata"] == {"order": "=1+1"}
    assert lines[2]["recipient_id"] == ids[0]


async def test_the_sample_of_pay_is_a_batch(cell: ApiCell) -> None:
    key = cell.client.headers["Authorization"].removeprefix("Bearer ")
    sample = Path(router.cli.__file__).parent / "samples" / "payments.csv"
    async with served(cell.app) as url:
        made = await kovra(url, key, "submit", str(sample), "--wallet", cell.wallets["EUR"].wallet_id)
    assert made["lines"] == 40
    answer = await sent(
        cell, "text/csv", sample.read_bytes(), "straight", source_wallet_id=cell.wallets["EUR"].wallet_id
    )
    assert code_of(answer) == (422, "batch-file-invalid")
    lines = await lines_of(cell, made["id"])
    assert [one["file_line"] for one in lines] == list(range(2, 42))
    assert {one["file_line"] for one in made["refused"]} >= {33, 35, 39}
