"""Paths that two readers can read in two ways.

What stands in front of a router and what stands behind it do not always decode and normalise alike, and then a guard
sees one path and the file system another: CVE-2026-22031 (``/%61dmin``), CVE-2026-29087 (``%2F``), CVE-2026-39406
(``//``). Spring's ``StrictHttpFirewall`` refuses such paths. The plain form is that of RFC 3986 section 6.2.2.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from asgi_express.types import Scope

__all__ = ["ambiguity"]

_RULES = [
    (re.compile(rb"[^\x21-\x7e]"), "a byte that must be percent-encoded"),
    (re.compile(rb"%(?![0-9A-Fa-f]{2})"), "a % without two hexadecimal digits"),
    (re.compile(rb"%[01][0-9A-Fa-f]|%7[Ff]"), "an encoded control character"),
    (re.compile(rb"%2[Ff]"), "an encoded slash"),
    (re.compile(rb"\\|%5[Cc]"), "a backslash"),
    (re.compile(rb"%2[Ee]"), "an encoded dot"),
    (re.compile(rb"%25[0-9A-Fa-f]{2}"), "text that was encoded twice"),
    (re.compile(rb"%3[FfBb]|%23"), "an encoded ?, # or ;"),
    (re.compile(rb"%(?:4[1-9A-Fa-f]|5[0-9Aa]|6[1-9A-Fa-f]|7[0-9Aa]|3[0-9]|2[Dd]|5[Ff]|7[Ee])"), "a needless escape"),
    (re.compile(rb"%(?:[0-9A-Fa-f]?[a-f]|[a-f][0-9A-Fa-f])"), "an escape in lower case"),
    (re.compile(rb"//"), "an empty segment"),
    (re.compile(rb"/\.{1,2}(?:/|$)"), "a dot segment"),
    (re.compile(rb";"), "a path parameter"),
]


def ambiguity(scope: Scope) -> str | None:
    """Say what makes a path ambiguous; ``None`` where nothing does.

    It looks at the path as it was sent. Where a server does not tell, or tells something else than ``path``, nobody can
    know what was sent, and that is ambiguous too.
    """
    raw: bytes | None = scope.get("raw_path")
    if not raw:
        return "the server does not tell how it was sent"
    raw = raw.partition(b"?")[0]
    for pattern, words in _RULES:
        if pattern.search(raw):
            return words
    try:
        decoded = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return "what is not UTF-8"
    # The older way to mount: root_path was taken off the path, and raw_path left alone.
    root = (scope.get("root_path") or "").rstrip("/")
    if decoded not in (scope["path"], root + scope["path"]):
        return "a path that the server, or something before this, has changed"
    return None
