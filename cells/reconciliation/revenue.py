"""L5 in sum: what stands on FEE and MARGIN, by posting code, is what completed payments were charged, less what returns gave
back. Pure."""

from collections import Counter

from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.ledger.codes import Code
from cells.payments.machine import Leg
from cells.reconciliation.facts import CellFacts, LegSum, describe
from cells.reconciliation.fold import Figures
from cells.reconciliation.report import Finding
from cells.reconciliation.standing import Standing, is_in

Key = tuple[int, Code]


def revenue(facts: CellFacts) -> list[Finding]:
    """Each (account, code): posted = completed payments', pending = those on their way; any other code is a fault."""
    posted, held = _charged(facts, Standing.POSTED), _charged(facts, Standing.HELD)
    posted.update(_given_back(facts))
    found: dict[Key, Figures] = {
        (account, Code(code)): figures
        for kind in (AccountType.FEE_REVENUE, AccountType.FX_MARGIN)
        for account in facts.books.accounts(kind)
        for code, figures in facts.books.by_code[account].items()
    }
    findings = []
    for key in sorted(posted.keys() | held.keys() | found.keys()):
        figures = found.get(key, Figures())
        for name, must, has in (
            ("posted", posted[key], figures.balance),
            ("pending", held[key], figures.credits_pending - figures.debits_pending),
        ):
            if must != has:
                account, code = key
                findings.append(
                    Finding(
                        "L5",
                        (facts.cell,),
                        describe(account),
                        f"{code.name} {name}",
                        chart.ledger_amount(must, account),
                        chart.ledger_amount(has, account),
                    )
                )
    return findings


def _charged(facts: CellFacts, standing: Standing) -> Counter[Key]:
    sums: Counter[Key] = Counter()
    for one in facts.leg_sums:
        if is_in(one.leg, one.state, standing):
            for key, amount in _charges(one):
                sums[key] += amount
    return Counter({key: amount for key, amount in sums.items() if amount})


def _given_back(facts: CellFacts) -> Counter[Key]:
    """What returns took off again, as negative amounts."""
    sums: Counter[Key] = Counter()
    for one in facts.return_sums:
        if one.leg is not Leg.DESTINATION:
            source = CURRENCIES[one.source_currency].number
            sums[chart.platform(AccountType.FEE_REVENUE, source), Code.RETURN_FEE] -= one.came.fee
            sums[chart.platform(AccountType.FX_MARGIN, source), Code.RETURN_MARGIN] -= one.came.margin
    return Counter({key: amount for key, amount in sums.items() if amount})


def _charges(one: LegSum) -> list[tuple[Key, int]]:
    source, target = CURRENCIES[one.source_currency].number, CURRENCIES[one.target_currency].number
    fee = chart.platform(AccountType.FEE_REVENUE, target if one.leg is Leg.DESTINATION else source)
    match one.leg:
        case Leg.DESTINATION:
            return [((fee, Code.RECIPIENT_FEE), one.recipient_fee)]
        case Leg.IN_REGION:
            return [((fee, Code.FEE), one.fee), ((fee, Code.RECIPIENT_FEE), one.recipient_fee)]
        case Leg.ORIGIN:
            margin = chart.platform(AccountType.FX_MARGIN, source)
            return [((fee, Code.FEE), one.fee), ((margin, Code.MARGIN), one.margin)]
