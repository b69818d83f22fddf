"""Reconciliation: do the books hold? L1 to L11 (LEDGER.md, and the journal's) over the record of one cell, or of several together.

    report.py       what is found: Finding, Result, Report
    standing.py     what a leg's state says of its holds (derived from the lifecycle's table)
    fold.py         postings added up, account by account
    facts.py        what is known of one cell at one instant; legs.py: of one leg of a payment
    postings.py     L6      own_books.py  L1, L2, L3, L9     payments.py  L4, L5     batches.py  L3      quotes.py  L10     peers.py  L4, L7, L8
    refold.py       L11
    lives.py        what every life has asked of the ledger: the postings that must be there
    store.py, store_legs.py   the journal's side             gather.py, border.py    both sides, in pages
    reconcile.py    all of it: `reconcile(specs) -> Report`

Invariants of this room: it writes nothing; every check is a pure function over gathered facts; nothing is held in memory per
payment at rest, so a million payments are read in pages; what moves while it reads is never taken for a fault. The last one
rests on the order of reading: the journal's snapshot comes first and the ledger after it, so whatever the snapshot calls
applied must be there; what is there and not yet applied in the snapshot is left out of the sums, which are therefore those of
the snapshot's instant, and is looked for in the journal once more: a posting that no life has asked for is a finding.
"""
