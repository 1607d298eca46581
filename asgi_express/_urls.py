"""Text made safe for the place it goes to: a URL in a header, text in HTML, a file name in a header.

``encodeurl`` 2.0, ``escape-html`` 1.0, ``content-disposition`` 2.0, as Express 5.3 uses them; and
the check that Express leaves to its users, whether a redirect target stays where it should.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote

__all__ = ["content_disposition", "encode_url", "escape_html", "path_of", "safe_redirect_target"]

# Printable ASCII that encodeurl leaves alone: all but space " < > ` { }, and % only before two hex digits.
_URL_SAFE = "%!#$&'()*+,-./:;=?@[\\]^_|~"
_URL_UNSAFE = re.compile(r"[^!#-;=?-_a-z|~]|%(?![0-9A-Fa-f]{2})")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONE_SURROGATE = re.compile("(?<![\ud800-\udbff])[\udc00-\udfff]|[\ud800-\udbff](?![\udc00-\udfff])")

_HTML_SPECIAL = re.compile("[&<>\"']")

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_ASCII_TEXT = re.compile(r"[\x20-\x7e]*\Z")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_QUOTED = re.compile(r'[\\"]')

# WHATWG URL: browsers drop tab and newline anywhere, strip C0 and space at the ends, read \ as /.
_DECEPTIVE = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_SCHEME = re.compile(r"[^/?#]*:")
_ABSOLUTE = re.compile(r"https?://([^/?#]+)", re.IGNORECASE)


def _well_formed(text: str) -> str:
    """Replace surrogates that stand alone by U+FFFD, as encodeurl does; join those that are a pair."""
    if not _SURROGATE.search(text):
        return text
    text = _LONE_SURROGATE.sub("\ufffd", text)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def encode_url(url: str) -> str:
    r"""Percent-encode what may not stand in a URL, and nothing twice (``encodeurl``).

    Existing escapes stay; a ``%`` that begins none becomes ``%25``. ``\\ ^ | [ ] '`` stay, so that
    a check that was made of the text before still holds for it after (CVE-2024-29041).
    """
    if not _URL_UNSAFE.search(url):
        return url
    return quote(_LONE_PERCENT.sub("%25", _well_formed(url)), safe=_URL_SAFE)


def escape_html(text: str) -> str:
    """Escape ``& < > " '`` for HTML text and quoted attributes (``escape-html``)."""
    if not _HTML_SPECIAL.search(text):
        return text
    # Not html.escape: it writes &#x27;.
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("'", "&#39;")


def content_disposition(filename: str | None = None, disposition: str = "attachment") -> str:
    """Return a ``Content-Disposition`` value (RFC 6266) as Express 5.3 writes it.

    A name that is a token stands bare, other ASCII text in quotes. A name with anything else, or
    with what looks like an escape, is sent twice: with ``?`` for what ASCII cannot say, and as
    ``filename*`` in UTF-8 (RFC 8187). Directories are not taken off.

    Args:
        filename: the name to offer; ``None`` for none.
        disposition: ``"attachment"``, ``"inline"`` or another token.

    Raises:
        ValueError: the disposition is not a token.
    """
    if not _TOKEN.match(disposition):
        msg = f"invalid type: {disposition!r}"
        raise ValueError(msg)
    if filename is None:
        return disposition
    if _ASCII_TEXT.match(filename) and not _ESCAPE.search(filename):
        return f"{disposition}; filename={_token_or_quoted(filename)}"
    # A file name that the system could not decode holds lone surrogates: encodeURIComponent would throw.
    filename = _well_formed(filename)
    extended = quote(filename, safe="!~")
    return f"{disposition}; filename={_token_or_quoted(_fallback(filename))}; filename*=UTF-8''{extended}"


def _token_or_quoted(text: str) -> str:
    return text if _TOKEN.match(text) else '"' + _QUOTED.sub(r"\\\g<0>", text) + '"'


def _fallback(filename: str) -> str:
    # Two marks for a character outside the basic plane: JavaScript counts UTF-16 units.
    return "".join(char if " " <= char <= "~" else "?" if char <= "\uffff" else "??" for char in filename)


def safe_redirect_target(url: str, *, allowed_hosts: Collection[str] = ()) -> bool:
    """Return whether a redirect to this URL stays on this site, or on a host that is allowed.

    Refused are, whatever a browser would make of them: an empty URL, white space, control
    characters and backslashes anywhere, ``//host``, every scheme but http and https, user names.

    Args:
        url: what a client asked to be sent to: a path, a query, a fragment, or an absolute URL.
        allowed_hosts: ``host`` or ``host:port`` of absolute URLs, compared as text, letter case apart.
    """
    if not url or _DECEPTIVE.search(url) or url.startswith("//"):
        return False
    if not _SCHEME.match(url):
        return True
    absolute = _ABSOLUTE.match(url)
    if absolute is None:
        return False
    authority = absolute[1].lower()
    return "@" not in authority and any(authority == host.lower() for host in allowed_hosts)


def path_of(url: str) -> str:
    """Return the path of a request target, without the query; of an absolute-form target too (RFC 9112 section 3.2.2).

    Args:
        url: percent-encoded.
    """
    if url.startswith("/") and "?" not in url and "#" not in url:
        return url  # nearly always
    if not url.startswith("/"):
        head, mark, rest = url.partition("://")
        if mark and "?" not in head:
            host, slash, tail = rest.partition("/")
            url = slash + tail if "?" not in host else "/"
            url = url or "/"
    return url.partition("?")[0].partition("#")[0]
