"""Signed cookies: what ``cookie-parser`` does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from asgi_express.request import Request
from asgi_express.types import Next

__all__ = ["cookie_parser"]


def cookie_parser(secrets: str | Sequence[str]) -> Callable[[Request, Any, Next], Awaitable[None]]:
    """Return a middleware that gives requests the secrets which cookies are signed with.

    ``req.cookies`` needs no middleware; ``req.signed_cookies`` and ``res.cookie(..., signed=True)`` need this one.

    Args:
        secrets: one, or several of which the first signs and all are accepted: put a new one in front,
            and take the old one away when the cookies that it signed have ended.

    Raises:
        TypeError: a secret is not text.
        ValueError: there is no secret, or one is empty.

    Example::

        app.use(cookie_parser(["new secret", "old secret"]))
    """
    each: tuple[Any, ...] = tuple(secrets) if isinstance(secrets, list | tuple) else (secrets,)
    if not all(isinstance(secret, str) for secret in each):
        msg = f"cookie_parser: a secret must be text, got {[type(secret).__name__ for secret in each]}"
        raise TypeError(msg)
    if not each or not all(each):
        msg = "cookie_parser: a secret must not be empty"
        raise ValueError(msg)

    async def parse_cookies(req: Request, res: Any, next: Next) -> None:
        req.cookie_secrets = each
        next()

    return parse_cookies
