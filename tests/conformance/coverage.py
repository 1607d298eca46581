"""Which of our tests have the ideas of Express's own test cases: reads ``express_cases/``, writes the page of it.

Every test file of Express has a file there with the same name: ``app.use.js`` has ``app.use.json``,
``acceptance/auth.js`` has ``acceptance/auth.json``. It is a list with one object for every ``it`` of the source,

* ``{"case": title, "by": [test, ...]}``: these tests fail if the idea of the case breaks;
* ``{"case": title, "by": [test, ...], "differs": id}``: we do otherwise on purpose; the id is that of a row of
  ``docs/express-differences.md``, and the tests hold what we do;
* ``{"case": title, "without": reason}``: the case means nothing in Python.

A test is ``tests/test_router.py::test_name`` (with the class in between if it has one), or a recorded answer:
``recorded/static.json::<name of the program>#<index of its request or registration>``.

``python -m tests.conformance.coverage`` writes the tables of ``docs/express-coverage.md`` from the cases.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.conformance.bodies import JSON

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FOLDER = HERE / "express_cases"
PAGE = ROOT / "docs" / "express-coverage.md"


class Case(NamedTuple):
    """One test case of Express, and what of ours has its idea."""

    file: str
    title: str
    by: tuple[str, ...] = ()
    differs: str | None = None
    without: str | None = None


def read_cases() -> dict[str, list[Case]]:
    """Return the cases of every test file of Express, the acceptance tests last."""
    cases = {}
    for path in sorted(FOLDER.rglob("*.json"), key=lambda path: (path.parent != FOLDER, path.with_suffix(".js").name)):
        file = path.relative_to(FOLDER).with_suffix(".js").as_posix()
        rows: list[dict[str, JSON]] = json.loads(path.read_text(encoding="utf-8"))
        cases[file] = [_case(file, row) for row in rows]
    return cases


def _case(file: str, row: dict[str, JSON]) -> Case:
    if row.keys() not in ({"case", "by"}, {"case", "by", "differs"}, {"case", "without"}):
        raise ValueError(f"{file}: {row} is a case with `by`, `by` and `differs`, or `without`")
    return Case(file, row["case"], tuple(row.get("by", ())), row.get("differs"), row.get("without"))


def is_there(test: str) -> bool:
    """Return whether a test that a case names exists."""
    place, _, name = test.partition("::")
    if place.startswith("recorded/"):
        return recorded_row(test) is not None
    return name in _names_of_tests(ROOT / place)


def recorded_row(test: str) -> dict[str, JSON] | None:
    """Return the recorded request or registration that a case names, with the difference of its whole program."""
    place, _, name = test.partition("::")
    program_name, _, index = name.rpartition("#")
    program = _programs(HERE / place).get(program_name)
    if program is None or not index.isdecimal():
        return None
    rows: list[dict[str, JSON]] = program.get("requests") or program["registrations"]
    inherited = {key: program[key] for key in ("difference",) if key in program}
    return inherited | rows[int(index)] if int(index) < len(rows) else None


@cache
def _programs(path: Path) -> dict[str, dict[str, JSON]]:
    if not path.is_file():
        return {}
    return {program["name"]: program for program in json.loads(path.read_text(encoding="utf-8"))["programs"]}


@cache
def _names_of_tests(path: Path) -> frozenset[str]:
    return frozenset(_walk(ast.parse(path.read_bytes()))) if path.is_file() else frozenset()


def _walk(parent: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in parent.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}::{name}" for name in _walk(node))


def table(cases: dict[str, list[Case]]) -> str:
    """Return the table of the files, with the sums."""
    rows = [
        "| file of Express | cases | answered otherwise | without counterpart | our tests |",
        "|---|---|---|---|---|",
    ]
    for file, ones in cases.items():
        tests = sorted({test.partition("::")[0] for case in ones for test in case.by})
        counts = " | ".join(map(str, _counts(ones)))
        rows.append(f"| `{file}` | {counts} | {' '.join(f'`{test}`' for test in tests) or '–'} |")
    total, otherwise, without = _counts([case for ones in cases.values() for case in ones])
    share = f"{100 * (total - without) / total:.1f} % of the cases have their idea in a test here"
    rows.append(f"| **all** | **{total}** | **{otherwise}** | **{without}** | **{share}** |")
    return "\n".join(rows)


def _counts(cases: list[Case]) -> tuple[int, int, int]:
    return len(cases), sum(bool(case.differs) for case in cases), sum(bool(case.without) for case in cases)


def reasons(cases: dict[str, list[Case]]) -> str:
    """Return the table of what has no counterpart."""
    counts = Counter((case.file, case.without) for ones in cases.values() for case in ones if case.without)
    rows = [f"| `{file}` | {count} | {reason} |" for (file, reason), count in counts.items()]
    return "\n".join(["| file of Express | cases | why |", "|---|---|---|", *rows])


def with_tables(page: str, cases: dict[str, list[Case]]) -> str:
    """Return the page with its two generated tables, of what is covered and of what has no counterpart, made anew."""
    for made in (table(cases), reasons(cases)):
        head = re.escape(made.partition("\n")[0])
        found = re.search(rf"^{head}\n(?:\|.*\n)+", page, re.MULTILINE)
        if found is None:
            raise ValueError(f"{PAGE.name} has no table that begins with {made.splitlines()[0]}")
        page = f"{page[: found.start()]}{made}\n{page[found.end() :]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), read_cases()), encoding="utf-8")
