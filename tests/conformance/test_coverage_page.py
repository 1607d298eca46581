"""``docs/express-coverage.md`` names files that exist, and its sums are right."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "express-coverage.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([\w./-]+\.js)` \| (\d+) \| (\d+) \| (.+) \|$", PAGE, re.MULTILINE)


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:recorded|tests)/[\w./-]+\.(?:json|py))`", PAGE))
    assert len(named) > 60
    places = {name: ROOT / re.sub("^recorded/", "tests/conformance/recorded/", name) for name in named}
    assert not [name for name, place in places.items() if not place.is_file()]


def test_every_row_has_tests_for_what_has_a_counterpart() -> None:
    for file, cases, missing, tests in ROWS:
        assert (int(missing) < int(cases)) == ("`" in tests), file


def test_the_sums_are_right() -> None:
    total, missing = sum(int(row[1]) for row in ROWS), sum(int(row[2]) for row in ROWS)
    assert f"| **all** | **{total}** | **{missing}** | **{100 * (total - missing) / total:.1f} %" in PAGE
    reasons = PAGE.partition("## What has no counterpart")[2].partition("## Other")[0]
    assert sum(map(int, re.findall(r"\| (\d+) \|", reasons))) == missing
