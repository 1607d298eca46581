"""Paths that files name and programs give: to loops of links, without end, to what may not be read or is gone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asgi_express import load
from asgi_express.gateway import check
from asgi_express.gateway.reloading import _directories, _look
from tests.gateway.serving import entries

ENDLESS = "a" * 5000
STATIC = """\
- {name: files, kind: fs.directory, directory: files}
- name: page
  kind: http.static
  meta: {server: gateway}
  path: /
  fs: files
  static_options: {spa: true, index: loop}
"""


def pem(text: str) -> str:
    return f"- {{name: two, kind: http.service, addr: ':1', tls: {{mode: manual, cert: '{text}', key: '{text}'}}}}\n"


NAMED = [
    (
        "- {name: it, kind: fs.directory, directory: loop}\n",
        {"directory: there is no directory 'loop'; did you mean 'loops'?"},
    ),
    ("- {name: it, kind: fs.directory, directory: sealed/x}\n", {"directory: there is no directory 'sealed/x'"}),
    (f"- {{name: it, kind: fs.directory, directory: {ENDLESS}}}\n", {"directory: there is no directory 'aaaaa"}),
    (
        "- {name: it, kind: function.python, source: file://loop.py, method: x}\n",
        {"source: there is no file file://loop.py; did you mean 'loops.py'?"},
    ),
    (
        f"- {{name: it, kind: function.python, source: file://{ENDLESS}, method: x}}\n",
        {"source: there is no file file://aaaa"},
    ),
    (
        "- {name: it, kind: function.python, source: 'file:///', method: x}\n",
        {"source: there is no file file:///; it would be /"},
    ),
    (pem("file://binary"), {"tls.cert: 'file://binary' cannot be read", "tls.key: 'file://binary' cannot be read"}),
    (pem("file://loop"), {"tls.cert: 'file://loop' cannot be read", "tls.key: 'file://loop' cannot be read"}),
    (pem("file://pipe.yaml"), {"tls.cert: 'file://pipe.yaml' cannot be read", "tls.key: 'file://pipe.yaml' cannot be"}),
    (pem("file://" + ENDLESS), {"tls.cert: 'file://aaaa", "tls.key: 'file://aaaa"}),
    (STATIC, {"static_options.index: there is no file 'loop' in files"}),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with what nobody can read, and names that are near to it."""
    for loop in ("loop", "loop.py", "files/loop"):
        (tmp_path / loop).parent.mkdir(exist_ok=True)
        (tmp_path / loop).symlink_to(Path(loop).name)
    (tmp_path / "loops").mkdir()
    (tmp_path / "loops.py").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    os.mkfifo(tmp_path / "pipe.yaml")
    return tmp_path


@pytest.mark.parametrize(("text", "expected"), NAMED, ids=[min(words)[:40] for _, words in NAMED])
def test_a_path_that_leads_nowhere_is_a_problem_with_its_entry(place: Path, text: str, expected: set[str]) -> None:
    path = place / "app.yaml"
    path.write_text(entries(text))
    problems = check(path)
    assert len(problems) == len(expected)
    for words in expected:
        assert any(f"{problem.message}; {problem.suggestion}".startswith(words) for problem in problems)
    assert {problem.entry for problem in problems} <= {"app:it", "app:two", "app:page"}
    assert all(problem.line >= 7 for problem in problems)


NAME = "name the directory, or the files, of the entries"
SOURCES = [
    ("loop", "it cannot be read: ", "did you mean 'loops'?"),
    (ENDLESS, "it cannot be read: ", NAME),
    ("pipe.yaml", "it is neither a file nor a directory", NAME),
    ("no/such.yaml", "there is no such file or directory", NAME),
    ("a\0b", "no file or directory can have that name", NAME),
    ("\ud800", "no file or directory can have that name", NAME),
]


@pytest.mark.parametrize(("name", "message", "advice"), SOURCES, ids=[ascii(case[0])[:20] for case in SOURCES])
def test_a_source_that_leads_nowhere_is_a_problem(place: Path, name: str, message: str, advice: str) -> None:
    (problem,) = check(place / name)
    assert problem.message.startswith(message)
    assert problem.suggestion == advice


def failing(monkeypatch: pytest.MonkeyPatch, directory: Path, error: OSError) -> None:
    """Let the system refuse to list a directory: this process may be allowed everything."""
    scandir: Callable[[Any], Any] = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path) == directory:
            error.filename = str(path)
            raise error
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    (tmp_path / "below" / "deep").mkdir(parents=True)
    (tmp_path / "app.yaml").write_text(entries())
    (tmp_path / "below" / "more.yaml").write_text(entries(service="- {name: d, kind: fs.directory, directory: .}\n"))
    (tmp_path / "below" / "again").symlink_to("..")
    return tmp_path


def test_links_in_a_directory_are_not_followed_in_circles(registry: Path) -> None:
    assert check(registry) == []
    assert load(registry).files == {registry / "app.yaml", registry / "below" / "more.yaml"}


def test_a_directory_that_may_not_be_read_is_a_problem_though_others_may(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, registry / "below", PermissionError(13, "Permission denied"))
    (problem,) = check(registry)
    assert (problem.file, problem.code) == (str(registry / "below"), "missing-file")
    assert problem.message == "the directory cannot be read: Permission denied"
    assert [each.file for each in check(registry / "below")] == [str(registry / "below")]


def test_a_directory_that_vanishes_while_it_is_looked_at_is_not_missed(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = load(registry)
    failing(monkeypatch, registry / "below", FileNotFoundError(2, "No such file or directory"))
    assert check(registry) == []
    assert registry / "below" not in _directories([registry])
    assert registry / "app.yaml" in _look(gateway.watched)
