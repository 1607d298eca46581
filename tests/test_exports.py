"""What a user can import, and what an import brings along."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import asgi_express
import asgi_express as express
from asgi_express import errors

PACKAGE = Path(asgi_express.__file__).parent


def public_modules() -> list[str]:
    """Return the modules whose names have no underscore, by their path in the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts):
            found.append(".".join(("asgi_express", *parts)))
    return found


def own_names(path: Path) -> set[str]:
    """Return the public classes and functions of a module; of a package that has none, what it imports."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    own = {node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))}
    if not own:
        imports = [node for node in body if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
        own = {alias.asname or alias.name for node in imports for alias in node.names}
    return {name for name in own if not name.startswith("_")}


@pytest.mark.parametrize("name", public_modules())
def test_a_public_module_lists_its_classes_and_functions_and_nothing_that_it_lacks(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__file__ is not None
    listed = module.__all__
    assert own_names(Path(module.__file__)) <= set(listed)
    assert all(hasattr(module, each) and not each.startswith("_") for each in listed)
    assert len(listed) == len(set(listed))
    assert (module.__doc__ or "").strip()


@pytest.mark.parametrize(
    "name", ["Express", "Router", "Request", "Response", "Route", "blocking", "next_app", "HTTPError"]
)
def test_express_is_a_namespace_as_in_express(name: str) -> None:
    assert name in express.__all__
    assert getattr(express, name).__module__.startswith("asgi_express")


def test_everything_can_be_imported_with_a_star() -> None:
    names: dict[str, Any] = {}
    exec("from asgi_express import *", names)
    assert set(express.__all__) <= set(names)
    assert names["Express"] is express.Express


def test_every_error_that_the_package_raises_is_exported() -> None:
    # one class for each status is in asgi_express.errors only: from asgi_express.errors import NotFound
    classes = {name: each for name in errors.__all__ if isinstance(each := getattr(errors, name), type)}
    raised = {name for name, each in classes.items() if not issubclass(each, errors.NamedHTTPError)}
    assert raised <= set(express.__all__)


def test_the_version_is_one_that_packagers_understand() -> None:
    parts = express.__version__.split(".")
    assert len(parts) == 3
    assert all(part.isdecimal() for part in parts)


def test_the_package_tells_type_checkers_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        (
            "asgi_express",
            [
                *("uvicorn", "jinja2", "orjson", "redis", "yaml", "itsdangerous", "fastapi", "brotli"),
                *("asgi_express.middleware", "asgi_express.body", "asgi_express.stores", "asgi_express.server"),
                *("asgi_express.views", "asgi_express.sse", "asgi_express._mime_types", "asgi_express.gateway"),
            ],
        ),
        (
            "asgi_express.middleware",
            ["asgi_express.router", "asgi_express.application", "asgi_express._dispatch", "redis"],
        ),
        ("asgi_express.body", ["uvicorn", "asgi_express.middleware"]),
    ],
)
def test_an_import_brings_no_more_than_it_needs(imported: str, absent: list[str]) -> None:
    # importing a package imports the one around it: what that brings is not the fault of what is inside
    code = (
        "import json, sys, types; "
        f"package = types.ModuleType('asgi_express'); package.__path__ = [{str(PACKAGE)!r}]; "
        f"sys.modules.update({{}} if {imported!r} == 'asgi_express' else {{'asgi_express': package}}); "
        f"__import__({imported!r}); print(json.dumps(sorted(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert set(json.loads(output.stdout)) & set(absent) == set()
