"""Which cell a request belongs to, by DESIGN's order: id in the path, region named, home of the key."""

import base64
from collections.abc import Mapping

import pytest

from residency.directory import CellEntry, Directory, UnknownCell, load_directory
from residency.ids import mint
from router.edge.paths import PathUnknown
from router.edge.resolve import Asked, KeyMissing, RegionRequired, RegionsDisagree, resolve

_KEY = "Bearer kv_sandbox_eu1_" + "0" * 26 + "_" + "0" * 52


def _directory(**extra: CellEntry) -> Directory:
    cells: Mapping[str, CellEntry] = {**load_directory().cells, **{one.name: one for one in extra.values()}}
    return Directory(cells=cells)


def _second(region_of: str, name: str, number: int) -> CellEntry:
    return load_directory().cell(region_of).model_copy(update={"name": name, "number": number})


def _to(
    path: str, *, method: str = "GET", key: str = _KEY, region: str = "", host: str = ""
) -> tuple[str, str, str | None]:
    asked = Asked(method=method, path=path, host=host, region=region, authorization=key)
    found = resolve(_directory(second=_second("eu-1", "eu-2", 9)), asked)
    return found.cell.name, found.path, found.region


def test_an_id_in_the_path_names_the_cell() -> None:
    path = f"/v1/transfers/{mint('tr', 'id-1')}/events"
    assert _to(path) == ("id-1", path, None)


def test_the_second_cell_of_a_region_is_found_by_id() -> None:
    path = f"/v1/wallets/{mint('wal', 'eu-2')}"
    assert _to(path) == ("eu-2", path, None)


def test_a_recipient_token_is_an_id() -> None:
    path = f"/v1/recipients/{mint('rcp', 'id-1')}.IDR.c2lnbmF0dXJl"
    assert _to(path) == ("id-1", path, None)


def test_an_id_wins_over_a_named_region_and_the_cell_hears_its_own() -> None:
    path = f"/v1/transfers/{mint('tr', 'uk-1')}"
    assert _to(f"/id{path}") == ("uk-1", path, "UK")
    assert _to(path, region="EU") == ("uk-1", path, "UK")


@pytest.mark.parametrize(
    ("path", "region", "host"),
    [
        ("/id/v1/quotes", "", ""),
        ("/ID/v1/quotes", "", ""),
        ("/v1/quotes", "id", ""),
        ("/v1/quotes", "", "id.api.example:443"),
    ],
)
def test_a_region_is_named_in_path_header_or_host(path: str, region: str, host: str) -> None:
    assert _to(path, region=region, host=host) == ("id-1", "/v1/quotes", "ID")


def test_a_cell_may_be_named_where_a_region_may() -> None:
    assert _to("/eu-2/v1/wallets") == ("eu-2", "/v1/wallets", "EU")
    assert _to("/v1/wallets", region="eu2") == ("eu-2", "/v1/wallets", "EU")


def test_a_tenant_at_home_in_a_region_stays_in_its_own_cell_there() -> None:
    assert _to("/eu/v1/wallets", key=_KEY.replace("eu1", "eu2"))[0] == "eu-2"
    assert _to("/eu/v1/wallets", key=_KEY.replace("eu1", "uk1"))[0] == "eu-1"


def test_else_the_key_says_the_home() -> None:
    assert _to("/v1/quotes", method="POST") == ("eu-1", "/v1/quotes", None)


def test_a_host_whose_first_label_is_no_region_says_nothing() -> None:
    assert _to("/v1/quotes", host="api.example")[0] == "eu-1"
    assert _to("/v1/quotes", host="127.0.0.1:7400")[0] == "eu-1"


def test_the_version_is_no_region() -> None:
    assert _to("/v1/quotes")[1] == "/v1/quotes"


@pytest.mark.parametrize("path", ["/v1/recipients", "/v1/payers"])
def test_personal_data_is_sent_only_where_it_is_told_to_stay(path: str) -> None:
    with pytest.raises(RegionRequired) as refused:
        _to(path, method="POST")
    assert refused.value.extra["regions"] == ["EU", "ID", "UK"]
    assert _to(f"/id{path}", method="POST")[0] == "id-1"
    assert _to(path, method="GET")[0] == "eu-1"


