"""Statements and notices as banks write them: balances in pages, batches with and without amounts, netted, empty and wrong ones."""

import pytest

from cells.rails.inbound import read_inbound
from cells.rails.iso20022.accounts import read_notification, read_statements
from cells.rails.later import AccountReport
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import MessageInvalid

SEPA = rail_profiles()["sepa_credit_transfer"]
SPACE = "urn:iso:std:iso:20022:tech:xsd:"


def bal(code: str, value: str, direction: str = "CRDT", *, sub: str = "", ccy: str = "EUR") -> str:
    kind = f"<CdOrPrtry><Cd>{code}</Cd></CdOrPrtry>" + (f"<SubTp><Cd>{sub}</Cd></SubTp>" if sub else "")
    return (
        f'<Bal><Tp>{kind}</Tp><Amt Ccy="{ccy}">{value}</Amt><CdtDbtInd>{direction}</CdtDbtInd>'
        "<Dt><Dt>2026-11-30</Dt></Dt></Bal>"
    )


def entry(value: str, direction: str = "CRDT", details: str = "", *, status: str = "BOOK", charges: str = "") -> str:
    return (
        f'<Ntry><NtryRef>R1</NtryRef><Amt Ccy="EUR">{value}</Amt><CdtDbtInd>{direction}</CdtDbtInd><Sts><Cd>{status}</Cd></Sts>'
        f"<BookgDt><Dt>2026-11-30</Dt></BookgDt><BkTxCd/>{charges}{details}</Ntry>"
    )


def batch(*details: str, header: str = "") -> str:
    return f"<NtryDtls>{header}{''.join(details)}</NtryDtls>"


def detail(
    name: str, value: str = "", direction: str = "", *, within: str = "", charges: str = "", ccy: str = "EUR"
) -> str:
    amount = f'<Amt Ccy="{ccy}">{value}</Amt>' if value else ""
    sign = f"<CdtDbtInd>{direction}</CdtDbtInd>" if direction else ""
    if within:
        amount = sign + f"<AmtDtls><{within}>{amount}</{within}></AmtDtls>"
        sign = ""
    return f"<TxDtls><Refs><EndToEndId>{name}</EndToEndId></Refs>{amount}{sign}{charges}</TxDtls>"


def fee(value: str, *, included: str = "") -> str:
    inside = f"<ChrgInclInd>{included}</ChrgInclInd>" if included else ""
    return f'<Chrgs><Rcrd><Amt Ccy="EUR">{value}</Amt><CdtDbtInd>DBIT</CdtDbtInd>{inside}</Rcrd></Chrgs>'


def stmt(balances: str, entries: str = "", *, name: str = "ST1", page: str = "", summary: str = "") -> str:
    paged = f"<StmtPgntn><PgNb>{page}</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>" if page else ""
    return (
        f"<Stmt><Id>{name}</Id>{paged}<CreDtTm>2026-11-30T18:00:00Z</CreDtTm>"
        f"<Acct><Id><IBAN>LT083999001690831264</IBAN></Id></Acct>{balances}{summary}{entries}</Stmt>"
    )


def camt053(*statements: str) -> bytes:
    header = "<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-30T18:00:00Z</CreDtTm></GrpHdr>"
    text = f'<Document xmlns="{SPACE}camt.053.001.08"><BkToCstmrStmt>{header}{"".join(statements)}</BkToCstmrStmt></Document>'
    return text.encode()


def camt054(*entries: str) -> bytes:
    """One notification for each."""
    header = "<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-30T18:00:00Z</CreDtTm></GrpHdr>"
    told = "".join(
        f"<Ntfctn><Id>N{number}</Id><CreDtTm>2026-11-30T18:00:00Z</CreDtTm>"
        f"<Acct><Id><IBAN>LT083999001690831264</IBAN></Id></Acct>{one}</Ntfctn>"
        for number, one in enumerate(entries)
    )
    name = "BkToCstmrDbtCdtNtfctn"
    return f'<Document xmlns="{SPACE}camt.054.001.08"><{name}>{header}{told}</{name}></Document>'.encode()


def read(*statements: str) -> AccountReport:
    return read_statements(SEPA, camt053(*statements))


def moved(entries: str, by: str) -> list[tuple[str, int]]:
    """The movements of a statement whose balance goes from 1,000 to 1,000 plus `by`: end-to-end id and signed minor units."""
    closing = 1_000 + float(by)
    found = read(stmt(bal("OPBD", "1000") + bal("CLBD", f"{closing:.2f}"), entries))
    return [(one.end_to_end_id, one.signed_minor) for one in found.movements]


PLAIN = entry("600")


