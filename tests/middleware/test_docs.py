"""The pages about middleware do not lie: their Python blocks run and answer, their tables name what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from asgi_express import middleware

PAGES = Path(__file__).parents[2] / "docs" / "middleware"


class Call(NamedTuple):
    """A request and what must come back."""

    method: str
    path: str
    status: int
    answer: object


CALLS: dict[str, list[list[Call]]] = {
    "compress": [
        [Call("GET", "/", 200, {"numbers": list(range(1000))})],
        [Call("GET", "/", 200, {"numbers": list(range(1000))})],
    ],
    "cors": [[Call("GET", "/", 200, {"hello": "world"})], [Call("GET", "/public/status", 200, {"status": "up"})]],
    "csrf": [
        [Call("POST", "/transfer", 200, {"sent": True})],
        [Call("POST", "/transfer", 200, {"sent": True}), Call("POST", "/hooks/paid", 200, {"ok": True})],
    ],
    "endpoint-firewall": [
        [Call("GET", "/health", 200, {"ok": True})],
        [
            Call("GET", "/users/ada", 200, {"id": "ada"}),
            Call("GET", "/users/eve", 403, {"reason": "default", "policy": None}),
            Call("GET", "/admin", 403, {"reason": "policy", "policy": "staff only"}),
        ],
        [
            Call("GET", "/health", 200, {"ok": True}),
            Call("GET", "/api/users/7?key=ada", 200, {"number": 7}),
        ],
    ],
    "error-handler": [
        [
            Call(
                "GET",
                "/orders/7",
                409,
                {
                    "type": "about:blank",
                    "title": "Conflict",
                    "status": 409,
                    "code": "order.closed",
                    "detail": "order 7 is closed",
                },
            )
        ],
        [Call("GET", "/slow", 503, {"error": "later"})],
    ],
    "metrics": [
        [Call("GET", "/orders/7", 200, {"id": "7"})],
        [Call("GET", "/orders/7", 200, {"number": 7})],
    ],
    "otel": [
        [Call("GET", "/users/7", 200, {"id": "7"})],
        [Call("GET", "/users/7", 200, {"number": 7, "traced": True})],
    ],
    "ratelimit": [
        [Call("GET", "/", 200, {"hello": "world"})],
        [
            Call("POST", "/login", 200, {"right": False}),
            Call("POST", "/login", 200, {"right": False}),
            Call(
                "POST",
                "/login",
                429,
                {
                    "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
                    "title": "Too Many Requests",
                    "violated-policies": ["second"],
                    "status": 429,
                },
            ),
            Call("POST", "/checked-login", 200, {"right": True}),
            Call("POST", "/checked-login", 200, {"right": True}),
            Call("POST", "/checked-login", 200, {"right": True}),
        ],
    ],
    "real-ip": [
        [Call("GET", "/", 200, {"client": "127.0.0.1", "scheme": "https"})],
        [Call("GET", "/", 200, {"client": "127.0.0.1", "peer": "127.0.0.1"})],
    ],
    "resource-firewall": [
        [Call("GET", "/", 200, {"ok": True})],
        [Call("GET", "/reports/7?key=ada", 200, {"number": 7})],
    ],
    "sendfile": [
        [Call("GET", "/reports/7", 200, {"id": 7})],
        [Call("GET", "/files/7", 200, {"id": 7}), Call("GET", "/files/8", 410, {"error": "gone"})],
    ],
    "sse-relay": [
        [Call("GET", "/", 200, {"processes": 0})],
        [Call("POST", "/tell/nobody", 200, {"taken": False})],
    ],
    "token-auth": [
        [
            Call("GET", "/me", 200, {"user": None}),
            Call("POST", "/login", 200, {"ok": True}),
            Call("GET", "/me", 200, {"user": "ada"}),
        ],
        [Call("GET", "/may", 200, {"read": False}), Call("POST", "/keys", 200, {"length": 87})],
        [Call("GET", "/me", 200, {"user": None})],
    ],
    "websocket-relay": [
        [Call("GET", "/rooms/7", 200, {"exists": False})],
        [Call("GET", "/count", 200, {"processes": 0}), Call("GET", "/live/eve", 403, {"detail": "Forbidden"})],
    ],
    "session": [
        [Call("GET", "/", 200, {"visits": 1}), Call("GET", "/", 200, {"visits": 2})],
        [
            Call("GET", "/me", 200, {"user": None}),
            Call("POST", "/login", 200, {"user": "ada"}),
            Call("GET", "/me", 200, {"user": "ada"}),
            Call("POST", "/logout", 200, {"user": None}),
            Call("GET", "/me", 200, {"user": None}),
        ],
    ],
}
"""For each page and each of its Python blocks, in order."""


PAGE_OF = {
    "EndpointFirewall": "endpoint-firewall",
    "ErrorHandler": "error-handler",
    "RealIP": "real-ip",
    "ResourceFirewall": "resource-firewall",
    "SSERelay": "sse-relay",
    "TokenAuth": "token-auth",
    "WebSocketRelay": "websocket-relay",
}


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def blocks(name: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)


def test_every_block_of_every_page_is_run() -> None:
    assert {path.stem: len(blocks(path.stem)) for path in PAGES.glob("*.md")} == {
        name: len(calls) for name, calls in CALLS.items()
    }


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        pytest.param(source, calls, id=f"{name}-{number}")
        for name, each in CALLS.items()
        for number, (source, calls) in enumerate(zip(blocks(name), each, strict=True))
    ],
)
async def test_a_block_runs_and_answers(
    source: str, calls: list[Call], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "7.json").write_text('{"id": 7}')
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "main"}
    exec(compile(source, "docs", "exec"), names)
    transport = httpx2.ASGITransport(app=names["app"])
    async with httpx2.AsyncClient(transport=transport, base_url="https://testserver") as client:
        for call in calls:
            answer = await client.request(call.method, call.path)
            assert (answer.status_code, answer.json()) == (call.status, call.answer), call


@pytest.mark.parametrize("name", middleware.__all__)
def test_a_page_lists_every_option_with_its_default(name: str) -> None:
    table = page(PAGE_OF.get(name, name.lower())).partition("\n## Options\n")[2].partition("\n## ")[0]
    listed = " ".join(re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE))
    options = inspect.signature(getattr(middleware, name)).parameters
    assert set(re.findall(r"`(\w+)`", listed)) == set(options)
    rows = [row for row in table.splitlines() if row]
    for option in options.values():
        if isinstance(option.default, str | bool):
            row = next(row for row in rows if f"`{option.name}`" in row.split("|")[1])
            assert f'`"{option.default}"`' in row or f"`{option.default}`" in row, option


@pytest.mark.parametrize("name", CALLS)
def test_the_tests_that_a_page_names_are_there(name: str) -> None:
    here = Path(__file__).parent
    text = "".join(
        path.read_text(encoding="utf-8") for path in [*here.rglob("*.py"), *here.parent.glob("browser/*.py")]
    )
    named = set(re.findall(r"`(test_\w+|[A-Z]{3,})`", page(name))) - {"GET", "HEAD", "WEBSOCKET"}
    assert len(named) > 5
    assert [test for test in named if not re.search(rf"^(async def |def )?{test}\b", text, re.MULTILINE)] == []


PEERS = "\n## Beside its peers\n"


@pytest.mark.parametrize("name", [name for name in CALLS if PEERS in page(name)])
def test_every_row_beside_the_peers_names_a_test(name: str) -> None:
    lines = page(name).partition(PEERS)[2].partition("\n## ")[0].splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert len(rows) > 5
    assert {len(row) for row in rows} == {len(head)}
    assert [row[0] for row in rows if not re.fullmatch(r"(`(test_\w+|[A-Z]{3,})`(, )?)+", row[-1])] == []
