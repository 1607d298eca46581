"""What a span says of a request, in the words of OpenTelemetry's HTTP conventions, and without its secrets."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_plus

from asgi_express._scope import PEER, target
from asgi_express.middleware._watching import KNOWN_METHODS
from asgi_express.types import Scope

__all__ = ["OTHER", "REDACTED", "captured", "facts_of", "grouped", "method_of", "redacted_query"]

OTHER = "_OTHER"
REDACTED = "REDACTED"

# Those of the conventions (signed URLs), and what else is known to open doors. In lower case.
_SECRET_PARAMETERS = frozenset(
    {
        *("awsaccesskeyid", "signature", "sig", "x-goog-signature", "x-goog-credential"),
        *("x-amz-signature", "x-amz-credential", "x-amz-security-token"),
        *("access_token", "refresh_token", "id_token", "id_token_hint", "token", "auth", "authorization", "jwt"),
        *("api_key", "apikey", "api-key", "key", "secret", "client_secret", "client_assertion", "assertion"),
        *("password", "passwd", "pwd", "code", "code_verifier", "otp", "session", "sessionid", "sid", "ticket"),
        *("x-auth-token", "x-api-key", "samlresponse", "samlrequest"),
    }
)

_SECRET_HEADERS = frozenset(
    {
        *("authorization", "proxy-authorization", "cookie", "set-cookie", "authentication-info", "x-api-key"),
        *("x-auth-token", "x-csrf-token", "x-xsrf-token", "x-amz-security-token", "x-forwarded-access-token"),
    }
)

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

_NESTED = re.compile(r"[\[\].]")

# RFC 3986 section 3.2, without userinfo, which no Host has.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s@:/?#\[\]]+)(?::([0-9]{1,5}))?")


def grouped(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    """Return the lines of headers by name."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def method_of(scope: Scope) -> str:
    """Return the method as the conventions want it; a WebSocket begins with ``GET``."""
    method: str = scope.get("method", "GET")
    return method if method in KNOWN_METHODS else OTHER


def facts_of(scope: Scope, headers: Mapping[str, list[str]], secret: Collection[str] | None) -> dict[str, Any]:
    """Return what is known of a request when it begins.

    Args:
        scope: of the request.
        headers: its headers, as :func:`grouped` returns them.
        secret: further names of query parameters whose values are not recorded; ``None`` leaves the query out.
    """
    scheme = scope.get("scheme", "http")
    method = method_of(scope)
    facts: dict[str, Any] = {
        "http.request.method": method,
        "url.path": target(scope)[2].partition("?")[0],
        "url.scheme": scheme,
    }
    if method == OTHER:
        facts["http.request.method_original"] = scope["method"]
    query: bytes = scope.get("query_string") or b""
    if query and secret is not None:
        facts["url.query"] = redacted_query(query.decode("latin-1"), secret)
    if version := scope.get("http_version"):
        facts["network.protocol.version"] = version
    if scope["type"] == "websocket":
        facts["network.protocol.name"] = "websocket"
    if agent := headers.get("user-agent"):
        facts["user_agent.original"] = agent[0]
    client, peer = scope.get("client"), scope.get(PEER)
    if client:
        facts["client.address"] = client[0]
        facts["network.peer.address"] = (peer or client)[0]
    address, port = _server(scope, headers, scheme)
    if address:
        facts["server.address"] = address
        if port is not None:
            facts["server.port"] = port
    return facts


def _server(scope: Scope, headers: Mapping[str, list[str]], scheme: str) -> tuple[str | None, int | None]:
    hosts = headers.get("host")
    if hosts is None:
        address, port = scope.get("server") or (None, None)
        return address, port
    match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if match is None:
        return None, None
    return match[1].strip("[]"), int(match[2]) if match[2] else _PORTS.get(scheme)


def redacted_query(query: str, secret: Collection[str]) -> str:
    """Return a query with ``REDACTED`` in the place of values that open doors.

    Args:
        query: percent-encoded.
        secret: names of parameters, in lower case, besides the well-known ones.
    """
    parts = []
    for part in query.split("&"):
        name, mark, _ = part.partition("=")
        # user[password]=… and user.password=…, too
        plain = unquote_plus(name).lower()
        words = {word.strip() for word in (plain, *_NESTED.split(plain))}
        hidden = mark and not (words.isdisjoint(_SECRET_PARAMETERS) and words.isdisjoint(secret))
        parts.append(f"{name}={REDACTED}" if hidden else part)
    return "&".join(parts)


def captured(
    kind: str, names: Collection[str], headers: Mapping[str, list[str]], secret: Collection[str]
) -> dict[str, list[str]]:
    """Return the attributes of headers.

    Args:
        kind: ``request`` or ``response``.
        names: which of them, in lower case.
        headers: all of them.
        secret: names whose values are not recorded, besides the well-known ones.
    """
    return {
        f"http.{kind}.header.{name}": [REDACTED] * len(headers[name])
        if name in _SECRET_HEADERS or name in secret
        else headers[name]
        for name in names
        if name in headers
    }
