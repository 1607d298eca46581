"""The benchmark runs, and every framework in it answers right."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FRAMEWORKS = ("raw", "asgi-express", "starlette", "fastapi", "litestar", "falcon", "blacksheep")


def test_the_benchmark_checks_every_framework_and_prints_one_table() -> None:
    pytest.importorskip("falcon")
    pytest.importorskip("blacksheep")
    command = [sys.executable, "-m", "benchmarks.in_process", "--rounds", "2", "--requests", "1"]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^\| ([\w-]+) ", done.stdout, re.M)
    assert rows == [*FRAMEWORKS, *FRAMEWORKS], done.stdout  # the ratios, then the times
