"""Who the client is, behind proxies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from asgi_express._addresses import Trust, compile_trust
from asgi_express._flags import check_flags
from asgi_express._headers import header_name
from asgi_express._memo import Memo
from asgi_express._scope import PEER, WALK, next_app
from asgi_express.middleware._forwarded import MAX_ELEMENTS, Node, parse_forwarded, parse_node
from asgi_express.types import ASGIApp, Receive, Scope, Send

__all__ = ["RealIP"]

_X_FORWARDED_FOR, _FORWARDED = b"x-forwarded-for", b"forwarded"
_PRIVATE = ("loopback", "linklocal", "uniquelocal")
_UNIX = "unix"

_HOST = re.compile(r"([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?\Z")
_PREFIX = re.compile(r"(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._~!$&'()*+;=:@-]+)+\Z")
# Of a request and of a WebSocket.
_PLAIN, _TLS = ("http", "ws"), ("https", "wss")
_SCHEMES = {"http": _PLAIN, "ws": _PLAIN, "https": _TLS, "wss": _TLS}
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


# Decisions that are kept, and the bytes and lines of the headers that one may depend on: a MiB together. Lines count:
# 3,000 empty ones fit into one request.
_KEPT, _MAX_KEPT, _MAX_LINES = 1024, 256, 8

_Lines: TypeAlias = tuple[tuple[bytes, bytes], ...]


class _Found(NamedTuple):
    """What the proxies say: who the client is, and what it asked for.

    Attributes:
        client: its address and port; ``None`` where nothing is to be changed.
        schemes: of a request and of a WebSocket, where it is said.
        said: what is left, by its name.
    """

    client: tuple[str, int] | None
    schemes: tuple[str, str] | None
    said: dict[str, str]


_NOBODY = _Found(None, None, {})


class RealIP:
    """Take the client's address, and what else proxies know better, from the headers of proxies that are trusted.

    Reads ``scope["client"]`` and one header, by default ``X-Forwarded-For``. Writes ``scope["client"]`` and
    ``scope["scheme"]``, on demand the ``Host`` header, ``scope["server"]`` and ``root_path``; the address that the
    connection has stays in ``scope["asgi_express.peer"]``.

    - The header is believed only if the connection comes from a trusted address. It is read from the right, where the
      nearest proxy writes; the client is the first address that is not trusted. What lies further left is the
      client's own story.
    - What cannot be read where it matters, an entry that is no address or a header that breaks its grammar,
      changes nothing at all: the client is the peer.
    - Addresses may have ports, brackets and zones. IPv4-mapped IPv6 addresses are IPv4 addresses.
    - One header is read, never whichever is there: whoever may choose the header may choose the address.
    - A second ``RealIP`` further in starts from the connection again.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        trusted_subnets: the proxies: networks (``10.0.0.0/8``), addresses, and the names ``loopback``, ``linklocal``,
            ``uniquelocal``, ``private`` (all three) and ``unix`` (connections without an address). A list, or text with
            commas.
        trust_all: believe whoever connects, for the address it reports itself; right where only a proxy can connect.
            Further proxies still need ``trusted_subnets``.
        hops: the number of proxies, instead of their addresses. A request that came over fewer changes nothing.
        header: ``"X-Forwarded-For"``, ``"Forwarded"`` (RFC 7239), or the name of a header with one address, such as
            ``"CF-Connecting-IP"``, that your proxy sets on every request.
        proto: whether to take the scheme: from ``X-Forwarded-Proto``, or ``proto`` of ``Forwarded``.
        host: whether to take the host, likewise. Off, as many proxies pass on what the client sent.
        port: whether to take the port, from ``X-Forwarded-Port``.
        prefix: whether to take the path prefix that a proxy removed, from ``X-Forwarded-Prefix``.

    Of several values of these, the one counts that was added by the proxy next to the client; if there are fewer values
    than proxies, but more than one, none does.

    Raises:
        ValueError: a network or a header name cannot be read, or two options contradict each other.

    Examples::

        app.use(RealIP())

        app.use(RealIP(trusted_subnets=["203.0.113.0/24", "unix"], header="Forwarded", host=True))
    """

    enriches = True  # it only reads the request and writes the scope: `explain` may run it

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        trusted_subnets: str | Sequence[str] = _PRIVATE,
        trust_all: bool = False,
        hops: int | None = None,
        header: str = "X-Forwarded-For",
        proto: bool = True,
        host: bool = False,
        port: bool = False,
        prefix: bool = False,
    ) -> None:
        self.app = app
        check_flags("RealIP", trust_all=trust_all, proto=proto, host=host, port=port, prefix=prefix)
        self._header = header_name(header)
        self._trust, self._trust_unix = _trust_of(trusted_subnets)
        self._trust_all = trust_all
        self._hops = hops
        if hops is not None:
            if isinstance(hops, bool) or not isinstance(hops, int) or not 1 <= hops <= MAX_ELEMENTS:
                msg = f"RealIP: hops is the number of proxies, 1 to {MAX_ELEMENTS}, not {hops!r}"
                raise ValueError(msg)
            if trust_all or tuple(trusted_subnets) != _PRIVATE:
                msg = "RealIP: hops counts proxies whatever their address; leave out trusted_subnets and trust_all"
                raise ValueError(msg)
            if self._header not in (_X_FORWARDED_FOR, _FORWARDED):
                msg = f"RealIP: {header} has one address, there are no hops to count"
                raise ValueError(msg)
        if self._header == _FORWARDED and (port or prefix):
            msg = "RealIP: Forwarded has no port and no prefix; the port is part of its host"
            raise ValueError(msg)
        self._wanted = frozenset(
            b"x-forwarded-%s" % name.encode()
            for name, wanted in {"proto": proto, "host": host, "port": port, "prefix": prefix}.items()
            if wanted
        )
        self._read = self._wanted | {self._header}
        self._memo: Memo[tuple[str | None, _Lines], _Found] = Memo(_KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put right what the proxies know better, and run the app."""
        if scope["type"] in ("http", "websocket"):
            peer = scope[PEER] if PEER in scope else scope.get("client")
            read = self._read
            lines = tuple([(name, value) for name, value in scope["headers"] if name in read])
            # Whoever comes, comes again: 0.2 µs to look a decision up, 4 to make it, 9 and more for IPv6.
            key = str(peer[0]) if peer else None, lines
            found = self._memo.get(key) or self._decide(key)
            # In a walk the dispatcher has to see that the scope changed. Elsewhere it stays the same object, so
            # that what is outside, metrics say, sees what the app notes in it.
            scope = dict(scope) if WALK in scope else scope
            scope[PEER] = peer
            client, schemes, said = found
            if client is not None:
                scope["client"] = client
                if schemes is not None:
                    scope["scheme"] = schemes[scope["type"] == "websocket"]
                if said:
                    _apply(scope, said)
        await self.app(scope, receive, send)

    def _decide(self, key: tuple[str | None, _Lines]) -> _Found:
        """Decide, and keep the decision; a long header, which no proxy writes, is not worth keeping."""
        peer, lines = key
        found = self._find(peer, lines)
        if len(lines) <= _MAX_LINES and sum(len(value) for _, value in lines) + len(peer or "") <= _MAX_KEPT:
            self._memo.keep(key, found)
        return found

    # -- the decision, which is a function of the peer and the headers

    def _find(self, peer: str | None, headers: _Lines) -> _Found:
        if not self._is_trusted_peer(None if peer is None else parse_node(peer)):
            return _NOBODY
        lines: list[str] = []
        said: dict[bytes, list[str]] = {}
        for name, value in headers:
            if name == self._header:
                lines.append(value.decode("latin-1"))
            else:
                said.setdefault(name, []).append(value.decode("latin-1"))
        if not lines:
            return _NOBODY
        if self._header == _FORWARDED:
            return self._walk_forwarded(",".join(lines))
        if self._header != _X_FORWARDED_FOR:
            client = parse_node(lines[0].strip(" \t")) if len(lines) == 1 else None
            return _found(client, _chosen(said, 1))
        entries = [entry for text in ",".join(lines).split(",") if (entry := text.strip(" \t"))]
        client, proxies = self._walk(entries) or (None, 1)
        return _found(client, _chosen(said, proxies))

    def _is_trusted_peer(self, node: Node | None) -> bool:
        if self._trust_all or self._hops is not None:
            return True
        return self._trust_unix if node is None else self._trust(node.address, 0)

    def _walk(self, entries: Sequence[str | None]) -> tuple[Node, int] | None:
        """Go from the nearest proxy outwards; return the client and how many proxies are before it."""
        if len(entries) > MAX_ELEMENTS:
            return None
        reached: tuple[Node, int] | None = None
        for proxies, entry in enumerate(reversed(entries), 1):
            node = parse_node(entry) if entry else None
            if node is None:
                return None
            reached = node, proxies
            if proxies == self._hops or (self._hops is None and not self._trust(node.address, proxies)):
                return reached
        return reached if self._hops is None else None

    def _walk_forwarded(self, header: str) -> _Found:
        elements = parse_forwarded(header) or []
        reached = self._walk([element.get("for") for element in elements])
        if reached is None:
            return _NOBODY
        element = elements[-reached[1]]
        names = ("proto", "host")
        said = {
            name: element[name] for name in names if name in element and f"x-forwarded-{name}".encode() in self._wanted
        }
        return _found(reached[0], said)


