"""The only file that names our scope keys, reads a route path out of a scope, or knows ``next_app``.

A request is routed on ``raw_path`` (DESIGN section 5): ``%2F`` must never split a segment, and a
parameter must be decoded exactly once. Servers and hosts do not agree on what they put beside it,
so :func:`target` checks it against ``path``, which is what the host routed on: where the two
disagree, ``path`` wins, and nobody behind a guard sees a path that the guard did not.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from posixpath import normpath
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote, unquote_to_bytes

from asgi_express.errors import MisuseError
from asgi_express.types import Receive, Scope, Send

__all__ = [
    "ACTOR",
    "GUARDS",
    "MATCH",
    "OBSERVED",
    "OVER",
    "PEER",
    "PROCESSES",
    "ROUTER",
    "SECURITY_SCOPE",
    "WALK",
    "Mounted",
    "Observed",
    "encode_path",
    "mounted_scope",
    "next_app",
    "plain_paths",
    "target",
]

WALK = "asgi_express.walk"
"""The walk that is under way, for :func:`next_app`."""

ACTOR = "asgi_express.actor"
"""Who asks, as ``TokenAuth`` or a middleware of yours has found out."""

SECURITY_SCOPE = "asgi_express.security_scope"
"""The policies of who asks."""

PEER = "asgi_express.peer"
"""The address of the connection, where a middleware has put the client's in its place."""

MATCH = "asgi_express.match"
"""The record of the matched route (:class:`asgi_express.route.RouteMatch`)."""

OBSERVED = "asgi_express.observed"
"""An :class:`Observed`, where a middleware watches."""

GUARDS = "asgi_express.guards"
"""Apps that the next router runs after its match and before what it was given by ``post_match``, and once only."""

PROCESSES = "asgi_express.processes"
"""The processes of a gateway, where relays find them."""

ROUTER = "asgi_express.router"
"""In a lifespan: the router that an app was given to by ``post_match``."""

_EMPTY = re.compile(r"/(?:\.?/)+")

# RFC 3986 pchar, less "%": what may stand in a path as it is.
_PATH_SAFE = "/:@!$&'()*+,;=~-._"

_SURROGATE = re.compile("[\ud800-\udfff]")


def encode_path(path: str) -> str:
    """Percent-encode a decoded path; a lone surrogate becomes U+FFFD rather than an exception."""
    try:
        return quote(path, safe=_PATH_SAFE)
    except UnicodeEncodeError:
        return quote(_SURROGATE.sub("\ufffd", path), safe=_PATH_SAFE)


def plain_paths(path: str) -> set[str]:
    """Return a path as they read it who decode it first, without ``//`` and ``/./``; and the same without ``..``."""
    plain = _EMPTY.sub("/", unquote(path))
    return {encode_path(plain), encode_path(normpath(plain))}


