"""Run the code of an example, and check what it says about itself."""

from __future__ import annotations

import ast
import asyncio
import builtins
import importlib
import io
import os
import tokenize
from inspect import isawaitable
from pathlib import Path
from typing import Any

import asgi_express
from asgi_express import channels, errors, middleware, security, stores
from tests.docstrings.examples import Example

_CLAIM = "# -> "


def namespace(example: Example) -> dict[str, Any]:
    """Return the names that an example may take for granted."""
    names: dict[str, Any] = {"__name__": "main", "asyncio": asyncio, "os": os, "Path": Path, "express": asgi_express}
    for module in (
        asgi_express,
        channels,
        errors,
        middleware,
        security,
        stores,
        importlib.import_module(example.module),
    ):
        names |= {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    return names | {"app": asgi_express.Express(), "router": asgi_express.Router()}


def comments(source: str) -> dict[int, str]:
    """Return the comments by line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


def claims(example: Example) -> list[str]:
    """Return what an example says of its results."""
    said = [text.removeprefix(_CLAIM) for text in comments(example.source).values() if text.startswith(_CLAIM)]
    return said if example.value is None else [*said, example.value]


class _Watch(ast.NodeTransformer):
    """Keep the values of the statements, compare those that are followed by a claim, and note which blocks ran."""

    def __init__(self, source: str) -> None:
        self.blocks: set[str] = set()
        self._inside = False
        self.claims = {
            line: ast.parse(text.removeprefix(_CLAIM), mode="eval").body
            for line, text in comments(source).items()
            if text.startswith(_CLAIM)
        }

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        if self._inside:
            self.generic_visit(node)
            return node
        claim = self.claims.pop(node.end_lineno or 0, None)
        self.generic_visit(node)
        return _call("_keep", node.value) if claim is None else _call("_same", node.value, claim)

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        claim = None if self._inside else self.claims.pop(node.end_lineno or 0, None)
        self.generic_visit(node)
        if claim is None:
            return [node]
        assert isinstance(node.targets[0], ast.Name)
        return [node, _call("_same", ast.Name(node.targets[0].id, ast.Load()), claim)]

    def _reach(self, node: Any) -> ast.Expr:
        place = f"{type(node).__name__} in line {node.lineno}"
        self.blocks.add(place)
        return _call("_reach", ast.Constant(place))

    def _block(self, node: Any) -> ast.AST:
        reach = self._reach(node)
        self.generic_visit(node)
        node.body.insert(0, reach)
        return node  # type: ignore[no-any-return]

    def _function(self, node: Any) -> ast.AST:
        inside, self._inside = self._inside, True  # what is in it runs later, and its values are its own
        self._block(node)
        self._inside = inside
        return node  # type: ignore[no-any-return]

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        reach = self._reach(node)
        self.generic_visit(node)
        both = ast.Tuple([reach.value, node.body], ast.Load())
        node.body = ast.Subscript(both, ast.Constant(1), ast.Load())
        return node

    visit_If = visit_For = visit_AsyncFor = visit_While = _block  # noqa: N815
    visit_FunctionDef = visit_AsyncFunctionDef = _function  # noqa: N815


def _call(name: str, *args: ast.expr) -> ast.Expr:
    return ast.Expr(ast.Call(ast.Name(name, ast.Load()), list(args), []))


def same(got: Any, want: Any) -> None:
    """Compare what an example gives with what it says; ``True`` is not 1."""
    assert (got == want, isinstance(got, bool)) == (True, isinstance(want, bool)), f"it is {got!r}, not {want!r}"


def unknown_names(source: str, names: dict[str, Any]) -> set[str]:
    """Return the names that code uses and nobody has given it, those in functions included."""
    tree = ast.parse(source)
    known = {*names, *dir(builtins)}
    known |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    known |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - known


async def evaluate(code: str, names: dict[str, Any]) -> Any:
    """Return the value of an expression, which may be awaited."""
    value = eval(compile(code, code, "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    return await value if isawaitable(value) and "await " in code else value


async def execute(source: str, names: dict[str, Any], place: str) -> None:
    """Run code as a module would, only that ``await`` is allowed.

    Among the names, ``values`` are those of its statements, and ``unreached`` the functions and blocks that have not
    run, until they do.
    """
    watch = _Watch(source)
    tree = ast.fix_missing_locations(watch.visit(ast.parse(source)))
    assert not watch.claims, f"{place}: a claim belongs behind a statement"
    names |= {"_keep": names.setdefault("values", []).append, "_same": same}
    names |= {"unreached": watch.blocks, "_reach": watch.blocks.discard}
    running = eval(compile(tree, place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if running is not None:
        await running
    unknown = unknown_names(source, names)
    assert not unknown, f"{place}: nobody has given it {', '.join(sorted(unknown))}"