def _found(client: Node | None, said: dict[str, str]) -> _Found:
    """Return a decision in the form in which it is applied; what cannot be read is left out."""
    if client is None:
        return _NOBODY
    proto = said.pop("proto", "").lower()
    return _Found((client.address, client.port), _SCHEMES.get(proto), said)


def _trust_of(subnets: str | Sequence[str]) -> tuple[Trust, bool]:
    names = [name.strip() for name in subnets.split(",")] if isinstance(subnets, str) else list(subnets)
    ranges: list[str] = []
    for name in names:
        ranges += _PRIVATE if name == "private" else [name] if name != _UNIX else []
    try:
        return compile_trust(ranges), _UNIX in names
    except (TypeError, ValueError) as error:
        msg = f"RealIP: trusted_subnets: {error}"
        raise ValueError(msg) from None


def _chosen(said: dict[bytes, list[str]], proxies: int) -> dict[str, str]:
    """Return the one value of each header that the proxy next to the client has added."""
    chosen: dict[str, str] = {}
    for name, lines in said.items():
        values = [value.strip(" \t") for value in ",".join(lines).split(",")]
        if len(values) == 1 or len(values) >= proxies:
            chosen[name.decode().removeprefix("x-forwarded-")] = values[0 if len(values) == 1 else -proxies]
    return chosen


def _apply(scope: Scope, said: dict[str, str]) -> None:
    """Write what was said to a scope; what cannot be read is left out."""
    host, port = said.get("host", ""), said.get("port", "")
    if host or port:
        _apply_host(scope, host, port)
    prefix = said.get("prefix", "").rstrip("/")
    if _PREFIX.match(prefix):
        scope["root_path"] = prefix + scope.get("root_path", "")
        scope["path"] = prefix + scope["path"]
        if scope.get("raw_path"):
            scope["raw_path"] = prefix.encode("ascii") + scope["raw_path"]


def _apply_host(scope: Scope, host: str, port: str) -> None:
    own = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    found = _HOST.match(host) or _HOST.match(own)
    if found is None or not (port or _HOST.match(host)):
        return
    name, number = found[1], int(found[2] or 0)
    default = _DEFAULT_PORTS.get(scope.get("scheme", "http"), 80)
    if port.isascii() and port.isdigit() and len(port) <= 5:
        number = int(port)
    if number > 65535:
        return
    text = name if number in (0, default) else f"{name}:{number}"
    scope["headers"] = [(b"host", text.encode("ascii")), *(pair for pair in scope["headers"] if pair[0] != b"host")]
    scope["server"] = (name.strip("[]"), number or default)
