"""Functions of ``function.python``: modules are imported, names found in them, shapes checked."""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import inspect
import itertools
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from asgi_express._handlers import classify
from asgi_express.gateway._paths import located, names_in
from asgi_express.gateway._problems import Wrong, closest, listed
from asgi_express.gateway._sources import Signature, signature_of
from asgi_express.gateway.http._exchange import exchanging

__all__ = ["Modules", "endpoint"]

_number = itertools.count(1)


class Modules:
    """The modules that one registry has imported. Functions of one file share one module.

    A file is run anew for each registry, so that a new one sees new code while the old one goes on with the old.
    A module of Python's path is imported once, as Python does.

    Attributes:
        seen: the files that were run, and what each looked like just before.
    """

    def __init__(self) -> None:
        self._files: dict[Path, ModuleType | Wrong] = {}
        self.seen: dict[Path, Signature] = {}
        self._number = next(_number)

    @staticmethod
    def function(module: ModuleType, name: str) -> Callable[..., Any]:
        """Return a function of a module.

        Raises:
            Wrong: there is none of that name.
        """
        found = getattr(module, name, None)
        if not callable(found):
            names = [each for each, value in vars(module).items() if callable(value) and not each.startswith("_")]
            own = [each for each in names if getattr(getattr(module, each), "__module__", None) == module.__name__]
            file = Path(getattr(module, "__file__", None) or module.__name__).name
            words = (
                f"{name!r} in {file} is no function" if hasattr(module, name) else f"{file} has no function {name!r}"
            )
            advice = closest(name, names, otherwise=f"there are {listed(own)}")
            raise Wrong(words, code="missing-function", suggestion=advice)
        function: Callable[..., Any] = found
        return function

    def close(self) -> None:
        """Forget the files' modules."""
        for module in self._files.values():
            if isinstance(module, ModuleType):
                sys.modules.pop(module.__name__, None)

    def module(self, source: str, base: Path) -> ModuleType:
        """Return the module of a source.

        Args:
            source: ``file://`` and a path, or ``module:`` and a name.
            base: what paths are relative to.

        Raises:
            Wrong: it is not there, or cannot be imported.
        """
        kind, _, rest = source.partition(":")
        if kind == "module":
            try:
                return importlib.import_module(rest)
            except (Exception, SystemExit) as error:  # whatever its code does
                raise _broken(source, error) from error
        path = located(base, source)
        if path not in self._files:
            self.seen[path] = signature_of(path)
            try:
                self._files[path] = self._run(path, source)
            except Wrong as error:
                self._files[path] = error
        module = self._files[path]
        if isinstance(module, Wrong):
            raise module
        return module

    def _run(self, path: Path, source: str) -> ModuleType:
        if not os.path.isfile(path):
            beside = [name for name in names_in(path.parent) if name.endswith(".py")]
            raise Wrong(
                f"there is no file {source}",
                code="missing-file",
                suggestion=closest(path.name, beside, otherwise=f"it would be {path}"),
            )
        name = f"_gateway_{self._number}_{len(self._files)}_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None:
            raise Wrong(f"{source} is not a Python file", code="missing-file", suggestion="its name ends with .py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look there
        try:
            # From the text, not from cached bytecode: that may be of a file of the same second and size.
            exec(compile(path.read_bytes(), path, "exec"), module.__dict__)  # noqa: S102 - this is what importing is
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise _broken(source, error) from error
        return module


def _broken(source: str, error: BaseException) -> Wrong:
    frames = [each for each in traceback.extract_tb(error.__traceback__) if "importlib" not in each.filename]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames[1:] else ""
    words = str(error)
    message = f"{source} cannot be imported: {type(error).__name__}: {words}{place}"
    return Wrong(message, code="missing-function", suggestion="it is run when the files are read: it must not fail")


def endpoint(function: Callable[..., Any], source: str, method: str) -> Callable[..., Any]:
    """Return a handler for a function of ``()``, ``(req)``, ``(req, res)`` or ``(req, res, next)``.

    Args:
        function: the function.
        source: where it is, as the file of entries says.
        method: its name there.

    Raises:
        TypeError: it has another shape.
    """
    (handler,) = classify([function], "func")
    if handler.kind > 3:
        msg = "expected a function of (), (req), (req, res) or (req, res, next)"
        raise TypeError(msg)
    count = handler.kind

    async def call(*arguments: Any) -> Any:
        req, res = arguments[:2]
        with exchanging(req, res) as exchange:
            result = function(*arguments[:count])
            if inspect.iscoroutine(result) or asyncio.isfuture(result):
                result = await result
            answer = exchange.response
        if answer is None or (result is not None and result is not answer):
            return result
        if not res.finished:
            answer._finish()
        return None

    async def plain(req: Any, res: Any) -> Any:
        return await call(req, res)

    async def passing(req: Any, res: Any, next: Any) -> Any:
        return await call(req, res, next)

    handle: Callable[..., Any] = passing if count == 3 else plain
    functools.update_wrapper(handle, function)
    # In routes, explanations and messages it has the name that was written, not that of a module made for a reload.
    handle.__module__, handle.__qualname__ = "", f"{source.removeprefix('file://').removeprefix('module:')}:{method}"
    return handle
