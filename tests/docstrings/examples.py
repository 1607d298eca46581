"""Find the examples in the docstrings of the package: all of them, whatever is public."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import asgi_express

ROOT = Path(asgi_express.__file__).parent

DIAGRAMS = {"errors", "_sendfile"}
"""Modules whose literal block is a drawing, not code."""

# A block is what stands four or more columns further in than the line that announces it.
_BLOCK = re.compile(r"^(?P<indent> *)(?P<head>\S.*)?::\n\n(?P<code>(?:(?P=indent) {4}.*\n|\n)+)", re.M)

# Example: ``code`` is ``value`` for ``/a/target`` and whatever else there is to say.
_SENTENCE = re.compile(
    r"Example: ``(?P<code>.+?)``(?: is ``(?P<value>.+?)``)?(?: (?:for|after) ``(?P<given>.+?)``(?: [\w ]+)?)?\.?"
)


class Example(NamedTuple):
    """One example.

    Attributes:
        place: the module and the name of what it belongs to, and a number where that has several.
        source: its code.
        value: what a sentence says that the code is, as code; ``None`` where it says nothing.
        given: for what it is that: a target, a header, or code that ran before.
    """

    place: str
    source: str
    value: str | None = None
    given: str | None = None

    @property
    def module(self) -> str:
        """The dotted name of the module that it stands in."""
        name = "asgi_express"
        for part in self.place.partition("#")[0].split("."):
            folder = ROOT.joinpath(*name.split(".")[1:], part)
            if folder.is_dir() or folder.with_suffix(".py").exists():
                name += "." + part
        return name


def examples_of(doc: str) -> list[Example]:
    """Return the examples of a docstring, without their place."""
    text = inspect.cleandoc(doc) + "\n"
    found = []
    for match in _BLOCK.finditer(text):
        code = textwrap.dedent(match["code"]).strip("\n") + "\n"
        found += [Example("", each) for each in (_apart(code) if match["head"] == "Examples" else [code])]
    for line in re.findall(r"^Examples?\b.*$", text, re.M):
        if not line.endswith("::"):
            sentence = _SENTENCE.fullmatch(line)
            assert sentence, f"this is no sentence that a test could read: {line}"
            found.append(Example("", sentence["code"] + "\n", sentence["value"], sentence["given"]))
    return found


def _apart(code: str) -> list[str]:
    """Split a block of several examples where a line is left free; each has the imports before it."""
    imports, found = "", []
    for part in re.split(r"\n\n(?=\S)", code):
        part = part.rstrip("\n") + "\n"
        if all(line.startswith(("from ", "import ")) for line in part.splitlines()):
            imports += part
        else:
            found.append(imports + part)
    return found


def _docstrings() -> Iterator[tuple[str, str]]:
    """Give every docstring of the package, with the name of what it belongs to."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield from _docstrings_in(ast.parse(path.read_text(encoding="utf-8")), module)


def _docstrings_in(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        doc = ast.get_docstring(node)
        if doc:
            yield name or "asgi_express", doc
    for child in ast.iter_child_nodes(node):
        own = (
            getattr(child, "name", "")
            if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            else ""
        )
        yield from _docstrings_in(child, f"{name}.{own}".strip(".") if own else name)


def _all() -> Iterator[Example]:
    for name, doc in _docstrings():
        if name not in DIAGRAMS:
            found = examples_of(doc)
            for number, example in enumerate(found, 1):
                yield example._replace(place=f"{name}#{number}" if len(found) > 1 else name)


EXAMPLES = list(_all())
