"""The one error of stores."""

from __future__ import annotations

from asgi_express.errors import HTTPError

__all__ = ["StoreUnavailable"]


class StoreUnavailable(HTTPError):
    """A store cannot answer now: it is away, too slow, full, or refuses. Nobody knows whether a write was done.

    As an answer it is a 503 with ``Retry-After``; the client does not read the message. What went wrong below is
    the ``__cause__``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(503, message, type="store.unavailable", headers={"Retry-After": "1"})
