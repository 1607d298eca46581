"""Find the application that a command is about: ``module:name``, or files of a gateway."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from asgi_express.cli._failure import Failure
from asgi_express.cli._output import working
from asgi_express.errors import ExpressError
from asgi_express.gateway import Gateway, load
from asgi_express.router import Router

__all__ = ["VARIABLE", "discover", "import_target", "is_files", "resolve", "routers_of"]

VARIABLE = "ASGI_EXPRESS_APP"

_GUESSES = ("app.yaml", "app.yml", "main:app", "app:app")


def discover() -> str:
    """Return the target of a command that was given none.

    Raises:
        Failure: there is none to be found.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return given
    for guess in _GUESSES:
        module, _, name = guess.partition(":")
        if Path(f"{module}.py" if name else guess).is_file():
            return guess
    msg = f"which application? Name it as module:app or app.yaml, or set {VARIABLE}; here is none of {_guessed()}"
    raise Failure(msg)


def _guessed() -> str:
    return ", ".join(guess if guess.endswith("ml") else guess.partition(":")[0] + ".py" for guess in _GUESSES)


def is_files(target: str) -> bool:
    """Tell whether a target is files of a gateway, and not ``module:name``."""
    return target.endswith((".yaml", ".yml")) or os.path.isdir(target)


def resolve(target: str) -> Any:
    """Return what a target names: a :class:`Gateway`, or the object in a module.

    Raises:
        Failure: it is not there, or cannot be made.
    """
    if not is_files(target):
        return import_target(target)
    _check_exists(target)
    try:
        with working(f"Reading {target}"):
            return load(target)
    except ImportError as error:
        raise Failure(str(error)) from error
    except ExpressError as error:
        raise Failure(str(error)) from error


def _check_exists(target: str) -> None:
    if not os.path.exists(target):
        msg = f"there is no file {target}"
        raise Failure(msg)


def import_target(target: str) -> Any:
    """Import ``module:name``; what is beside the current directory wins, as with ``python -m``.

    Raises:
        Failure: there is no such module or name, or its code fails.
    """
    module, _, name = target.partition(":")
    if not module or not name or "/" in module or module.endswith(".py"):
        msg = f"expected module:app, such as main:app, or a YAML file, not {target!r}"
        raise Failure(msg)
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        with working(f"Importing {module}"):
            found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module + ".").startswith(error.name + "."):
            msg = f"there is no module {module!r} here or in the Python path"
            raise Failure(msg) from error
        raise _broken(module, error) from error
    except (Exception, SystemExit) as error:  # whatever its code does
        raise _broken(module, error) from error
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            near = get_close_matches(part, dir(found), n=1)
            advice = f"; did you mean {near[0]!r}?" if near else ""
            msg = f"{module} has no {part!r}{advice}"
            raise Failure(msg) from error
    return found


def _broken(module: str, error: BaseException) -> Failure:
    """Say where the code of a module fails: in its own file, not in the machinery of imports."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if "importlib" not in each.filename]
    tells = isinstance(error, SyntaxError)  # in its own words
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames[1:] and not tells else ""
    return Failure(f"{module} cannot be imported: {type(error).__name__}: {error}{place}")


def routers_of(found: Any, target: str, service: str | None = None) -> dict[str, Router]:
    """Return the routers of what a target names: one, or those of the services of a gateway by their IDs.

    Raises:
        Failure: it is no router, or there is no such service.
    """
    if isinstance(found, Gateway):
        ids = [each.id for each in found.services]
        if service is not None and service not in ids:
            msg = f"there is no service {service!r}; there are {', '.join(ids)}"
            raise Failure(msg)
        return {each: found.router_of(each) for each in ids if service in (None, each)}
    if service is not None:
        msg = f"--service is for a gateway, and {target} is none"
        raise Failure(msg)
    if isinstance(found, Router):
        return {target: found}
    kind = type(found)
    msg = f"{target} is a {kind.__module__}.{kind.__qualname__}; expected an Express, a Router or a gateway"
    raise Failure(msg)
