"""Check and encode header names and values when they are set.

A carriage return in a value would either split the response or make the server drop the
connection without an answer (uvicorn does the latter); so a bad one raises here, where the
error handlers can still answer.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from asgi_express.errors import MisuseError

__all__ = ["HeaderValueError", "header_name", "header_value", "merge_vary", "with_charset"]

# RFC 9110 section 5.6.2 (token) and 5.5 (field-value, less obs-fold).
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
# Without white space around it.
_VALUE = re.compile(r"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?\Z")

_TYPE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+/[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
# A parameter up to the next one: its name; its value in quotes, and whether they are closed; or its bare value.
_PARAMETER = re.compile(r'([^;=]*)(?:=[ \t]*(?:"((?:[^"\\]|\\.)*)("?)[^;]*|([^;]*)))?;?')
_QUOTED_PAIR = re.compile(r"\\(.)")
_QUOTE = re.compile(r'[\\"]')

# Clients and proxies refuse more; a value that grows beyond is a fault of the program.
_MAX_VALUE = 32 * 1024


class HeaderValueError(MisuseError, ValueError):
    """A header name or value that may not be sent."""


@lru_cache(maxsize=512)
def header_name(name: str) -> bytes:
    """Return a header name in lower case, as bytes.

    Raises:
        HeaderValueError: it is not a token (RFC 9110 section 5.6.2).
    """
    if not isinstance(name, str) or not _TOKEN.match(name):
        msg = f"header name must be a token (RFC 9110), got {name!r}"
        raise HeaderValueError(msg)
    return name.lower().encode("ascii")


def header_value(name: str, value: Any) -> bytes:
    """Return a header value as bytes. Numbers and other values become text, as in Express: ``True`` is ``true``.

    Raises:
        HeaderValueError: it is ``None``, longer than 32 KiB, has a control character, a character outside
            Latin-1, or white space around it.
    """
    text = value if isinstance(value, str) else _text(name, value)
    if len(text) > _MAX_VALUE:
        msg = f"header {name}: value of {len(text)} characters; {_MAX_VALUE} are allowed"
        raise HeaderValueError(msg)
    if not _VALUE.match(text):
        msg = f"header {name}: value has a character that may not be sent: {text!r}"
        raise HeaderValueError(msg)
    return text.encode("latin-1")


def _text(name: str, value: Any) -> str:
    if value is None:
        msg = f"header {name}: value is None; remove_header() takes a header away"
        raise HeaderValueError(msg)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def merge_vary(current: str, fields: list[str]) -> str:
    """Add field names to a ``Vary`` value, first spelling and order kept; ``*`` absorbs all (RFC 9110 section 12.5.5).

    Raises:
        HeaderValueError: a field is not a header name.
    """
    for field in fields:
        header_name(field)
    known = {field.strip(" ").lower() for field in current.split(",")}
    if "*" in known or "*" in fields:
        return "*"
    merged = [current] if current else []
    for field in fields:
        if field.lower() not in known:
            known.add(field.lower())
            merged.append(field)
    return ", ".join(merged)


@lru_cache(maxsize=128)
def with_charset(content_type: str, charset: str) -> str:
    """Return a ``Content-Type`` with another charset, in its place if it had one, as ``content-type`` 2.1 formats it.

    Raises:
        HeaderValueError: it is no type, or a parameter has no name that is a token.
    """
    head, mark, _ = content_type.partition(";")
    head = head.strip(" \t").lower()
    if not _TYPE.match(head):
        msg = f"Content-Type: {content_type!r} is no type"
        raise HeaderValueError(msg)
    if not mark:
        return f"{head}; charset={charset}"
    parameters = _parameters(content_type, content_type.index(";") + 1) | {"charset": charset}
    for name in parameters:
        header_name(name)
    return "; ".join([head, *(f"{name}={_token_or_quoted(value)}" for name, value in parameters.items())])


def _parameters(text: str, start: int) -> dict[str, str]:
    found: dict[str, str] = {}
    while start < len(text):
        match = _PARAMETER.match(text, start)
        assert match is not None  # noqa: S101 - every part of it may be empty
        start = match.end()
        name, quoted, closed, bare = match.groups()
        if closed:
            found.setdefault(name.strip(" \t").lower(), _QUOTED_PAIR.sub(r"\1", quoted))
        elif bare is not None:
            found.setdefault(name.strip(" \t").lower(), bare.strip(" \t"))
    return found


def _token_or_quoted(value: str) -> str:
    return value if _TOKEN.match(value) else '"' + _QUOTE.sub(r"\\\g<0>", value) + '"'
