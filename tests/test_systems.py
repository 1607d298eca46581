"""The tables of other systems do not lie: each row names a test, and the test exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "systems.md").read_text(encoding="utf-8")


class Row(NamedTuple):
    """A row of a table: the heading that it stands under, and its cells."""

    heading: str
    cells: tuple[str, ...]


def rows() -> list[Row]:
    found: list[Row] = []
    heading = ""
    for line in PAGE.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("|") and not line.startswith("|--") and not line.endswith("| shown by |"):
            found.append(Row(heading, tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])))
    return found


@cache
def names_in(file: str) -> set[str]:
    """Return the names of the tests in a file."""
    functions = ast.walk(ast.parse((TESTS / file).read_text(encoding="utf-8")))
    names = {node.name for node in functions if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    return {name for name in names if name.startswith("test_")}


def test_there_is_a_table_for_each_system() -> None:
    headings = re.findall(r"^## (.+)$", PAGE, re.M)
    assert headings == ["Lapis", "Lusty", "Luxure", "express.lua", "Wippy", "Express"]
    assert {row.heading for row in rows()} == set(headings)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.heading}: {row.cells[0]}")
def test_a_row_names_tests_that_exist(row: Row) -> None:
    what, here, shown_by = row.cells
    assert what
    assert here
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", shown_by)
    assert ", ".join(f"`{file}::{name}`" for file, name in named) == shown_by != ""
    for file, name in named:
        assert name in names_in(file), f"{file}::{name}"