def test_regions_that_disagree_are_refused() -> None:
    with pytest.raises(RegionsDisagree):
        _to("/id/v1/recipients", method="POST", region="EU")
    with pytest.raises(RegionsDisagree):
        _to("/v1/recipients", method="POST", region="EU", host="id.api.example")
    with pytest.raises(RegionsDisagree):
        _to("/eu-1/v1/wallets", region="eu-2")
    assert _to("/eu-2/v1/wallets", region="EU")[0] == "eu-2"


@pytest.mark.parametrize(
    ("path", "region", "key"),
    [
        ("/fr/v1/quotes", "", _KEY),
        ("/v1/quotes", "FR", _KEY),
        ("/v1/quotes", "fr-1", _KEY),
        ("/v1/transfers/tr_fr1_00000000000000000000000000", "", _KEY),
        ("/v1/quotes", "", _KEY.replace("eu1", "fr1")),
    ],
)
def test_an_unknown_place_is_named_with_the_known_ones(path: str, region: str, key: str) -> None:
    with pytest.raises(UnknownCell) as refused:
        _to(path, region=region, key=key)
    assert refused.value.status == 404
    assert refused.value.extra == {"regions": ["EU", "ID", "UK"], "cells": ["eu-1", "eu-2", "id-1", "uk-1"]}


def test_without_a_key_there_is_nobody_to_ask() -> None:
    with pytest.raises(KeyMissing):
        _to("/v1/quotes", key="")


def test_public_keys_are_a_regions_own() -> None:
    with pytest.raises(RegionRequired):
        _to("/.well-known/jwks.json", key="")
    assert _to("/id/.well-known/jwks.json", key="") == ("id-1", "/.well-known/jwks.json", "ID")


_HEADER = '{"alg":"Ed25519","kid":"id1-signing-20261120-1"}'


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "asked",
    [
        Asked("POST", "/v1/quotes", authorization="Bearer kv_live_id1_" + "0" * 26 + "_" + "0" * 52),
        Asked("POST", "/v1/quotes", authorization=f"Bearer {_b64(_HEADER)}.e30.c2ln"),
        Asked("POST", "/v1/oauth/token", authorization=f"Basic {_b64('key_id1_' + '0' * 26 + ':kvsec_x')}"),
        Asked(
            "POST",
            "/v1/quotes",
            signature_input='sig1=("@method");created=1;keyid="key_id1_' + "0" * 26 + '";nonce="n"',
        ),
    ],
)
def test_each_way_in_leads_home(asked: Asked) -> None:
    found = resolve(_directory(), asked)
    assert (found.cell.name, found.path, found.region) == ("id-1", asked.path, None)


@pytest.mark.parametrize(
    "path", ["/v1/oauth/token", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json"]
)
def test_what_differs_by_region_and_knows_no_home_must_name_it(path: str) -> None:
    with pytest.raises(RegionRequired):
        resolve(_directory(), Asked("POST", path))
    assert resolve(_directory(), Asked("POST", f"/id{path}")).cell.name == "id-1"


@pytest.mark.parametrize(
    "authorization", ["Bearer a.b.c", "Basic ***", "Bearer " + "A" * 5_000 + ".b.c", "Bearer é.ü.x"]
)
def test_what_names_no_cell_leads_nowhere(authorization: str) -> None:
    with pytest.raises(KeyMissing):
        resolve(_directory(), Asked("GET", "/v1/wallets", authorization=authorization))


def test_administration_is_not_reached_through_the_router() -> None:
    for path in ("/v1/admin/tenants", "/id/v1/admin/tenants", f"/v1/admin/tenants/{mint('ten', 'eu-1')}/keys"):
        with pytest.raises(PathUnknown):
            resolve(_directory(), Asked("GET", path, authorization=_KEY))
