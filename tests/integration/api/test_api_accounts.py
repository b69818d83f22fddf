"""One account in its several spellings, at every door; and accounts that are valid in form and not reached."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from schwifty import IBAN

from cells.backends.postgres import transaction
from cells.rails.connection import sign
from infra.schemes.messages import read_report
from tests.integration.api.test_api_payment import refusal
from tests.support.api_cell import RAIL_SECRETS, ApiCell, open_api_cell
from tests.support.batch_api import lines_of, send

GERMAN = "DE89370400440532013000"
PAIN = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
PACS = "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"


@pytest.fixture
async def eu(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("EU"), schemes) as opened:
        yield opened


@pytest.fixture
async def uk(cell_database, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("UK"), schemes, "uk-1") as opened:
        yield opened


async def register(cell: ApiCell, currency: str, **account: str) -> Any:
    body = {"currency": currency, "name": "Jane Sample", "account": account}
    return await cell.client.post("/v1/recipients", json=body, headers={"Kovra-Region": cell.spec.region})


async def test_a_recipient_has_one_account_however_it_is_written(eu: ApiCell, uk: ApiCell) -> None:
    for iban in (
        "de89 3704\u00a00044-0532 0130\u201300",
        "IBAN: DE89\u202f3704\u202f0044\u202f0532\u202f0130\u202f00\u200b",
    ):
        answer = await register(eu, "EUR", iban=iban)
        assert answer.status_code == 201, answer.text
        assert answer.json()["details"]["account"]["iban"] == GERMAN
    for account in ({"iban": "GB29 NWBK 6016 1331 9268 19"}, {"account_number": "60-16-13 31926819"}):
        answer = await register(uk, "GBP", **account)
        assert answer.status_code == 201, answer.text
        kept = answer.json()["details"]["account"]
        assert (kept["sort_code"], kept["account_number"], "iban" in kept) == ("601613", "31926819", False)


@pytest.mark.parametrize(
    ("account", "code", "pointer", "said"),
    [
        ({"iban": "TR33 0006 1005 1978 6457 8413 26"}, "account-unreachable", "/account/iban", "(TR)"),
        ({"iban": "SA0380000000608010167519"}, "account-unreachable", "/account/iban", "Saudi Arabia (SA)"),
        ({"iban": GERMAN, "bic": "NOTPROVIDED"}, "account-invalid", "/account/bic", "leave it out"),
        ({"iban": GERMAN, "bic": "DEUTDEFF"}, "account-invalid", "/account/bic", "COBA"),
        ({"iban": GERMAN, "bic": "COBAATWXXXX"}, "account-invalid", "/account/bic", "AT"),
    ],
)
async def test_valid_in_form_is_not_reachable(
    eu: ApiCell, account: dict[str, str], code: str, pointer: str, said: str
) -> None:
    problem = await refusal(await register(eu, "EUR", **account), 422, code, pointer)
    assert said in problem["detail"]
    async with transaction(eu.parts.writer) as connection:
        assert await connection.fetchval("select count(*) from recipients") == 0


async def test_a_rail_says_where_it_reaches(eu: ApiCell) -> None:
    for rail in (await eu.client.get("/v1/rails")).json()["data"]:
        assert {"DE", "RS", "GB"} < set(rail["countries"])
        assert not {"TR", "IR", "RU", "SA", "BR"} & set(rail["countries"])


def gb_iban(cell: ApiCell) -> str:
    number = cell.wallets["GBP"].account_number
    return str(IBAN.generate("GB", bank_code="KOVR", branch_code=number[:6], account_code=number[6:]))


def credit(cell: ApiCell, reference: str, account: str, sort_code: str) -> str:
    member = f"<ClrSysMmbId><ClrSysId><Cd>GBDSC</Cd></ClrSysId><MmbId>{sort_code}</MmbId></ClrSysMmbId>"
    return (
        f'<Document xmlns="{PACS}"><FIToFICstmrCdtTrf><GrpHdr><MsgId>{reference}</MsgId><CreDtTm>2026-11-29T10:00:00Z</CreDtTm>'
        f"<NbOfTxs>1</NbOfTxs><SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr><CdtTrfTxInf><PmtId><EndToEndId>E1</EndToEndId>"
        f'<TxId>{reference}</TxId></PmtId><IntrBkSttlmAmt Ccy="GBP">10.00</IntrBkSttlmAmt><ChrgBr>SLEV</ChrgBr><Dbtr><Nm>Max</Nm></Dbtr>'
        f"<DbtrAcct><Id><IBAN>{GERMAN}</IBAN></Id></DbtrAcct><DbtrAgt><FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt>"
        f"<CdtrAgt><FinInstnId>{member}</FinInstnId></CdtrAgt><Cdtr><Nm>Tried Rails</Nm></Cdtr><CdtrAcct><Id>{account}</Id></CdtrAcct>"
        "</CdtTrfTxInf></FIToFICstmrCdtTrf></Document>"
    )


async def test_money_for_a_uk_wallet_finds_it_by_each_spelling(uk: ApiCell) -> None:
    number = uk.wallets["GBP"].account_number
    sort_code, iban = number[:6], gb_iban(uk)
    named = (
        f"<IBAN>{iban}</IBAN>",
        f"<Othr><Id>{number}</Id></Othr>",
        f"<Othr><Id>{sort_code[:2]}-{sort_code[2:4]}-{sort_code[4:]} {number[6:]}</Id></Othr>",
        f"<Othr><Id>{iban[:4]} {iban[4:]}</Id></Othr>",
        f"<Othr><Id>{number[6:]}</Id></Othr>",
    )
    for place, account in enumerate(named):
        assert await answered(uk, f"T{place}", credit(uk, f"T{place}", account, sort_code)) == ("ACCP", ""), account
    wrong = credit(uk, "T9", f"<IBAN>{iban}</IBAN>", "601613")
    assert await answered(uk, "T9", wrong) == ("RJCT", "AC01")


async def answered(cell: ApiCell, reference: str, message: str) -> tuple[str, str]:
    body = message.encode()
    headers = sign(RAIL_SECRETS["faster_payments"].encode(), body, datetime.now(UTC))
    answer = await cell.anyone.post("/rails/faster_payments/inbound", content=body, headers=headers)
    return read_report(answer.content)[reference]


async def test_pain_001_names_uk_accounts_by_their_ibans(uk: ApiCell) -> None:
    payer = await uk.payer()
    content = (
        f'<Document xmlns="{PAIN}"><CstmrCdtTrfInitn><GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-29T09:00:00</CreDtTm><NbOfTxs>1</NbOfTxs>'
        "<InitgPty><Nm>Nordlicht</Nm></InitgPty></GrpHdr><PmtInf><PmtInfId>P1</PmtInfId><PmtMtd>TRF</PmtMtd><ReqdExctnDt><Dt>2026-11-29</Dt>"
        f"</ReqdExctnDt><Dbtr><Nm>Nordlicht</Nm></Dbtr><DbtrAcct><Id><IBAN>{gb_iban(uk)}</IBAN></Id></DbtrAcct><DbtrAgt><FinInstnId><Othr>"
        "<Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt><CdtTrfTxInf><PmtId><EndToEndId>UK2</EndToEndId></PmtId><Amt>"
        '<InstdAmt Ccy="GBP">5.00</InstdAmt></Amt><Cdtr><Nm>Jane Sample</Nm></Cdtr><CdtrAcct><Id><IBAN>GB29NWBK60161331926819</IBAN></Id>'
        "</CdtrAcct></CdtTrfTxInf></PmtInf></CstmrCdtTrfInitn></Document>"
    )
    answer = await send(uk, content, "application/xml", payer_id=payer)
    assert answer.status_code == 201, answer.text
    [line] = await lines_of(uk, answer.json()["id"])
    assert line["status"] == "WAITING", line
    [one] = (await uk.client.get("/v1/recipients")).json()["data"]
    assert one["details"]["account"]["sort_code"] == "601613"
