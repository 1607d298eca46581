"""What ``serve`` and ``run`` start answers, reloads, and ends when it is told to."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from asgi_express.gateway._middleware import _registered
from tests.cli.terminal import answers, command, free_port, interrupting, program, write
from tests.gateway.certificates import Authority
from tests.gateway.serving import ROUTER, entries, route

ROOT = Path(__file__).parent.parent.parent
SERVICE = '- {{name: gateway, kind: http.service, addr: "127.0.0.1:{port}"}}\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    handlers = list(logging.getLogger().handlers)
    yield tmp_path
    logging.getLogger().handlers[:] = handlers
    sys.modules.pop("shop", None)


def gateway(here: Path, port: int = 0, *more: str, says: str = "hi") -> None:
    write(here / "handlers.py", f"def hello(req, res):\n    res.send({says!r})\n")
    service = SERVICE.format(port=port)
    (here / "app.yaml").write_text(entries(ROUTER, route("GET", "/hello", "hello"), *more, service=service))


def shop(here: Path) -> None:
    write(here / "shop.py", """
        import asgi_express as express
        app = express.Express()
        app.get("/hello", lambda req, res: res.send("hi"))
        number = 7
    """)  # fmt: skip


# -- serve


async def test_serve_answers_at_once_reloads_and_ends_with_0(here: Path) -> None:
    gateway(here)
    async with program("serve", "--reload", cwd=here) as running, httpx2.AsyncClient() as client:
        line = await running.until("app:gateway listens on http://127.0.0.1:")
        url = line.split()[-1] + "/api/hello"
        assert (await client.get(url)).text == "hi"
        gateway(here, says="changed")
        await running.until("the gateway was reloaded")
        assert (await client.get(url)).text == "changed"
        (here / "app.yaml").write_text("entries: [")
        await running.until("the gateway was not reloaded, and goes on as it was")
        assert (await client.get(url)).text == "changed"
        assert await running.end(signal.SIGTERM) == 0
        assert "Traceback" not in "".join(running.lines)
        assert "detected" not in "".join(running.lines)  # the words of watchfiles, which tell nothing more


async def test_the_example_of_the_gateway_answers_at_once(tmp_path: Path) -> None:
    port, database = str(free_port()), str(tmp_path / "users.db")
    async with (
        program("serve", "examples/gateway/app.yaml", cwd=ROOT, PORT=port, USERS_DB=database) as running,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        await running.until("app:gateway listens on")
        assert (await client.get("/api/v1/users")).status_code == 401
        login = await client.post("/api/v1/session", json={"id": "ada", "password": "enchantress"})
        headers = {"Authorization": f"Bearer {login.json()['token']}"}
        assert (await client.get("/api/v1/users", headers=headers)).json()[0]["name"] == "Ada"
        assert await running.end(signal.SIGTERM) == 0


async def test_serve_without_reload_takes_new_files_on_sighup_only(here: Path) -> None:
    gateway(here)
    async with program("serve", cwd=here) as running, httpx2.AsyncClient() as client:
        url = (await running.until("listens on")).split()[-1] + "/api/hello"
        gateway(here, says="changed")
        assert (await client.get(url)).text == "hi"
        running.process.send_signal(signal.SIGHUP)
        await running.until("the gateway was reloaded")
        assert (await client.get(url)).text == "changed"
        assert await running.end(signal.SIGINT) == 0


WAITING = """
    import sys

    print("being imported", file=sys.stderr, flush=True)
    open("start").read()  # until the test writes into the pipe

    async def hello(req, res):
        print("under way", file=sys.stderr, flush=True)
        await res.write("hi")
        await req.text()
        res.end("!")
