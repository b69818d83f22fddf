"""Fixtures of tests over real servers."""

import pytest


@pytest.fixture(autouse=True)
def _named_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who calls `kovra` here; no test runs on a terminal."""
    monkeypatch.setenv("KOVRA_OPERATOR", "ana.ops")
