from collections.abc import Iterator

import pytest

from tests.stores.redis_server import RedisServer, running_redis


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    """A server for the tests of a module; one that is stopped is started again by the test that stopped it."""
    with running_redis() as server:
        yield server
