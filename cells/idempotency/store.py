"""The table idempotency_keys. Multi-row statements inside the caller's transaction; nothing commits here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from cells.idempotency.answer import Answer, from_stored, to_stored


@dataclass(frozen=True, slots=True)
class Claim:
    """One request under a key. `resource_id` is what it will make, if it is the first."""

    tenant_id: str
    operation: str
    key: str
    request_sha256: bytes
    resource_id: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """What became of a claim. `resource_id`: what the first request with the key makes or made; `answer`: once it was given."""

    first: bool
    same_request: bool
    resource_id: str
    answer: Answer | None


_CLAIMS = Rows("idempotency_keys", "tenant_id operation key request_sha256:bytea resource_id")
_ANSWERS = Rows("idempotency_keys", "resource_id answer:jsonb")
_KEYS = Rows("idempotency_keys", "tenant_id operation key")


async def claim(connection: Connection, region: str, claims: Sequence[Claim]) -> list[Claimed]:
    """Claim keys for what this transaction does, in order. Of two claims of one key the first wins, across transactions too:
    a claim waits for another transaction that holds the key, and then sees what it decided."""
    if not claims:
        return []
    new = await connection.fetch(
        f"""
        insert into idempotency_keys (compliance_region, {_CLAIMS.names})
        select $1, {_CLAIMS.names} from {_CLAIMS.source(2, place=True)}
        order by tenant_id, operation, key, place
        on conflict do nothing
        returning resource_id
        """,
        region,
        *_CLAIMS.arguments(
            (one.tenant_id, one.operation, one.key, one.request_sha256, one.resource_id) for one in claims
        ),
    )
    firsts = {row["resource_id"] for row in new}
    others = [one for one in claims if one.resource_id not in firsts]
    found = await _find(connection, region, others)
    return [
        Claimed(True, True, one.resource_id, None)
        if one.resource_id in firsts
        else found[one.tenant_id, one.operation, one.key].seen_by(one)
        for one in claims
    ]


async def give(connection: Connection, region: str, answers: Mapping[str, Answer]) -> None:
    """Keep answers, by the resource that the request made; an answer that stands already is not changed."""
    if not answers:
        return
    await connection.execute(
        f"""
        update idempotency_keys k set answer = new.answer from {_ANSWERS.source(3)}
        where k.compliance_region = $1 and k.resource_id = any ($2::text[]) and k.resource_id = new.resource_id and k.answer is null
        """,
        region, list(answers), *_ANSWERS.arguments((resource_id, to_stored(answer)) for resource_id, answer in answers.items()),
    )  # fmt: skip


async def kept(connection: Connection, region: str, tenant_id: str, operation: str, key: str) -> Answer | None:
    """The answer that stands under a key, if one was given."""
    stored = await connection.fetchval(
        "select answer from idempotency_keys where compliance_region = $1 and tenant_id = $2 and operation = $3 and key = $4",
        region, tenant_id, operation, key,
    )  # fmt: skip
    return from_stored(stored) if stored else None


async def made_by(connection: Connection, region: str, operation: str, resource_ids: Sequence[str]) -> set[str]:
    """Those of the resources that requests of that operation made."""
    rows = await connection.fetch(
        "select resource_id from idempotency_keys where compliance_region = $1 and resource_id = any ($2::text[])"
        " and operation = $3",
        region, resource_ids, operation,
    )  # fmt: skip
    return {row["resource_id"] for row in rows}


@dataclass(frozen=True, slots=True)
class _Row:
    request_sha256: bytes
    resource_id: str
    answer: Answer | None

    def seen_by(self, one: Claim) -> Claimed:
        return Claimed(False, self.request_sha256 == one.request_sha256, self.resource_id, self.answer)


async def _find(connection: Connection, region: str, claims: Sequence[Claim]) -> dict[tuple[str, str, str], _Row]:
    if not claims:
        return {}
    rows = await connection.fetch(
        f"""
        select k.tenant_id, k.operation, k.key, k.request_sha256, k.resource_id, k.answer
        from idempotency_keys k join {_KEYS.source(5)} using (tenant_id, operation, key)
        where k.compliance_region = $1 and k.tenant_id = any ($2::text[]) and k.operation = any ($3::text[]) and k.key = any ($4::text[])
        """,
        region,
        [one.tenant_id for one in claims],
        [one.operation for one in claims],
        [one.key for one in claims],
        *_KEYS.arguments((one.tenant_id, one.operation, one.key) for one in claims),
    )
    return {
        (row["tenant_id"], row["operation"], row["key"]): _Row(
            row["request_sha256"], row["resource_id"], from_stored(row["answer"]) if row["answer"] else None
        )
        for row in rows
    }
