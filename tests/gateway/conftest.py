"""Redis, where a test needs it."""

from tests.stores.conftest import redis_server

__all__ = ["redis_server"]
