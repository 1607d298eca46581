"""CSRF: no page of somebody else acts for the user."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

from asgi_express._flags import check_flags
from asgi_express._scope import next_app
from asgi_express.middleware._paths import selector
from asgi_express.middleware._respond import respond
from asgi_express.security.origins import OriginPolicy, OriginSpec, Tolerated
from asgi_express.security.provenance import cross_site
from asgi_express.types import ASGIApp, Receive, Scope, Send

__all__ = ["CSRF", "REFUSAL"]

REFUSAL = "asgi_express.csrf"
"""The scope key of the reason for which a request is refused, in words."""

_log = logging.getLogger("asgi_express.csrf")

# RFC 9110 section 9.2.1. Letter case counts: "get" is another method.
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class CSRF:
    """Refuse what a page of another site makes the user's browser send. There are no tokens, and nothing in forms.

    Reads ``Sec-Fetch-Site``, ``Origin``, ``Referer``, ``Host``, ``Accept``, and whether there are cookies. Writes
    ``scope["asgi_express.csrf"]``, the reason, where it refuses.

    - It checks requests with other methods than ``GET``, ``HEAD``, ``OPTIONS`` and ``TRACE``, all WebSocket handshakes,
      and requests for an event stream. Others pass: what they ask for must not change anything.
    - Pages of the same origin pass, and those of ``origins``. Those of sibling sub-domains do not: name them.
    - ``Sec-Fetch-Site`` decides where it is there, as it is in every browser since 2023, over https; else ``Origin``,
      or ``Referer``, is compared with ``Host`` and the scheme.
    - A request with cookies (or a password that the browser keeps) that says nothing of its origin is refused. One with
      neither passes: a webhook, ``curl``, an app with a token.
    - It goes inside of ``CORS``, so that a page may read the refusal, and outside of what reads the body.
    - It trusts ``Host`` and the scheme: behind a proxy put ``RealIP`` around it.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        origins: whose pages may act for the user, besides those of the host itself; all that :class:`OriginPolicy`
            takes, or one that was made with ``credentials=True``, which ``CORS`` can have, too.
        tolerate: which origins are admitted that are refused otherwise; see :class:`OriginPolicy`.
        exempt: what is not checked: paths, exactly as they are sent (``"/hooks/paid"``), or all below one
            (``"/hooks/*"``); or a function of the scope. The prefix of a mount does not count.
        allow_unknown: whether requests with cookies pass that say nothing of their origin: for apps on phones that keep
            cookies, and for test clients.
        enforce: ``False`` writes to the log what would be refused, and lets it pass.
        on_refused: the ASGI app that answers instead of the 403.

    Raises:
        ValueError: an option cannot be.

    Examples::

        app.use(CSRF())

        app.use(
            CSRF(
                origins=["https://app.example.com", "https://*.partner.example"],
                exempt=["/hooks/*"],
                allow_unknown=True,
            )
        )
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        origins: OriginSpec = (),
        tolerate: Collection[Tolerated] = (),
        exempt: str | Sequence[str] | Callable[[Scope], bool] = (),
        allow_unknown: bool = False,
        enforce: bool = True,
        on_refused: ASGIApp | None = None,
    ) -> None:
        if not isinstance(origins, OriginPolicy):
            origins = OriginPolicy(origins, credentials=True, tolerate=tolerate, option="CSRF: origins")
        elif not origins.credentials:
            msg = "CSRF: origins is a policy that was made without credentials=True"
            raise ValueError(msg)
        check_flags("CSRF", allow_unknown=allow_unknown, enforce=enforce)
        if on_refused is not None and not callable(on_refused):
            msg = f"CSRF: on_refused must be an ASGI app, not {on_refused!r}"
            raise ValueError(msg)
        self.app = app
        self._origins = origins
        self._is_exempt = selector("CSRF", "exempt", exempt)
        self._allow_unknown = allow_unknown
        self._enforce = enforce
        self._on_refused = _refuse if on_refused is None else on_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, or refuse."""
        if _is_checked(scope) and self._is_exempt(scope) is not True:
            reason = await cross_site(scope, self._origins, allow_unknown=self._allow_unknown)
            if reason is not None:
                _log.warning("%a: %s: %s", scope["path"], "refused" if self._enforce else "would be refused", reason)
                if self._enforce:
                    scope[REFUSAL] = reason
                    await self._on_refused(scope, receive, send)
                    return
        await self.app(scope, receive, send)


def _is_checked(scope: Scope) -> bool:
    if scope["type"] == "websocket":
        return True
    if scope["type"] != "http":
        return False
    if scope["method"] not in _SAFE:
        return True
    return any(name == b"accept" and b"text/event-stream" in value.lower() for name, value in scope["headers"])


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await respond(scope, send, 403, headers, f"CSRF: {scope[REFUSAL]}\n".encode("ascii"))
