"""Whose limit a request counts against: text from a scope.

Every part is tagged with where it comes from and every combination carries its lengths, so that no two clients with
different values ever meet in one key. A value that a client sent twice, or not at all, is not its own to choose: the
request counts against its address then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from inspect import isawaitable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeAlias
from urllib.parse import unquote_plus

from asgi_express._cookies import parse_cookies
from asgi_express._headers import header_name
from asgi_express._scope import ACTOR, MATCH
from asgi_express.middleware._limit_checks import FORGEABLE, Watch
from asgi_express.types import Scope

__all__ = ["ACTOR", "Key", "KeySpec", "bounded", "client_address", "compile_key", "key_names", "shown"]

KeySpec: TypeAlias = str | Callable[[Scope], Any] | Sequence["str | Callable[[Scope], Any]"]
"""A name, a function of the scope (sync or async), or a list of those."""

Key: TypeAlias = Callable[[Scope], "str | Awaitable[str | None] | None"]
"""Returns the key; ``None`` for a request that the limit is not for."""

_KNOWN = (
    "'ip', 'header:NAME', 'query:NAME', 'cookie:NAME', 'actor', 'route', a function of the scope, or a list of these"
)

_KNOWN_TO_ALL = ("ip=", "actor=", "route=")

_MAX_KEY = 64

# 64:ff9b::/96, the clients of IPv4 whose packets a translator passes on (RFC 6052 section 2.1).
_NAT64 = 0x0064_FF9B << 64
_MAX_PARAMETERS = 1000


def client_address(scope: Scope) -> str:
    """Return the address in a scope, ``""`` where there is none (a Unix socket, a test client)."""
    client = scope.get("client")
    return str(client[0]) if client and client[0] else ""


def bounded(key: str) -> str:
    """Return a key as it is, or a hash of a long one: a client must not choose how much memory it takes."""
    if len(key) <= _MAX_KEY:
        return key
    return "#" + blake2b(key.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def shown(key: str) -> str:
    """Return a key as it may stand in a log: what a client sends in a header may be a secret."""
    if key.startswith(_KNOWN_TO_ALL):
        return key
    tag = key.partition("=")[0] if key.startswith(("header:", "query:", "cookie:")) else ""
    return f"{tag}#{blake2b(key.encode('utf-8', 'surrogatepass'), digest_size=6).hexdigest()}"


def compile_key(spec: KeySpec, *, ipv6_prefix: int = 64, watch: Watch | None = None) -> Key:
    """Return the function that a ``key`` option stands for; ``watch`` is shown the keys.

    Raises:
        ValueError: it is none of the known ones, or a client could choose its key at will with it.
    """
    watch = watch or Watch()
    if isinstance(spec, str):
        return _named(spec, ipv6_prefix, watch)
    if callable(spec):
        return _custom(spec)
    if not isinstance(spec, Sequence) or not spec:
        msg = f"RateLimit: key must be {_KNOWN}, not {spec!r}"
        raise ValueError(msg)
    parts = [compile_key(part, ipv6_prefix=ipv6_prefix, watch=watch) for part in spec]
    return parts[0] if len(parts) == 1 else _combined(parts)


def key_names(spec: KeySpec) -> list[str]:
    """Return the names in a ``key`` option that was accepted."""
    parts = [spec] if isinstance(spec, str) or callable(spec) else spec
    return [part for part in parts if isinstance(part, str)]


def _named(spec: str, ipv6_prefix: int, watch: Watch) -> Key:
    by_ip = _by_ip(ipv6_prefix, watch)
    if spec == "ip":
        return by_ip
    if spec == "actor":
        return _or(by_ip, "actor", lambda scope: _actor(scope, watch))
    if spec == "route":
        return lambda scope: _route(scope, watch)
    source, _, name = spec.partition(":")
    if not name or source not in ("header", "query", "cookie"):
        msg = f"RateLimit: key must be {_KNOWN}, not {spec!r}"
        raise ValueError(msg)
    if source == "query":
        return _or(by_ip, spec, lambda scope: _query(scope, name))
    if source == "cookie":
        return _or(by_ip, spec, lambda scope: _cookie(scope, name))
    wanted = header_name(name)
    if wanted in FORGEABLE:
        msg = (
            f"RateLimit: key={spec!r} lets every client choose its limit; put RealIP in front, "
            "which checks who wrote that header, and use key='ip'"
        )
        raise ValueError(msg)
    return _or(by_ip, f"header:{name.lower()}", lambda scope: _header(scope, wanted))


def _or(by_ip: Callable[[Scope], str], tag: str, read: Callable[[Scope], str | None]) -> Key:
    def key(scope: Scope) -> str:
        value = read(scope)
        return by_ip(scope) if value is None else f"{tag}={value}"

    return key


def _by_ip(ipv6_prefix: int, watch: Watch) -> Callable[[Scope], str]:
    if isinstance(ipv6_prefix, bool) or not isinstance(ipv6_prefix, int) or not 32 <= ipv6_prefix <= 128:
        msg = f"RateLimit: ipv6_prefix must be an integer from 32 to 128, not {ipv6_prefix!r}"
        raise ValueError(msg)

    def key(scope: Scope) -> str:
        client = scope.get("client")
        host = str(client[0] or "") if client else ""
        # A server that believes X-Forwarded-For may pass on any text: long ones are not worth keeping.
        text, is_near = _network(host, ipv6_prefix) if len(host) <= _MAX_KEY else (f"ip={host}", True)
        if is_near or watch.is_comparing:
            watch.address(text, scope, is_near=is_near)
        return text

    return key


@lru_cache(maxsize=4096)
def _network(text: str, ipv6_prefix: int) -> tuple[str, bool]:
    """Return the key of an address, and whether the address is of a private network or none.

    The key is the address itself, or the network that one IPv6 client has all of.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return f"ip={text}", True
    if isinstance(address, IPv6Address):
        # By its bits, however it is written: masked as IPv6, all of IPv4 would be one client (CVE-2026-30827).
        inside = address.ipv4_mapped
        if int(address) >> 32 == _NAT64:
            inside = IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is None:
            shift = 128 - ipv6_prefix
            return f"ip={int(address) >> shift:x}/{ipv6_prefix}", address.is_private
        address = inside
    return f"ip={address}", address.is_private


