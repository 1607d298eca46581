"""What clients are told that came too often."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from asgi_express.middleware._limit_usage import USAGE, RateLimitUsage
from asgi_express.middleware._respond import respond
from asgi_express.types import Receive, Scope, Send

__all__ = ["problem", "too_many", "unavailable"]

_PROBLEMS = "https://iana.org/assignments/http-problem-types#"


async def too_many(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer 429 to a request of which the scope has the usage."""
    usage: RateLimitUsage = scope[USAGE]
    facts = {"type": f"{_PROBLEMS}quota-exceeded", "title": "Too Many Requests", "violated-policies": usage.violated}
    await problem(scope, send, 429, facts)


async def unavailable(scope: Scope, send: Send) -> None:
    """Answer 503 where limits cannot be counted."""
    facts = {"type": f"{_PROBLEMS}temporary-reduced-capacity", "title": "Service Unavailable"}
    await problem(scope, send, 503, facts, (b"retry-after", b"1"))


async def problem(
    scope: Scope, send: Send, status: int, facts: Mapping[str, Any], *headers: tuple[bytes, bytes]
) -> None:
    """Answer with a problem document (RFC 9457)."""
    body = json.dumps({**facts, "status": status}).encode()
    pairs = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store"), *headers]
    await respond(scope, send, status, pairs, body)
