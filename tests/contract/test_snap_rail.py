"""What is SNAP's own: tokens, signatures the bank refuses, and answers that are none."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from cells.rails.connection import SchemeConnection
from cells.rails.console import Payments, SchemeConsole
from cells.rails.rail import InDoubt, RailUnavailable, Refused, ReturnOut, Settled
from cells.rails.registry import WireUnknown, open_rail
from cells.rails.snap.connector import SnapRail
from tests.support.schemes import RunningSchemes, payout, start_schemes, stop_schemes
from tests.support.servers import free_port
from tests.support.snap_keys import SNAP_ACCESS

RAIL = "bi_fast"
TOKEN_PATH = "/bank/v1.0/access-token/b2b"
TRANSFER_PATH = "/bank/v1.0/transfer-interbank"
STATUS_PATH = "/bank/v1.0/transfer/status"
Answer = Callable[[dict[str, Any]], tuple[int, Any]]


@asynccontextmanager
async def opened(connection: SchemeConnection) -> AsyncIterator[SnapRail]:
    rail = open_rail(RAIL, connection)
    assert isinstance(rail, SnapRail)
    try:
        yield rail
    finally:
        await rail.close()


@asynccontextmanager
async def bank(**answers: Answer) -> AsyncIterator[tuple[SnapRail, list[str]]]:
    """A rail before a bank that answers `token`, `transfer` and `status` as told, and the paths that were asked."""
    asked: list[str] = []
    told: dict[str, Answer] = {"token": granted, **answers}

    def door(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            asked.append(name)
            status, body = told[name](await request.json())
            if isinstance(body, str):
                return web.Response(text=body, status=status)
            return web.json_response(body, status=status)

        return handle

    app = web.Application()
    for path, name in ((TOKEN_PATH, "token"), (TRANSFER_PATH, "transfer"), (STATUS_PATH, "status")):
        app.router.add_post(path, door(name))
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    connection = SchemeConnection(f"http://127.0.0.1:{port}/bank", "KOVRIDJ1", b"secret", 2.0, snap=SNAP_ACCESS)
    try:
        async with opened(connection) as rail:
            yield rail, asked
    finally:
        await runner.cleanup()


def granted(_: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"responseCode": "2007300", "accessToken": "t", "tokenType": "Bearer", "expiresIn": "900"}


def paid(order: dict[str, Any], **changed: Any) -> tuple[int, Any]:
    said = {"responseCode": "2001800", "referenceNo": "B1", "partnerReferenceNo": order["partnerReferenceNo"]}
    return 200, {**said, "amount": order["amount"], **changed}


async def test_a_token_is_asked_for_once() -> None:
    async with bank(transfer=paid) as (rail, asked):
        outcomes = await rail.submit([payout(rail.profile) for _ in range(5)])
        assert all(isinstance(one, Settled) for one in outcomes)
        assert sorted(asked) == ["token"] + ["transfer"] * 5


async def test_a_token_at_its_end_is_replaced() -> None:
    ended = {"responseCode": "2007300", "accessToken": "t", "expiresIn": "0"}
    async with bank(token=lambda _: (200, ended), transfer=paid) as (rail, asked):
        for _ in range(2):
            [outcome] = await rail.submit([payout(rail.profile)])
            assert isinstance(outcome, Settled)
        assert asked == ["token", "transfer"] * 2


async def test_a_token_refused_is_asked_for_once_by_all_who_wait() -> None:
    async with bank(token=lambda _: (500, "broken"), transfer=paid) as (rail, asked):
        with pytest.raises(RailUnavailable):
            await rail.submit([payout(rail.profile) for _ in range(20)])
        assert asked == ["token"]


async def test_a_token_that_the_bank_forgot_is_replaced() -> None:
    running = start_schemes()
    try:
        async with opened(running.connection(RAIL, 2.0, wire="snap")) as rail:
            [first] = await rail.submit([payout(rail.profile)])
            assert isinstance(first, Settled)
            running.restart()
            asked = payout(rail.profile)
            # Its idle connection broke with the restart; what goes over a new one has an old token.
            await rail.inquire([asked.end_to_end_id])
            [second] = await rail.submit([asked])
            assert isinstance(second, Settled)
    finally:
        stop_schemes(running)


async def test_a_token_refused_twice_means_nothing_was_taken() -> None:
    async with bank(transfer=lambda _: (401, {"responseCode": "4011801"})) as (rail, asked):
        with pytest.raises(RailUnavailable):
            await rail.submit([payout(rail.profile)])
        assert asked == ["token", "transfer", "token", "transfer"]


@pytest.mark.parametrize(
    "refusal",
    [(401, {"responseCode": "4017300"}), (500, "broken"), (200, {"responseCode": "2007300"}), (200, "[]")],
)
async def test_without_a_token_nothing_is_sent(refusal: tuple[int, Any]) -> None:
    async with bank(token=lambda _: refusal, transfer=paid) as (rail, asked):
        with pytest.raises(RailUnavailable):
            await rail.submit([payout(rail.profile)])
        with pytest.raises(RailUnavailable):
            await rail.inquire([payout(rail.profile).end_to_end_id])
        assert set(asked) == {"token"}


async def test_another_key_or_name_gets_no_token(schemes: RunningSchemes) -> None:
    right = schemes.connection(RAIL, 2.0, wire="snap")
    stranger = rsa.generate_private_key(65537, 2048)
    async with SchemeConsole(right) as console:
        for access in (
            replace(SNAP_ACCESS, private_key=stranger),
            replace(SNAP_ACCESS, client_key="SOMEBODY"),
            replace(SNAP_ACCESS, partner_id="SOMEBODY"),
        ):
            async with opened(replace(right, snap=access)) as rail:
                asked = payout(rail.profile)
                with pytest.raises(RailUnavailable):
                    await rail.submit([asked])
                assert (await console.payments(asked.end_to_end_id)).asked == 0


@pytest.mark.parametrize(
    "answer",
    [
        lambda order: paid(order, partnerReferenceNo="tr-id1-another"),
        lambda order: paid(order, partnerReferenceNo=None),
        lambda order: paid(order, amount={"value": "1.00", "currency": "IDR"}),
        lambda order: paid(order, responseCode="2003600"),
        lambda order: paid(order, responseCode="4031818"),
        lambda order: (403, paid(order)[1]),
        lambda order: (500, paid(order)[1]),
        lambda _: (200, "<html>"),
        lambda _: (200, "[]"),
        lambda _: (200, "{}"),
        lambda _: (403, "<html>"),
        lambda _: (404, "not here"),
        lambda _: (500, {"responseCode": "5001800"}),
        lambda _: (504, {"responseCode": "5041800"}),
        lambda _: (400, {"responseCode": "4001800"}),
        lambda _: (302, ""),
        lambda _: (200, "x" * 200_000),
    ],
)
async def test_what_is_no_answer_to_the_payment_leaves_it_in_doubt(answer: Answer) -> None:
    async with bank(transfer=answer) as (rail, _):
        [outcome] = await rail.submit([payout(rail.profile)])
        assert isinstance(outcome, InDoubt)
        assert outcome.cause == "no_answer"


async def test_one_taken_beside_one_not_taken_leaves_that_one_in_doubt() -> None:
    first: list[str] = []

    def once(order: dict[str, Any]) -> tuple[int, Any]:
        first.append(order["partnerReferenceNo"])
        return paid(order) if order["partnerReferenceNo"] == first[0] else (429, {"responseCode": "4291800"})

    async with bank(transfer=once) as (rail, _):
        outcomes = await rail.submit([payout(rail.profile) for _ in range(2)])
        assert {type(one) for one in outcomes} == {Settled, InDoubt}


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ("01", "pending"),
        ("02", "pending"),
        ("03", "pending"),
        ("04", "contradiction"),
        ("07", "not_found"),
        ("99", "no_answer"),
    ],
)
async def test_a_status_that_is_not_final(status: str, cause: str) -> None:
    def said(inquiry: dict[str, Any]) -> tuple[int, Any]:
        reference = inquiry["originalPartnerReferenceNo"]
        known = {"originalPartnerReferenceNo": reference, "latestTransactionStatus": status}
        return 200, {"responseCode": "2003600", **known}

    async with bank(status=said) as (rail, _):
        [outcome] = await rail.inquire([payout(rail.profile).end_to_end_id])
        assert isinstance(outcome, InDoubt)
        assert outcome.cause == cause


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"previousResponseCode": "4091801"}, "pending"),
        ({"previousResponseCode": "4041818"}, "pending"),
        ({"previousResponseCode": "4031805", "transactionStatusDesc": "Duplicate reference"}, "pending"),
        ({"previousResponseCode": "2001800"}, "contradiction"),
        ({"previousResponseCode": "4031899"}, "unclear"),
        ({"previousResponseCode": "what"}, "unclear"),
        ({"previousResponseCode": "4031818"}, None),
        ({"previousResponseCode": "2021800"}, None),
        ({"previousResponseCode": None}, None),
        ({}, None),
    ],
)
async def test_a_failed_status_ends_a_payment_only_for_a_reason_on_the_list(
    more: dict[str, Any], cause: str | None
) -> None:
    def said(inquiry: dict[str, Any]) -> tuple[int, Any]:
        known = {"originalPartnerReferenceNo": inquiry["originalPartnerReferenceNo"], "latestTransactionStatus": "06"}
        return 200, {"responseCode": "2003600", **known, **more}

    async with bank(status=said) as (rail, _):
        [outcome] = await rail.inquire([payout(rail.profile).end_to_end_id])
        assert getattr(outcome, "cause", None) == cause


async def test_a_refusal_that_says_duplicate_or_names_another_payment_is_none() -> None:
    for more in ({"responseMessage": "Do Not Honor: duplicate transaction"}, {"partnerReferenceNo": "tr-id1-another"}):
        said = {"responseCode": "4031805", **more}
        async with bank(transfer=lambda _, said=said: (403, said)) as (rail, _):
            [outcome] = await rail.submit([payout(rail.profile)])
            assert isinstance(outcome, InDoubt)


async def test_a_status_of_another_payment_is_no_answer() -> None:
    other = {"originalPartnerReferenceNo": "tr-id1-another", "latestTransactionStatus": "00"}
    async with bank(status=lambda _: (200, {"responseCode": "2003600", **other})) as (rail, _):
        [outcome] = await rail.inquire([payout(rail.profile).end_to_end_id])
        assert isinstance(outcome, InDoubt)
        assert outcome.cause == "no_answer"


async def test_asked_by_both_wires_a_payment_is_one(schemes: RunningSchemes) -> None:
    iso = open_rail(RAIL, schemes.connection(RAIL, 2.0))
    try:
        async with opened(schemes.connection(RAIL, 2.0, wire="snap")) as snap:
            asked = payout(snap.profile)
            assert isinstance((await iso.submit([asked]))[0], Settled)
            [again] = await snap.submit([asked])
            assert isinstance(again, InDoubt)
            assert again.cause == "pending"
            assert isinstance((await snap.inquire([asked.end_to_end_id]))[0], Settled)
        async with SchemeConsole(schemes.connection(RAIL)) as console:
            assert await console.payments(asked.end_to_end_id) == Payments(asked=2, paid=1)
    finally:
        await iso.close()


async def test_snap_gives_no_credit_back(schemes: RunningSchemes) -> None:
    async with opened(schemes.connection(RAIL, wire="snap")) as rail:
        [outcome] = await rail.give_back([ReturnOut("rt-1", "B1", "e2e", 100, "IDR", "AC04")])
        assert isinstance(outcome, Refused)


def test_a_rail_without_that_wire_is_not_opened(schemes: RunningSchemes) -> None:
    with pytest.raises(WireUnknown):
        open_rail("sepa_instant", schemes.connection("sepa_instant", wire="snap"))
