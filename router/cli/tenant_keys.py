"""`kovra tenants keys`: keys of partners in all three ways, and the operator's own, the same in every cell."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape

from cells.kit.operator import operator_actor
from cells.spec import home_path
from cells.tenants import store, store_keys
from cells.tenants.issuing import Issued, follow, issue
from cells.tenants.keys import ADMIN, SCOPES, UnknownKey, checked_scopes, in_use
from cells.tenants.tenant import ApiKey, CredentialType, Tenant, UnknownTenant, platform_tenant
from residency.ids import parse
from router.cli.console import err, print_json, print_plain
from router.cli.operator import Operator, acting
from router.cli.provisioning import all_cells, provision
from router.cli.record import changing, reading
from router.cli.tables import Listing, show_table

_ALL = ",".join(sorted(SCOPES))
_HEADS = {
    "key": "{}; the key itself is shown only now:",
    "signature": "{} is the keyid of its signatures; the secret that each region's signing key is made from is shown only now:",
    "client": "{} is the client_id; the client_secret is shown only now:",
}

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
KeyId = Annotated[str, typer.Argument(help="key_… (or the API key itself)")]
TypeOption = Annotated[
    CredentialType,
    typer.Option(
        "--type",
        help="Credential type. key: sent as Bearer; signature: signs each request; client: asks for OAuth tokens.",
    ),
]
Scopes = Annotated[
    str,
    typer.Option(
        "--scopes",
        help=f"Scopes, separated by commas; a noun, noun:read, or read. All by default: {', '.join(sorted(SCOPES))}.",
        show_default=False,
    ),
]
Label = Annotated[str, typer.Option("--label", help="What it is for.")]
Days = Annotated[float, typer.Option("--expires-days", min=0.0, help="Days until the key expires; 0: never.")]
Overlap = Annotated[float, typer.Option("--overlap-hours", min=0.0, help="For how long the old key still works.")]


def group() -> typer.Typer:
    """The commands."""
    keys = typer.Typer(
        help="Keys of partners: create, list, revoke, rotate; and the operator's own: admin.", no_args_is_help=True
    )
    keys.command("create")(create)
    keys.command("list")(show)
    keys.command("revoke")(revoke)
    keys.command("rotate")(rotate)
    keys.command("admin")(admin)
    return keys


def create(
    tenant_id: Annotated[str, typer.Argument(help="ten_…")],
    *,
    credential_type: TypeOption = "key",
    scopes: Scopes = _ALL,
    label: Label = "",
    expires_days: Days = 0.0,
    operator: Operator = "",
    json: Json = False,
) -> None:
    """Mint another key of a partner, good in every cell. Its secret is shown once."""
    chosen = checked_scopes(one.strip() for one in scopes.split(",") if one.strip())
    ends = datetime.now(UTC) + timedelta(days=expires_days) if expires_days else None
    who = acting(operator)
    tenant = asyncio.run(_tenant(parse(tenant_id, "ten").text))
    issued = issue(tenant, chosen, credential_type=credential_type, label=label, expires_at=ends)
    # The other cells may have missed the tenant: a key without it could not be stored there.
    asyncio.run(_into_all(tenant, issued, who, "tenants.keys.create"))
    _tell(issued, json=json)


def admin(label: Label = "", operator: Operator = "", json: Json = False) -> None:
    """Mint a key for the operator's admin API of every cell. Never give it to a partner."""
    who, home = acting(operator), all_cells(home_path())[0].entry
    tenant = platform_tenant(home)
    issued = issue(tenant, frozenset({ADMIN}), label=label)
    asyncio.run(_into_all(tenant, issued, who, "tenants.keys.admin"))
    _tell(issued, json=json)


def show(tenant_id: Annotated[str, typer.Argument(help="ten_…")], json: Json = False) -> None:
    """List a partner's keys: type, scopes, state and last use. Secrets are not stored and cannot be shown."""
    found = keys_of(parse(tenant_id, "ten").text)
    if json:
        print_json({"keys": found})
    else:
        show_table(table_of(found), "It has no key.")


def revoke(key_id: KeyId, operator: Operator = "", json: Json = False) -> None:
    """Revoke a key in every cell. Within seconds the key and its tokens are refused."""
    wanted = _id_of(key_id)
    revoked = asyncio.run(_revoke(wanted, acting(operator)))
    if not revoked:
        raise UnknownKey(f"{wanted} was not in use.")
    if json:
        print_json({"key_id": wanted, "cells": revoked})
    else:
        err.print(f"{wanted} is revoked in {', '.join(revoked)}.")


def rotate(key_id: KeyId, overlap_hours: Overlap = 24.0, operator: Operator = "", json: Json = False) -> None:
    """Mint a key with the same type and scopes, and end the old one after the overlap, in every cell."""
    wanted = _id_of(key_id)
    issued = asyncio.run(_rotate(wanted, timedelta(hours=overlap_hours), acting(operator)))
    if not json:
        err.print(f"{wanted} opens for another {overlap_hours:g} hours.")
    _tell(issued, json=json)


