"""Bodies of text."""

from __future__ import annotations

from asgi_express._charset import codec, decode
from asgi_express.body._options import TypeSpec, Verify, options_of
from asgi_express.body._parser import Handler, parser
from asgi_express.types import Size

__all__ = ["text"]


def text(
    *,
    limit: Size | float | None = "100kb",
    type: TypeSpec = "text/plain",  # noqa: A002 - body-parser's word
    inflate: bool = True,
    verify: Verify | None = None,
    default_charset: str = "utf-8",
) -> Handler:
    """Return a handler that puts a body of text into ``req.body``, as a ``str``.

    Example::

        app.use(express.text(type=["text/plain", "text/markdown"], limit="1mb"))

    Args:
        limit: bytes that a body may have, inflated: a number or ``"1mb"``; ``math.inf`` for any number.
        type: the types that are parsed: an extension, a media type with or without ``*``, a list of these, or
            a function of the request.
        inflate: whether bodies with ``Content-Encoding`` gzip, deflate, br or zstd are taken; else they are 415.
        verify: ``(req, res, body, charset)``, plain or ``async``, called with the bytes; raises to refuse them.
        default_charset: the charset where ``Content-Type`` names none.

    Raises:
        TypeError: an option is of a wrong type.
        ValueError: an option has a value that cannot be.

    The handler raises ``BodyError``: 413 ``entity.too.large``; 415 ``charset.unsupported``,
    ``encoding.unsupported``; 400 ``encoding.invalid``, ``request.size.invalid``, ``entity.parse.failed`` (the bytes
    are not in the charset); 403 ``entity.verify.failed``; and ``ClientDisconnect``.
    """
    if not isinstance(default_charset, str) or not codec(default_charset):
        msg = f"text: option default_charset must be the name of a charset, not {default_charset!r}"
        raise ValueError(msg)
    options = options_of(
        "text", limit=limit, type=type, inflate=inflate, verify=verify, default_charset=default_charset
    )
    return parser(options, _parse)


def _parse(body: bytes, charset: str | None) -> str:
    return decode(body, charset or "utf-8")
