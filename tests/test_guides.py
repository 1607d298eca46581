"""The guides do not lie: every Python block runs, and answers what its comments say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.asgi import ask
from tests.test_docs import BLOCK, LINE, Jar, headers, matches

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = ("actions.md", "routes.md")


def blocks(page: str) -> list[tuple[str, dict[str, str]]]:
    """Return the Python blocks of a page, each with the files that stand above it on the page."""
    found: list[tuple[str, dict[str, str]]] = []
    files: dict[str, str] = {}
    for block in BLOCK.finditer((DOCS / page).read_text(encoding="utf-8")):
        if block["file"]:
            files[block["file"]] = block["source"].removesuffix("\n")
        else:
            assert block["language"] == "python"
            found.append((block["source"], dict(files)))
    return found


CASES = [
    pytest.param(page, source, files, id=f"{page} {number}")
    for page in GUIDES
    for number, (source, files) in enumerate(blocks(page), 1)
]


@pytest.mark.parametrize("page", GUIDES)
def test_a_guide_has_blocks_and_every_comment_of_a_request_is_understood(page: str) -> None:
    assert blocks(page)
    for source, _ in blocks(page):
        comments = re.findall(r"^# [A-Z]+ /.*$", source, re.M)
        assert comments == [match[0] for match in LINE.finditer(source)] != []


@pytest.mark.parametrize(("page", "source", "files"), CASES)
async def test_a_block_answers_what_it_says(
    page: str, source: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    names: dict[str, Any] = {"__name__": "main"}
    exec(compile(source, page, "exec"), names)
    jar = Jar()
    for line in LINE.finditer(source):
        sent = {**jar.headers(), **headers(line["headers"])}
        answer = await ask(
            names["app"], line["target"], line["method"], headers=sent, body=(line["body"] or "").encode()
        )
        jar.keep(answer)
        assert answer.status == int(line["status"]), (line[0], answer.text)
        for name, value in headers(line["expected"]).items():
            assert answer.headers.get(name.lower()) == value, line[0]
        assert matches(answer.text, line["text"] or ""), (line[0], answer.text)
