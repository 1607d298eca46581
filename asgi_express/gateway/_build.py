"""Make what the entries say: stores, policies, functions, middleware, and one application for each service."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from asgi_express._scope import next_app
from asgi_express.application import Express
from asgi_express.errors import ExpressError
from asgi_express.gateway._baseline import Baseline
from asgi_express.gateway._functions import Modules, endpoint
from asgi_express.gateway._middleware import Use
from asgi_express.gateway._problems import Wrong
from asgi_express.gateway._registry import Entry, Registry
from asgi_express.gateway._routes import Mount, endpoints_of, mounts_of
from asgi_express.gateway._service import TLS, Service
from asgi_express.gateway._timeouts import Timeouts
from asgi_express.gateway._types import ListOf, Reference, Type
from asgi_express.router import Router
from asgi_express.security import Actor, Policies, Policy, TokenStore
from asgi_express.security import Scope as Scoped
from asgi_express.static import static
from asgi_express.stores import MemoryStore, RedisStore, Store
from asgi_express.types import ASGIApp, Next

__all__ = ["Build", "build"]

_log = logging.getLogger("asgi_express.gateway")

_Made = TypeVar("_Made")

_TIMEOUTS = ("read", "write", "idle")


class Build:
    """All that one registry has become.

    Attributes:
        registry: the entries.
        services: how each service is to be served, by ID, in the order in which they start.
        apps: the application of each service.
        policies: all policies.
        token_stores: the token stores, by ID.
        files: what to watch: a change of these is a change of the gateway.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.services: dict[str, Service] = {}
        self.apps: dict[str, Express] = {}
        self.entrances: dict[str, ASGIApp] = {}
        self.policies = Policies(())
        self.token_stores: dict[str, TokenStore] = {}
        self.stores: dict[str, Store] = {}
        self.modules = Modules()

    @property
    def files(self) -> frozenset[Path]:
        """What to watch: a change of these is a change of the gateway."""
        return self.modules.files | {each.path for each in self.registry.documents if each.path is not None}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the services in their order around a block; stop them in the opposite one, then the stores.

        Raises:
            ExpressError: one did not start, in time or at all; those before it were stopped.
        """
        async with AsyncExitStack() as stack:
            for store in self.stores.values():
                stack.push_async_callback(store.aclose)
            for service in self.services.values():
                try:
                    async with asyncio.timeout(service.start_timeout):
                        await stack.enter_async_context(self.apps[service.id].lifespan_context())
                except TimeoutError:
                    msg = f"{service.id} did not start within {service.start_timeout:g} seconds (start_timeout)"
                    raise ExpressError(msg) from None
            yield


def build(registry: Registry, stacks: Mapping[tuple[str, str], list[Use]], mounts: list[Mount]) -> Build:
    """Make everything; what cannot be made is noted in the problems of the registry."""
    made = Build(registry)
    _Builder(made, stacks, mounts).run()
    return made


class _Builder:
    def __init__(self, made: Build, stacks: Mapping[tuple[str, str], list[Use]], mounts: list[Mount]) -> None:
        self._made = made
        self._registry = made.registry
        self._stacks = stacks
        self._mounts = mounts
        self._functions: dict[str, Callable[..., Any]] = {}
        self._policies: dict[str, Policy] = {}

    def run(self) -> None:
        registry = self._registry
        for entry in registry.of_kind("function.python"):
            self._function(entry)
        for entry in registry.of_kind("store.memory", "store.redis"):
            self._store(entry)
        for entry in registry.of_kind("security.policy", "security.policy.expr"):
            self._policy(entry)
        self._made.policies = Policies(self._policies.values())
        for entry in registry.of_kind("security.token_store"):
            self._token_store(entry)
        for entry in _in_order(registry):
            self._service(entry)

    def _attempt(self, entry: Entry, path: str, make: Callable[[], _Made]) -> _Made | None:
        """Make something; note why it cannot be."""
        try:
            return make()
        except Wrong as error:
            error.message = f"{path}: {error.message}"
            self._registry.wrong(entry, path, error)
        except (TypeError, ValueError, LookupError, ImportError, ExpressError) as error:
            self._registry.add(entry, path, "wrong-value", str(error))
        return None

    # -- what others name

    def _function(self, entry: Entry) -> None:
        source, method = entry.values.get("source"), entry.values.get("method")
        if source is None or method is None:
            return
        path = "source" if source.startswith("file://") and not (entry.base / source[7:]).is_file() else "method"
        function = self._attempt(entry, path, lambda: self._made.modules.function(source, method, entry.base))
        if function is not None:
            self._functions[entry.id] = function

    def _store(self, entry: Entry) -> None:
        values = entry.values

        def make() -> Store:
            if entry.kind.name == "store.memory":
                return MemoryStore(max_entries=values["max_entries"], full=values["full"])
            return RedisStore(
                values["url"],
                prefix=values["prefix"],
                timeout=values["timeout"],
                max_connections=values["max_connections"],
            )

        if {field.name for field in entry.kind.fields} <= values.keys():
            store = self._attempt(entry, "url", make)
            if store is not None:
                self._made.stores[entry.id] = store

    def _policy(self, entry: Entry) -> None:
        values = entry.values
        if not all(field.name in values for field in entry.kind.fields if field.required):
            return
        policy = self._attempt(
            entry,
            "policy.conditions" if entry.kind.name == "security.policy" else "policy.expression",
            lambda: Policy(
                entry.id,
                values["policy.actions"],
                values["policy.resources"],
                values["policy.effect"],
                values.get("policy.conditions", ()),
                values.get("groups", ()),
                values.get("policy.expression"),
            ),
        )
        if policy is not None:
            self._policies[entry.id] = policy

    def _token_store(self, entry: Entry) -> None:
        values = entry.values
        where = self._registry.entries.get(values.get("store", ""))
        if where is None or where.id not in self._made.stores:
            return
        if where.values.get("full") == "evict":
            message = f"{where.id} forgets the tokens used least when it is full"
            self._registry.add(entry, "store", "unsafe", message, f"set full: refuse in {where.id}")
        if {"token_length", "default_expiration"} <= values.keys():
            store = self._attempt(
                entry,
                "token_key",
                lambda: TokenStore(
                    self._made.stores[where.id],
                    policies=self._made.policies,
                    secret=values.get("token_key", ()),
                    token_length=values["token_length"],
                    default_expiration=values["default_expiration"],
                ),
            )
            if store is not None:
                self._made.token_stores[entry.id] = store

    # -- services

    def _service(self, entry: Entry) -> None:
        app = Express()
        app.disable("x-powered-by")
        baseline = self._baseline(entry)
        mounts = mounts_of(self._mounts, entry.id)
        for index, mount in enumerate(mounts):
            router = self._router(mount, baseline)
            self._attempt(mount.entry, "prefix", lambda m=mount, r=router: app.use(m.prefix, r))  # type: ignore[misc]
            if [each.segments for each in mounts[index + 1 : index + 2]] != [mount.segments]:
                app.use(mount.prefix, _leave)
        service = self._describe(entry, app)
        if service is not None:
            made = self._made
            made.services[entry.id] = service
            made.apps[entry.id] = app
            made.entrances[entry.id] = _timed(service, app)

    def _describe(self, entry: Entry, app: ASGIApp) -> Service | None:
        values = entry.values
        tls = self._tls(entry)
        addr = values.get("addr")
        if addr is None:
            return None
        host, _, port = addr.rpartition(":")
        if int(port) > 65535:
            self._registry.add(entry, "addr", "wrong-value", f"addr: there is no port {port}", "ports end with 65535")
        return Service(
            id=entry.id,
            app=app,
            host=host.strip("[]") or "0.0.0.0",  # noqa: S104 - what :8080 means
            port=int(port),
            auto_start=values.get("lifecycle.auto_start", True),
            **{f"{name}_timeout": values.get(f"timeouts.{name}") for name in _TIMEOUTS},
            buffer_size=values.get("host.buffer_size", 1),
            worker_count=values.get("host.worker_count", 1),
            start_timeout=values.get("lifecycle.start_timeout", 1.0),
            stop_timeout=values.get("lifecycle.stop_timeout", 1.0),
            depends_on=tuple(values.get("lifecycle.depends_on", ())),
            tls=tls,
        )

    def _tls(self, entry: Entry) -> TLS | None:
        values = entry.values
        given = {name: values.get(f"tls.{name}") for name in ("mode", "cert", "key", "client_ca", "client_auth")}
        node = entry.node.value
        if not isinstance(node, dict) or "tls" not in node:
            return None
        complete = True
        for name in ("mode", "cert", "key"):
            there = node["tls"].value
            if given[name] is None and isinstance(there, dict) and name not in there:
                message = f"tls needs {name!r}: without it the service would not be encrypted"
                self._registry.add(entry, "tls", "missing-field", message)
            complete = complete and given[name] is not None
        if (given["client_ca"] is None) != (given["client_auth"] is None):
            missing = "client_ca" if given["client_ca"] is None else "client_auth"
            message = f"tls asks clients for certificates only with client_auth and client_ca; {missing!r} is missing"
            self._registry.add(entry, "tls", "unsafe", message, f"add {missing}")
            complete = False
        if not complete:
            return None
        return TLS(given["cert"], given["key"], given["client_ca"], given["client_auth"])  # type: ignore[arg-type]

    def _baseline(self, entry: Entry) -> Baseline | None:
        values = entry.values
        prefix = "lifecycle.security."
        identity = values.get(prefix + "actor.id")
        named = [self._policies[each] for each in values.get(prefix + "policies", ()) if each in self._policies]
        groups: list[str] = values.get(prefix + "groups", [])
        if identity is None:
            if named or groups or prefix + "actor.meta" in values:
                message = "lifecycle.security says what the baseline actor may do, and not who it is"
                self._registry.add(entry, "lifecycle.security", "missing-field", message, "add actor.id")
            return None

        def make() -> Baseline:
            scope = Scoped([*named, *self._made.policies.scope(*groups)])
            return Baseline(Actor(identity, values.get(prefix + "actor.meta", {})), scope)

        return self._attempt(entry, prefix + "groups", make)

    def _router(self, mount: Mount, baseline: Baseline | None) -> Router:
        router = Router(merge_params=True)
        for use in self._stacks[mount.entry.id, "middleware"]:
            self._use(mount.entry, use, router.use)
        if baseline is not None:
            router.use(baseline)
        for use in self._stacks[mount.entry.id, "post_middleware"]:
            self._use(mount.entry, use, router.post_match)
        if mount.entry.kind.name == "http.static":
            self._files(mount.entry, router)
        else:
            for entry in endpoints_of(self._registry, mount.entry.id):
                self._endpoint(entry, router)
        return router

    def _use(self, entry: Entry, use: Use, add: Callable[[Any], object]) -> None:
        types = {name: option.type for name, option in use.spec.options.items()}
        options = {}
        for name, value in use.options.items():
            options[name] = value if value is None else self._resolved(types[name], value)
            if options[name] is _ABSENT:
                return  # what it names could not be made, which was noted
        if any(option.required and option.name not in options for option in use.spec.options.values()):
            return
        instance = self._attempt(entry, use.path, lambda: use.spec.cls(next_app, **options))
        if instance is not None:
            self._attempt(entry, use.path, lambda: add(instance))

    def _resolved(self, kind: Type, value: Any) -> Any:
        """Put what an ID stands for in the place of the ID."""
        if isinstance(kind, ListOf) and isinstance(kind.item, Reference):
            found = [self._resolved(kind.item, each) for each in value]
            return _ABSENT if _ABSENT in found else found
        if not isinstance(kind, Reference):
            return value
        for home in (self._functions, self._made.stores, self._made.token_stores, self._policies):
            if value in home:
                return home[value]
        return _ABSENT

    def _endpoint(self, entry: Entry, router: Router) -> None:
        values = entry.values
        function = self._functions.get(values.get("func", ""))
        method, path = values.get("method"), values.get("path")
        if function is None or method is None or path is None:
            return
        handler = self._attempt(entry, "func", lambda: endpoint(function))
        if handler is not None:
            meta = entry.node.plain()["meta"]
            add = getattr(router, method.lower())
            self._attempt(entry, "path", lambda: add(path, handler, name=entry.id, meta=meta))

    def _files(self, entry: Entry, router: Router) -> None:
        values = entry.values
        directory = self._registry.entries.get(values.get("fs", ""))
        root = directory.values.get("directory") if directory is not None else None
        spa, index, cache = (values.get(f"static_options.{name}") for name in ("spa", "index", "cache"))
        if spa and index is None:
            message = "static_options.spa needs static_options.index: the page of the application"
            self._registry.add(entry, "static_options.spa", "missing-field", message, "add index: index.html")
            return
        if root is None:
            return
        self._check_secrets(entry, root)
        page = (root / index).resolve() if spa else None
        if page is not None and not page.is_file():
            self._registry.add(entry, "static_options.index", "missing-file", f"there is no file {index!r} in {root}")
            return

        def set_headers(res: Any, path: str, stat: Any) -> None:
            if cache is not None and Path(path).resolve() != page:
                res.set("Cache-Control", cache)

        handler = self._attempt(
            entry,
            "static_options",
            lambda: static(root, index=index or "index.html", spa=index if spa else None, set_headers=set_headers),
        )
        if handler is not None:
            router.use(handler)

    def _check_secrets(self, entry: Entry, root: Path) -> None:
        """Refuse to serve the files of the gateway itself: they say what its tokens are signed with."""
        inside = sorted(path.name for path in self._made.files if path.is_relative_to(root))
        if inside:
            message = f"{root} holds {', '.join(inside)}, which everybody could read"
            self._registry.add(entry, "fs", "unsafe", message, "serve a directory of its own")


_ABSENT: Any = object()


def _leave(req: Any, res: Any, next: Next) -> None:
    """What the mount of the longest prefix does not answer, nobody does."""
    next("router")


def _timed(service: Service, app: ASGIApp) -> ASGIApp:
    if service.read_timeout is None and service.write_timeout is None:
        return app
    return Timeouts(app, read=service.read_timeout, write=service.write_timeout)


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
