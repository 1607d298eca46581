"""``docs/gateway.md`` does not lie: its tables are the declarations, every row has a test, its code runs."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from asgi_express import load
from asgi_express.gateway import Gateway, _middleware
from tests.asgi import ask
from tests.gateway.page import FIELDS, OURS, PAGE, WIPPY, written
from tests.gateway.serving import ROUTER, project, route
from tests.relaying import Wire
from tests.security.signing import SECRET, sign

HERE = Path(__file__).parent
PATHS = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
TEXT = PAGE.read_text()
ROW = re.compile(r"\| ([a-z]+):(\w+) \|$", re.MULTILINE)
BLOCKS = {name: re.findall(rf"```{name}\n(.*?)```", TEXT, re.DOTALL) for name in ("python", "yaml")}

OTHERS = [block for block in BLOCKS["python"] if not block.startswith("# ")]


def names_in(file: str) -> set[str]:
    tree = ast.parse((HERE / f"test_{file}.py").read_text())
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_the_tables_are_what_the_declarations_say() -> None:
    assert written(TEXT) == TEXT


def test_every_row_names_a_test_that_there_is() -> None:
    rows = ROW.findall(TEXT)
    assert len(rows) > 120
    for file, name in {*rows, *(tuple(each.split(":")) for each in (*FIELDS.values(), WIPPY, OURS))}:
        assert f"test_{name}" in names_in(file)


def test_every_test_that_the_table_of_fields_names_is_in_a_row() -> None:
    assert {":".join(row) for row in ROW.findall(TEXT)} == {*FIELDS.values(), WIPPY, OURS}


@pytest.fixture
def written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the first blocks of the page to files, as their first lines say."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_middleware, "_registered", {})
    for block in (*BLOCKS["yaml"], *BLOCKS["python"]):
        name = re.match(r"# ([\w.]+)", block)
        if name is not None:
            (tmp_path / name[1]).write_text(block)
    return tmp_path


async def test_the_first_example_answers(written_down: Path) -> None:
    names: dict[str, Any] = {}
    exec((written_down / "main.py").read_text(), names)
    app = names["app"]
    assert isinstance(app, Gateway)
    assert (await ask(app, "/api/v1/users/7")).json == {"id": "7"}


async def test_the_second_file_lets_those_in_whose_token_names_the_group(written_down: Path) -> None:
    app = load("app.yaml", "tokens.yaml", environment={"JWT_SECRET": SECRET})
    for groups, expected in ((["staff"], 200), (["others"], 403)):
        token = sign(exp=int(time.time()) + 60, iat=None, groups=groups)
        answer = await ask(app, "/private/users/7", headers={"Authorization": f"Bearer {token}"})
        assert answer.status == expected
    assert (await ask(app, "/private/users/7")).status == 401
    assert (await ask(app, "/api/v1/users/7")).json == {"id": "7"}


async def test_the_other_examples_run(written_down: Path) -> None:
    login, registering, _ = OTHERS
    exec(registering, {"__name__": "example"})
    tokens = "- {name: memory, kind: store.memory}\n- {name: tokens, kind: security.token_store, store: memory}\n"
    users = "- name: p\n  kind: security.policy\n  groups: users\n  policy: {actions: a, resources: b, effect: allow}\n"
    router = ROUTER + "  middleware: [powered_by]\n  options: {powered_by.name: me}\n"
    (written_down / "session.py").write_text(login)
    endpoint = route("POST", "/login", "login", source="file://session.py")
    app = load(project(written_down, router, tokens, users, endpoint))
    answer = await ask(app, "/api/login", "POST", body=b'{"name": "ada"}', headers={"Content-Type": "application/json"})
    assert (answer.status, answer.headers["x-powered-by"]) == (201, "me")
    grant = await app.token_stores["app:tokens"].validate(answer.json["token"])
    assert grant is not None
    assert grant.actor.id == "ada"


async def test_the_room_of_the_page_repeats_what_is_said(written_down: Path) -> None:
    router = ROUTER + "  post_middleware: [websocket_relay]\n"
    endpoint = route("GET", "/chat", "chat", source="file://rooms.py")
    async with Wire(load(project(written_down, router, endpoint)), "/api/chat?room=7") as wire:
        await wire.next("websocket.accept")
        wire.say("hello")
        assert await wire.heard() == {"topic": "said", "data": "hello"}


async def test_the_program_serves_every_service_until_it_is_told_to_stop(written_down: Path) -> None:
    file = written_down / "app.yaml"
    file.write_text(file.read_text().replace(":8080", ":0"))
    (written_down / "serve.py").write_text(OTHERS[-1])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "serve.py", cwd=written_down, env=PATHS, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    async with asyncio.timeout(60):
        said = await process.stderr.readuntil(b" (Press")
        base_url = said.rpartition(b" running on ")[2].removesuffix(b" (Press").decode()
        async with httpx2.AsyncClient(base_url=base_url) as client:
            assert (await client.get("/api/v1/users/7")).json() == {"id": "7"}
        process.send_signal(signal.SIGINT)
        await process.communicate()