def keys_of(tenant_id: str) -> list[dict[str, Any]]:
    """A tenant's keys as they are shown, oldest first, with the cells that know them."""
    return asyncio.run(_keys_of(tenant_id))


def key_shown(key: ApiKey, now: datetime) -> dict[str, Any]:
    """A key without what opens."""
    state = "revoked" if key.revoked_at else "in use" if in_use(key, now) else "expired"
    return {
        "key_id": key.key_id,
        "credential_type": key.credential_type,
        "scopes": sorted(key.scopes),
        "label": key.label,
        "state": state,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
    }


def table_of(keys: list[dict[str, Any]]) -> Listing:
    """Keys for people."""
    table = Listing("key", "type", "state", "label", "last used", "ends", "scopes", "cells")
    for one in keys:
        used, ends = (f"{at:%Y-%m-%d %H:%M}" if at else "never" for at in (one["last_used_at"], one["expires_at"]))
        columns = (one["key_id"], one["credential_type"], one["state"], escape(one["label"]), used, ends)
        table.add_row(*columns, " ".join(one["scopes"]), " ".join(one["cells"]))
    return table


async def _keys_of(tenant_id: str) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for spec in all_cells(home_path()):
        async with reading(spec) as connection:
            for key in await store_keys.list_keys(connection, spec.region, [tenant_id]):
                shown = key_shown(key, datetime.now(UTC))
                row = found.setdefault(key.key_id, {**shown, "cells": []})
                row["cells"].append(spec.name)
                # Each cell knows of its own use only.
                row["last_used_at"] = max(filter(None, (row["last_used_at"], key.last_used_at)), default=None)
    return list(found.values())


async def _tenant(tenant_id: str) -> Tenant:
    specs = all_cells(home_path())
    home = next((spec for spec in specs if spec.name == parse(tenant_id).cell), specs[0])
    async with reading(home) as connection:
        tenant = (await store.find_tenants(connection, home.region, [tenant_id])).get(tenant_id)
    if tenant is None:
        raise UnknownTenant(f"{home.name} has no tenant {tenant_id}; `kovra tenants list` shows who there is.")
    return tenant


async def _revoke(key_id: str, who: str) -> list[str]:
    revoked = []
    for spec in all_cells(home_path()):
        async with changing(spec, operator_actor(who)) as change:
            connection, region = change.connection, spec.region
            if await store_keys.revoke_keys(connection, region, [key_id]):
                holder = (await store_keys.find_keys(connection, region, [key_id]))[key_id]
                await change.record("tenants.keys.revoke", key_id, tenant_id=holder.tenant.tenant_id)
                revoked.append(spec.name)
            else:
                change.unchanged = True
    return revoked


async def _rotate(key_id: str, overlap: timedelta, who: str) -> Issued:
    specs = all_cells(home_path())
    home = next((spec for spec in specs if spec.name == parse(key_id).cell), specs[0])
    async with reading(home) as connection:
        holder = (await store_keys.find_keys(connection, home.region, [key_id])).get(key_id)
    if holder is None or not in_use(holder.key, holder.checked_at):
        raise UnknownKey(f"{key_id} is not in use in {home.name}.")
    issued = follow(holder.tenant, holder.key)
    # The new one everywhere before the old one ends anywhere: done again after a failure, nobody is left without.
    await _into_all(holder.tenant, issued, who, "tenants.keys.rotate")
    for spec in specs:
        async with changing(spec, operator_actor(who)) as change:
            if await store_keys.expire_keys(change.connection, spec.region, [key_id], holder.checked_at + overlap):
                tenant_id, new = holder.tenant.tenant_id, issued.row.key_id
                await change.record("tenants.keys.expire", key_id, tenant_id=tenant_id, outcome=new)
            else:
                change.unchanged = True
    return issued


async def _into_all(tenant: Tenant, issued: Issued, who: str, action: str) -> None:
    actor = operator_actor(who)
    await provision(home_path(), tenant, issued=[issued], currencies=[], actor=actor, action=action)


def _id_of(text: str) -> str:
    if text.startswith("kv_"):
        _, _, cell, public, _ = (*text.split("_"), "", "", "", "")[:5]
        text = f"key_{cell}_{public}"
    return parse(text, "key").text


def _tell(issued: Issued, *, json: bool) -> None:
    row = issued.row
    if json:
        print_json({
            "key_id": row.key_id, "tenant_id": row.tenant_id, "credential_type": row.credential_type, "scopes": sorted(row.scopes),
            "expires_at": row.expires_at, "key" if row.credential_type == "key" else "secret": issued.text,
        })  # fmt: skip
        return
    err.print(_HEADS[row.credential_type].format(row.key_id))
    print_plain(issued.text)
