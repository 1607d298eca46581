"""Make a path of a pattern and parameters: the way back from `_pattern` (``compile`` of path-to-regexp 8).

A parameter is percent-encoded as ``encodeURIComponent`` does, a wildcard is a list of segments, an optional group
is there if all its parameters are. Beyond that, a path that its own route would not match is refused, and so is
one that a browser would read as another: with ``.`` or ``..`` as a segment, or ``//`` in front.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from asgi_express._pattern import Alternative, Pattern
from asgi_express._tokens import Capture, Param, Text
from asgi_express._urls import encode_url
from asgi_express.errors import UrlError

__all__ = ["check_url", "compose", "with_query"]

# What encodeURIComponent leaves alone, beside letters, digits and -._~
_COMPONENT = "!~*'()"


def compose(levels: Sequence[tuple[Pattern, ...]], params: Mapping[str, Any], name: str) -> str:
    """Return the percent-encoded path of a route below its mounts.

    Args:
        levels: the patterns of each mount, outermost first, and those of the route; of several in one level, the
            first is taken that makes use of the most parameters.
        params: text and numbers by name; lists for wildcards; objects with ``url_key``.
        name: the name of the route, for messages and ``url_key``.

    Raises:
        UrlError: a parameter is missing, unknown or unfit.
    """
    parts: list[str] = []
    used: set[str] = set()
    for patterns in levels:
        pattern, alternative = _choose(patterns, params, name)
        text = "".join([_written(token, params, name) for token in alternative])
        _check_match(pattern, text, name)
        parts.append(text.rstrip("/") if not pattern.end else text)
        names = {token.name for token in alternative if not isinstance(token, Text)}
        if names & used:
            msg = (
                f"url_for({name!r}): {min(names & used)!r} is a parameter of two levels, which may differ; "
                "rename one, or ask from a request below the first"
            )
            raise UrlError(msg)
        used |= names
    unused = [key for key, value in params.items() if value is not None and key not in used]
    if unused:
        every = {key for patterns in levels for pattern in patterns for key in pattern.keys}
        takes = f"it takes {', '.join(sorted(every))}" if every else "it takes none"
        msg = f"url_for({name!r}): there is no use for {', '.join(map(repr, unused))}; {takes}"
        raise UrlError(msg)
    return "".join(parts) or "/"


def _choose(patterns: tuple[Pattern, ...], params: Mapping[str, Any], name: str) -> tuple[Pattern, Alternative]:
    best: tuple[Pattern, Alternative] | None = None
    most = -1
    missing: list[str] | None = None
    for pattern in patterns:
        for alternative in pattern.alternatives:
            keys = {token.name for token in alternative if not isinstance(token, Text)}
            lacking = sorted(key for key in keys if params.get(key) is None)
            if lacking:
                missing = lacking if missing is None or len(lacking) < len(missing) else missing
            elif len(keys) > most:
                best, most = (pattern, alternative), len(keys)
    if best is not None:
        return best
    if missing is None:
        msg = f"url_for({name!r}): a regular expression cannot be turned into a path; give the route a path of text"
        raise UrlError(msg)
    words = "parameter" if len(missing) == 1 else "parameters"
    msg = f"url_for({name!r}): missing {words} {', '.join(map(repr, missing))} of {_source(patterns)}"
    raise UrlError(msg)


def _source(patterns: tuple[Pattern, ...]) -> str:
    return " or ".join(repr(pattern.source) for pattern in patterns)


def _written(token: Text | Capture, params: Mapping[str, Any], name: str) -> str:
    """Return a token as it stands in the path."""
    if isinstance(token, Text):
        return encode_url(token.value).replace("?", "%3F").replace("#", "%23")
    value = params[token.name]
    value = _key(value, name, token.name)
    if isinstance(token, Param):
        return _encoded(_text(value, token.name, name), _COMPONENT, token.name, name)
    if token.kind != "list":  # joined text
        text = value if value == "" and token.kind == "path" else _text(value, token.name, name)
        return _encoded(text, _COMPONENT + "/", token.name, name)
    if not isinstance(value, (list, tuple)) or not value:
        msg = f"url_for({name!r}): {token.name!r} is a wildcard: expected a list of segments, got {value!r}"
        raise UrlError(msg)
    last = len(value) - 1
    return "/".join(
        # a trailing slash is an empty segment at the end
        ""
        if segment == "" and index == last > 0
        else _encoded(_text(_key(segment, name, token.name), token.name, name), _COMPONENT, token.name, name)
        for index, segment in enumerate(value)
    )


def _key(value: Any, name: str, param: str) -> Any:
    """Return what an object is called in URLs: ``url_key``, a value or a method of the route's and parameter's name."""
    key = getattr(value, "url_key", value)
    if key is value or not callable(key):
        return key
    count = sum(
        parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in inspect.signature(key).parameters.values()
    )
    return key(*(name, param)[:count])


def _text(value: Any, param: str, name: str) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if is_number or isinstance(value, UUID):
        return str(value)
    if isinstance(value, str) and value:
        return value
    what = "text that is not empty" if value == "" else "text, a number, a UUID or an object with url_key"
    msg = f"url_for({name!r}): {param!r} must be {what}, got {value!r}"
    raise UrlError(msg)


def _encoded(text: str, safe: str, param: str, name: str) -> str:
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        msg = f"url_for({name!r}): {param!r} holds a lone surrogate, which no URL can: {text!r}"
        raise UrlError(msg) from None


def _check_match(pattern: Pattern, text: str, name: str) -> None:
    """Refuse a path that does not lead to its route."""
    match = pattern.match(text)
    if match is None or not (pattern.end or text.rstrip("/") == match.text.rstrip("/")):
        msg = f"url_for({name!r}): {pattern.source!r} does not match {text!r}, which these parameters make of it"
        raise UrlError(msg)


def check_url(path: str, name: str) -> str:
    """Return a path if browsers read it as it is meant.

    Raises:
        UrlError: it has a segment ``.`` or ``..``, which they resolve, or begins with ``//``, which is a host to them.
    """
    if path.startswith("//") or not {".", ".."}.isdisjoint(path.split("/")):
        msg = f"url_for({name!r}): browsers would read {path!r} as another address"
        raise UrlError(msg)
    return path


def with_query(path: str, query: Mapping[str, Any] | str | None) -> str:
    """Return a path with a query.

    Args:
        path: the path.
        query: text as it is, or values by name: lists repeat the name, ``True`` is the bare name, ``None`` and
            ``False`` leave it out.
    """
    if isinstance(query, Mapping):
        query = "&".join(filter(None, [_pairs(name, value) for name, value in query.items()]))
    return f"{path}?{query}" if query else path


def _pairs(name: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return quote(name, safe="")
    return urlencode({name: value}, doseq=True, quote_via=quote)