def target(scope: Scope) -> tuple[str, str, str]:
    """Split the request target of a scope at the prefix that it is mounted under.

    The prefix (``root_path``) comes off on a segment border only: ``/api`` is no prefix of ``/apiary``.

    Returns:
        The percent-encoded prefix that the host or the server took off, without a trailing slash; the rest of the
        path and the query, percent-encoded, as Express's ``req.url``; and both in one.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path") or ""
    query: bytes = scope.get("query_string") or b""
    given: bytes | None = scope.get("raw_path")
    if not root and not query and given and path.isascii() and given == path.encode() and "?" not in path:
        return "", path, path  # the most frequent kind
    raw = whole = _raw_path(scope, path, root)
    base = ""
    if root:
        base, raw = _strip(raw, root.rstrip("/"))
    mark = "?" + _ascii(query) if query else ""
    return base, raw + mark, whole + mark


def _raw_path(scope: Scope, path: str, root: str) -> str:
    """Return the percent-encoded path, from ``raw_path`` where that can be believed."""
    raw_bytes: bytes | None = scope.get("raw_path")
    if not raw_bytes:
        return encode_path(path)
    raw = _ascii(raw_bytes.partition(b"?")[0])
    decoded = raw if "%" not in raw else unquote(raw)
    if decoded == path:
        return raw
    # The older mount: the host took root_path off the path and left raw_path alone (and Litestar adds a "/").
    if root and root.rstrip("/") + path in (decoded, decoded + "/"):
        return raw
    return encode_path(path)


def _ascii(raw: bytes) -> str:
    """Decode the bytes of a request target; what should have been percent-encoded, now is."""
    if raw.isascii():
        return raw.decode("ascii")
    return quote(raw, safe="%?" + _PATH_SAFE + '#[]"<>\\^`{|} ')


def _strip(raw: str, root: str) -> tuple[str, str]:
    """Split ``raw`` (encoded) after ``root`` (decoded), on a border, or not at all."""
    end = len(root) if raw.startswith(root) else _encoded_length(raw, root.encode("utf-8", "replace"))
    rest = raw[end:]
    if end < 0 or (rest and rest[0] != "/" and rest[:3].upper() != "%2F"):
        return "", raw
    return raw[:end], rest or "/"


def _encoded_length(raw: str, root: bytes) -> int:
    """Return how many characters of ``raw`` percent-decode to ``root``; -1 where none do."""
    position = 0
    for byte in root:
        width = 3 if raw[position : position + 1] == "%" else 1
        if unquote_to_bytes(raw[position : position + width]) != bytes((byte,)):
            return -1
        position += width
    return position


def mounted_scope(scope: Scope, root_path: str, url: str, url_base: str) -> dict[str, Any]:
    """Return a copy of a scope for an app that is mounted under a prefix.

    ``path`` and ``raw_path`` stay whole and ``root_path`` grows, as the ASGI specification says
    and Starlette, Django, Quart and Litestar expect.

    Args:
        scope: the scope to copy.
        root_path: the decoded prefix of the whole mount.
        url: Express's ``req.url`` under the mount, percent-encoded.
        url_base: the encoded prefix.
    """
    raw, mark, query = url.partition("?")
    child = dict(scope)
    child["root_path"] = root_path
    child["path"] = root_path + unquote(raw)
    child["raw_path"] = (url_base + raw).encode("utf-8", "replace")
    child["query_string"] = query.encode("utf-8", "replace") if mark else b""
    return child


class Mounted(NamedTuple):
    """An app of its own that a router of this package has given a request to.

    Attributes:
        path: where it is mounted, as it was written.
        app: the app.
        scope: what it was given.
        root_path: the prefix that it was told; what it mounts itself may write another into the scope.
    """

    path: str
    app: Any
    scope: Scope
    root_path: str


class Observed:
    """What a router of this package tells those who watch a request, beside the record of the match.

    Attributes:
        error: what it has answered itself, and so does not raise.
        mount: the app of its own that has the request.
    """

    __slots__ = ("error", "mount")

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.mount: Mounted | None = None


class _Resumable(Protocol):
    """What a walk offers to ``next_app``."""

    unhandled: BaseException | None

    def resume(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]: ...


class _Over:
    """Stands in a scope for a walk that is over; the two would be a circle, and wait for the collector of garbage."""

    unhandled: BaseException | None = None
    is_in_route = False

    def resume(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Refuse.

        Raises:
            MisuseError: always.
        """
        del scope, receive, send
        msg = "next_app was called after the request was answered"
        raise MisuseError(msg)


OVER = _Over()
"""What takes the place of a walk that is over, in every scope that it was in."""


async def next_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Go on with the walk that is recorded in the scope: the rest of the stack, as an ASGI app.

    It is the default ``app`` of every middleware here, and the way in for any other:
    ``router.use(GZipMiddleware(next_app))``.

    Raises:
        MisuseError: no router of this package is around; the middleware needs ``app=``.

    Example::

        router.use(GZipMiddleware(next_app))
    """
    walk: _Resumable | None = scope.get(WALK)
    if walk is None:
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        msg = "next_app: no asgi-express router is around this middleware; pass the app to wrap as its first argument"
        raise MisuseError(msg)
    await walk.resume(scope, receive, send)
    if walk.unhandled is not None:
        raise walk.unhandled


async def answer_lifespan(receive: Receive, send: Send) -> None:
    """Agree to start and to stop: the lifespan of an app that has nothing to do."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
