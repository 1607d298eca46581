"""The page about security does not lie: the tests that it names are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_the_tests_that_it_names_are_there() -> None:
    folders = ("security", "stores")
    text = "".join(
        path.read_text(encoding="utf-8") for name in folders for path in (ROOT / "tests" / name).glob("*.py")
    )
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 15
    assert [test for test in named if not re.search(rf"^(async )?def {test}\b", text, re.MULTILINE)] == []


def test_every_cell_that_says_yes_has_a_test_behind_it() -> None:
    table = PAGE.partition("### Beside other validators")[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 10
    assert [row for row in rows if not row.endswith("` |")] == []
