"""Bodies that stay bytes."""

from __future__ import annotations

from asgi_express.body._options import TypeSpec, Verify, options_of
from asgi_express.body._parser import Handler, parser
from asgi_express.types import Size

__all__ = ["raw"]


def raw(
    *,
    limit: Size | float | None = "100kb",
    type: TypeSpec = "application/octet-stream",  # noqa: A002 - body-parser's word
    inflate: bool = True,
    verify: Verify | None = None,
) -> Handler:
    """Return a handler that puts a body into ``req.body`` as ``bytes``, inflated.

    Example::

        app.post("/hook", express.raw(type="application/json"), lambda req: {"bytes": len(req.body)})

    Args:
        limit: bytes that a body may have, inflated: a number or ``"1mb"``; ``math.inf`` for any number.
        type: the types that are parsed: an extension, a media type with or without ``*``, a list of these, or
            a function of the request.
        inflate: whether bodies with ``Content-Encoding`` gzip, deflate, br or zstd are taken; else they are 415.
        verify: ``(req, res, body, None)``, plain or ``async``, called with the bytes; raises to refuse them.

    Raises:
        TypeError: an option is of a wrong type.
        ValueError: an option has a value that cannot be.

    The handler raises ``BodyError``: 413 ``entity.too.large``; 415 ``encoding.unsupported``; 400
    ``encoding.invalid``, ``request.size.invalid``; 403 ``entity.verify.failed``; and ``ClientDisconnect``.
    """
    options = options_of("raw", limit=limit, type=type, inflate=inflate, verify=verify, default_charset=None)
    return parser(options, _parse)


def _parse(body: bytes, charset: str | None) -> bytes:
    return body
