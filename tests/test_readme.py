"""The README does not lie: its Python blocks run and answer as it says, its links lead somewhere."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


class Block(NamedTuple):
    """A Python block and the heading that it stands under."""

    heading: str
    source: str


class Call(NamedTuple):
    """A request and what must come back."""

    method: str
    path: str
    status: int
    answer: object
    body: object = None


def blocks() -> list[Block]:
    """Return the Python blocks, in order."""
    found = []
    heading = ""
    for part in re.finditer(r"^#+ (?P<heading>[^\n]+)$|^```python\n(?P<source>.*?)^```$", README, re.M | re.S):
        if part["heading"]:
            heading = part["heading"]
        else:
            found.append(Block(heading, part["source"]))
    return found


CALLS = {
    "Mounted in a host": [
        Call("GET", "/api/users/7", 200, {"id": "7", "url": "/api/users/7"}),
        Call("GET", "/users/7", 404, {"detail": "Not Found"}),
    ],
    "An application of its own": [
        Call("GET", "/", 200, "Hello"),
        Call("POST", "/echo", 201, {"a": [1, None]}, {"a": [1, None]}),
    ],
    "Middleware only": [Call("GET", "/api/", 200, "Hello")],
    "What you know from Express": [
        Call("GET", "/users/7", 200, {"id": 7}),
        Call("GET", "/last", 200, "GET /users/7 200"),
        Call("GET", "/users/700", 404, {"error": "No user 700"}),
        Call("GET", "/users/ada/notes", 200, {"rest": ["ada", "notes"]}),
        Call("GET", "/users/ada", 200, {"rest": ["ada"]}),
        Call("GET", "/users", 200, {"rest": []}),
    ],
}


def test_every_python_block_is_checked() -> None:
    assert [block.heading for block in blocks()] == list(CALLS)


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.heading)
async def test_a_python_block_runs_and_answers(block: Block) -> None:
    names: dict[str, Any] = {"__name__": "main"}
    exec(compile(block.source, f"README.md, {block.heading}", "exec"), names)
    transport = httpx2.ASGITransport(app=names["app"])
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
        for call in CALLS[block.heading]:
            answer = await client.request(call.method, call.path, json=call.body)
            is_json = answer.headers["content-type"].startswith("application/json")
            got = answer.json() if is_json else answer.text
            assert (answer.status_code, got) == (call.status, call.answer), call


async def test_the_middleware_marks_the_answers_of_the_router_and_of_the_host() -> None:
    source = next(block.source for block in blocks() if block.heading == "Middleware only")
    names: dict[str, Any] = {"__name__": "main"}
    exec(compile(source, "README.md", "exec"), names)
    transport = httpx2.ASGITransport(app=names["app"])
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
        inside = await client.get("/api/")
        assert inside.headers.get_list("x-powered-by") == ["asgi-express", "FastAPI"]
        outside = await client.get("/nowhere")
        assert outside.headers.get_list("x-powered-by") == ["FastAPI"]


PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for folder in (".", "docs", "examples", "benchmarks")
    for page in (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")
)


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_to_files_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text) if "://" not in link]
    missing = [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert missing == []


def test_it_opens_with_the_two_commands() -> None:
    assert re.findall(r"^\$ (make \w+)", README, re.M)[:2] == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^demo:", makefile, re.M)
    assert re.search(r"^test:", makefile, re.M)
