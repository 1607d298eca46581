"""Make what the entries say: one application for each service, and all that it needs."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asgi_express.application import Express
from asgi_express.errors import ExpressError
from asgi_express.gateway._baseline import Baseline
from asgi_express.gateway._middleware import Stacks
from asgi_express.gateway._objects import Objects
from asgi_express.gateway._problems import listed
from asgi_express.gateway._registry import Entry, Registry
from asgi_express.gateway._routers import Routers
from asgi_express.gateway._routes import Mount, mounts_of
from asgi_express.gateway._service import TLS, Service
from asgi_express.gateway._sources import Signature
from asgi_express.gateway._timeouts import Timeouts
from asgi_express.gateway._types import collide, split_address
from asgi_express.processes import Processes
from asgi_express.security import Actor
from asgi_express.security import Scope as Scoped
from asgi_express.types import ASGIApp, Next

__all__ = ["Build", "build"]

_log = logging.getLogger("asgi_express.gateway")

_PREFIX = "write a path of plain segments, such as /api/v1"
_PEM = "give a certificate that openssl reads, and its own key, without a password"
_TLS = ("cert", "key", "client_ca", "client_auth")


class Build:
    """All that one registry has become.

    Attributes:
        registry: the entries.
        objects: what is no route.
        services: how each service is to be served, by ID, in the order in which they start.
        apps: the application of each service.
        entrances: the app of each service with its deadlines around it.
        processes: those of each service; all know each other's pids.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.objects = Objects(registry)
        self.services: dict[str, Service] = {}
        self.apps: dict[str, Express] = {}
        self.entrances: dict[str, ASGIApp] = {}
        self.processes: dict[str, Processes] = {}

    @property
    def seen(self) -> dict[Path, Signature]:
        """The files that it was made of, and what each looked like: a change of these is a change of the gateway."""
        documents = {each.path: each.signature for each in self.registry.documents if each.path is not None}
        return {**self.objects.modules.seen, **documents}

    def join(self, before: Build) -> None:
        """Let its processes and those of another build know each other: a client may be older than these files."""
        for old in [*before.processes.values()][:1]:
            for processes in self.processes.values():
                processes.join(old)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the services in their order around a block; stop them in the opposite one, then the stores.

        Raises:
            ExpressError: one did not start, in time or at all; those before it were stopped.
        """
        async with AsyncExitStack() as stack:
            for store in self.objects.stores.values():
                stack.push_async_callback(store.aclose)
            for service in self.services.values():
                try:
                    async with asyncio.timeout(service.start_timeout):
                        await stack.enter_async_context(self.apps[service.id].lifespan_context())
                except TimeoutError:
                    msg = f"{service.id} did not start within {service.start_timeout:g} seconds (start_timeout)"
                    raise ExpressError(msg) from None
            for processes in self.processes.values():
                await stack.enter_async_context(processes.lifespan())
            yield


def build(registry: Registry, stacks: Stacks, mounts: list[Mount]) -> Build:
    """Make everything; what cannot be made is noted in the problems of the registry."""
    made = Build(registry)
    routers = Routers(registry, made.objects, stacks)
    for entry in _in_order(registry):
        app = _application(entry, mounts, routers, _baseline(entry, made))
        if entry.sound:
            _describe(entry, app, made)
    served = {mount.entry.id for mount in mounts}
    for entry in registry.of_kind("http.router", "http.static"):
        if entry.id not in served:
            routers.make(entry, None)  # it is not served; all that is wrong with it is to be told at once
    return made


def _in_order(registry: Registry) -> list[Entry]:
    """Return the services, those first that others depend on."""
    ordered: dict[str, Entry] = {}

    def visit(entry: Entry, around: tuple[str, ...]) -> None:
        for each in entry.values.get("lifecycle.depends_on", ()):
            other = registry.entries.get(each)
            if other is not None and other.kind.name == "http.service" and each not in around:
                visit(other, (*around, each))
        ordered.setdefault(entry.id, entry)

    for entry in registry.of_kind("http.service"):
        visit(entry, (entry.id,))
    return list(ordered.values())


def _application(entry: Entry, mounts: list[Mount], routers: Routers, baseline: Baseline | None) -> Express:
    app = Express()
    app.disable("x-powered-by")
    own = mounts_of(mounts, entry.id)
    for index, mount in enumerate(own, 1):
        router = routers.make(mount.entry, baseline)
        routers.registry.attempt(mount.entry, mount.field, lambda m=mount, r=router: app.use(m.prefix, r), _PREFIX)  # type: ignore[misc]
        is_last = index == len(own) or own[index].segments != mount.segments
        if mount.entry.sound and is_last:
            app.use(mount.prefix, _leave)
    return app


def _leave(req: Any, res: Any, next: Next) -> None:
    """What the mount of the longest prefix does not answer, nobody does."""
    next("router")


vars(_leave)["leaves"] = "router"  # it does nothing else: `explain` may know
_leave.__module__, _leave.__qualname__ = "", "end of the prefix"


def _baseline(entry: Entry, made: Build) -> Baseline | None:
    prefix = "lifecycle.security."
    given: Mapping[str, Any] = {name: value for name, value in entry.values.items() if name.startswith(prefix)}
    identity = given.get(prefix + "actor.id")
    if identity is None:
        if given:
            message = "lifecycle.security says what the baseline actor may do, and not who it is"
            made.registry.add(entry, "lifecycle.security", "missing-field", message, "add actor.id")
        return None
    policies = made.objects.policies
    named = [policies[each] for each in given.get(prefix + "policies", ()) if each in policies]
    groups = given.get(prefix + "groups", ())

    def make() -> Baseline:
        scope = Scoped([*named, *made.objects.groups.scope(*groups)])
        return Baseline(Actor(identity, given.get(prefix + "actor.meta", {})), scope)

    known = listed(sorted(made.objects.groups.groups))
    return made.registry.attempt(entry, prefix + "groups", make, f"policies name the groups {known}")


def _describe(entry: Entry, app: Express, made: Build) -> None:
    values = entry.values
    host, port = split_address(values["addr"])
    tls = _tls(entry, made.registry)
    for other in made.services.values():
        known = made.registry.entries[other.id].values["addr"]
        if collide(known, values["addr"]) and other.auto_start and values["lifecycle.auto_start"]:
            message = f"addr: {other.id} listens on {known} already"
            if known != values["addr"]:
                message += f", which takes {values['addr']} too"
            made.registry.add(entry, "addr", "wrong-value", message, "give it another port, or auto_start: false")
    if not entry.sound:
        return
    service = Service(
        id=entry.id,
        app=app,
        host=host,
        port=port,
        auto_start=values["lifecycle.auto_start"],
        read_timeout=values.get("timeouts.read"),
        write_timeout=values.get("timeouts.write"),
        idle_timeout=values.get("timeouts.idle"),
        buffer_size=values["host.buffer_size"],
        worker_count=values["host.worker_count"],
        start_timeout=values["lifecycle.start_timeout"],
        stop_timeout=values["lifecycle.stop_timeout"],
        depends_on=tuple(values.get("lifecycle.depends_on", ())),
        tls=tls,
    )
    if service.worker_count != 1:
        # Wippy's files say it, and nothing depends on it; whoever hopes for more is to know.
        _log.warning("%s: host.worker_count changes nothing: nobody has to carry messages to an inbox", entry.id)
    processes = Processes(buffer_size=service.buffer_size, drain=service.stop_timeout)
    for first in [*made.processes.values()][:1]:
        processes.join(first)
    made.services[entry.id] = service
    made.processes[entry.id] = processes
    made.apps[entry.id] = app
    is_timed = service.read_timeout is not None or service.write_timeout is not None
    made.entrances[entry.id] = (
        Timeouts(app, read=service.read_timeout, write=service.write_timeout) if is_timed else app
    )


def _tls(entry: Entry, registry: Registry) -> TLS | None:
    values = entry.values
    given: dict[str, Any] = {name: values.get(f"tls.{name}") for name in _TLS}
    if "tls.mode" not in values and not any(given.values()):
        return None
    for name in ("mode", "cert", "key"):
        if f"tls.{name}" not in values:
            message = f"tls needs {name!r}: without it the service would not be encrypted"
            registry.add(entry, "tls", "missing-field", message, f"add {name}")
    if (given["client_ca"] is None) != (given["client_auth"] is None):
        missing = "client_ca" if given["client_ca"] is None else "client_auth"
        message = f"tls checks clients with client_auth and client_ca; {missing!r} is missing"
        registry.add(entry, "tls", "unsafe", message, f"add {missing}")
    if not entry.sound:
        return None
    tls = TLS(**given)
    fault = _fault_of(tls)
    if fault is not None:
        name, words = fault
        message = f"tls.{name} cannot be used: {words}"
        registry.add(entry, f"tls.{name}", "wrong-value", message, _PEM)
    return tls


def _fault_of(tls: TLS) -> tuple[str, str] | None:
    """Load it as a server will, which would ask the terminal for a password; return what is wrong, and with what."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as directory:
        paths = tls.write(directory)
        name = "cert"
        try:
            context.load_cert_chain(paths["cert"], paths["key"], password="")
            if "client_ca" in paths:
                name = "client_ca"
                context.load_verify_locations(paths["client_ca"])
        except ssl.SSLError as error:
            return name, (error.reason or "it is damaged").lower().replace("_", " ")
    return None