def _header(scope: Scope, wanted: bytes) -> str | None:
    values = [value for name, value in scope["headers"] if name.lower() == wanted]
    return bytes(values[0]).decode("latin-1") if len(values) == 1 else None


def _query(scope: Scope, wanted: str) -> str | None:
    found: str | None = None
    text = (scope.get("query_string") or b"").decode("latin-1")
    for part in text.split("&", _MAX_PARAMETERS)[:_MAX_PARAMETERS]:
        name, _, value = part.partition("=")
        if name == wanted or unquote_plus(name) == wanted:
            if found is not None:
                return None
            found = unquote_plus(value)
    return found


def _cookie(scope: Scope, wanted: str) -> str | None:
    lines = [bytes(value) for name, value in scope["headers"] if name.lower() == b"cookie"]
    pairs = b";".join(lines).decode("latin-1").split(";")
    mine = [pair for pair in pairs if pair.partition("=")[0].strip(" \t") == wanted]
    return parse_cookies(mine[0]).get(wanted) if len(mine) == 1 else None


def _actor(scope: Scope, watch: Watch) -> str | None:
    watch.actor(scope)
    name = getattr(scope.get(ACTOR), "id", None)
    return None if name is None else str(name)


def _route(scope: Scope, watch: Watch) -> str:
    match = scope.get(MATCH)
    if match is None:
        watch.route()
        return "route="  # stricter, never laxer: what has not been matched shares one
    return f"route={','.join(match.methods)} {match.template}"


def _custom(function: Callable[[Scope], Any]) -> Key:
    def key(scope: Scope) -> str | Awaitable[str | None] | None:
        value = function(scope)
        return _later(value) if isawaitable(value) else _tagged(value)

    return key


async def _later(value: Awaitable[Any]) -> str | None:
    return _tagged(await value)


def _tagged(value: Any) -> str | None:
    return None if value is None else f"={value}"


def _combined(parts: list[Key]) -> Key:
    def key(scope: Scope) -> str | Awaitable[str | None] | None:
        values = [part(scope) for part in parts]
        if all(value is None or isinstance(value, str) for value in values):
            return _joined(values)
        return _gathered(values)

    return key


async def _gathered(values: list[Any]) -> str | None:
    return _joined([await value if isawaitable(value) else value for value in values])


def _joined(values: list[Any]) -> str | None:
    if None in values:
        return None
    return "".join(f"{len(value)}:{value}" for value in values)
