"""The benchmarks run, every framework in them answers right, and a request does no more than it may."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores.redis_server import executable

ROOT = Path(__file__).parent.parent
BUDGET = ROOT / "benchmarks" / "budget.json"
FRAMEWORKS = ("raw", "asgi-express", "starlette", "fastapi", "litestar", "falcon", "blacksheep")
SHORT = ("--rounds", "2", "--requests", "1")


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def first_cells(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the first cell of every row of every table."""
    assert done.returncode == 0, done.stderr
    return re.findall(r"^\| ([^|]+?) \|", done.stdout, re.M)


def test_the_benchmark_checks_every_framework_and_prints_one_table() -> None:
    pytest.importorskip("falcon")
    pytest.importorskip("blacksheep")
    done = run("benchmarks.in_process", *SHORT)
    rows = [cell.split(" ")[0] for cell in first_cells(done)]
    assert rows == [*FRAMEWORKS, *FRAMEWORKS], done.stdout  # the ratios, then the times


def test_the_benchmark_of_failures_sees_redis_go_and_come_back() -> None:
    executable()
    options = ["--clients", "4", "--calm", "0.3", "--fault", "0.5", "--only", "stopped", "closed"]
    done = run("benchmarks.redis_failures", *options)
    assert done.returncode == 0, done.stderr
    *_, row = done.stdout.splitlines()
    assert re.fullmatch(
        r"\| stopped \| `closed` \| [+-][\d.]+ ms \| [\d.]+ ms \| .*\d+ × 503 \| \d+ ms \| \d+ \|", row
    ), done.stdout


@pytest.mark.parametrize(
    ("module", "options", "rows"),
    [
        ("depth", (), {"asgi-express", "starlette", "falcon", "blacksheep", "raw"}),
        ("full_stack", (), {"asgi-express", "starlette"}),
        ("parts", (), {"two", "RealIP", "EndpointFirewall"}),
        ("static_files", (), {"asgi-express", "starlette", "whitenoise", "servestatic"}),
        ("middleware", (), {"RealIP", "CORS", "Compress", "RateLimit,", "Session", "TokenAuth", "ErrorHandler"}),
    ],
)
def test_a_comparison_checks_its_answers_and_prints_its_tables(
    module: str, options: tuple[str, ...], rows: set[str]
) -> None:
    for needed in ("falcon", "blacksheep", "slowapi", "brotli_asgi", "starlette_compress", "servestatic", "whitenoise"):
        pytest.importorskip(needed)
    done = run(f"benchmarks.{module}", *SHORT, *options)
    assert rows <= {cell.split(" ")[0] for cell in first_cells(done)}, done.stdout


def test_over_http_a_client_counts_answers_where_there_is_no_wrk() -> None:
    pytest.importorskip("httptools")
    options = ("--client", "python", "--server", "uvicorn", "--only", "asgi_express", "--rounds", "2")
    done = run("benchmarks.http", *options, "--seconds", "0.2", "--connections", "2")
    rates = re.findall(r"^\| (?:raw|asgi-express)[^|]* \| uvicorn \| (\d+) ", done.stdout, re.M)
    assert done.returncode == 0, done.stderr
    assert len(rates) == 6, done.stdout  # two frameworks, three requests
    assert all(int(rate) > 0 for rate in rates), done.stdout


def test_routes_are_compared_and_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "routes.svg"
    done = run("benchmarks.routes", *SHORT, "--only", "asgi_express", "--plot", str(picture))
    assert {"raw ASGI", "`/:tenant/section{n}/:id`"} <= set(first_cells(done)), done.stdout
    assert picture.read_text().count("<circle") == 10  # two frameworks, five sizes


def test_every_table_runs_by_its_name_and_an_unknown_one_is_refused() -> None:
    done = run("benchmarks", "memory", "imports", "--rounds", "2")
    assert "asgi_express._pattern" in done.stdout, done.stdout + done.stderr
    assert first_cells(done)[0].startswith("KiB for each 1,000"), done.stdout
    refused = run("benchmarks", "speed")
    assert refused.returncode == 2
    assert "there is no table speed" in refused.stderr


def test_a_request_does_no_more_than_its_budget() -> None:
    done = run("benchmarks.gate")
    assert done.returncode == 0, done.stderr


def test_a_request_that_does_more_than_its_budget_is_named_with_what_it_does(tmp_path: Path) -> None:
    budget = json.loads(BUDGET.read_text())
    budget["hello"]["Python calls"] = budget["hello"]["Python calls"] * 9 // 10
    strict = tmp_path / "budget.json"
    strict.write_text(json.dumps(budget))
    done = run("benchmarks.gate", "--budget", str(strict))
    assert done.returncode == 1, done.stdout
    assert re.search(
        rf"hello: \d+ Python calls, the budget is {budget['hello']['Python calls']} \(\+1\d%\)", done.stderr
    )
    assert "JSON echo" not in done.stderr


def test_the_gate_writes_the_budget_that_it_counts(tmp_path: Path) -> None:
    written = tmp_path / "budget.json"
    assert run("benchmarks.gate", "--write", "--budget", str(written)).returncode == 0
    assert run("benchmarks.gate", "--budget", str(written)).returncode == 0
    assert list(json.loads(written.read_text())) == list(json.loads(BUDGET.read_text()))