@pytest.mark.parametrize(
    "balances",
    [
        bal("PRCD", "1000") + bal("OPBD", "1000") + bal("CLBD", "1600"),
        bal("PRCD", "1000") + bal("CLBD", "1600"),
        bal("OPBD", "1000") + bal("CLBD", "1600") + bal("CLAV", "1500") + bal("FWAV", "1700") + bal("FWAV", "1800"),
        bal("OPBD", "1000") + bal("OPBD", "1000") + bal("CLBD", "1600"),
        bal("OPBD", "1000", sub="INTM") + bal("CLBD", "1600", sub="INTM"),
        bal("OPBD", "1000") + bal("ITBD", "1600"),
        bal("ITBD", "1000") + bal("CLBD", "1600"),
        bal("ITBD", "1000") + bal("ITBD", "1600"),
        bal("OPBD", "1000") + bal("ITBD", "1250") + bal("CLBD", "1600"),
    ],
)
def test_balances_of_whole_statements_and_of_pages(balances: str) -> None:
    [found] = read(stmt(balances, PLAIN)).statements
    assert (found.opening_minor, found.closing_minor) == (100_000, 160_000)


def test_an_overdrawn_account() -> None:
    [found] = read(stmt(bal("OPBD", "1000", "DBIT") + bal("CLBD", "400", "DBIT"), PLAIN)).statements
    assert (found.opening_minor, found.closing_minor) == (-100_000, -40_000)


@pytest.mark.parametrize(
    "balances",
    [
        bal("PRCD", "900") + bal("OPBD", "1000") + bal("CLBD", "1600"),
        bal("OPBD", "1000") + bal("CLBD", "1600") + bal("CLBD", "1601"),
        bal("OPBD", "1000", "DBIT") + bal("CLBD", "1600"),
        bal("CLBD", "1600"),
        bal("OPBD", "1000"),
        bal("ITBD", "1000"),
        bal("OPBD", "1000") + bal("CLBD", "1600", ccy="USD"),
    ],
)
def test_balances_that_do_not_lead_from_one_to_the_other(balances: str) -> None:
    with pytest.raises(MessageInvalid):
        read(stmt(balances, PLAIN))


@pytest.mark.parametrize(
    ("entries", "by", "movements"),
    [
        (PLAIN + entry("0.00"), "600", [("", 60_000)]),
        (PLAIN + entry("0.00", "DBIT", status="INFO"), "600", [("", 60_000)]),
        (PLAIN + entry("5.00", status="PDNG"), "600", [("", 60_000)]),
        # A batch: amounts beside the transactions, in AmtDtls alone, or none at all.
        (entry("600", details=batch(detail("a", "400"), detail("b", "200"))), "600", [("a", 40_000), ("b", 20_000)]),
        (entry("600", "DBIT", batch(detail("a", "400"), detail("b", "200"))), "-600", [("a", -40_000), ("b", -20_000)]),
        (entry("600", details=batch(detail("a", "400", within="TxAmt"), detail("b", "200", within="TxAmt"))), "600",
         [("a", 40_000), ("b", 20_000)]),
        (entry("600", details=batch(detail("a", "400", within="InstdAmt"), detail("b", "200", within="InstdAmt"))), "600",
         [("a", 40_000), ("b", 20_000)]),
        (entry("600", details=batch(detail("a"), detail("b"))), "600", [("", 60_000)]),
        (entry("600", details=batch(header="<Btch><NbOfTxs>2</NbOfTxs></Btch>")), "600", [("", 60_000)]),
        (entry("600", details=batch(detail("a"), header="<Btch><NbOfTxs>7</NbOfTxs></Btch>")), "600", [("", 60_000)]),
        (entry("600", details=batch(detail("a", "400")) + batch(detail("b", "200"))), "600", [("a", 40_000), ("b", 20_000)]),
        # Netted: debits among credits.
        (entry("600", details=batch(detail("a", "700", "CRDT"), detail("b", "100", "DBIT"))), "600", [("a", 70_000), ("b", -10_000)]),
        (entry("600", "DBIT", batch(detail("a", "700"), detail("b", "100", "CRDT"))), "-600", [("a", -70_000), ("b", 10_000)]),
        (entry("600", details=batch(detail("a", "700", within="TxAmt"), detail("b", "100", "DBIT", within="TxAmt"))), "600",
         [("a", 70_000), ("b", -10_000)]),
        (entry("0", details=batch(detail("a", "700", "CRDT"), detail("b", "700", "DBIT"))), "0", [("a", 70_000), ("b", -70_000)]),
        # One transaction; one in another currency; and what the bank kept of it.
        (entry("600", details=batch(detail("a", "600", "CRDT"))), "600", [("a", 60_000)]),
        (entry("600", details=batch(detail("a", "655", ccy="USD"))), "600", [("a", 60_000)]),
        (entry("598", details=batch(detail("a", "600", charges=fee("2")))), "598", [("a", 59_800)]),
        (entry("597", charges=fee("3"), details=batch(detail("a", "400"), detail("b", "200"))), "597", [("", 59_700)]),
        (entry("600", details=batch(detail("a", "600", charges=fee("2", included="true")))), "600", [("a", 60_000)]),
    ],
)  # fmt: skip
def test_entries_and_their_transactions(entries: str, by: str, movements: list[tuple[str, int]]) -> None:
    assert moved(entries, by) == movements


