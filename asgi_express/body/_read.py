"""Take the body of a request: is there one, how long may it be, and what of it is left after an error."""

from __future__ import annotations

import asyncio
import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from asgi_express._inbox import too_large
from asgi_express.errors import BodyError, MisuseError

if TYPE_CHECKING:
    from asgi_express.request import Request
    from asgi_express.response import Response

__all__ = ["claim", "content_encoding", "declared_length", "drain", "has_body", "refuse_length", "take"]

_LENGTH = re.compile("[0-9]{1,18}")

# What is read of a refused body so that the connection can go on: so much, and for so long. Then it is closed.
_DRAIN_BYTES = 64 * 1024
_DRAIN_SECONDS = 1.0

_CLAIM = "_body_claimed"


def claim(req: Request) -> bool:
    """Take the body for one parser; tell whether it was still to be had."""
    if _CLAIM in req.__dict__:
        return False
    req.__dict__[_CLAIM] = True
    return True


def is_chunked(req: Request) -> bool:
    """Tell whether the body has a transfer coding, which outdoes any length (RFC 9112 section 6.3)."""
    return req.get("Transfer-Encoding") is not None


def declared_length(req: Request) -> int | None:
    """Return the length that the client promised; ``None`` if there is none to be believed."""
    text = req.get("Content-Length")
    return int(text) if text and not is_chunked(req) and _LENGTH.fullmatch(text) else None


def has_body(req: Request) -> bool:
    """Tell whether a request may have a body: HTTP/1 says it in the headers, later versions may leave them out."""
    return is_chunked(req) or declared_length(req) is not None or not _is_http1(req)


def content_encoding(req: Request) -> str:
    """Return the content coding, in lower case; ``"identity"`` for none."""
    return (req.get("Content-Encoding") or "identity").lower()


def refuse_length(length: int | None, limit: float) -> None:
    """Refuse a body for what it says of itself, before anything of it is read.

    Raises:
        BodyError: 413 ``entity.too.large``.
    """
    if length is not None and length > limit:
        details = {"expected": length, "length": length, "limit": int(limit)}
        raise BodyError(413, "request entity too large", type="entity.too.large", **details)


async def take(req: Request, limit: float, *, coded: bool) -> bytes | None:
    """Return the whole body as it came; it can be read again afterwards.

    Args:
        req: the request.
        limit: how many bytes are allowed.
        coded: whether they have a content coding, so that the limit is on something else.

    Returns:
        ``None`` if somebody has streamed it away, or there is none after all.

    Raises:
        BodyError: 413 ``entity.too.large``; 400 ``request.size.invalid``.
        ClientDisconnect: the client left before the end.
        MisuseError: somebody has streamed a part of it.
    """
    length = declared_length(req)
    allowed = limit
    if coded:  # what inflates to the limit is hardly longer than that itself
        allowed += limit / 8 + 1024  # not //: infinity // 8 is no number
    inbox = req._incoming
    try:
        body = await inbox.read(None if allowed == math.inf else int(allowed))
    except MisuseError:
        if inbox.complete:
            return None
        raise
    except BodyError as error:
        raise too_large(int(limit), error.received) from None
    if length is None:
        return body if body or is_chunked(req) else None
    if len(body) != length:
        details = {"expected": length, "length": length, "received": len(body)}
        message = "request size did not match content length"
        raise BodyError(400, message, type="request.size.invalid", **details)
    return body


async def drain(req: Request, res: Response, error: BodyError) -> None:
    """Read what is left of a refused body, if that is little; else let the answer end the connection.

    A server that closes while the client still sends may lose the answer, and one that reads on without a
    bound works for a client that it has refused.
    """
    inbox = req._incoming
    left = (declared_length(req) or 0) - getattr(error, "received", 0)
    if left <= _DRAIN_BYTES and req.get("Expect") is None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await inbox.drain(_DRAIN_BYTES)  # it was read in part, which stream() refuses
    if not inbox.complete and not res.headers_sent and _is_http1(req):
        res.set("Connection", "close")


def _is_http1(req: Request) -> bool:
    return str(req.scope.get("http_version", "1.1")).startswith("1")
