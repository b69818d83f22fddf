"""UK account numbers at the API of a cell: checked by the operator's tables where they are installed, by form alone where they are not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cells.backends.postgres import transaction
from cells.cell import open_institution
from cells.rails.modulus import ModulusTableInvalid
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.batch_api import lines_of, send
from tests.support.modulus_tables import WEIGHTS, installed
from tests.unit.cells.rails.test_uploads import line, upload

SORT_CODE, RIGHT, WRONG = "10-79-99", "88837491", "88837493"


@pytest.fixture
async def opened(cell_database, schemes, tmp_path, monkeypatch):
    """The UK cell, with the tables or without, as a context of its own."""
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    return lambda modulus: open_api_cell(tmp_path, cell_database("UK"), schemes, "uk-1", modulus=modulus)


def payee(number: str, sort_code: str = SORT_CODE) -> Mapping[str, Any]:
    account = {"sort_code": sort_code, "account_number": number}
    return {"currency": "GBP", "name": "Imogen Marsh", "account": account}


async def register(cell: ApiCell, number: str, sort_code: str = SORT_CODE) -> tuple[int, dict[str, Any]]:
    answer = await cell.client.post("/v1/recipients", json=payee(number, sort_code), headers={"Kovra-Region": "UK"})
    return answer.status_code, answer.json()


async def test_with_tables_a_wrong_pair_is_refused_and_kept_nowhere(opened, tmp_path: Path) -> None:
    async with opened(installed(tmp_path)) as cell:
        status, problem = await register(cell, WRONG)
        assert (status, problem["code"]) == (422, "account-invalid")
        assert "modulus check" in problem["detail"]
        assert "/account/account_number" in str(problem)
        assert WRONG not in str(problem)
        async with transaction(cell.parts.writer) as connection:
            assert await connection.fetchval("select count(*) from subjects") == 0
        assert (await register(cell, RIGHT))[0] == 201
        # No range has it, so that nothing can be said.
        assert (await register(cell, WRONG, "601613"))[0] == 201


async def test_without_tables_both_are_taken(opened) -> None:
    async with opened(None) as cell:
        assert [(await register(cell, number))[0] for number in (RIGHT, WRONG)] == [201, 201]


async def test_a_line_of_a_pain_001_is_refused_and_the_others_stand(opened, tmp_path: Path) -> None:
    async with opened(installed(tmp_path)) as cell:
        ours = cell.wallets["GBP"].account_number
        content = upload(
            *(line(name, "10.00", "GBP", creditor(number)) for name, number in (("A", RIGHT), ("B", WRONG)))
        )
        debtor = f"<Othr><Id>{ours}</Id></Othr>"
        text = content.decode().replace("<IBAN>LT643999001123456789</IBAN>", debtor)
        answer = await send(cell, text, "application/xml", payer_id=await cell.payer())
        assert answer.status_code == 201, answer.text
        lines = await lines_of(cell, answer.json()["id"])
        assert [(one["status"], (one["error"] or {}).get("code")) for one in lines] == [
            ("WAITING", None),
            ("INVALID", "account-invalid"),
        ]
        assert lines[1]["error"]["pointer"] == "/Document/CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf[2]/CdtrAcct/Id/Othr/Id"


def creditor(number: str) -> str:
    return (
        "<CdtrAgt><FinInstnId><ClrSysMmbId><MmbId>107999</MmbId></ClrSysMmbId></FinInstnId></CdtrAgt>"
        f"<Cdtr><Nm>Imogen Marsh</Nm></Cdtr><CdtrAcct><Id><Othr><Id>{number}</Id></Othr></Id></CdtrAcct>"
    )


async def test_with_a_table_that_cannot_be_followed_the_api_does_not_start_and_the_actors_do(
    opened, tmp_path: Path
) -> None:
    async with opened(installed(tmp_path)) as cell:
        installed(tmp_path, "x" + WEIGHTS)
        with pytest.raises(ModulusTableInvalid, match=r"VALACDOS\.txt: Line 1 "):
            await open_institution(cell.spec, "api", name="test-modulus", connections_max=1)
        institution = await open_institution(cell.spec, "writer", name="test-modulus", connections_max=1)
        await institution.close()
        assert (await register(cell, WRONG))[0] == 422, "what was read at the start still counts"
