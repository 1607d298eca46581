"""A gateway: an ASGI app made of entries, which can take new ones while it serves."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from asgi_express._lifespan import serve_lifespan
from asgi_express.errors import ExpressError
from asgi_express.gateway._generation import Generation
from asgi_express.gateway._make import make
from asgi_express.gateway._problems import GatewayError
from asgi_express.gateway._registry import Registry
from asgi_express.gateway._service import Service
from asgi_express.gateway._sources import Signature, Source, paths_of
from asgi_express.security import Policies, TokenStore, TokenValidator
from asgi_express.types import ASGIApp, Receive, Scope, Send

__all__ = ["Gateway"]

_log = logging.getLogger("asgi_express.gateway")


class Gateway:
    """An ASGI app made of entries; see :func:`load`.

    With one service it is that service. With several, a request goes to the one whose port it came to.

    Example::

        app = load("app.yaml")
        [service.id for service in app.services]  # -> ["app:gateway", "app:admin"]
    """

    def __init__(
        self,
        sources: tuple[Source, ...],
        *,
        environment: Mapping[str, str] | None = None,
        middleware: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self._arguments = (sources, environment, middleware)
        self._current = Generation(make(*self._arguments))
        self._lock = asyncio.Lock()
        self._alive = False
        self._tried: dict[Path, Signature] = {}
        self._retiring: dict[asyncio.Task[None], Generation] = {}
        self._followers: list[tuple[str, Callable[[Any], object]]] = []

    # -- what it is made of

    @property
    def services(self) -> tuple[Service, ...]:
        """How each service is to be served, in the order in which they start.

        Example: ``[service.port for service in gateway.services if service.auto_start]`` is ``[8080, 9090]``.
        """
        made = self._current.made
        return tuple(replace(service, app=self.app_of(service.id)) for service in made.services.values())

    @property
    def token_stores(self) -> Mapping[str, TokenStore]:
        """The token stores that make tokens, by the IDs of their entries.

        Example: ``list(gateway.token_stores)`` is ``["app:tokens"]``.
        """
        return {name: each for name, each in self.token_validators.items() if isinstance(each, TokenStore)}

    @property
    def token_validators(self) -> Mapping[str, TokenValidator]:
        """All that can tell whom a token stands for, by the IDs of their entries: JSON Web Tokens too.

        Example: ``list(gateway.token_validators)`` is ``["app:tokens"]``.
        """
        return dict(self._current.made.objects.token_stores)

    @property
    def policies(self) -> Policies:
        """All policies.

        Example: ``gateway.policies.groups`` is ``("users",)``.
        """
        return self._current.made.objects.groups

    @property
    def registry(self) -> Registry:
        """The entries, as they were read. For tools.

        Example: ``gateway.registry.entries["app:api"].values["prefix"]`` is ``"/api"``.
        """
        return self._current.made.registry

    @property
    def files(self) -> frozenset[Path]:
        """The files that it was made of, those of functions too: what to watch.

        Example: ``[path.name for path in gateway.files]`` is ``["app.yaml"]``.
        """
        return frozenset(self._current.made.seen)

    @property
    def seen(self) -> Mapping[Path, Signature]:
        """What its files looked like when they were read, those of a reload that failed too. For tools.

        Example: ``[path.name for path in gateway.seen]`` is ``["app.yaml"]``.
        """
        return {**self._current.made.seen, **self._tried}

    @property
    def watched(self) -> frozenset[Path]:
        """What to watch for changes: its files, its directories, and the files of a reload that failed.

        Example: ``gateway.watched == gateway.files`` is ``True``.
        """
        directories = {path.resolve() for path in paths_of(self._arguments[0]) if os.path.isdir(path)}
        return frozenset({*self.seen, *directories})

    def router_of(self, service: str) -> Any:
        """Return the ``Express`` application of a service as it is now. For tools; serve ``app_of``.

        Raises:
            LookupError: there is no such service.

        Example::

            len(gateway.router_of("app:gateway").stack)  # -> 2
        """
        return self._current.made.apps[service]

    def follow(self, look: Callable[[Any], object], service: str | None = None) -> None:
        """Show the ``Express`` application of a service to a tool: now, and after a reload the one in its place.

        Args:
            look: called with it.
            service: the service; may be left out where there is one.

        Raises:
            LookupError: there is no such service, or there are several.

        Example::

            seen = []
            gateway.follow(seen.append, "app:gateway")
            seen == [gateway.router_of("app:gateway")]  # -> True
        """
        services = list(self._current.made.services)
        name = services[0] if service is None and len(services) == 1 else service
        if name not in services:
            asked = "which service?" if service is None else f"there is no service {service!r};"
            msg = f"{asked} there are {', '.join(services)}"
            raise LookupError(msg)
        look(self.router_of(name))
        self._followers.append((name, look))

    def app_of(self, service: str) -> ASGIApp:
        """Return the ASGI app of one service, to be served beside others. It follows reloads.

        It answers lifespans without doing anything: start and stop all services with :meth:`lifespan_context`.

        Raises:
            LookupError: there is no such service.

        Example::

            callable(gateway.app_of("app:admin"))  # -> True
        """
        if service not in self._current.made.services:
            msg = f"there is no service {service!r}; there are {', '.join(self._current.made.services)}"
            raise LookupError(msg)
        return _Entrance(self, service)

    # -- serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the lifespan."""
        if scope["type"] == "lifespan":
            await serve_lifespan(self.lifespan_context(), scope, receive, send)
            return
        services = self._current.made.services
        server = scope.get("server") or ("", None)
        chosen = [each for each in services.values() if len(services) == 1 or each.port == server[1]]
        if len(chosen) == 1:
            await self._serve(chosen[0].id, scope, receive, send)
        else:
            await _misdirected(scope, send)

    async def _serve(self, service: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a service serve one connection. It stays with the entries that it began with."""
        generation = self._current
        app = generation.made.entrances.get(service)
        if app is None:  # gone with a reload, and its server still listens
            await _misdirected(scope, send)
        else:
            await generation.serve(service, app, scope, receive, send)

    @asynccontextmanager
    async def lifespan_context(self, app: Any = None) -> AsyncIterator[None]:
        """Start everything around a block. The server does this, unless services are served one by one.

        Args:
            app: what hosts pass to a lifespan function; not used.

        Raises:
            ExpressError: something did not start.

        Example::

            async with gateway.lifespan_context():
                gateway.services[0].url  # -> "http://127.0.0.1:8080"
        """
        del app
        await self._current.start()
        self._alive = True
        try:
            yield
        finally:
            async with self._lock:
                self._alive = False
                self._current.hurry()
                retiring = dict(self._retiring)
                for generation in retiring.values():
                    generation.hurry()
                if retiring:
                    await asyncio.wait(retiring)
                await self._current.stop()

    async def reload(self) -> None:
        """Read the files again, and serve what they say from now on.

        Requests under way end with the entries that they began with; then these are stopped. Addresses, TLS and the
        timeouts of the server are the server's: a change of those is logged and takes a restart.

        Raises:
            GatewayError: the files are wrong. What was there goes on, and the problems are logged.
            ExpressError: what they say cannot start. What was there goes on.

        Example::

            Path("app.yaml").write_text(Path("app.yaml").read_text().replace("9090", "9091"))
            await gateway.reload()
            gateway.services[1].port  # -> 9091
        """
        async with self._lock:
            try:
                fresh = Generation(await asyncio.to_thread(make, *self._arguments))
                fresh.made.join(self._current.made)
                if self._alive:
                    await fresh.start()
            except ExpressError as error:
                self._tried = error.seen if isinstance(error, GatewayError) else {}
                _log.error("the gateway was not reloaded, and goes on as it was: %s", error)
                raise
            self._tried = {}
            old, self._current = self._current, fresh
            _compare(old.made.services, fresh.made.services)
            _log.info("the gateway was reloaded")
            task = asyncio.ensure_future(old.stop())
            self._retiring[task] = old
            task.add_done_callback(self._retired)
            for service, look in self._followers:
                if service in fresh.made.apps:
                    look(fresh.made.apps[service])

    def _retired(self, task: asyncio.Task[None]) -> None:
        del self._retiring[task]
        if not task.cancelled() and (error := task.exception()):
            _log.error("what was there before a reload did not stop", exc_info=error)


class _Entrance:
    """The ASGI app of one service."""

    def __init__(self, gateway: Gateway, service: str) -> None:
        self._gateway = gateway
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await serve_lifespan(_nothing(), scope, receive, send)
        else:
            await self._gateway._serve(self._service, scope, receive, send)


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


def _compare(old: Mapping[str, Service], new: Mapping[str, Service]) -> None:
    """Log what a reload cannot change."""
    for name in {**old, **new}:
        if name not in old or name not in new:
            _log.warning("%s is %s: start the server anew", name, "new" if name in new else "gone")
            continue
        before, after = old[name], new[name]
        changed = [
            field
            for field in ("host", "port", "idle_timeout", "stop_timeout", "tls")
            if getattr(before, field) != getattr(after, field)
        ]
        if changed:
            _log.warning("%s: to change %s, start the server anew", name, ", ".join(changed))


async def _misdirected(scope: Scope, send: Send) -> None:
    """Answer 421: no service listens where this came in (RFC 9110 section 15.5.20)."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    body = b"Misdirected Request"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})
