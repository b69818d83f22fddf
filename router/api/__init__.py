"""One cell's HTTP: what a partner asks of it, and what the schemes bring to its rails.

Invariants: nothing is read of a request that belongs to another region; every route but a short public list needs a key and
one of its scopes; every change by a partner is on the audit trail before it is answered; every failure is a problem
document, and none says anything of a bug; nothing about a person is in a log, a metric or a kept answer.
"""
