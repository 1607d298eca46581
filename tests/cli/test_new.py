"""A new project runs, and passes its own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import command, program


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("options", [[], ["--gateway"]], ids=["application", "gateway"])
def test_a_new_project_passes_its_own_tests(here: Path, options: list[str]) -> None:
    result = command("new", "shop", *options)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("cd shop && asgi-express ")
    assert (here / "shop/.gitignore").is_file()
    assert "{{" not in "".join(path.read_text() for path in (here / "shop").rglob("*") if path.is_file())
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "ignore::pytest.PytestWarning"],
        cwd=here / "shop", env=os.environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{4 if not options else 2} passed" in ran.stdout


@pytest.mark.parametrize("options", [[], ["--gateway"]], ids=["application", "gateway"])
async def test_a_new_project_can_be_listed_and_explained(here: Path, options: list[str]) -> None:
    command("new", "shop", *options)
    path = "/notes/1" if not options else "/api/greetings/you"
    async with program("explain", "GET", path, cwd=here / "shop") as asked:
        out, err = await asked.process.communicate()
    assert (asked.process.returncode, err.decode()) == (0, "")
    assert out.decode().splitlines()[-1].endswith(" answers")


def test_a_directory_that_is_not_empty_is_left_alone(here: Path) -> None:
    (here / "shop").mkdir()
    (here / "shop/mine").touch()
    result = command("new", "shop")
    assert (result.exit_code, result.stderr) == (3, "error: shop is not empty\n")
    assert [path.name for path in (here / "shop").iterdir()] == ["mine"]


def test_a_name_that_no_project_can_have_is_refused() -> None:
    result = command("new", "my shop!")
    assert result.exit_code == 3
    assert result.stderr.startswith("error: 'my shop!' cannot be the name of a project")
