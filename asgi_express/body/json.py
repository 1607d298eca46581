"""Bodies of JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgi_express._charset import codec, decode
from asgi_express._json_text import loads
from asgi_express.body._options import TypeSpec, Verify, flag, function, options_of
from asgi_express.body._parser import Handler, parser
from asgi_express.errors import BodyError
from asgi_express.types import Size

__all__ = ["json"]

Reviver = Callable[[str, Any], Any]

_SPACE = " \t\n\r"


def json(
    *,
    limit: Size | float | None = "100kb",
    type: TypeSpec = "application/json",  # noqa: A002 - body-parser's word
    inflate: bool = True,
    strict: bool = True,
    verify: Verify | None = None,
    default_charset: str = "utf-8",
    reviver: Reviver | None = None,
) -> Handler:
    """Return a handler that parses JSON into ``req.body``.

    Example::

        app.use(express.json(limit="1mb"))
        app.post("/", lambda req: {"hello": req.body["name"]})

    ``NaN`` and ``Infinity`` are no JSON, nor is a number that is infinite or has more than 4300 digits, nor
    more than 200 levels of nesting. Of members of one name the last counts. An empty body is ``{}``.

    Args:
        limit: bytes that a body may have, inflated: a number or ``"1mb"``; ``math.inf`` for any number.
        type: the types that are parsed: an extension, a media type with or without ``*``, ``"+json"``, a list of
            these, or a function of the request.
        inflate: whether bodies with ``Content-Encoding`` gzip, deflate, br or zstd are taken; else they are 415.
        strict: whether only objects and lists are taken.
        verify: ``(req, res, body, charset)``, plain or ``async``, called with the bytes; raises to refuse them.
        default_charset: the charset where ``Content-Type`` names none: UTF-8, UTF-16 or UTF-32.
        reviver: ``(key, value) -> value`` for every member and item, the innermost first, and at last for the
            whole with the key ``""``.

    Raises:
        TypeError: an option is of a wrong type.
        ValueError: an option has a value that cannot be.

    The handler raises ``BodyError``: 413 ``entity.too.large``; 415 ``charset.unsupported``,
    ``encoding.unsupported``; 400 ``encoding.invalid``, ``request.size.invalid``, ``entity.parse.failed``; 403
    ``entity.verify.failed``; and ``ClientDisconnect``.
    """
    flag("json", "strict", strict)
    function("json", "reviver", reviver)
    if not isinstance(default_charset, str) or not _is_unicode(default_charset.lower()) or not codec(default_charset):
        msg = f"json: option default_charset must be utf-8, utf-16 or utf-32, not {default_charset!r}"
        raise ValueError(msg)
    options = options_of(
        "json", limit=limit, type=type, inflate=inflate, verify=verify, default_charset=default_charset.lower()
    )

    def parse(body: bytes, charset: str | None) -> Any:
        text = decode(body, charset or "utf-8")
        if not text:
            return {}
        try:
            if strict:
                _check_start(text)
            value = loads(text)
            return value if reviver is None else _revive(reviver, "", value)
        except Exception as error:
            message = str(error) or "the body is nested too deep"
            raise BodyError(400, message, type="entity.parse.failed", body=text) from error

    return parser(options, parse, accepts=_is_unicode)


def _is_unicode(charset: str) -> bool:
    """Tell whether a charset is one that JSON may have (RFC 7159 section 8.1), in body-parser's spelling."""
    return charset.startswith("utf-")


def _check_start(text: str) -> None:
    start = text.lstrip(_SPACE)[:1]
    if not start or start not in "{[":
        at = len(text) - len(text.lstrip(_SPACE))
        msg = f"Expecting an object or a list: char {at}"
        raise ValueError(msg)


def _revive(reviver: Reviver, key: str, value: Any) -> Any:
    if isinstance(value, dict):
        for name, item in value.items():
            value[name] = _revive(reviver, name, item)
    elif isinstance(value, list):
        value[:] = [_revive(reviver, str(index), item) for index, item in enumerate(value)]
    return reviver(key, value)
