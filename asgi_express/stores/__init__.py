"""Where state lives that requests share: sessions, limits, tokens, idempotency, channels.

One small protocol, :class:`Store`, and two homes: :class:`MemoryStore` for one process, :class:`RedisStore` for many.
"""

from asgi_express.stores._errors import StoreUnavailable
from asgi_express.stores._protocol import Store
from asgi_express.stores.memory import MemoryStore
from asgi_express.stores.redis import RedisStore

__all__ = ["MemoryStore", "RedisStore", "Store", "StoreUnavailable"]
