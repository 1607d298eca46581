"""No page lies: every Python block of every page is run by some test; here are those that no other test has."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from asgi_express import Router
from tests import test_docs, test_guides, test_readme
from tests.asgi import ask
from tests.gateway import test_page as gateway_page
from tests.middleware import test_docs as test_middleware_pages

ROOT = Path(__file__).parent.parent


class Block(NamedTuple):
    """What is asked of a block.

    Attributes:
        answers: the texts that its ``app`` answers, by target. A block without any asserts by itself.
        prepare: what it leaves to the reader.
    """

    answers: Mapping[str, str] = {}
    prepare: Callable[[dict[str, Any]], object] = bool


def dispatched(names: dict[str, Any]) -> None:
    rest = Router().get("/apiary", lambda req, res: res.send("the rest"))
    names["app"] = names["PrefixDispatcher"]("/api", names["router"], rest)


def at_home(names: dict[str, Any]) -> None:
    assert names["app"].services  # and not a database beside the example: none of its functions has run


def routed(names: dict[str, Any]) -> None:
    names["router"].get("/", lambda req, res: res.send("the router"))


BLOCKS: dict[str, list[Block]] = {
    "docs/channels.md": [
        *(Block(), Block(), Block(), Block()),
        Block({"/users/7?name=ada": '{"user":"7","name":"ada"}', "/users/8": '{"user":"8","name":"nobody"}'}),
    ],
    "docs/hosts.md": [
        Block({"/api/users/a%2Fb": '{"id":"a/b","base":"/api"}'}),
        Block({"/api/users/a%2Fb": '{"id":"a/b","base":"/api"}', "/apiary": "the rest"}, dispatched),
        Block({"/api/": "the router"}, routed),
        Block({"/old/a": "/old /a"}),
    ],
    "examples/gateway/README.md": [
        Block({"/": (ROOT / "examples/gateway/public/index.html").read_text("utf-8")}, at_home)
    ],
    "docs/explorer.md": [
        Block({"/users/7": "user 7"}),
        Block({"/": "Welcome"}),
        Block({"/api/users": "all users"}),
        Block({"/": (ROOT / "examples/gateway/public/index.html").read_text("utf-8")}),
    ],
    "docs/security.md": [Block(), Block(), Block(), Block(), Block(), Block()],
}


def pages() -> list[str]:
    folders = [ROOT / name for name in ("docs", "examples", "benchmarks")]
    found = [*ROOT.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))]
    return sorted(page.relative_to(ROOT).as_posix() for page in found)


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def sources(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", read(page), re.M | re.S)


def count(page: str) -> int:
    """Count what a reader takes for a block of Python, however it is marked."""
    return len(re.findall(r"^[ >]*(?:```+|~~~+) *(?:python|py)", read(page), re.M | re.I))


def test_every_python_block_of_every_page_is_run_by_a_test() -> None:
    run = {
        "README.md": len(test_readme.CALLS),
        "docs/migrating-from-express.md": len(test_docs.sections()),
        **{f"docs/middleware/{name}.md": len(calls) for name, calls in test_middleware_pages.CALLS.items()},
        **{f"docs/{page}": len(test_guides.blocks(page)) for page in test_guides.GUIDES},
        "docs/gateway.md": len(gateway_page.BLOCKS["python"]),
        **{page: len(blocks) for page, blocks in BLOCKS.items()},
    }
    assert {page: count(page) for page in pages() if count(page)} == run


@pytest.mark.parametrize(
    ("source", "block"),
    [
        pytest.param(source, block, id=f"{Path(page).stem}-{number}")
        for page, blocks in BLOCKS.items()
        for number, (source, block) in enumerate(zip(sources(page), blocks, strict=True))
    ],
)
def test_a_block_runs_and_answers(source: str, block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    main = ModuleType("main")
    monkeypatch.setitem(sys.modules, "main", main)  # where Litestar looks for the types of a handler
    exec(compile(source, "docs", "exec"), vars(main))
    block.prepare(vars(main))
    assert block.answers or re.search(r"^ *assert ", source, re.M)
    for target, text in block.answers.items():
        answer = asyncio.run(ask(main.app, target))
        assert (answer.status, answer.text) == (200, text), target
