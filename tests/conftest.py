"""Fixtures everybody may use. Servers are real, one set per test process, started on first use."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from tests.support import servers
from tests.support.ray_cluster import RunningRay, running_ray
from tests.support.schemes import RunningSchemes, start_schemes, stop_schemes
from tests.support.whole_stack import RunningStack, running_stack

# What an example takes is the machine's business: nothing here is a timed test.
settings.register_profile("kovra", deadline=None)
settings.load_profile("kovra")
# What a command prints is laid out for the terminal that it is in; a test says its own where it matters (tests/unit/router/cli/test_plain.py).
for _terminal in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR"):
    os.environ.pop(_terminal, None)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[servers.RunningPostgres]:
    """One Postgres 18 for this test process."""
    directory = servers.scratch_directory()
    running = servers.start_postgres(directory)
    try:
        yield running
    finally:
        servers.stop(running.process)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def cell_database(
    postgres_cluster: servers.RunningPostgres, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], servers.CellDatabase]]:
    """`cell_database("EU")`: a fresh, migrated database of that region; dropped after the test, once its events are held against
    the catalogue, and its rows against its journal (neither for a test that writes rows by hand, and is marked `writes_by_hand`)."""
    made: list[servers.CellDatabase] = []

    def make(region: str) -> servers.CellDatabase:
        made.append(postgres_cluster.database(region))
        return made[-1]

    yield make
    # Neither an event nor a row follows from what a test has made of the journal by hand.
    whole = [] if request.node.get_closest_marker("writes_by_hand") else made
    strange = [fault for database in whole for fault in postgres_cluster.strange_events(database)]
    apart = [one for database in whole for one in postgres_cluster.apart_from_journal(database)]
    for database in made:
        postgres_cluster.drop(database)
    assert not apart, "rows are not what their journal makes of them (L11)"
    assert not strange, "partners were told what the catalogue does not show (cells/webhooks/catalogue.py)"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.RunningRedis]:
    """One Redis for this test process."""
    directory = servers.scratch_directory()
    running = servers.start_redis(directory)
    try:
        yield running
    finally:
        servers.stop(running.process)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def redis_url(redis_server: servers.RunningRedis) -> str:
    """Where this test process's Redis answers, password included."""
    return redis_server.server.url


@pytest.fixture(scope="session")
def schemes() -> Iterator[RunningSchemes]:
    """The scheme simulator with every rail, one for this test process."""
    running = start_schemes()
    yield running
    stop_schemes(running)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[RunningRay]:
    """One Ray cluster for this test process. A process talks to one cluster at a time: close the runtime after each test."""
    directory = servers.scratch_directory()
    try:
        with running_ray(directory) as running:
            yield running
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """Three cells, the router and the schemes: one whole stack for this test process."""
    with running_stack() as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who breaks the one stack on purpose comes after all who share it."""
    items.sort(key=lambda item: item.get_closest_marker("breaks_the_stack") is not None)
