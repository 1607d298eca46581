"""What must not be shown: values that are called a secret, wherever they stand in a path or a query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

__all__ = ["HIDDEN", "clean_params", "clean_path", "clean_query"]

HIDDEN = "***"
"""What stands in the place of a secret."""

_MAX_PATH = 500
_MAX_VALUE = 100

_SECRET = re.compile(
    r"token|secret|passw|passphrase|passcode|\bpin\b|\botp\b|auth|api.?key|access.?key|private.?key|^key$|session|\bsid\b"
    r"|jwt|bearer|credential|signature|^sig$|^code$|nonce|csrf|xsrf|state|assertion|ticket|invite|reset|magic",
    re.I,
)

_RANDOM = re.compile(r"(?=[^/]*\d)[\w.~%=+-]{16,}")


def is_secret(name: str) -> bool:
    """Tell whether a name is that of a secret."""
    return _SECRET.search(name) is not None


def clean_query(query: str) -> str:
    """Return a query with the values of secrets hidden, and cut to a length."""
    parts = []
    for part in query.split("&") if query else ():
        name, mark, _ = part.partition("=")
        parts.append(f"{name}={HIDDEN}" if mark and is_secret(unquote(name)) else part)
    return _cut("&".join(parts), _MAX_PATH)


def clean_path(path: str, params: Mapping[str, Any], *, is_matched: bool) -> str:
    """Return a path with the parameters that are secrets hidden, and cut to a length.

    Args:
        path: percent-encoded, without the query.
        params: what mounts and route have found in it.
        is_matched: whether a route was matched. Where none was, nobody knows what a segment is called: what looks
            random is hidden.
    """
    if not is_matched:
        path = "/".join(HIDDEN if _RANDOM.fullmatch(segment) else segment for segment in path.split("/"))
    hidden = [value for name, value in params.items() if is_secret(name)]
    if hidden:
        segments = path.split("/")
        path = "/".join(HIDDEN if any(_shows(segment, value) for value in hidden) else segment for segment in segments)
    return _cut(path, _MAX_PATH)


def clean_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters as text, those that are secrets hidden, each cut to a length."""
    return {name: HIDDEN if is_secret(name) else _cut(str(value), _MAX_VALUE) for name, value in params.items()}


def _shows(segment: str, value: Any) -> bool:
    """Tell whether a segment is a value, one of the segments of it, or has it as a part."""
    plain = unquote(segment)
    pieces = [str(each) for each in value] if isinstance(value, list) else str(value).split("/")
    whole = "/".join(pieces)
    return bool(plain) and (plain in pieces or (len(whole) > 2 and whole in plain))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
