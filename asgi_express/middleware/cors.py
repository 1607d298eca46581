"""CORS: which pages of other origins may use an application."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from posixpath import normpath
from urllib.parse import unquote

from asgi_express._flags import check_flags
from asgi_express._scope import next_app, target
from asgi_express.middleware._cors_policy import HEADERS, METHODS, CORSPolicy, mark, read_preflight
from asgi_express.middleware._respond import respond
from asgi_express.security.origins import OriginPolicy, OriginSpec, Tolerated, origin_of
from asgi_express.types import ASGIApp, Duration, Message, Receive, Scope, Send

__all__ = ["CORS", "CORSPolicy", "OriginPolicy"]

_log = logging.getLogger("asgi_express.cors")

_NOBODY = CORSPolicy()


class CORS:
    """Answer CORS preflights, and say on every answer which pages may read it.

    Reads ``Origin`` and ``Access-Control-Request-*``. Writes ``Access-Control-Allow-*``,
    ``Access-Control-Expose-Headers``, ``Access-Control-Max-Age`` and ``Vary``.

    - A preflight is ``OPTIONS`` with ``Origin`` and ``Access-Control-Request-Method``; it is answered here. Any other
      ``OPTIONS`` request goes to the app.
    - A refused origin is answered 403 to its preflight. Where only the method or a header is refused, the answer lists
      what is allowed, and browsers say in their console what is not.
    - Requests themselves are never refused: CORS decides what a page may read, not who may ask.
    - Answers vary by ``Origin``, also those to requests without one. Only ``"*"`` without credentials needs no
      ``Vary``: then all answers are the same.
    - Every answer from inside is marked, errors and short-circuits included. What a host answers outside of its
      middleware is not: Starlette and FastAPI answer unhandled errors there. Wrap the whole app, ``CORS(app, ...)``, or
      add ``ErrorHandler`` inside.
    - What the app has said about origin and credentials itself gives way: the outermost ``CORS`` decides.
    - A request with several ``Origin`` headers is of no origin that is allowed.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        allow_origins: who may read answers; all that :class:`OriginPolicy` takes, or one of those. ``"*"`` is
            everybody.
        allow_methods: the methods, in capitals; ``"*"`` for every method. ``GET``, ``HEAD`` and ``POST`` always are
            allowed.
        allow_headers: the request headers; ``"*"`` for every header, ``Authorization`` too.
        expose_headers: the answer's headers that pages may read, besides those that all may.
        allow_credentials: whether requests may carry cookies, HTTP authentication and TLS certificates.
        max_age: how long a browser may keep the answer to a preflight: up to a day, 0 for not at all.
        allow_private_network: whether public sites may ask a server on a private network. Browsers that ask for
            it are few; Chromium asks its user instead.
        tolerate: which origins are admitted that are refused otherwise: ``"any"``, ``"insecure"``, ``"null"``,
            ``"public-suffix"``; see :class:`OriginPolicy`.
        policies: other policies by path prefix, as ``CORSPolicy``; ``None`` leaves a prefix alone. The
            longest prefix decides, on borders of segments. The prefix of a mount does not count. A path that a router
            could read as under another policy (by letter case, ``%2F``, ``//`` or ``..``) is of no allowed origin.
        check_websockets: whether to refuse WebSockets of origins that are neither allowed nor the host's own. Browsers
            apply no CORS to them. Clients that send no ``Origin`` are no browsers, and pass.
        debug: whether refused preflights say why, in the body and in ``X-CORS-Reason``. It is always in the log
            ``asgi_express.cors``, at level ``DEBUG``.

    Raises:
        ValueError: an option cannot be, or does not mean what it seems to. The words say what does.
        TypeError: ``max_age`` is no duration.

    Examples::

        app.use(CORS(allow_origins=["https://app.example.com"]))

        from asgi_express.middleware.cors import CORSPolicy

        app.use(
            CORS(
                allow_origins=["https://*.example.com", "http://localhost:5173"],
                allow_credentials=True,
                allow_headers=["Content-Type", "X-CSRF-Token"],
                expose_headers=["X-Total-Count"],
                max_age="10m",
                policies={"/public": CORSPolicy(allow_origins="*"), "/webhooks": None},
            )
        )
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        allow_origins: OriginSpec = (),
        allow_methods: str | Sequence[str] = METHODS,
        allow_headers: str | Sequence[str] = HEADERS,
        expose_headers: str | Sequence[str] = (),
        allow_credentials: bool = False,
        max_age: Duration = 86400,
        allow_private_network: bool = False,
        tolerate: Collection[Tolerated] = (),
        policies: Mapping[str, CORSPolicy | None] | None = None,
        check_websockets: bool = False,
        debug: bool = False,
    ) -> None:
        self.app = app
        self._default = CORSPolicy(
            allow_origins=allow_origins,
            allow_methods=allow_methods,
            allow_headers=allow_headers,
            expose_headers=expose_headers,
            allow_credentials=allow_credentials,
            max_age=max_age,
            allow_private_network=allow_private_network,
            tolerate=tolerate,
        )
        self._policies = _Table(self._default, policies) if policies else None
        check_flags("CORS", check_websockets=check_websockets, debug=debug)
        self._check_websockets = check_websockets
        self._debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or run the app and mark its answer."""
        kind = scope["type"]
        if kind != "http" and (kind != "websocket" or not self._check_websockets):
            await self.app(scope, receive, send)
            return
        policy = self._default if self._policies is None else self._policies.policy_of(scope)
        if policy is None:
            await self.app(scope, receive, send)
            return
        headers = scope["headers"]
        origin = origin_of(headers)
        allowed = False
        if origin:
            settled = policy.origins.settled(origin, scope)
            allowed = await policy.origins.allows(origin, scope) if settled is None else settled
        if kind == "websocket":
            await self._handshake(origin, scope, receive, send, allowed=allowed)
            return
        if origin is not None and scope["method"] == "OPTIONS":
            asked = read_preflight(headers, origin)
            if asked is not None:
                status, answer, reason = policy.preflight(asked, allowed=allowed)
                refused = self._explain(scope, send, status, answer, reason) if reason else None
                await (refused or respond(scope, send, status, answer))
                return
        additions = policy.additions
        vary = not policy.is_static
        if vary:
            additions = (
                [(b"access-control-allow-origin", (origin or "").encode("latin-1")), *additions] if allowed else []
            )

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": mark(message.get("headers", ()), additions, vary=vary)}
            await send(message)

        await self.app(scope, receive, send_marked)

    async def _explain(
        self, scope: Scope, send: Send, status: int, given: Iterable[tuple[bytes, bytes]], reason: str
    ) -> None:
        _log.debug("%a: the preflight is refused: %s", scope["path"], reason)
        body, headers = b"", list(given)
        if self._debug:
            headers.append((b"x-cors-reason", reason.encode("ascii")))
            if status != 204:
                body = f"CORS: {reason}\n".encode("ascii")
                headers.append((b"content-type", b"text/plain; charset=utf-8"))
        await respond(scope, send, status, headers, body)

    async def _handshake(
        self, origin: str | None, scope: Scope, receive: Receive, send: Send, *, allowed: bool
    ) -> None:
        if origin is None or allowed or _OWN.settled(origin, scope):
            await self.app(scope, receive, send)
            return
        _log.debug("%a: the WebSocket of origin %a is refused", scope["path"], origin[:300])
        await respond(scope, send, 403)


_OWN = OriginPolicy("self")


class _Table:
    """Policies by path prefix."""

    def __init__(self, default: CORSPolicy, policies: Mapping[str, CORSPolicy | None]) -> None:
        self._default = default
        self._policies: dict[tuple[str, ...], CORSPolicy | None] = {}
        for prefix, policy in policies.items():
            if not isinstance(prefix, str) or not prefix.startswith("/") or "//" in prefix or prefix[1:].endswith("/"):
                msg = f"CORS: policies: a prefix is a path such as '/public', decoded, not {prefix!r}"
                raise ValueError(msg)
            if policy is not None and not isinstance(policy, CORSPolicy):
                msg = f"CORS: policies: {prefix!r} needs a CORSPolicy or None, not {policy!r}"
                raise ValueError(msg)
            self._policies[_segments(prefix)] = policy
        self._folded = {_folded(segments): policy for segments, policy in self._policies.items()}
        if len(self._folded) < len(self._policies):
            msg = "CORS: policies: two prefixes differ only in letter case"
            raise ValueError(msg)
        self._longest = max(map(len, self._policies))

    def policy_of(self, scope: Scope) -> CORSPolicy | None:
        """Return the policy of a request; that of nobody, where routers do not agree on how to read the path."""
        raw = target(scope)[1].partition("?")[0]
        segments = _segments(raw) if "%" not in raw else tuple(map(unquote, _segments(raw)))
        policy = self._find(self._policies, segments)
        readings = [self._find(self._folded, _folded(segments))]
        plain = unquote(raw)
        for other in {plain, normpath("/" + plain.lstrip("/"))} - {raw}:
            decoded = _segments(other)
            readings += self._find(self._policies, decoded), self._find(self._folded, _folded(decoded))
        return policy if all(reading is policy for reading in readings) else _NOBODY

    def _find(self, table: Mapping[tuple[str, ...], CORSPolicy | None], segments: tuple[str, ...]) -> CORSPolicy | None:
        for length in range(min(self._longest, len(segments)), -1, -1):
            if segments[:length] in table:
                return table[segments[:length]]
        return self._default


def _segments(path: str) -> tuple[str, ...]:
    path = path[1:]
    return tuple(path.split("/")) if path else ()


def _folded(segments: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(segment.lower() for segment in segments)
