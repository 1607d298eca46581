"""Views: find a template by name in the views directories, and render it with an engine.

An engine is any callable of ``(path, options)`` that returns the text, or an awaitable of it. Jinja2, with
autoescape on, is the engine of ``.html`` and Jinja's own extensions unless another is registered for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from inspect import isawaitable
from pathlib import Path
from typing import Any, TypeAlias

from asgi_express.errors import ExpressError

__all__ = ["Engine", "Jinja", "View", "ViewError"]

Engine: TypeAlias = Callable[[str, dict[str, Any]], str | Awaitable[str]]

_JINJA = frozenset({".html", ".htm", ".j2", ".jinja", ".jinja2", ".xml"})


class ViewError(ExpressError):
    """A view that cannot be found, or has no engine."""


class View:
    """A template of the views directories, and the engine for it.

    Args:
        name: with or without an extension; ``a`` is looked for as ``a.html`` and as ``a/index.html``.
        default_engine: the extension for a name without one.
        roots: the views directories, searched in order.
        engines: the engines by extension; Jinja2 reads its own extensions where they have none.

    Raises:
        ViewError: there is no such view or engine. A name never leads out of the views directories.

    Example::

        view = View("home", default_engine="html", roots=["views"], engines={})
    """

    __slots__ = ("engine", "name", "path")

    def __init__(
        self,
        name: str,
        *,
        default_engine: str | None,
        roots: Sequence[str | Path],
        engines: Mapping[str, Engine],
    ) -> None:
        self.name = name
        extension = Path(name).suffix
        if not extension:
            if not default_engine:
                msg = "No default engine was specified and no extension was provided."
                raise ViewError(msg)
            extension = "." + default_engine.lstrip(".")
            name += extension
        engine = engines.get(extension)
        if engine is None and extension in _JINJA:
            engine = _default_engine(tuple(str(Path(root).resolve()) for root in roots))
        if engine is None:
            msg = f"There is no engine for {extension!r}: app.engine({extension!r}, fn) registers one."
            raise ViewError(msg)
        self.engine: Engine = engine
        self.path = _find(name, extension, roots)
        if self.path is None:
            places = [f'"{root}"' for root in roots]
            which = f"directories {', '.join(places[:-1])} or" if places[1:] else "directory"
            shown = self.name if self.name.isprintable() else ascii(self.name)[1:-1]
            msg = f'Failed to lookup view "{shown}" in views {which} {places[-1] if places else "(none)"}'
            raise ViewError(msg)

    async def render(self, options: dict[str, Any]) -> str:
        """Render the view with these values.

        Example::

            text = await view.render({"name": "Ada"})
        """
        result = self.engine(str(self.path), options)
        return await result if isawaitable(result) else result


def _find(name: str, extension: str, roots: Sequence[str | Path]) -> Path | None:
    for root in roots:
        base = Path(root).resolve()
        for candidate in (base / name, base / name.removesuffix(extension) / f"index{extension}"):
            # What no file system takes as a name (NUL, too long, lone surrogates, links in a circle) is no view.
            with suppress(OSError, ValueError, RuntimeError):
                path = candidate.resolve()
                if path.is_relative_to(base) and path.is_file():
                    return path
    return None


class Jinja:
    """The Jinja2 engine.

    Args:
        environment: a ``jinja2.Environment`` of your own, for filters, extensions and globals::

            app.engine("html", Jinja(environment))
    """

    def __init__(self, environment: Any) -> None:
        searchpath = getattr(environment.loader, "searchpath", None)
        if searchpath is None:
            msg = f"Jinja: the environment needs a jinja2.FileSystemLoader, got {environment.loader!r}"
            raise TypeError(msg)
        self._environment = environment
        self._roots = [Path(root).resolve() for root in searchpath]

    @classmethod
    def for_roots(cls, roots: Sequence[str | Path]) -> Jinja:
        """Make an environment for some directories: autoescape on, templates reloaded when they change.

        Raises:
            ImportError: Jinja2 is not installed; the message names the line to install it.

        Example::

            app.engine("tpl", Jinja.for_roots(["views"]))
        """
        try:
            import jinja2
        except ImportError as error:
            msg = "views need Jinja2: pip install 'asgi-express[views]'"
            raise ImportError(msg) from error
        return cls(jinja2.Environment(loader=jinja2.FileSystemLoader([*map(str, roots)]), autoescape=True))

    async def __call__(self, path: str, options: Mapping[str, Any]) -> str:
        """Render a template; it is read and compiled in a worker thread.

        Raises:
            ViewError: the environment does not load from the directory of this view.
        """
        root = next((root for root in self._roots if Path(path).is_relative_to(root)), None)
        if root is None:
            places = ", ".join(map(str, self._roots))
            msg = f"the Jinja2 environment loads from {places}, which is not where the view is: {path}"
            raise ViewError(msg)
        name = Path(path).relative_to(root).as_posix()
        template = await asyncio.to_thread(self._environment.get_template, name)
        text: str = await template.render_async(options) if self._environment.is_async else template.render(options)
        return text


@lru_cache(maxsize=64)
def _default_engine(roots: tuple[str, ...]) -> Jinja:
    """Return the one environment for some directories, with the templates that it has compiled."""
    return Jinja.for_roots(roots)
