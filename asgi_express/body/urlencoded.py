"""Bodies of forms: ``a=1&b=2``."""

from __future__ import annotations

import math
from typing import Any

from asgi_express import _query
from asgi_express._charset import decode
from asgi_express.body._options import TypeSpec, Verify, flag, options_of
from asgi_express.body._parser import Handler, parser
from asgi_express.errors import BodyError
from asgi_express.types import Size

__all__ = ["urlencoded"]

_CHARSETS = ("utf-8", "iso-8859-1")

# How deep `_query` nests at most.
_MAX_DEPTH = 100


def urlencoded(
    *,
    limit: Size | float | None = "100kb",
    type: TypeSpec = "application/x-www-form-urlencoded",  # noqa: A002 - body-parser's word
    inflate: bool = True,
    extended: bool = False,
    parameter_limit: float = 1000,
    depth: int = 32,
    verify: Verify | None = None,
    default_charset: str = "utf-8",
    charset_sentinel: bool = False,
    interpret_numeric_entities: bool = False,
) -> Handler:
    """Return a handler that parses the body of a form into ``req.body``, a ``dict``.

    A name that comes again collects a list. An empty body is ``{}``.

    Example::

        app.use(express.urlencoded(extended=True))
        app.post("/", lambda req: req.body)
        # user[name]=Ada&user[tags][]=a&user[tags][]=b
        # {"user": {"name": "Ada", "tags": ["a", "b"]}}

    Args:
        limit: bytes that a body may have, inflated: a number or ``"1mb"``; ``math.inf`` for any number.
        type: the types that are parsed: an extension, a media type with or without ``*``, a list of these, or
            a function of the request.
        inflate: whether bodies with ``Content-Encoding`` gzip, deflate, br or zstd are taken; else they are 415.
        extended: whether ``a[b]`` and ``a[]`` nest; else brackets are a part of the name.
        parameter_limit: how many parameters are allowed; ``math.inf`` for any number.
        depth: how many brackets may nest in a name, at most 100; only with ``extended``.
        verify: ``(req, res, body, charset)``, plain or ``async``, called with the bytes; raises to refuse them.
        default_charset: ``"utf-8"`` or ``"iso-8859-1"``, where ``Content-Type`` names none.
        charset_sentinel: whether a parameter ``utf8=✓`` tells the charset, and is dropped.
        interpret_numeric_entities: whether ``&#9786;`` in ISO-8859-1 bodies is a character.

    Raises:
        TypeError: an option is of a wrong type.
        ValueError: an option has a value that cannot be.

    The handler raises ``BodyError``: 413 ``entity.too.large``, ``parameters.too.many``; 415
    ``charset.unsupported``, ``encoding.unsupported``; 400 ``querystring.parse.rangeError`` (nested too deep),
    ``encoding.invalid``, ``request.size.invalid``, ``entity.parse.failed``; 403 ``entity.verify.failed``; and
    ``ClientDisconnect``.
    """
    if default_charset not in _CHARSETS:
        msg = f"urlencoded: option default_charset must be either utf-8 or iso-8859-1, not {default_charset!r}"
        raise ValueError(msg)
    flag("urlencoded", "extended", extended)
    flag("urlencoded", "charset_sentinel", charset_sentinel)
    flag("urlencoded", "interpret_numeric_entities", interpret_numeric_entities)
    most = _number("parameter_limit", parameter_limit, least=1, greatest=math.inf)
    deepest = int(_number("depth", depth, least=0, greatest=_MAX_DEPTH)) if extended else 0
    options = options_of(
        "urlencoded", limit=limit, type=type, inflate=inflate, verify=verify, default_charset=default_charset
    )

    def parse(body: bytes, charset: str | None) -> Any:
        text = decode(body, charset or "utf-8")
        if not text:
            return {}
        count = text.count("&") + 1
        if count > most:
            raise BodyError(413, "too many parameters", type="parameters.too.many", body=text)
        try:
            return _query.extended(
                text,
                depth=deepest,
                parameter_limit=count,
                array_limit=max(100, count) if extended else count,
                strict_depth=True,
                charset=charset or "utf-8",
                charset_sentinel=charset_sentinel,
                interpret_numeric_entities=interpret_numeric_entities,
            )
        except ValueError as error:
            raise BodyError(400, str(error), type="querystring.parse.rangeError", body=text) from None

    return parser(options, parse, accepts=_CHARSETS.__contains__)


def _number(option: str, value: Any, *, least: int, greatest: float) -> float:
    """Return an option that is a number, without what comes after its point."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"urlencoded: option {option} must be a number, not {value!r}"
        raise TypeError(msg)
    if not least <= value <= greatest:
        words = f"at least {least}" if greatest == math.inf else f"from {least} to {greatest}"
        msg = f"urlencoded: option {option} must be a number, {words}, not {value!r}"
        raise ValueError(msg)
    return value if value == math.inf else int(value)