@pytest.mark.parametrize(
    "entries",
    [
        entry("600", details=batch(detail("a", "600", "DBIT"))),
        entry("600", details=batch(detail("a", "400"), detail("b", "100"))),
        entry("600", details=batch(detail("a", "400"), detail("b"))),
        entry("600", details=batch(detail("a", "400", "CRDT"), detail("b", "200", "DBIT"))),
        entry("600", details=batch(detail("a", "601"))),
        entry("600", details=batch(detail("a", "400"), detail("b", "200"), header="<Btch><NbOfTxs>3</NbOfTxs></Btch>")),
        entry("600", details=batch(detail("a", "400"), detail("b", "200"), header='<Btch><TtlAmt Ccy="EUR">601</TtlAmt></Btch>')),
        entry("600", details=batch(
            detail("a", "400"), detail("b", "200"), header='<Btch><TtlAmt Ccy="EUR">600</TtlAmt><CdtDbtInd>DBIT</CdtDbtInd></Btch>'
        )),
        entry("600", charges=fee("2"), details=batch(detail("a", "400"), detail("b", "201"))),
    ],
)  # fmt: skip
def test_transactions_that_contradict_their_entry(entries: str) -> None:
    with pytest.raises(MessageInvalid):
        moved(entries, "600")


def totals(count: int, value: str, *, of: str = "TtlNtries", net: str = "") -> str:
    return f"<TxsSummry><{of}><NbOfNtries>{count}</NbOfNtries><Sum>{value}</Sum>{net}</{of}></TxsSummry>"


BALANCED = bal("OPBD", "1000") + bal("CLBD", "1500")
TWO = entry("600") + entry("100", "DBIT") + entry("5", status="PDNG")


@pytest.mark.parametrize(
    ("summary", "good"),
    [
        (totals(3, "705"), True),
        (totals(2, "700"), True),
        (totals(2, "700", net="<TtlNetNtry><Amt>500</Amt><CdtDbtInd>CRDT</CdtDbtInd></TtlNetNtry>"), True),
        (totals(1, "100", of="TtlDbtNtries"), True),
        (totals(2, "705"), False),
        (totals(3, "700"), False),
        (totals(2, "100", of="TtlDbtNtries"), False),
        (totals(2, "700", net="<TtlNetNtry><Amt>500</Amt><CdtDbtInd>DBIT</CdtDbtInd></TtlNetNtry>"), False),
    ],
)
def test_the_summary_is_that_of_the_entries(summary: str, good: bool) -> None:
    text = stmt(BALANCED, TWO, summary=summary)
    if good:
        assert len(read(text).movements) == 2
        return
    with pytest.raises(MessageInvalid, match="TxsSummry"):
        read(text)


def test_one_statement_that_does_not_add_up_is_set_aside_and_the_others_are_read() -> None:
    good = stmt(bal("OPBD", "1000") + bal("CLBD", "1600"), PLAIN)
    wrong = stmt(bal("OPBD", "1000") + bal("CLBD", "1700"), PLAIN, name="ST2")
    dollars = stmt(bal("OPBD", "1", ccy="USD") + bal("CLBD", "1", ccy="USD"), name="ST3")
    found = read(wrong, good, dollars, stmt(bal("OPBD", "5") + bal("CLBD", "5"), name="ST4"))
    assert [one.statement_id for one in found.statements] == ["ST1", "ST4"]
    assert [one.report_id for one in found.set_aside] == ["ST2", "ST3"]
    assert all("1600" not in one.why for one in found.set_aside)
    with pytest.raises(MessageInvalid):
        read(wrong, dollars)


def test_a_statement_twice_in_a_file_counts_once_and_pages_are_no_repetition() -> None:
    first = stmt(bal("OPBD", "1000") + bal("ITBD", "1600"), PLAIN, page="1")
    second = stmt(bal("ITBD", "1600") + bal("CLBD", "2200"), PLAIN, page="2")
    found = read(first, second, second)
    assert [one.page for one in found.statements] == ["1", "2"]
    assert [one.report_id for one in found.set_aside] == ["ST1"]
    assert sum(one.signed_minor for one in found.movements) == 120_000


def test_a_notice_of_what_is_only_pending_tells_of_nothing_yet() -> None:
    body = camt054(entry("10", status="PDNG"))
    assert read_inbound("sepa_credit_transfer", body).kind == "account"
    for told in (read_notification(SEPA, body), read_notification(SEPA, camt054(""))):
        assert (list(told.movements), list(told.set_aside)) == ([], [])


def test_a_debit_among_the_transactions_of_a_notice_is_a_debit() -> None:
    netted = entry("70", details=batch(detail("a", "100", "CRDT"), detail("b", "30", "DBIT")))
    found = read_notification(SEPA, camt054(netted, entry("9", details=batch(detail("c", "9", "DBIT")))))
    assert [(one.end_to_end_id, one.signed_minor) for one in found.movements] == [("a", 10_000), ("b", -3_000)]
    assert [one.report_id for one in found.set_aside] == ["N1"]


def test_a_statement_is_taken_at_the_door() -> None:
    came = read_inbound("sepa_credit_transfer", camt053(stmt(bal("OPBD", "1000") + bal("CLBD", "1600"), PLAIN)))
    assert [one.closing_minor for one in came.account.statements] == [160_000]