"""


async def test_a_hangup_while_it_starts_is_a_reload_and_one_while_it_stops_is_nothing(here: Path) -> None:
    gateway(here)
    os.mkfifo(here / "start")
    write(here / "handlers.py", WAITING)
    (here / "app.yaml").write_text((here / "app.yaml").read_text().replace("method: GET", "method: POST"))
    async with program("serve", cwd=here) as running, httpx2.AsyncClient() as client:
        await running.until("being imported")
        running.process.send_signal(signal.SIGHUP)
        gateway(here)
        write(here / "handlers.py", WAITING.replace('open("start").read()', ""))
        (here / "app.yaml").write_text((here / "app.yaml").read_text().replace("method: GET", "method: POST"))
        (here / "start").write_text("")
        url = (await running.until("listens on")).split()[-1] + "/api/hello"
        await running.until("the gateway was reloaded")
        release = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"x"
            await release.wait()

        asking = asyncio.create_task(client.post(url, content=body()))
        await running.until("under way")
        running.process.send_signal(signal.SIGTERM)
        await running.until("Waiting for connections to close")
        running.process.send_signal(signal.SIGHUP)
        release.set()
        assert (await asking).text == "hi!"
        assert await running.process.wait() == 0


def test_serve_in_this_process_reloads_for_a_hangup_while_it_started(here: Path) -> None:
    gateway(here, port := free_port())
    write(here / "handlers.py", """
        import os
        import signal
        from pathlib import Path

        told = Path("told")
        says = "anew" if told.exists() else "at first"
        if not told.exists():
            told.touch()
            os.kill(os.getpid(), signal.SIGHUP)

        def hello(req, res):
            res.send(says)
    """)  # fmt: skip
    seen: list[str] = []

    def act(url: str) -> None:
        while not seen or seen[-1] != "anew":
            seen.append(httpx2.get(f"{url}/api/hello").text)

    interrupting(port, act, signal.SIGTERM)
    assert command("serve").exit_code == 0
    assert seen[-1] == "anew"


async def test_serve_encrypts_where_the_file_says_so(here: Path) -> None:
    authority = Authority(here)
    authority.certify("server")
    secure = """\
    - name: gateway
      kind: http.service
      addr: "127.0.0.1:0"
      tls: {mode: manual, cert: file://server.pem, key: file://server.key}
    """
    write(here / "handlers.py", "def hello(req, res):\n    res.send('hi')\n")
    (here / "app.yaml").write_text(entries(ROUTER, route("GET", "/hello", "hello"), service=secure))
    trusting = ssl.create_default_context(cafile=here / "ca.pem")
    async with program("serve", cwd=here) as running, httpx2.AsyncClient(verify=trusting) as client:
        url = (await running.until("app:gateway listens on https://127.0.0.1:")).split()[-1]
        assert (await client.get(f"{url}/api/hello")).text == "hi"
        assert await running.end(signal.SIGTERM) == 0


def test_serve_runs_several_services_side_by_side(here: Path) -> None:
    first, second = free_port(), free_port()
    admin = f'- {{name: admin, kind: http.service, addr: "127.0.0.1:{second}"}}\n'
    asleep = '- {name: asleep, kind: http.service, addr: "127.0.0.1:0", lifecycle: {auto_start: false}}\n'
    gateway(here, first, admin, asleep)
    seen: list[int] = []

    def act(url: str) -> None:
        seen.append(httpx2.get(f"{url}/api/hello").status_code)
        seen.append(httpx2.get(f"http://127.0.0.1:{first}/api/hello").status_code)

    interrupting(second, act, signal.SIGTERM)
    result = command("serve")
    assert (result.exit_code, seen) == (0, [404, 200])
    assert re.findall(r"^(\S+) listens on", result.stderr, re.M) == ["app:gateway", "app:admin"]


def test_serve_of_what_is_not_there_or_does_not_start_is_told(here: Path) -> None:
    gateway(here)
    words = "error: there is no service 'app:x'; there are app:gateway\n"
    assert (command("serve", "--service", "app:x").exit_code, command("serve", "--service", "app:x").stderr) == (
        3,
        words,
    )
    asleep = '- {name: gateway, kind: http.service, addr: ":0", lifecycle: {auto_start: false}}\n'
    (here / "app.yaml").write_text(entries(service=asleep))
    result = command("serve")
    assert result.exit_code == 3
    assert result.stderr == "error: no service starts by itself (lifecycle.auto_start); name one with --service\n"


def test_serve_of_what_cannot_start_is_told(here: Path) -> None:
    write(here / "slow.py", """
        import asyncio
        import asgi_express.gateway

        class Slow:
            def __init__(self, app):
                self.app = app

            async def __call__(self, scope, receive, send):
                await receive()
                await asyncio.sleep(60)

        asgi_express.gateway.register("slow", Slow)
        def hello(req, res): ...
    """)  # fmt: skip
    service = '- {name: gateway, kind: http.service, addr: "127.0.0.1:0", lifecycle: {start_timeout: 10ms}}\n'
    router = ROUTER + "  middleware: [slow]\n"
    (here / "app.yaml").write_text(entries(router, route("GET", "/x", "hello", source="module:slow"), service=service))
    sys.path.insert(0, str(here))
    __import__("slow")
    try:
        result = command("serve")
    finally:
        del sys.modules["slow"], _registered["slow"]
    assert result.exit_code == 3
    assert result.stderr == "error: app:gateway did not start within 0.01 seconds (start_timeout)\n"


def test_serve_on_an_address_in_use_is_told(here: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway(here, port)
        result = command("serve", "--service", "app:gateway")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"error: app:gateway cannot listen on 127.0.0.1:{port}: ")


def test_serve_of_a_module_names_run() -> None:
    result = command("serve", "shop:app")
    assert result.exit_code == 2
    assert "for a Python application: asgi-express run shop:app" in result.stderr


# -- run


@pytest.mark.parametrize("server", ["uvicorn", "granian", "hypercorn"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_run_serves_a_module_under_each_server_and_ends_with_0(here: Path, server: str, number: int) -> None:
    shop(here)
    port = free_port()
    async with program("run", "shop:app", "--server", server, "--port", str(port), cwd=here) as running:
        assert (await answers(f"http://127.0.0.1:{port}/hello")).text == "hi"
        assert await running.end(number) == 0
        assert "Traceback" not in "".join(running.lines)


async def test_run_starts_several_workers(here: Path) -> None:
    shop(here)
    port = free_port()
    async with program("run", "shop:app", "--workers", "2", "--port", str(port), cwd=here) as running:
        assert (await answers(f"http://127.0.0.1:{port}/hello")).text == "hi"
        await running.until("Application startup complete")
        await running.until("Application startup complete")
        assert await running.end(signal.SIGTERM) == 0


async def test_run_starts_anew_when_a_file_changes(here: Path) -> None:
    async def save() -> None:
        while True:
            shop(here)
            await asyncio.sleep(1)

    write(here / "shop.py", "app = None\n")  # it is no application yet
    async with program("run", "shop:app", "--reload", "--port", str(port := free_port()), cwd=here) as running:
        await running.until("Started reloader process")
        await running.until("Started server process")
        saving = asyncio.create_task(save())  # until it is seen: the watcher may not look yet
        await running.until("Reloading")
        saving.cancel()
        await running.until("Started server process")
        assert (await answers(f"http://127.0.0.1:{port}/hello")).text == "hi"
        assert await running.end(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("server", "number"),
    [("uvicorn", signal.SIGINT), ("uvicorn", signal.SIGTERM), ("granian", signal.SIGINT), ("hypercorn", signal.SIGINT)],
)
def test_run_in_this_process_serves_until_it_is_told_to_stop(here: Path, server: str, number: int) -> None:
    shop(here)
    port = free_port()
    seen: list[str] = []
    interrupting(port, lambda url: seen.append(httpx2.get(f"{url}/hello").text), number)
    result = command("run", "shop:app", "--port", str(port), "--server", server)
    assert (result.exit_code, seen) == (0, ["hi"])


def test_run_on_an_address_in_use_is_told_before_anything_starts(here: Path) -> None:
    shop(here)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = command("run", "shop:app", "--port", str(port))
    assert result.exit_code == 3
    assert result.stderr == f"error: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert command("run", "shop:app", "--host", "::zz").stderr.startswith("error: cannot listen on ::zz:8000: ")


@pytest.mark.parametrize(("server", "line"), [("uvicorn", "'asgi-express[server]'"), ("granian", "granian")])
def test_a_server_that_is_not_installed_is_named_with_the_line_that_installs_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, server: str, line: str
) -> None:
    shop(here)
    monkeypatch.setitem(sys.modules, server, None)
    monkeypatch.setitem(sys.modules, f"{server}.constants", None)
    result = command("run", "shop:app", "--server", server, "--port", "0")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"error: {server} cannot be imported (")
    assert result.stderr.endswith(f"): pip install {line}\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["app.yaml"], 2, "for YAML files: asgi-express serve app.yaml"),
        (["shop:app", "--reload", "--workers", "2"], 2, "--reload is for one process, and --workers for several"),
        (["shop:number"], 3, "shop:number is not an application: it cannot be called"),
        (["shop:app", "--server", "apache"], 2, "'apache' is not one of"),
        (["shop:app", "--port", "70000"], 2, "70000 is not in the range"),
    ],
)
def test_run_refuses_what_it_cannot_run(here: Path, arguments: list[str], code: int, words: str) -> None:
    shop(here)
    result = command("run", *arguments)
    assert result.exit_code == code
    assert words in result.stderr
