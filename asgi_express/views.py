"""Views: find a template by name in the views directories, and render it with an engine.

An engine is any callable of ``(path, options)`` that returns the text, or an awaitable of it. Jinja2, with
autoescape on, is the engine of ``.html`` and Jinja's own extensions unless another is registered for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
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
        engines: the engines by extension; the default one for an extension is added when it is first needed.

    Raises:
        ViewError: there is no such view or engine. A name never leads out of the views directories.
    """

    __slots__ = ("engine", "name", "path")

    def __init__(
        self,
        name: str,
        *,
        default_engine: str | None,
        roots: Sequence[str | Path],
        engines: MutableMapping[str, Engine],
    ) -> None:
        self.name = name
        extension = Path(name).suffix
        if not extension:
            if not default_engine:
                msg = "No default engine was specified and no extension was provided."
                raise ViewError(msg)
            extension = "." + default_engine.lstrip(".")
            name += extension
        if extension not in engines and extension in _JINJA:
            engines[extension] = Jinja.for_roots(roots)
        if extension not in engines:
            msg = f"There is no engine for {extension!r}: app.engine({extension!r}, fn) registers one."
            raise ViewError(msg)
        self.engine = engines[extension]
        self.path = _find(name, extension, roots)
        if self.path is None:
            places = [f'"{root}"' for root in roots]
            where = f"directories {', '.join(places[:-1])} or {places[-1]}" if places[1:] else f"directory {places[0]}"
            msg = f'Failed to lookup view "{self.name}" in views {where}'
            raise ViewError(msg)

    async def render(self, options: dict[str, Any]) -> str:
        """Render the view with these values."""
        result = self.engine(str(self.path), options)
        return await result if isawaitable(result) else result


def _find(name: str, extension: str, roots: Sequence[str | Path]) -> Path | None:
    if "\0" in name:
        return None
    for root in roots:
        base = Path(root).resolve()
        for candidate in (base / name, base / name.removesuffix(extension) / f"index{extension}"):
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
        self._environment = environment
        self._roots = [Path(root).resolve() for root in environment.loader.searchpath]

    @classmethod
    def for_roots(cls, roots: Sequence[str | Path]) -> Jinja:
        """Make an environment for some directories: autoescape on, templates reloaded when they change.

        Raises:
            ImportError: Jinja2 is not installed; the message names the line to install it.
        """
        try:
            import jinja2
        except ImportError as error:
            msg = "views need Jinja2: pip install 'asgi-express[views]'"
            raise ImportError(msg) from error
        return cls(jinja2.Environment(loader=jinja2.FileSystemLoader([*map(str, roots)]), autoescape=True))

    async def __call__(self, path: str, options: Mapping[str, Any]) -> str:
        """Render a template; it is read and compiled in a worker thread."""
        name = next(str(Path(path).relative_to(root)) for root in self._roots if Path(path).is_relative_to(root))
        template = await asyncio.to_thread(self._environment.get_template, name)
        text: str = template.render(options)
        return text
