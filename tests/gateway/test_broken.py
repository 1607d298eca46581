"""Files that cannot be served: each says in its comments what is found in it, and where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asgi_express.gateway import GatewayError, Problem, check, load
from asgi_express.gateway._problems import CODES

BROKEN = Path(__file__).parent / "broken"
FILES = sorted(BROKEN.glob("*.yaml"))
EXPECTED = re.compile(r"^# expected: (\d+) ([a-z-]+)(?: ([\w.-]+:[\w.-]+):)? (.*) \| (.*)$", re.MULTILINE)


def expected(path: Path) -> list[tuple[int, str, str | None, str, str]]:
    """Return what a file says of itself: line, code, entry, message and advice."""
    found = EXPECTED.findall(path.read_text(encoding="utf-8"))
    return [(int(line), code, entry or None, message, advice) for line, code, entry, message, advice in found]


def as_expected(problem: Problem) -> tuple[int, str, str | None, str, str | None]:
    """Return a problem in the form of the comments; PyYAML and libyaml differ in their words."""
    message = re.sub(r"^(this is not YAML: ).*", r"\1...", problem.message)
    advice = problem.suggestion and problem.suggestion.replace(str(BROKEN), "<here>")
    return problem.line, problem.code, problem.entry, message, advice


def test_there_are_many_files_and_every_code_is_in_one() -> None:
    assert len(FILES) >= 40
    assert {code for path in FILES for _, code, *_ in expected(path)} == set(CODES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_broken_file_has_the_problems_that_it_says_it_has(path: Path) -> None:
    problems = check(path, environment={})
    assert [as_expected(problem) for problem in problems] == expected(path)
    assert problems
    assert all(problem.suggestion for problem in problems)
    assert {problem.file for problem in problems} == {str(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_broken_file_is_not_served(path: Path) -> None:
    with pytest.raises(GatewayError) as raised:
        load(path, environment={})
    assert list(raised.value.problems) == check(path, environment={})
    for problem in raised.value.problems:
        assert str(problem) in str(raised.value)


def test_a_problem_is_one_line_for_people_and_a_mapping_for_programs() -> None:
    problem = check(BROKEN / "unknown_field.yaml")[0]
    assert str(problem) == (
        f"{BROKEN / 'unknown_field.yaml'}:6: app:api: http.router has no field 'prefx'; did you mean 'prefix'?"
    )
    assert problem.to_dict() == {
        "code": "unknown-field",
        "message": "http.router has no field 'prefx'",
        "file": str(BROKEN / "unknown_field.yaml"),
        "line": 6,
        "entry": "app:api",
        "suggestion": "did you mean 'prefix'?",
    }
