"""Fixtures of the contract suites: one suite, every implementation."""

from tests.contract.ledger_engines import ledger, ledger_dsn, open_ledger, tigerbeetle_addresses

__all__ = ["ledger", "ledger_dsn", "open_ledger", "tigerbeetle_addresses"]
