"""What one CORS policy says, without I/O: the headers of a preflight's answer and of any other."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, NoReturn

from asgi_express._flags import check_flags
from asgi_express._memo import Memo
from asgi_express._units import parse_duration
from asgi_express.security.origins import OriginPolicy, OriginSpec, Tolerated
from asgi_express.types import Duration

__all__ = ["HEADERS", "METHODS", "CORSPolicy", "Preflight", "Verdict", "mark", "read_preflight"]

_Pairs = list[tuple[bytes, bytes]]

METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
"""The methods that are allowed by default, which are Wippy's."""

HEADERS = ("Origin", "Content-Type", "Accept", "Authorization", "X-Requested-With")
"""The request headers that are allowed by default, which are Wippy's."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")

# Fetch standard: never asked about in a preflight, so they are allowed whatever a policy says.
_SAFE_METHODS = frozenset({"GET", "HEAD", "POST"})
_FORBIDDEN_METHODS = frozenset({"CONNECT", "TRACE", "TRACK"})

# Firefox keeps a preflight for a day at most, Chromium for two hours.
_MAX_AGE = 86400

# CVE-2025-47908: what a client lists costs nothing beyond this; browsers list only what a page has set.
_MAX_NAMES = 128
_MAX_NAMES_LENGTH = 8192

# Verdicts that are kept, and the characters of the longest question: half a MiB.
_KEPT, _MAX_KEPT = 512, 256

_ORIGIN = b"access-control-allow-origin"
_CREDENTIALS = b"access-control-allow-credentials"
_READ = frozenset({_ORIGIN, _CREDENTIALS, b"vary"})
_VARY = (b"vary", b"Origin")
_PRIVATE_NETWORK = b"access-control-request-private-network"


class Preflight(NamedTuple):
    """What a preflight asks.

    Attributes:
        origin: the page's; the empty text for several.
        method: of the request that is to follow.
        headers: its headers as they were listed, lines joined.
        private_network: whether the server is on a more private network than the page.
    """

    origin: str
    method: str
    headers: str
    private_network: bool


class Verdict(NamedTuple):
    """The answer to a preflight.

    Attributes:
        status: 204, or 403 where the origin is refused. Where only the method or a header is, the answer says what
            is allowed, and the browser tells its user what is not.
        headers: of the answer.
        reason: why it is refused, in words; empty where it is allowed.
    """

    status: int
    headers: _Pairs
    reason: str


class CORSPolicy:
    """What pages of other origins may do; for one path prefix in ``CORS(policies=...)``.

    Args:
        allow_origins: as in :class:`CORS`, like all of these.
        allow_methods: the methods, in capitals; ``"*"`` for every method.
        allow_headers: the request headers; ``"*"`` for every header.
        expose_headers: the answer's headers that pages may read.
        allow_credentials: whether requests may carry cookies and the like.
        max_age: how long a browser may keep the answer to a preflight, up to a day.
        allow_private_network: whether public sites may ask a server on a private network.
        tolerate: what of ``allow_origins`` is admitted that is refused otherwise.

    Raises:
        ValueError: an option cannot be, or does not mean what it seems to.
        TypeError: ``max_age`` is no duration.
    """

    def __init__(
        self,
        *,
        allow_origins: OriginSpec = (),
        allow_methods: str | Sequence[str] = METHODS,
        allow_headers: str | Sequence[str] = HEADERS,
        expose_headers: str | Sequence[str] = (),
        allow_credentials: bool = False,
        max_age: Duration = _MAX_AGE,
        allow_private_network: bool = False,
        tolerate: Collection[Tolerated] = (),
    ) -> None:
        check_flags("CORS", allow_credentials=allow_credentials, allow_private_network=allow_private_network)
        self.origins = (
            allow_origins
            if isinstance(allow_origins, OriginPolicy)
            else OriginPolicy(
                allow_origins, credentials=allow_credentials, tolerate=tolerate, option="CORS: allow_origins"
            )
        )
        if allow_credentials and not self.origins.credentials:
            _refuse("allow_origins is a policy that was made without credentials=True")
        self._allow_private_network = allow_private_network
        if allow_private_network and self.origins.any and "any" not in tolerate:
            _refuse(
                "'*' with allow_private_network opens the network to every site: name the origins, or tolerate=['any']"
            )
        methods, self._any_method = _names("allow_methods", allow_methods)
        self._methods = _SAFE_METHODS.union(map(_checked_method, methods))
        headers, self._any_header = _names("allow_headers", allow_headers)
        self._headers = frozenset(name.lower() for name in headers)
        self.is_static = self.origins.any and not allow_credentials
        self.additions = self._answer_headers(expose_headers, allow_credentials=allow_credentials)
        self._preflight = self._preflight_headers(methods, headers, _seconds(max_age))
        if allow_credentials:
            self._preflight.append((_CREDENTIALS, b"true"))
        self._verdicts: Memo[tuple[Preflight, bool], Verdict] = Memo(_KEPT)

    def _answer_headers(self, expose_headers: str | Sequence[str], *, allow_credentials: bool) -> _Pairs:
        """Return what an answer to an allowed origin has, besides the origin."""
        expose, expose_any = _names("expose_headers", expose_headers)
        for name in expose:
            if name.lower() in ("set-cookie", "set-cookie2"):
                _refuse(f"expose_headers: browsers show {name} to no page")
        if expose_any and allow_credentials:
            _refuse("expose_headers: with credentials '*' is the name of a header, not every header")
        pairs: _Pairs = [(_ORIGIN, b"*")] if self.is_static else []
        if allow_credentials:
            pairs.append((_CREDENTIALS, b"true"))
        if expose_any or expose:
            value = "*" if expose_any else ", ".join(expose)
            pairs.append((b"access-control-expose-headers", value.encode("ascii")))
        return pairs

    def _preflight_headers(self, methods: list[str], headers: list[str], max_age: int) -> _Pairs:
        """Return what the answer to a preflight of an allowed origin always has."""
        vary = ["Access-Control-Request-Method", "Access-Control-Request-Headers"]
        if not self.is_static:
            vary.insert(0, "Origin")
        if self._allow_private_network:
            vary.append("Access-Control-Request-Private-Network")
        pairs = [(b"vary", ", ".join(vary).encode("ascii")), (b"access-control-max-age", b"%d" % max_age)]
        if not self._any_method and methods:
            pairs.append((b"access-control-allow-methods", ", ".join(methods).encode("ascii")))
        if not self._any_header and headers:
            pairs.append((b"access-control-allow-headers", ", ".join(headers).encode("ascii")))
        return pairs

    def preflight(self, asked: Preflight, *, allowed: bool) -> Verdict:
        """Answer a preflight.

        Args:
            asked: what it asks.
            allowed: what ``origins`` said about its origin.

        The verdict may be given to others, too: it is not to be changed.
        """
        key = asked, allowed
        # A page asks the same before each of its requests: 2.5 us to decide, 0.3 to remember.
        return self._verdicts.get(key) or self._decide(key)

    def _decide(self, key: tuple[Preflight, bool]) -> Verdict:
        asked, allowed = key
        verdict = self._judge(asked, allowed=allowed)
        if len(asked.origin) + len(asked.method) + len(asked.headers) <= _MAX_KEPT:
            self._verdicts.keep(key, verdict)
        return verdict

    def _judge(self, asked: Preflight, *, allowed: bool) -> Verdict:
        headers = list(self._preflight)
        if not allowed:
            several = "the request has several Origin headers"
            reason = f"the origin {asked.origin!a:.300} is not allowed" if asked.origin else several
            return Verdict(403, headers[:1], reason)
        headers.append((_ORIGIN, b"*" if self.is_static else asked.origin.encode("latin-1")))
        reasons = [
            self._judge_method(asked.method, headers),
            self._judge_headers(asked.headers, headers),
            self._judge_network(headers, private=asked.private_network),
        ]
        return Verdict(204, headers, "; ".join(filter(None, reasons)))

    def _judge_method(self, method: str, headers: _Pairs) -> str:
        if not self._any_method:
            return "" if method in self._methods else f"the method {method!a:.100} is not allowed"
        if not _TOKEN.match(method):
            return "the method is not a token"
        headers.append((b"access-control-allow-methods", method.encode("ascii")))
        return ""

    def _judge_headers(self, listed: str, headers: _Pairs) -> str:
        if not listed:
            return ""
        names = read_names(listed)
        if names is None:
            return f"Access-Control-Request-Headers is malformed, or lists more than {_MAX_NAMES} headers"
        if self._any_header:
            # "*" would mean a header of that name with credentials, and never means Authorization.
            headers.append((b"access-control-allow-headers", ", ".join(names).encode("ascii")))
            return ""
        refused = [name for name in names if name not in self._headers]
        return f"the header {refused[0]:.100} is not allowed" if refused else ""

    def _judge_network(self, headers: _Pairs, *, private: bool) -> str:
        if not private:
            return ""
        if not self._allow_private_network:
            return "requests from a public to a private network are not allowed"
        headers.append((b"access-control-allow-private-network", b"true"))
        return ""


def read_names(listed: str) -> list[str] | None:
    """Return the header names of a list, in lower case, each once; ``None`` for what is no list, or too long.

    White space, empty items and lists in several lines are read, as some gateways write them.
    """
    if len(listed) > _MAX_NAMES_LENGTH:
        return None
    names = dict.fromkeys(name for item in listed.split(",") if (name := item.strip(" \t").lower()))
    if len(names) > _MAX_NAMES or not all(map(_TOKEN.match, names)):
        return None
    return list(names)


def read_preflight(headers: Iterable[tuple[bytes, bytes]], origin: str) -> Preflight | None:
    """Return what an ``OPTIONS`` request asks, ``None`` if it is no preflight.

    Args:
        headers: of the request.
        origin: what they say of it.
    """
    method: bytes | None = None
    private = False
    listed: list[bytes] = []
    for name, value in headers:
        if name == b"access-control-request-method":
            method = value
        elif name == b"access-control-request-headers":
            listed.append(value)
        elif name == _PRIVATE_NETWORK:
            private = value == b"true"
    if method is None:
        return None
    return Preflight(origin, method.decode("latin-1"), b",".join(listed).decode("latin-1"), private)


def mark(headers: Iterable[tuple[bytes, bytes]], additions: Sequence[tuple[bytes, bytes]], *, vary: bool) -> _Pairs:
    """Return a copy of an answer's headers with those of the policy.

    Two ``Access-Control-Allow-Origin`` make an answer useless, so what the app has said about origin and credentials
    gives way; the other headers stay.

    Args:
        headers: of the answer.
        additions: what the policy says to this origin.
        vary: whether the answer differs by origin.
    """
    marked: _Pairs = []
    for pair in headers:
        name = pair[0].lower()
        if name not in _READ:
            marked.append(pair)
        elif name == b"vary":
            value = pair[1].lower()
            # Most say something else; to take them apart would take 0.4 us.
            if vary and (b"origin" in value or b"*" in value):
                vary = {b"origin", b"*"}.isdisjoint(field.strip() for field in value.split(b","))
            marked.append(pair)
    marked += additions
    if vary:
        marked.append(_VARY)
    return marked


def _refuse(words: str) -> NoReturn:
    msg = f"CORS: {words}"
    raise ValueError(msg)


def _names(option: str, value: str | Sequence[str]) -> tuple[list[str], bool]:
    """Return the names of a list, or of text with commas, and whether there is a ``*`` among them."""
    items = value.split(",") if isinstance(value, str) else list(value)
    names = [item.strip() if isinstance(item, str) else item for item in items if item != "" or len(items) > 1]
    for name in names:
        if not isinstance(name, str) or not _TOKEN.match(name):
            _refuse(f"{option}: {name!r} is not a name (RFC 9110 section 5.6.2)")
    return [name for name in dict.fromkeys(names) if name != "*"], "*" in names


def _checked_method(method: str) -> str:
    if method.upper() in _FORBIDDEN_METHODS:
        _refuse(f"allow_methods: browsers refuse {method} whatever a server says")
    if method != method.upper():
        _refuse(f"allow_methods: methods are case-sensitive: {method.upper()!r}, not {method!r}")
    return method


def _seconds(max_age: Duration) -> int:
    seconds = parse_duration(max_age)
    if not 0 <= seconds <= _MAX_AGE or seconds != int(seconds):
        _refuse(f"max_age must be 0 to {_MAX_AGE} whole seconds (browsers keep no preflight longer), not {max_age!r}")
    return int(seconds)
