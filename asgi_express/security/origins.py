"""Which web origins are trusted: one object for CORS, WebSocket handshakes, event streams and CSRF checks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from ipaddress import ip_address
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias, cast

from asgi_express._memo import Memo
from asgi_express.security._public_suffixes import is_public_suffix
from asgi_express.types import Scope

__all__ = ["Allowed", "OriginPolicy", "OriginSpec", "Tolerated", "origin_of"]

Allowed: TypeAlias = Callable[..., bool | Awaitable[bool]]
"""A function of ``(origin)`` or ``(origin, scope)``, plain or asynchronous."""

OriginSpec: TypeAlias = "str | re.Pattern[str] | Allowed | OriginPolicy | Sequence[str | re.Pattern[str] | Allowed]"
"""What an option of origins takes."""

Tolerated: TypeAlias = Literal["any", "insecure", "null", "public-suffix"]
"""The words that admit what is refused by default."""

_WORDS = ("any", "insecure", "null", "public-suffix")

# What a browser writes (RFC 6454 section 6.2, URL standard): lower case, ASCII, no default port, and never longer.
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]{0,31})://([a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::([1-9][0-9]{0,4}))?\Z")
_ENTRY = re.compile(
    r"(?:([a-z][a-z0-9+.-]{0,31})://)?(\*\.)?([a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(\*|[1-9][0-9]{0,4}))?\Z"
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_SECURE = {"ws": "http", "wss": "https"}

# Answers that are kept, and the characters of the longest origin: a quarter of a MiB.
_KEPT, _MAX_KEPT = 1024, 128
_UNKNOWN: Any = object()

_PROBE = "https://origin-probe.invalid"


class _Pattern(NamedTuple):
    """A wildcard: of host labels, of the port, or of both."""

    scheme: str
    suffix: str  # ".example.com"; the whole host where only the port is open
    port: str | None  # "*" for any

    def fits(self, scheme: str, host: str, port: str | None) -> bool:
        if scheme != self.scheme or self.port not in ("*", port):
            return False
        if self.suffix[0] != ".":
            return host == self.suffix
        return host.endswith(self.suffix) and host[0] != "."


class OriginPolicy:
    """Decide whether an origin is trusted.

    Args:
        origins: one of these, a list of them, or text with commas:

            - ``"https://app.example.com"``, ``"http://localhost:3000"``: that origin;
            - ``"https://*.example.com"``: every sub-domain, however deep, not the domain itself; without a scheme
              ``https`` is meant; ``"http://localhost:*"``: every port;
            - a compiled regular expression: it has to match the whole origin;
            - a function of ``(origin)`` or ``(origin, scope)``, plain or asynchronous;
            - ``"self"``: the host that was asked;
            - ``"*"``: everybody.
        credentials: whether what is protected depends on who the user is, by cookies say. For WebSockets and CSRF
            checks it always does.
        tolerate: which entries are admitted that are refused otherwise: ``"any"`` for ``"*"`` with credentials;
            ``"insecure"`` for ``http`` origins other than loopback ones, whose pages anybody on the way can change;
            ``"null"`` for the origin of sandboxed frames, which any site can make; ``"public-suffix"`` for wildcards
            such as ``*.github.io``.
        option: the name of the option, for the words of errors.

    Regular expressions and functions are asked only about well-formed origins: never about ``null``, and about insecure
    ones only where those are tolerated.

    Raises:
        ValueError: an entry is not an origin as browsers write it, is wider than it looks, or is not tolerated.

    Examples::

        OriginPolicy(["https://app.example.com", "https://*.example.org"])

        OriginPolicy(lambda origin, scope: origin in tenants, credentials=True, tolerate=["insecure"])
    """

    def __init__(
        self,
        origins: OriginSpec = (),
        *,
        credentials: bool = False,
        tolerate: Collection[Tolerated] = (),
        option: str = "origins",
    ) -> None:
        self._option = option
        self._tolerated = frozenset((tolerate,) if isinstance(tolerate, str) else tolerate)
        if not self._tolerated <= set(_WORDS):
            self._refuse(f"tolerate takes {', '.join(map(repr, _WORDS))}, not {sorted(self._tolerated - set(_WORDS))}")
        self.credentials = credentials
        exact: set[str] = set()
        patterns: list[_Pattern] = []
        self._regexes: list[re.Pattern[str]] = []
        self._functions: list[tuple[Allowed, bool]] = []
        self.any = self._has_self = False
        for entry in _entries(origins):
            if isinstance(entry, str):
                self._read(entry.strip(), exact, patterns)
            elif isinstance(entry, re.Pattern):
                self._regexes.append(self._checked_regex(entry))
            elif callable(entry):
                function = cast("Allowed", entry)
                self._functions.append((function, self._takes_scope(function)))
            else:
                self._refuse(f"an origin is text, a compiled regular expression or a function, not {entry!r}")
        self._exact, self._patterns = frozenset(exact), tuple(patterns)
        self._known: Memo[str, bool | None] = Memo(_KEPT)

    # -- asking

    def settled(self, origin: str, scope: Scope | None = None) -> bool | None:
        """Decide without the functions: ``None`` where they have to be asked. It does no I/O.

        Args:
            origin: the value of the header.
            scope: of the request, for ``"self"``.

        Example::

            policy.settled("https://app.example.com")
        """
        if origin in self._exact:
            return True
        if self.any and not self.credentials:
            return origin != ""
        # Most answers depend on the origin alone: 1 us and more to find out, 0.1 to remember.
        known = self._known.get(origin, _UNKNOWN)
        return self._look_up(origin, scope) if known is _UNKNOWN else known

    def _look_up(self, origin: str, scope: Scope | None) -> bool | None:
        parts = _ORIGIN.match(origin)
        if parts is None:
            return False  # "null", where it is listed, is among the exact ones
        scheme, host, port = parts.groups()
        if self._has_self and scope is not None and _is_same(scheme, host, port, scope):
            return True
        settled = self._settle(origin, scheme, host, port)
        if not self._has_self and len(origin) <= _MAX_KEPT:
            self._known.keep(origin, settled)
        return settled

    def _settle(self, origin: str, scheme: str, host: str, port: str | None) -> bool | None:
        """Decide by the origin alone."""
        if scheme == "http" and "insecure" not in self._tolerated and not _is_loopback(host):
            return False
        if self.any or any(pattern.fits(scheme, host, port) for pattern in self._patterns):
            return True
        if any(regex.fullmatch(origin) for regex in self._regexes):
            return True
        return None if self._functions else False

    async def allows(self, origin: str, scope: Scope) -> bool:
        """Decide, with the functions where they are needed. What a function raises is raised.

        Args:
            origin: the value of the header.
            scope: of the request.

        Example::

            trusted = await policy.allows("https://app.example.com", scope)
        """
        settled = self.settled(origin, scope)
        return await self.asked(origin, scope) if settled is None else settled

    async def asked(self, origin: str, scope: Scope) -> bool:
        """Decide with the functions alone, where :meth:`settled` leaves it to them. What a function raises is raised.

        Args:
            origin: the value of the header.
            scope: of the request.

        Example::

            trusted = await policy.asked("https://app.example.com", scope)
        """
        for function, takes_scope in self._functions:
            answer: Any = function(origin, scope) if takes_scope else function(origin)
            if inspect.isawaitable(answer):
                answer = await answer
            if answer is True:
                return True
            if answer is not False and answer is not None:
                msg = f"{self._option}: {function!r} must answer True or False, not {answer!r}"
                raise TypeError(msg)
        return False

    # -- reading the configuration

    def _refuse(self, words: str) -> NoReturn:
        msg = f"{self._option}: {words}"
        raise ValueError(msg)

    def _read(self, entry: str, exact: set[str], patterns: list[_Pattern]) -> None:
        if entry == "*":
            if self.credentials and "any" not in self._tolerated:
                self._refuse(
                    "'*' with credentials lets every site act as the user: name the origins, or tolerate=['any']"
                )
            self.any = True
        elif entry == "self":
            self._has_self = True
        elif entry == "null":
            if "null" not in self._tolerated:
                self._refuse(
                    "any site can make a page of origin 'null' (a sandboxed frame): leave it out, or tolerate=['null']"
                )
            exact.add(entry)
        else:
            self._read_origin(entry, exact, patterns)

    def _read_origin(self, entry: str, exact: set[str], patterns: list[_Pattern]) -> None:
        parts = _ENTRY.match(entry.lower())
        if parts is None:
            self._refuse(_advice(entry))
        scheme, wildcard, host, port = parts.groups()
        if scheme is None:
            if not wildcard:
                self._refuse(f"{entry!r} has no scheme: 'https://{entry}'")
            scheme = "https"
        self._check_host(entry, scheme, host, wildcard=bool(wildcard))
        if port == _DEFAULT_PORTS.get(scheme):
            port = None  # browsers leave it out
        elif port and port != "*" and int(port) > 65535:
            self._refuse(f"{entry!r} has a port above 65535")
        if wildcard or port == "*":
            patterns.append(_Pattern(scheme, f".{host}" if wildcard else host, port))
        else:
            exact.add(f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}")

    def _check_host(self, entry: str, scheme: str, host: str, *, wildcard: bool) -> None:
        is_address = _is_address(host)
        if not is_address and (host[0] == "[" or not all(host.split(".")) or host.replace(".", "").isdigit()):
            self._refuse(f"{entry!r} has a host that is neither a name nor an address")
        if scheme == "http" and "insecure" not in self._tolerated and not _is_loopback(host):
            self._refuse(
                f"{entry!r} is not secure, anybody on the way can change its pages: use https, or tolerate=['insecure']"
            )
        if not wildcard:
            return
        if is_address:
            self._refuse(f"{entry!r}: addresses have no sub-domains")
        if host != "localhost" and "public-suffix" not in self._tolerated and is_public_suffix(host):
            self._refuse(
                f"{entry!r} trusts strangers, who can register names under {host!r}: "
                "name the origins, or tolerate=['public-suffix']"
            )

    def _checked_regex(self, regex: re.Pattern[str]) -> re.Pattern[str]:
        if not isinstance(regex.pattern, str):
            self._refuse(f"{regex.pattern!r} is a regular expression for bytes; origins are text")
        if regex.fullmatch(_PROBE) and self.credentials and "any" not in self._tolerated:
            self._refuse(
                f"{regex.pattern!r} matches any origin, with credentials: make it narrower, or tolerate=['any']"
            )
        return regex

    def _takes_scope(self, function: Allowed) -> bool:
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):  # some builtins tell nothing
            return False
        if _can_take(signature, 2):
            return True
        if not _can_take(signature, 1):
            self._refuse(f"{function!r} must take (origin) or (origin, scope)")
        return False


def origin_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the origin that a request names: ``None`` for none, the empty text (which nobody trusts) for several."""
    found: str | None = None
    for name, value in headers:
        if name == b"origin":
            if found is not None:
                return ""
            found = value.decode("latin-1")
    return found


