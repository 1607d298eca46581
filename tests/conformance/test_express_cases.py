"""Every test case of Express has a test of ours that exists, or a reason; ``docs/express-coverage.md`` says it so.

``coverage.py`` says what the files in ``express_cases/`` look like.
"""

from __future__ import annotations

import re

import pytest

from tests.conformance.coverage import PAGE, ROOT, is_there, read_cases, recorded_row, with_tables

CASES = read_cases()
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = {
    file: int(count) for file, count in re.findall(r"^\| `([\w./-]+\.js)` \| (\d+) \| \d+ \| \d+ \| .+ \|$", TEXT, re.M)
}
DIFFERENCES = set(
    re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs" / "express-differences.md").read_text(encoding="utf-8"), re.M)
)


@pytest.mark.parametrize("file", CASES)
def test_every_case_has_tests_that_exist_or_a_reason(file: str) -> None:
    lacking = [case.title for case in CASES[file] if not case.by and not case.without]
    unknown = {test for case in CASES[file] for test in case.by if not is_there(test)}
    assert not lacking
    assert not unknown


@pytest.mark.parametrize("file", CASES)
def test_a_case_that_is_answered_otherwise_names_the_difference(file: str) -> None:
    assert {case.differs for case in CASES[file] if case.differs} <= DIFFERENCES
    for case in CASES[file]:
        recorded = [recorded_row(test) or {} for test in case.by if test.startswith("recorded/")]
        tags = {row["difference"] for row in recorded if "difference" in row}
        assert tags <= {case.differs}, case.title


@pytest.mark.parametrize("file", CASES)
def test_no_case_stands_twice(file: str) -> None:
    titles = [case.title for case in CASES[file]]
    assert not {title for title in titles if titles.count(title) > 1}


def test_every_file_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`((?:recorded|tests)/[\w./-]+\.(?:json|py))`", TEXT))
    assert len(named) > 60
    places = {name: ROOT / re.sub("^recorded/", "tests/conformance/recorded/", name) for name in named}
    assert not [name for name, place in places.items() if not place.is_file()]


@pytest.mark.parametrize("file", ROWS)
def test_every_file_of_the_page_has_as_many_cases_as_its_row_says(file: str) -> None:
    assert len(CASES.get(file, ())) == ROWS[file]


def test_the_page_says_what_the_cases_say() -> None:
    """``python -m tests.conformance.coverage`` makes it so."""
    assert len(ROWS) == 88
    assert with_tables(TEXT, CASES) == TEXT


def test_at_least_95_percent_of_the_cases_have_a_test() -> None:
    everything = [case for ones in CASES.values() for case in ones]
    assert len(everything) >= 1130
    assert sum(bool(case.by) for case in everything) >= 0.95 * len(everything)


@pytest.mark.parametrize(
    "test",
    [
        "tests/test_router.py::test_that_is_not_there",
        "tests/test_nothing.py::test_x",
        "recorded/nothing.json::a#0",
        "recorded/dispatch.json::no such program#0",
        "recorded/dispatch.json::no index",
    ],
)
def test_a_test_that_does_not_exist_is_seen(test: str) -> None:
    assert not is_there(test)
