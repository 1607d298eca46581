"""The compact form of a signed token (RFC 7515 section 7.1), read strictly and without any key.

Not by ``jwt.decode``: that (2.15) takes tokens of any length, a name that stands twice, ``zip``, any ``typ``, and a
time that is text. PyJWT reads the keys and verifies the signatures.
"""

from __future__ import annotations

import json
import re
from binascii import a2b_base64
from typing import Any, NamedTuple, NoReturn, TypeAlias

from asgi_express._memo import Memo

__all__ = ["Compact", "Refused", "read_compact", "read_object"]

# A quantifier for each part: linear, and no split of what may be a million dots (CVE-2025-30204).
_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\Z")

# JWS headers that change what is signed or how it is read. A reader that does not know them must refuse (RFC 7515
# section 4.1.11; CVE-2026-32597): crit names them, b64 is RFC 7797, zip and enc belong to encrypted tokens.
_UNKNOWN = ("crit", "b64", "zip", "enc")


_Header: TypeAlias = tuple[str, str | None, str | None]
"""Algorithm, ``kid`` and ``typ``."""

_HEADERS: Memo[str, _Header] = Memo(256)
_MAX_HEADER = 512

# RFC 4648 section 3.5: which characters may stand last where not all of their bits mean something.
_LAST = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}


class Refused(Exception):
    """A token is not valid; the message says why, for the log."""


class Compact(NamedTuple):
    """A token in its parts; nothing is verified yet.

    Attributes:
        algorithm: that it says it is signed with.
        kid: of the key that it says it is signed with.
        typ: what it says it is, in lower case, without ``application/``; ``None`` where it says nothing.
        signed: what the signature is over.
        payload: what it says, still as bytes.
        signature: the bytes of it.
    """

    algorithm: str
    kid: str | None
    typ: str | None
    signed: bytes
    payload: bytes
    signature: bytes


def read_compact(token: str) -> Compact:
    """Take a token apart.

    Raises:
        Refused: it has another form.
    """
    form = _FORM.match(token)
    if form is None:
        _refuse("it is not three parts in Base64")
    # An issuer writes the same header again and again: 3 us to read it, 0.1 to remember.
    header = form[1]
    algorithm, kid, typ = _HEADERS.get(header) or _read_header(header)
    return Compact(algorithm, kid, typ, token[: form.end(2)].encode("ascii"), _decode(form[2]), _decode(form[3]))


def _read_header(text: str) -> _Header:
    header = read_object(_decode(text), "header")
    algorithm, kid, typ = (header.get(name) for name in ("alg", "kid", "typ"))
    if not isinstance(algorithm, str):
        _refuse("its header names no algorithm")
    for name, value in (("kid", kid), ("typ", typ)):
        if name in header and not isinstance(value, str):
            _refuse(f"its header has a {name} that is not text")
    for name in _UNKNOWN:
        if name in header:
            _refuse(f"its header has {name!r}")
    if typ is not None:
        typ = typ.lower().removeprefix("application/")  # RFC 7515 section 4.1.9
    read = algorithm, kid, typ
    return _HEADERS.keep(text, read) if len(text) <= _MAX_HEADER else read


def read_object(text: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object in which no name stands twice and no number is infinite.

    Raises:
        Refused: it is not one.
    """
    try:
        value = _DECODER.decode(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"its {what} is no JSON: {error}") from error
    if not isinstance(value, dict):
        _refuse(f"its {what} is not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        msg = "a name stands twice"
        raise ValueError(msg)
    return names


def _refuse_number(name: str) -> NoReturn:
    msg = f"{name} is no number"
    raise ValueError(msg)


# json.loads would make one each time, which takes 1 us.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_number)


def _decode(text: str) -> bytes:
    """Decode characters of URL-safe Base64; in 0.3 us, where to encode them again and to compare takes 2."""
    over = len(text) % 4
    if over == 1:
        _refuse("it is not Base64: a single character is left over")
    if over and text[-1] not in _LAST[over]:
        _refuse("its Base64 has bits that mean nothing")
    return a2b_base64(text.replace("-", "+").replace("_", "/") + "=="[: -over % 4])


def _refuse(words: str) -> NoReturn:
    raise Refused(words)