def _can_take(signature: inspect.Signature, number: int) -> bool:
    try:
        signature.bind(*(None,) * number)
    except TypeError:
        return False
    return True


def _entries(origins: Any) -> list[Any]:
    if isinstance(origins, str):
        return origins.split(",") if origins else []
    if isinstance(origins, (list, tuple, set, frozenset)):
        return list(origins)
    return [origins]


def _advice(entry: str) -> str:
    """Say what is wrong with an entry that is no origin."""
    scheme, mark, rest = entry.partition("://")
    host = rest if mark else entry
    if not entry:
        return "an origin is empty"
    if "/" in host or "?" in host or "#" in host:
        return f"{entry!r} has a path; an origin ends after the host and port: {(scheme + mark + host.split('/')[0])!r}"
    if "@" in host:
        return f"{entry!r} has a user name; an origin has none"
    if not entry.isascii():
        return f"{entry!r} is not ASCII; browsers send the 'xn--' form of such names"
    if "*" in host:
        return f"{entry!r}: a wildcard stands for whole labels at the left, '*.example.com', or for the port"
    return f"{entry!r} is not an origin such as 'https://example.com' (a regular expression has to be compiled)"


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return (":" in host) == (host[0] == "[")


def _is_loopback(host: str) -> bool:
    """Tell whether what is sent to a host stays on the machine (Secure Contexts, section 3.1)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_address(host) and ip_address(host.strip("[]")).is_loopback


def _is_same(scheme: str, host: str, port: str | None, scope: Scope) -> bool:
    """Tell whether an origin is the host that was asked; behind a proxy that speaks TLS the scheme may say less."""
    own: str = scope.get("scheme") or "http"
    own = _SECURE.get(own, own)
    if scheme != own and (scheme, own) != ("https", "http"):
        return False
    hosts: list[bytes] = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        return False
    asked = hosts[0].decode("latin-1").lower().removesuffix(f":{_DEFAULT_PORTS.get(scheme)}")
    return asked == (f"{host}:{port}" if port else host)
