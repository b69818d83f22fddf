"""Problems as partners meet them: pages at their addresses, and nothing in them but what was meant to be said."""

import logging
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from html import escape
from typing import Any

import asyncpg
import httpx
import pytest

from residency.ids import mint
from router.api.registry import registry
from tests.support.api_cell import PAYER, RECIPIENT, ApiCell, open_api_cell
from tests.support.documented import documented
from tests.support.servers import CellDatabase
from tests.support.whole_document import whole_document

HERE = {"Kovra-Region": "EU"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
# What an answer must never hold: the database's words, Python's, and where the code lies.
_INSIDE = re.compile(
    r"asyncpg|psycopg|postgres|relation |constraint|violates|duplicate key|select |insert |update |Traceback|\.py\b|line \d|"
    r"Error\b|Exception|pydantic|/work/|/home/|site-packages",
)


@pytest.fixture
def database(cell_database) -> CellDatabase:
    return cell_database("EU")


@pytest.fixture
async def cell(database: CellDatabase, schemes, tmp_path, monkeypatch) -> AsyncIterator[ApiCell]:
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, database, schemes) as opened:
        yield opened


async def test_every_type_is_the_address_of_a_page(cell: ApiCell) -> None:
    missing = (await cell.client.get(f"/v1/quotes/{mint('qt', 'eu-1')}")).json()
    page = await cell.anyone.get(missing["type"], headers=BROWSER)
    assert page.headers["content-type"].startswith("text/html")
    assert "What to do" in page.text and missing["title"] in page.text  # noqa: PT018
    told = (await cell.anyone.get(missing["type"], headers={"Accept": "application/json"})).json()
    assert told["example"] | {"request_id": ""} == {**missing, "request_id": ""}
    assert missing["detail"] == told["remedy"]
    index = (await cell.anyone.get("/problems")).json()["data"]
    assert [one["code"] for one in index] == list(registry())
    listed = (await cell.anyone.get("/problems", headers=BROWSER)).text
    for one in index:
        assert f"href='{one['type']}'" in listed
        assert (await cell.anyone.get(one["type"])).json() == one
        assert escape(one["remedy"]) in (await cell.anyone.get(one["type"], headers=BROWSER)).text
    unknown = await cell.anyone.get("/problems/<script>")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-problem")


async def test_the_documentation_needs_no_other_host(cell: ApiCell) -> None:
    page = (await cell.anyone.get("/docs", headers=BROWSER)).text
    needed = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert not [one for one in needed if not one.startswith(("/", "data:"))]
    assert "//cdn" not in page
    for one in needed:
        if one.startswith("/"):
            assert len((await cell.anyone.get(one)).content) > 100_000


async def everything_called(cell: ApiCell) -> dict[tuple[str, str], httpx.Response]:
    """Every route once, with ids that are nobody's and bodies that are good enough to reach the database."""
    bodies: dict[tuple[str, str], Any] = {
        ("POST", "/v1/quotes"): {"source": {"value": "10.00", "currency": "EUR"}, "target_currency": "EUR"},
        ("POST", "/v1/recipients"): RECIPIENT,
        ("POST", "/v1/payers"): PAYER,
        ("POST", "/v1/transfers"): {"quote_id": mint("qt", "eu-1"), "recipient_id": "r", "payer_id": "p"},
        ("POST", "/v1/webhooks"): {"url": "http://127.0.0.1:9/hook"},
        ("POST", "/v1/sandbox/deposits"): {
            "wallet_id": cell.wallets["EUR"].wallet_id,
            "amount": {"value": "10.00", "currency": "EUR"},
        },
    }
    answers = {}
    for method, path in documented(whole_document(cell.app)):
        if path.startswith(("/problems", "/rails/")):
            continue
        asked = re.sub(r"\{(\w+)_id\}", lambda found: mint(_KIND.get(found[1], "qt"), "eu-1"), path)
        headers = HERE | {"Idempotency-Key": "every-route"}
        body = bodies.get((method, path), {} if method == "POST" else None)
        answers[method, path] = await cell.client.request(method, asked, json=body, headers=headers)
    return answers


_KIND = {"transfer": "tr", "quote": "qt", "wallet": "wal", "recipient": "rcp", "payer": "pyr", "endpoint": "whe"}


@asynccontextmanager
async def without_tables(database: CellDatabase) -> AsyncIterator[None]:
    """Every table gone but those that know the caller; back afterwards, for the cell to close in peace."""
    owner = await asyncpg.connect(database.superuser)
    found = [row[0] for row in await owner.fetch("select tablename from pg_tables where schemaname = 'public'")]
    tables = [one for one in found if not one.startswith(("tenants", "api_keys"))]
    for table in tables:
        await owner.execute(f'alter table "{table}" rename to "gone_{table}"')
    yield
    for table in tables:
        await owner.execute(f'alter table "gone_{table}" rename to "{table}"')
    await owner.close()


async def test_what_the_database_says_stays_inside(
    cell: ApiCell, database: CellDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """With every table gone but those that know the caller, each route says only that it failed, and the log where."""
    caplog.set_level(logging.DEBUG)
    assert (await cell.client.get("/v1/wallets")).status_code == 200
    async with without_tables(database):
        answers = await everything_called(cell)
    for (method, path), answer in answers.items():
        assert not _INSIDE.search(answer.text), f"{method} {path}: {answer.text}"
        if answer.status_code >= 500:
            problem = answer.json()
            assert set(problem) == {"type", "title", "status", "detail", "code", "retryable", "request_id"}
            assert problem["code"] in ("internal", "store-unavailable", "outcome-unknown"), (
                f"{method} {path}: {problem}"
            )
    assert sum(answer.status_code == 500 for answer in answers.values()) > 15
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("kovra")]
    assert ours
    assert not [line for line in ours if re.search(r"gone_|relation|select |insert ", line)], ours


async def test_no_answer_is_stored_sniffed_or_framed(cell: ApiCell) -> None:
    for path, headers in (
        ("/v1/wallets", {}),
        ("/v1/nothing", {}),
        ("/healthz", {}),
        ("/openapi.json", {}),
        ("/v1/webhooks/jwks", {}),
    ):
        answer = await cell.client.get(path, headers=headers)
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers.get_list("cache-control") in (["no-store"], ["public, max-age=300"]), path
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'", path
    assert (await cell.client.get("/v1/wallets")).headers["cache-control"] == "no-store"


async def test_a_page_runs_its_own_scripts_and_no_others(cell: ApiCell) -> None:
    """Each inline script and style of a page is named in its policy by its hash; nothing is loaded from elsewhere."""
    for path in ("/docs", "/problems", "/problems/quote-expired"):
        page = await cell.anyone.get(path, headers=BROWSER)
        [policy] = page.headers.get_list("content-security-policy")
        assert "default-src 'none'" in policy
        assert "script-src 'self' 'unsafe-inline'" not in policy
        inline = re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", page.text, re.DOTALL)
        assert inline, path
        for one in inline:
            assert f"'sha256-{b64encode(sha256(one.encode()).digest()).decode()}'" in policy, path
        assert not re.search(r"(?:src|href)=.https?://", page.text)
