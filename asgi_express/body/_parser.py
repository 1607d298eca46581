"""What the parsers have in common: whose body it is, in which order it is checked, and how it fails.

The order is body-parser's: is there a body, is it of the type, is the charset known, then the content coding,
the length, the bytes, ``verify``, and at last the parsing.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from asgi_express._aside import parse_aside
from asgi_express._charset import codec, unsupported
from asgi_express._negotiation import type_is
from asgi_express.body._inflate import Inflater, inflate, inflater
from asgi_express.body._media import parameters
from asgi_express.body._options import Options
from asgi_express.body._read import claim, content_encoding, declared_length, drain, has_body, refuse_length, take
from asgi_express.errors import BodyError, HTTPError
from asgi_express.types import Next

if TYPE_CHECKING:
    from asgi_express.request import Request
    from asgi_express.response import Response

__all__ = ["Handler", "Parse", "parser", "wants"]

Handler: TypeAlias = "Callable[[Request, Response, Next], Awaitable[None]]"
"""What a parser is: a handler for ``use``, or for a route."""

Parse = Callable[[bytes, str | None], Any]
"""``(body, charset) -> value``."""


def parser(options: Options, parse: Parse, *, accepts: Callable[[str], bool] = lambda charset: True) -> Handler:
    """Return the handler that parses bodies.

    Args:
        options: what all parsers have.
        parse: makes a value of the bytes.
        accepts: tells which charsets the format may have, of those that are known.
    """

    async def handler(req: Request, res: Response, next: Next) -> None:
        if has_body(req) and await wants(req, options) and claim(req):
            charset = None
            if options.default_charset is not None:
                charset = (
                    parameters(req.get("Content-Type") or "").get("charset", "").lower() or options.default_charset
                )
            try:
                body = await _receive(req, options, charset, accepts)
            except BodyError as error:
                await drain(req, res, error)
                raise
            if body is not None:
                await _verify(req, res, options, body, charset)
                req.body = await parse_aside(parse, body, charset)
        next()

    handler.__name__ = handler.__qualname__ = f"{options.parser}_parser"
    return handler


async def wants(req: Request, options: Options) -> bool:
    """Tell whether a request is of the type that a parser is for."""
    if options.wanted is None:
        return type_is(req.get("Content-Type"), options.types) is not None
    answer = options.wanted(req)
    return bool(await answer if inspect.isawaitable(answer) else answer)


async def _receive(req: Request, options: Options, charset: str | None, accepts: Callable[[str], bool]) -> bytes | None:
    known = charset is None or codec(charset) is not None
    if charset is not None and not (accepts(charset) and (known or options.verify is None)):
        raise unsupported(charset)
    encoding = content_encoding(req)
    pieces: Inflater | None = None
    if encoding == "identity":
        refuse_length(declared_length(req), options.limit)
    elif options.inflate:
        pieces = inflater(encoding)
    else:
        raise BodyError(415, "content encoding unsupported", type="encoding.unsupported", encoding=encoding)
    if charset is not None and not known:
        raise unsupported(charset)
    raw = await take(req, options.limit, coded=pieces is not None)
    return raw if raw is None or pieces is None else await inflate(raw, pieces, options.limit)


async def _verify(req: Request, res: Response, options: Options, body: bytes, charset: str | None) -> None:
    if options.verify is None:
        return
    try:
        answer = options.verify(req, res, body, charset)
        if inspect.isawaitable(answer):
            await answer
    except Exception as error:
        raise _refused(error, body) from error


def _refused(error: Exception, body: bytes) -> BodyError:
    """Return the error for a body that ``verify`` refused: 403, or the status and the type of what it raised."""
    status = getattr(error, "status", None) or getattr(error, "status_code", None)
    if not (isinstance(status, int) and 400 <= status <= 599):
        status = 403
    kind = getattr(error, "type", None)
    refused = BodyError(
        status, str(error), type=kind if isinstance(kind, str) and kind else "entity.verify.failed", body=body
    )
    if isinstance(error, HTTPError):
        refused.headers, refused.expose = error.headers, error.expose
    return refused
