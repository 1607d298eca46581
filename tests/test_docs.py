"""The migration guide does not lie: every Python block runs, and answers what its comments say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.asgi import Answer, ask

PAGE = Path(__file__).parent.parent / "docs" / "migrating-from-express.md"
TEXT = PAGE.read_text(encoding="utf-8")

BLOCK = re.compile(r"^```(?P<language>\w+)(?: title=\"(?P<file>[^\"]+)\")?\n(?P<source>.*?)^```$", re.M | re.S)

# # POST /users (Accept: text/html | X-A: b) the body -> 201 (Location: /users/7) the text of the answer
LINE = re.compile(
    r"^# (?P<method>[A-Z]+) (?P<target>/\S*)(?: \((?P<headers>[^)]*)\))?(?: (?P<body>\S.*?))?"
    r" -> (?P<status>\d{3})(?: \((?P<expected>[^)]*)\))?(?: (?P<text>.*))?$",
    re.M,
)


class Section(NamedTuple):
    """One comparison: its heading, the snippets, and the files that they need."""

    heading: str
    javascript: str
    python: str
    files: dict[str, str]


def sections() -> list[Section]:
    """Return the comparisons of the page."""
    found = []
    for part in re.split(r"^## ", TEXT, flags=re.M)[1:]:
        blocks = [match.groupdict() for match in BLOCK.finditer(part)]
        snippets = [(block["language"], block["source"]) for block in blocks if not block["file"]]
        assert [language for language, _ in snippets] == ["javascript", "python"], part.partition("\n")[0]
        files = {block["file"]: block["source"].removesuffix("\n") for block in blocks if block["file"]}
        found.append(Section(part.partition("\n")[0], snippets[0][1], snippets[1][1], files))
    return found


def headers(text: str | None) -> dict[str, str]:
    pairs = (pair.partition(": ") for pair in (text or "").split(" | ") if pair)
    return {name: value for name, _, value in pairs}


def matches(got: str, want: str) -> bool:
    """Compare a text; with an ellipsis at both ends, the rest has to be in it."""
    return want[3:-3] in got if want.startswith("...") and want.endswith("...") else got == want


class Jar(dict[str, str]):
    """The cookies of a client."""

    def keep(self, answer: Answer) -> None:
        for name, value in answer.raw_headers:
            if name == b"set-cookie":
                cookie, _, attributes = value.decode().partition(";")
                key, _, content = cookie.partition("=")
                self[key] = content
                if "Expires=Thu, 01 Jan 1970" in attributes:
                    del self[key]

    def headers(self) -> dict[str, str]:
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self.items())} if self else {}


def test_twenty_snippets_stand_beside_their_python_and_every_one_says_what_it_answers() -> None:
    found = sections()
    assert len(found) >= 20
    for number, section in enumerate(found, 1):
        assert section.heading.startswith(f"{number}. ")
        comments = re.findall(r"^# [A-Z]+ /.*$", section.python, re.M)
        assert comments == [match[0] for match in LINE.finditer(section.python)] != []


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.heading)
async def test_a_snippet_answers_what_it_says(
    section: Section, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in section.files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    names: dict[str, Any] = {"__name__": "main"}
    exec(compile(section.python, f"{PAGE.name}, {section.heading}", "exec"), names)
    jar = Jar()
    for line in LINE.finditer(section.python):
        body = (line["body"] or "").encode()
        length = {"content-length": str(len(body))} if body else {}
        answer = await ask(
            names["app"],
            line["target"],
            line["method"],
            headers={**jar.headers(), **length, **headers(line["headers"])},
            body=body,
        )
        jar.keep(answer)
        assert answer.status == int(line["status"]), (line[0], answer.text)
        for name, value in headers(line["expected"]).items():
            assert answer.headers.get(name.lower()) == value, line[0]
        assert matches(answer.text, line["text"] or ""), (line[0], answer.text)
