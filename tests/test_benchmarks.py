"""The benchmark runs, and every framework in it answers right."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores.redis_server import executable

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


def test_the_benchmark_of_failures_sees_redis_go_and_come_back() -> None:
    executable()
    options = ["--clients", "4", "--calm", "0.3", "--fault", "0.5", "--only", "stopped", "closed"]
    command = [sys.executable, "-m", "benchmarks.redis_failures", *options]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *_, row = done.stdout.splitlines()
    assert re.fullmatch(
        r"\| stopped \| `closed` \| [+-][\d.]+ ms \| [\d.]+ ms \| .*\d+ × 503 \| \d+ ms \| \d+ \|", row
    ), done.stdout
