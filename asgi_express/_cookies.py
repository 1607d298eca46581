"""Cookies: read, write, sign (``cookie`` 0.7, ``cookie-signature`` 1.0, ``cookie-parser`` 1.4).

Written by hand because the standard library's ``http.cookies``, which Starlette reads with, is
unsafe: 40 kB of quoted backslashes cost its parser 12 s on Python 3.11 (CVE-2024-7592), and its
writer lets ``;`` and line ends into attributes (CVE-2026-0672, CVE-2026-3644). Here 64 kB of
anything are read in a few milliseconds, and every attribute is checked when it is written.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import quote, unquote

from asgi_express._freshness import format_http_date
from asgi_express._units import parse_duration
from asgi_express.types import Duration

__all__ = [
    "cookie_text",
    "json_cookie",
    "parse_cookies",
    "revive_json",
    "serialize_cookie",
    "sign",
    "split_signed",
    "unsign",
]

# RFC 6265 section 4.1.1, with the quotes that a value may stand in.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_VALUE = re.compile(r'("?)[!#-+\--:<-\[\]-~]*\1\Z')
_PATH = re.compile(r"[ -:=-~]*\Z")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"\.?{_LABEL}(?:\.{_LABEL})*\Z", re.IGNORECASE)

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

_PRIORITIES = {"low": "Low", "medium": "Medium", "high": "High"}
_SAME_SITES = {"strict": "Strict", "lax": "Lax", "none": "None"}


def parse_cookies(header: str) -> dict[str, str]:
    """Return the cookies of a ``Cookie`` header.

    The first of a name wins, a value loses the quotes around it and its percent escapes; escapes
    that are not UTF-8 stay as they are. What has no ``=`` or no name is skipped: a nameless cookie
    whose value begins ``__Host-`` would look like that cookie to others (GHSA-px8h-6qxv-m22q).

    Args:
        header: the value, lines joined with ``; ``. Only space and tab count as space (a Unicode
            trim would let one cookie shadow another).
    """
    cookies: dict[str, str] = {}
    for pair in header.split(";"):
        name, equals, value = pair.partition("=")
        name = name.strip(" \t")
        if not equals or not name or name in cookies:
            continue
        value = value.strip(" \t")
        if value[:1] == '"' == value[-1:]:
            value = value[1:-1]
        cookies[name] = _decode(value) if "%" in value else value
    return cookies


def _decode(value: str) -> str:
    """Do as decodeURIComponent does, or nothing where it would throw."""
    if _BAD_ESCAPE.search(value):
        return value
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return value


def _invalid(what: str, value: object) -> NoReturn:
    msg = f"{what} is invalid: {value!r}"
    raise ValueError(msg)


def serialize_cookie(
    name: str,
    value: str,
    *,
    max_age: Duration | None = None,
    domain: str | None = None,
    path: str | None = "/",
    expires: datetime | float | None = None,
    http_only: bool = False,
    secure: bool = False,
    partitioned: bool = False,
    priority: str | None = None,
    same_site: bool | str | None = None,
    encode: Callable[[str], str] | None = None,
    now: Callable[[], float] = time.time,
) -> str:
    """Return a ``Set-Cookie`` value (RFC 6265 section 4.1) as ``res.cookie`` writes it.

    Args:
        name: a token.
        value: any text.
        max_age: how long it lasts, in seconds, as a ``timedelta`` or as ``"15m"``; whole seconds
            are sent. ``Expires`` follows from it, whatever ``expires`` says. 0 and less end the cookie.
        domain: the domain that it is for; the host that sends it, by default.
        path: the path that it is for; none with ``""`` or ``None``.
        expires: when it ends: a ``datetime`` with a zone, or seconds since the epoch.
        http_only: whether scripts may not read it.
        secure: whether it travels over TLS only.
        partitioned: whether it is kept apart per top-level site (CHIPS).
        priority: ``"low"``, ``"medium"`` or ``"high"``.
        same_site: ``"strict"`` (or ``True``), ``"lax"`` or ``"none"``; nothing by default.
        encode: what makes the value fit for a cookie; percent-encoding by default.
        now: the clock, seconds since the epoch.

    Raises:
        TypeError: ``max_age`` or ``expires`` is of a wrong type.
        ValueError: a part has characters that it may not have, or the name begins ``__Host-`` or
            ``__Secure-`` and the attributes are not those that browsers demand for it.
    """
    if not _NAME.match(name):
        _invalid("argument name", name)
    parts = [f"{name}={_encoded(value, encode)}"]
    if max_age is not None:
        seconds = math.floor(parse_duration(max_age))
        parts.append(f"Max-Age={seconds}")
        expires = now() + seconds
    if domain:
        parts.append(f"Domain={_checked('option domain', domain, _DOMAIN)}")
    if path:
        parts.append(f"Path={_checked('option path', path, _PATH)}")
    if expires is not None:
        parts.append(f"Expires={_date(expires)}")
    flags = (("HttpOnly", http_only), ("Secure", secure), ("Partitioned", partitioned))
    parts += [flag for flag, is_set in flags if is_set]
    if priority:
        parts.append(f"Priority={_word('option priority', priority, _PRIORITIES)}")
    if same_site:
        word = "strict" if same_site is True else same_site
        parts.append(f"SameSite={_word('option sameSite', word, _SAME_SITES)}")
    _check_prefix(name, secure=secure, host_only=path == "/" and not domain)
    return "; ".join(parts)


def _encoded(value: str, encode: Callable[[str], str] | None) -> str:
    try:
        encoded = encode(value) if encode else quote(value, safe="!~*'()")
    except UnicodeEncodeError:  # a lone surrogate: encodeURIComponent throws as well
        _invalid("argument val", value)
    return _checked("argument val", encoded, _VALUE)


def _checked(what: str, text: str, grammar: re.Pattern[str]) -> str:
    if not grammar.match(text):
        _invalid(what, text)
    return text


def _word(what: str, word: str, words: Mapping[str, str]) -> str:
    known = words.get(word.lower())
    if known is None:
        _invalid(what, word)
    return known


def _date(expires: datetime | float) -> str:
    if isinstance(expires, datetime):
        if expires.utcoffset() is None:
            # The zone of the server would be a guess, and a different one on the next machine.
            _invalid("option expires (a datetime without a time zone)", expires)
        expires = expires.timestamp()
    elif isinstance(expires, bool) or not isinstance(expires, (int, float)):
        msg = f"option expires is a datetime or seconds since the epoch, not {expires!r}"
        raise TypeError(msg)
    try:
        return format_http_date(expires)
    except ValueError:
        _invalid("option expires", expires)


def _check_prefix(name: str, *, secure: bool, host_only: bool) -> None:
    """Refuse what a browser would drop without a word (RFC 6265bis section 4.1.3)."""
    prefix = name.lower()
    if prefix.startswith("__host-") and not (secure and host_only):
        msg = f"cookie {name!r}: the prefix __Host- needs secure, path '/' and no domain"
        raise ValueError(msg)
    if prefix.startswith("__secure-") and not secure:
        msg = f"cookie {name!r}: the prefix __Secure- needs secure"
        raise ValueError(msg)


def _mac(value: str, secret: str) -> str:
    """Return the HMAC-SHA256 of a value in Base64 without padding."""
    if not secret:
        msg = "a secret must not be empty"
        raise ValueError(msg)
    # surrogatepass: whatever a client sent must not become an exception of the codec.
    text = value.encode("utf-8", "surrogatepass")
    digest = hmac.digest(secret.encode("utf-8"), text, hashlib.sha256)
    return b64encode(digest).decode("ascii").rstrip("=")


def sign(value: str, secret: str) -> str:
    """Return ``value.signature`` (``cookie-signature``).

    Raises:
        ValueError: the secret is empty.
    """
    return f"{value}.{_mac(value, secret)}"


def unsign(value: str, secrets: str | Sequence[str]) -> str | None:
    """Return what was signed, ``None`` if no secret fits. Compares in constant time.

    Args:
        value: ``value.signature``.
        secrets: one secret, or several of which the first is the newest.

    Raises:
        ValueError: a secret is empty.
    """
    text, dot, signature = value.rpartition(".")
    if not dot:
        return None
    given = signature.encode("utf-8", "surrogatepass")
    for secret in (secrets,) if isinstance(secrets, str) else secrets:
        if hmac.compare_digest(_mac(text, secret).encode("ascii"), given):
            return text
    return None


def split_signed(
    cookies: Mapping[str, str], secrets: str | Sequence[str]
) -> tuple[dict[str, str], dict[str, str | None]]:
    """Part the signed cookies (``s:value.signature``) from the others (``cookie-parser``).

    Returns:
        The cookies that are not signed, and those that are, without their signature: ``None`` where
        it does not fit any secret (``false`` in Express). Without a secret, all cookies as they were.
    """
    if not secrets:
        return dict(cookies), {}
    plain: dict[str, str] = {}
    signed: dict[str, str | None] = {}
    for name, value in cookies.items():
        if value.startswith("s:"):
            signed[name] = unsign(value[2:], secrets)
        else:
            plain[name] = value
    return plain, signed


def cookie_text(value: Any) -> str:
    """Return a value as ``res.cookie`` sends it: text and numbers as they are, the rest as a JSON cookie.

    Raises:
        TypeError: JSON has no form for the value.
        ValueError: the value is not finite, or holds itself.
    """
    if isinstance(value, str):
        return value
    text = json_cookie(value)
    return text.removeprefix("j:") if isinstance(value, bool | int | float) else text


def json_cookie(value: Any) -> str:
    """Return a value as the text of a JSON cookie, ``j:`` and its JSON.

    Raises:
        TypeError: JSON has no form for the value.
        ValueError: the value is not finite, or holds itself.
    """
    return "j:" + json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def revive_json(value: str) -> Any:
    """Return the value of a JSON cookie; the text itself if it is none, or not valid.

    As in ``cookie-parser``, what JavaScript calls false (``0``, ``""``, ``false``, ``null``) stays text.
    """
    if not value.startswith("j:"):
        return value
    try:
        revived = json.loads(value[2:], parse_constant=_no_constant)
    except (ValueError, RecursionError):  # RecursionError: nested deeper than the parser goes
        return value
    return revived if revived or isinstance(revived, dict | list) else value
