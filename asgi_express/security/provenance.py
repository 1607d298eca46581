"""From where a request comes: whether a page of somebody else may have made a browser send it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from asgi_express.security.origins import OriginPolicy, origin_of
from asgi_express.types import Scope

__all__ = ["cross_site"]

_OWN = OriginPolicy("self")

# What a browser adds to requests of any page, besides cookies. A token (Bearer) it never adds by itself.
_UNASKED = frozenset({b"basic", b"digest", b"negotiate", b"ntlm"})


class _Evidence(NamedTuple):
    """What the headers of a request say about where it comes from."""

    sites: list[bytes]
    origin: str | None
    referers: list[bytes]
    has_credentials: bool


async def cross_site(scope: Scope, origins: OriginPolicy, *, allow_unknown: bool = False) -> str | None:
    """Say in words why a request may be the work of a page of somebody else; ``None`` where it is not.

    Browsers say where a request comes from, and no page can make them say something else: in ``Sec-Fetch-Site``, over
    https and to ``localhost``; in ``Origin``, on everything but plain ``GET`` and ``HEAD`` requests, and on WebSockets;
    and in ``Referer``, unless they were told not to. The first of these that is there decides. A request that has none,
    but has cookies or the like, may be of an old browser or have lost them on the way.

    Args:
        scope: of the request, or of the WebSocket.
        origins: whose pages are trusted, besides those of the host that was asked.
        allow_unknown: whether to let pass what says nothing and has cookies, as apps on phones do.

    Example::

        policy = OriginPolicy("https://app.example.com", credentials=True)

        async def chat(websocket):
            if await cross_site(websocket.scope, policy):
                await websocket.close(1008)

    Sources: Fetch Metadata Request Headers (W3C), RFC 6454, RFC 6455 section 10.2.
    """
    evidence = _collect(scope)
    if len(evidence.sites) > 1:
        return "it has several Sec-Fetch-Site headers"
    if evidence.sites:
        return await _by_site(evidence, scope, origins)
    origin = _source(evidence)
    if origin is not None:
        if _OWN.settled(origin, scope) or await origins.allows(origin, scope):
            return None
        return f"its origin {origin[:200]!a} is neither that of this host nor one that is trusted"
    if evidence.has_credentials and not allow_unknown:
        return "it has cookies or a password, and neither Sec-Fetch-Site nor Origin nor Referer"
    return None


async def _by_site(evidence: _Evidence, scope: Scope, origins: OriginPolicy) -> str | None:
    site = evidence.sites[0]
    if site in (b"same-origin", b"none"):  # "none": a bookmark, the address bar, a restored tab
        return None
    # The browser knows better than the Host header whether the page is of this host, so "self" does not count here.
    origin = _source(evidence) or ""
    trusted = origins.settled(origin)
    if trusted is None:
        trusted = await origins.asked(origin, scope)
    if trusted:
        return None
    return f"it is {site[:20].decode('latin-1')!a}, and its origin {origin[:200]!a} is not one that is trusted"


def _source(evidence: _Evidence) -> str | None:
    """Return the origin of the page: ``None`` where nothing is said, the empty text where it is said badly."""
    if evidence.origin is not None or not evidence.referers:
        return evidence.origin
    if len(evidence.referers) > 1:
        return ""
    try:
        parts = urlsplit(evidence.referers[0].decode("latin-1"))
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def _collect(scope: Scope) -> _Evidence:
    sites, referers = [], []
    has_credentials = False
    for name, value in scope["headers"]:
        if name == b"sec-fetch-site":
            sites.append(value)
        elif name == b"referer":
            referers.append(value)
        elif name == b"cookie":
            has_credentials = True
        elif name == b"authorization":
            has_credentials = has_credentials or value.partition(b" ")[0].lower() in _UNASKED
    return _Evidence(sites, origin_of(scope["headers"]), referers, has_credentials)
