"""Who asks: find the token of a request, and whom it stands for."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from functools import partial
from typing import Literal
from urllib.parse import parse_qsl

from asgi_express._cookies import parse_cookies
from asgi_express._headers import header_name as field_name
from asgi_express._scope import next_app
from asgi_express.middleware._acting import run_as
from asgi_express.middleware._firewall import ACTOR, CHALLENGE, SECURITY_SCOPE
from asgi_express.security import Actor, Challenge, Grant, TokenValidator
from asgi_express.stores import StoreUnavailable
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["TokenAuth"]

_log = logging.getLogger("asgi_express.token_auth")

# RFC 6750 section 2.1: b64token. Longer ones are not decoded at all.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z")
_MAX_TOKEN = 8192

_Problem = Literal["invalid_request", "invalid_token", "unavailable"]
_PROBLEMS: tuple[_Problem, ...] = ("invalid_request", "invalid_token", "unavailable")

_NOBODY: tuple[None, None] = None, None


class TokenAuth:
    """Find the token of a request and whom it stands for. It never refuses: a firewall further in does.

    Reads the token from a header, from the subprotocols of a WebSocket, from the query (on demand), or from a cookie.
    Writes ``scope["asgi_express.actor"]`` (an ``Actor``, or ``None``), ``scope["asgi_express.security_scope"]`` (the
    policies of the token, or ``None``) and ``scope["asgi_express.challenge"]`` (what a refusal says). In the app,
    ``asgi_express.security.can()`` knows the actor.

    - A request without a token, or with one that is not valid, goes on without an actor. So does one whose token
      cannot be checked because the store is away: the refusal, if there is one, is 503.
    - Two tokens at once, two ``Authorization`` headers included, are none: the refusal is 400. Only a cookie stands
      back where there is another token, as browsers send it unasked.
    - The word ``Bearer`` is read in any letter case, with one space after it. Another scheme is no token.
    - A browser gives its token as a subprotocol, ``new WebSocket(url, ["bearer", token])``. Both are taken off
      ``scope["subprotocols"]``; where the app selects no subprotocol, ``bearer`` is selected, as browsers demand.
    - A request that has an actor already, from a ``TokenAuth`` around this one, passes as it is.
    - A cookie is sent by any page that can send a request: give it ``SameSite``, and put ``CSRF`` before what it opens.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        store: what validates tokens: a ``TokenStore``, a ``JWTValidator``, or any object with their ``validate``.
        header_name: the header.
        header_prefix: what stands before the token in it, with the space after it; ``""`` for nothing.
        cookie_name: the cookie; ``None`` for none.
        query_param: the query parameter; ``None`` for none. Tokens in URLs end up in logs and in ``Referer``.
        subprotocol: the subprotocol that announces the token; ``None`` for none.
        realm: what is protected, for people to read; in the challenge.
        resource_metadata: the URL of the metadata of RFC 9728; in the challenge.

    Raises:
        ValueError: an option cannot be.

    Examples::

        tokens = TokenStore(MemoryStore(full="refuse"))
        app.use(TokenAuth(store=tokens))

        tokens = TokenStore(MemoryStore(full="refuse"), secret=os.environ["TOKEN_KEY"])
        app.use(TokenAuth(store=tokens, cookie_name="__Host-token", realm="articles"))
    """

    enriches = True  # it only reads the request and writes the scope: `explain` may run it

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        store: TokenValidator,
        header_name: str = "Authorization",
        header_prefix: str = "Bearer ",
        cookie_name: str | None = "x-auth-token",
        query_param: str | None = None,
        subprotocol: str | None = "bearer",
        realm: str | None = None,
        resource_metadata: str | None = None,
    ) -> None:
        if not callable(getattr(store, "validate", None)):
            msg = f"TokenAuth: store must have a method validate(token), as a TokenStore has, not {store!r}"
            raise ValueError(msg)
        for option, value in (("cookie_name", cookie_name), ("query_param", query_param), ("subprotocol", subprotocol)):
            if value is not None and (not isinstance(value, str) or not value):
                msg = f"TokenAuth: {option} must be text that is not empty, not {value!r}; None switches it off"
                raise ValueError(msg)
        self._header = field_name(header_name)
        # RFC 9110 section 11.4: without the space no token would ever be found.
        lacks_space = self._header == b"authorization" and header_prefix and header_prefix[-1:] != " "
        if not isinstance(header_prefix, str) or lacks_space:
            msg = f"TokenAuth: header_prefix must be text with a space at its end, 'Bearer ' say, not {header_prefix!r}"
            raise ValueError(msg)
        if resource_metadata is not None and not resource_metadata.startswith(("https://", "http://")):
            msg = f"TokenAuth: resource_metadata must be a URL, with https://, not {resource_metadata!r}"
            raise ValueError(msg)
        scheme = header_prefix.strip()
        self.app = app
        self._store = store
        self._prefix = header_prefix.lower()
        self._cookie = cookie_name
        self._query = query_param
        self._subprotocol = subprotocol
        challenge = Challenge(scheme or "Bearer", realm, None, resource_metadata)
        self._challenges: dict[_Problem | None, Challenge] = {None: challenge}
        self._challenges |= {problem: challenge.because(problem) for problem in _PROBLEMS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app with what the token says."""
        if scope["type"] not in ("http", "websocket") or isinstance(scope.get(ACTOR), Actor):
            await self.app(scope, receive, send)
            return
        lines = [value for name, value in scope["headers"] if name == self._header]
        tokens = [line.decode("latin-1") for line in lines]
        if len(tokens) == 1:
            line = tokens[0]
            size = len(self._prefix)
            tokens = [line[size:]] if line[:size].lower() == self._prefix else []
        if self._query is not None:
            tokens += self._from_query(scope, self._query)
        if "subprotocols" in scope:
            send = self._from_subprotocols(scope, tokens, send)
        if not tokens and self._cookie is not None:
            tokens = self._from_cookie(scope["headers"], self._cookie)
        grant, problem = await self._check(tokens) if tokens else _NOBODY
        scope[ACTOR] = actor = None if grant is None else grant.actor
        scope[SECURITY_SCOPE] = policies = None if grant is None else grant.scope
        scope[CHALLENGE] = self._challenges[problem]
        await run_as(actor, policies, self.app, scope, receive, send)

    def _from_query(self, scope: Scope, wanted: str) -> list[str]:
        query = (scope.get("query_string") or b"").decode("latin-1")
        return [value for name, value in parse_qsl(query, keep_blank_values=True) if name == wanted]

    def _from_subprotocols(self, scope: Scope, tokens: list[str], send: Send) -> Send:
        """Take the token off the subprotocols; return a ``send`` that selects the one that announced it."""
        offered: list[str] = list(scope["subprotocols"] or ())
        if self._subprotocol not in offered:
            return send
        place = offered.index(self._subprotocol)
        tokens += offered[place + 1 : place + 2] or [""]
        scope["subprotocols"] = offered[:place] + offered[place + 2 :]
        return partial(_select, send, self._subprotocol)

    def _from_cookie(self, headers: Iterable[tuple[bytes, bytes]], wanted: str) -> list[str]:
        header = b"; ".join([value for name, value in headers if name == b"cookie"]).decode("latin-1")
        value = parse_cookies(header).get(wanted) if wanted in header else None
        return [] if value is None else [value]

    async def _check(self, tokens: list[str]) -> tuple[Grant | None, _Problem | None]:
        if len(tokens) > 1:
            return None, "invalid_request"
        if len(tokens[0]) > _MAX_TOKEN or not _TOKEN.match(tokens[0]):
            return None, "invalid_token"
        try:
            grant = await self._store.validate(tokens[0])
        except StoreUnavailable as error:
            _log.error("a token cannot be checked: %s", error)
            return None, "unavailable"
        return grant, "invalid_token" if grant is None else None


async def _select(send: Send, subprotocol: str | None, message: Message) -> None:
    """Select the subprotocol that announced the token where the app selects none."""
    if message["type"] == "websocket.accept" and not message.get("subprotocol"):
        message = {**message, "subprotocol": subprotocol}
    await send(message)
