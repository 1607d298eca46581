"""The routers of a registry: middleware, endpoints, files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from asgi_express._scope import next_app
from asgi_express.errors import ExpressError
from asgi_express.gateway._baseline import Baseline
from asgi_express.gateway._functions import endpoint
from asgi_express.gateway._middleware import Stacks, Use, builtin
from asgi_express.gateway._objects import ABSENT, Objects
from asgi_express.gateway._paths import located
from asgi_express.gateway._problems import Wrong
from asgi_express.gateway._registry import Entry, Registry
from asgi_express.gateway._routes import endpoints_of
from asgi_express.router import Router
from asgi_express.static import static

__all__ = ["Routers"]


_SHAPES = "take no arguments, or (req, res)"
_PATHS = "{param} stands for one segment, {param...} for the rest"


def _pem_files(registry: Registry) -> Iterator[Path]:
    for entry in registry.of_kind("http.service"):
        given = entry.node.plain().get("tls")
        for text in given.values() if isinstance(given, dict) else ():
            if isinstance(text, str) and text.startswith("file://"):
                yield located(entry.base, text)


class Routers:
    """Makes the routers of ``http.router`` and ``http.static``.

    Attributes:
        registry: whose routers.
    """

    def __init__(self, registry: Registry, objects: Objects, stacks: Stacks) -> None:
        self.registry = registry
        self._objects = objects
        self._stacks = stacks
        files = {each.path for each in registry.documents if each.path is not None}
        self._secrets = files | objects.modules.seen.keys() | set(_pem_files(registry))

    def make(self, entry: Entry, baseline: Baseline | None) -> Router:
        """Return the router of an entry.

        Args:
            entry: the router, or the files.
            baseline: who acts where no token says who does.
        """
        router = Router(merge_params=True)
        for use in self._stacks[entry.id, "middleware"]:
            self._use(entry, use, router.use)
        if baseline is not None:
            router.use(baseline)
        for use in self._stacks[entry.id, "post_middleware"]:
            self._use(entry, use, router.post_match)
        if entry.kind.name == "http.router":
            for each in endpoints_of(self.registry, entry.id):
                self._endpoint(each, router)
        elif entry.sound:
            self._files(entry, router)
        return router

    def _use(self, entry: Entry, use: Use, add: Callable[[Any], object]) -> None:
        options = {name: self._resolved(use, name, value) for name, value in use.options.items()}
        # Compared by identity: some options have a == of their own.
        faulty = use.unread | {name for name, value in options.items() if value is ABSENT}
        while True:
            sound = {name: value for name, value in options.items() if name not in faulty}
            if any(option.required and name not in sound for name, option in use.spec.options.items()):
                return
            try:
                made = use.spec.cls(next_app, **sound)
                if not faulty and use.is_sound:
                    add(made)
                return
            except (TypeError, ValueError, LookupError, ImportError, ExpressError) as error:
                blamed = self._fault(entry, use, error, faulty)
            # A class tells of one fault at a time: without the option that it was about, it tells of the next one.
            if blamed is None:
                return
            faulty.add(blamed)

    def _fault(self, entry: Entry, use: Use, error: Exception, known: set[str]) -> str | None:
        """Note what a class says about its options; return the one that is to blame, unless that is known."""
        message = str(error).removeprefix(f"{getattr(use.spec.cls, '__name__', '')}: ")
        blamed = use.blamed(message)
        if any(re.search(rf"\b{name}\b", message) for name in known):
            return None if blamed in known else blamed  # it may be sound together with what was meant
        page = f"its options are in docs/middleware/{use.spec.name.replace('_', '-')}.md"
        advice = page if use.spec.name in builtin() else "it is what the class says"
        line = use.lines.get(blamed, use.line) if blamed else use.line
        self.registry.wrong(entry, use.path, Wrong(f"{use.spec.name}: {message}", suggestion=advice, line=line))
        return blamed

    def _resolved(self, use: Use, name: str, value: Any) -> Any:
        return value if value is None else self._objects.resolve(use.spec.options[name].type, value)

    def _endpoint(self, entry: Entry, router: Router) -> None:
        values = entry.values
        function = self._objects.functions.get(values["func"])
        if function is None:
            return
        written = self.registry.entries[values["func"]].values
        handler = self.registry.attempt(
            entry, "func", lambda: endpoint(function, written["source"], written["method"]), _SHAPES
        )
        if handler is not None:
            meta = entry.node.plain()["meta"]
            add = getattr(router, values["method"].lower())
            self.registry.attempt(entry, "path", lambda: add(values["path"], handler, name=entry.id, meta=meta), _PATHS)

    def _files(self, entry: Entry, router: Router) -> None:
        values = entry.values
        directory = self.registry.entries[values["fs"]]
        if not directory.sound:
            return
        root: Path = directory.values["directory"]
        spa, index, cache = (values.get(f"static_options.{name}") for name in ("spa", "index", "cache"))
        self._check_secrets(entry, root)
        page = None
        if spa:
            page = self._page(entry, root, index)
            if page is None:
                return

        def set_headers(res: Any, path: str, stat: Any) -> None:
            # The page of an application names files that change: whoever keeps it would ask for those that are gone.
            if cache is not None and Path(path).resolve() != page:
                res.set("Cache-Control", cache)

        def make() -> None:
            router.use(static(root, index=index or "index.html", spa=index if spa else None, set_headers=set_headers))

        self.registry.attempt(entry, "static_options", make, "write index: index.html, say")

    def _page(self, entry: Entry, root: Path, index: str | None) -> Path | None:
        if index is None:
            message = "static_options.spa needs static_options.index, the page of the application"
            self.registry.add(entry, "static_options.spa", "missing-field", message, "add index: index.html")
            return None
        page = located(root, index)
        if not os.path.isfile(page):
            message = f"static_options.index: there is no file {index!r} in {root.name}"
            self.registry.add(entry, "static_options.index", "missing-file", message, "put it there")
            return None
        return page

    def _check_secrets(self, entry: Entry, root: Path) -> None:
        """Refuse to serve the files of the gateway itself: they say what its tokens are signed with."""
        inside = sorted(path.name for path in self._secrets if path.is_relative_to(root))
        if inside:
            message = f"fs: {root.name} holds {', '.join(inside)}, which everybody could read"
            self.registry.add(entry, "fs", "unsafe", message, "serve a directory of its own")
