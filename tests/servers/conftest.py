"""Each server is started once; what it has printed is shown with a failure."""

from collections.abc import Generator, Iterator

import httpx2
import pytest

from tests.servers.running import SERVERS, Running, running

PREFIX = "/proxy"


@pytest.fixture(scope="session", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Serve the application."""
    with running(request.param) as server:
        yield server


@pytest.fixture(scope="session", params=SERVERS)
def proxied(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Serve the application under a prefix that the server was told of."""
    with running(request.param, SERVERS[request.param].root_path, PREFIX) as server:
        yield server


@pytest.fixture
def client(server: Running) -> Iterator[httpx2.Client]:
    """Give a client of the server."""
    with httpx2.Client(base_url=server.url, follow_redirects=False, timeout=10) as client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the log of the server with a failure."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for value in item.funcargs.values():
            if isinstance(value, Running):
                report.sections.append((f"log of {value.name}", value.log))
    return report
