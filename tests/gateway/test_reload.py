"""New files while requests come: none is lost, and what was there goes on where the new ones are wrong."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest

from asgi_express import load, next_app
from asgi_express.errors import ExpressError
from asgi_express.gateway import Gateway, GatewayError
from asgi_express.gateway._sources import signature_of
from asgi_express.gateway.reloading import _directories, changes, reloading
from asgi_express.types import ASGIApp, Receive, Scope, Send
from tests.asgi import ask
from tests.gateway.serving import HEAD, ROUTER, SERVICE, entries, project, route, serving

PATIENCE = 20.0


def handlers(version: str) -> str:
    return f"""
        async def show(req, res):
            res.send("{version}")
    """


def versioned(tmp_path: Path, version: str, router: str = ROUTER) -> Path:
    return project(tmp_path, router, route("GET", "/version", "show"), handlers=handlers(version))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "asgi_express.gateway")
    return caplog


async def until(told: Callable[[], Any]) -> None:
    """Wait until something is the case."""
    async with asyncio.timeout(PATIENCE):
        while not told():
            await asyncio.sleep(0.01)


class Journal:
    """A middleware that writes down when it starts and stops, and holds requests that ask for it."""

    events: ClassVar[list[str]] = []
    held: ClassVar[dict[str, asyncio.Event]] = {}

    def __init__(self, app: ASGIApp = next_app, *, name: str = "") -> None:
        self.app = app
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self.events.append(f"start {self.name}")
            await self.app(scope, receive, send)
            self.events.append(f"stop {self.name}")
            return
        if scope["query_string"] == b"wait":
            self.events.append(f"hold {self.name}")
            await self.held[self.name].wait()
        await self.app(scope, receive, send)


@pytest.fixture
def journal() -> type[Journal]:
    Journal.events = []
    Journal.held = {"one": asyncio.Event(), "two": asyncio.Event()}
    return Journal


def journaled(name: str) -> str:
    return ROUTER + f"  middleware: [journal]\n  options: {{journal.name: {name}}}\n"


async def test_a_reload_serves_the_new_files(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    gateway = load(versioned(tmp_path, "one"))
    assert (await ask(gateway, "/api/version")).text == "one"
    versioned(tmp_path, "two")
    assert (await ask(gateway, "/api/version")).text == "one"
    await gateway.reload()
    assert (await ask(gateway, "/api/version")).text == "two"
    assert "the gateway was reloaded" in log.text


async def test_a_broken_new_file_leaves_the_old_one_serving_and_says_why(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    path = versioned(tmp_path, "one")
    gateway = load(path)
    path.write_text(path.read_text().replace("prefix: /api", "prefx: /api"))
    with pytest.raises(GatewayError) as raised:
        await gateway.reload()
    assert [problem.code for problem in raised.value.problems] == ["unknown-field"]
    assert "goes on as it was" in log.text
    assert f"{path}:10: app:api: http.router has no field 'prefx'" in log.text
    assert (await ask(gateway, "/api/version")).text == "one"


async def test_a_new_file_that_would_end_the_program_leaves_the_old_one_serving(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    gateway = load(versioned(tmp_path, "one"))
    async with watched(gateway, watch=False):
        project(tmp_path, ROUTER, route("GET", "/version", "show"), handlers="raise SystemExit(4)")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "cannot be imported: SystemExit: 4" in log.text)
        assert (await ask(gateway, "/api/version")).text == "one"
        versioned(tmp_path, "two")
        os.kill(os.getpid(), signal.SIGHUP)
        await version_is(gateway, "two")


async def test_a_request_under_way_ends_with_what_it_began_with_which_then_stops(
    tmp_path: Path, journal: type[Journal]
) -> None:
    gateway = load(versioned(tmp_path, "one", journaled("one")), middleware={"journal": journal})
    async with gateway.lifespan_context():
        waiting = asyncio.create_task(ask(gateway, "/api/version?wait"))
        await until(lambda: "hold one" in journal.events)
        versioned(tmp_path, "two", journaled("two"))
        await gateway.reload()
        assert (await ask(gateway, "/api/version")).text == "two"
        assert journal.events == ["start one", "hold one", "start two"]
        journal.held["one"].set()
        assert (await waiting).text == "one"
        await until(lambda: "stop one" in journal.events)
        assert journal.events == ["start one", "hold one", "start two", "stop one"]
    assert journal.events[-1] == "stop two"


async def test_the_end_of_the_server_ends_what_an_earlier_reload_left(tmp_path: Path, journal: type[Journal]) -> None:
    gateway = load(versioned(tmp_path, "one", journaled("one")), middleware={"journal": journal})
    async with gateway.lifespan_context():
        waiting = asyncio.create_task(ask(gateway, "/api/version?wait"))
        await until(lambda: "hold one" in journal.events)
        versioned(tmp_path, "two", journaled("two"))
        await gateway.reload()
    assert journal.events == ["start one", "hold one", "start two", "stop one", "stop two"]
    journal.held["one"].set()
    assert (await waiting).text == "one"


class Failing(Journal):
    """A middleware that cannot start, or stop."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        await receive()
        if self.name == "start":
            await send({"type": "lifespan.startup.failed", "message": "no disk"})
        elif self.name == "hang":
            await asyncio.Event().wait()
        else:
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.failed", "message": "no pen"})


async def test_files_that_cannot_start_leave_the_old_ones_serving(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    gateway = load(versioned(tmp_path, "one"), middleware={"journal": Failing})
    async with gateway.lifespan_context():
        versioned(tmp_path, "two", journaled("start"))
        with pytest.raises(ExpressError, match="no disk"):
            await gateway.reload()
        assert (await ask(gateway, "/api/version")).text == "one"
    assert "goes on as it was" in log.text


async def test_a_start_that_is_given_up_leaves_nothing_behind(tmp_path: Path, journal: type[Journal]) -> None:
    router = ROUTER + "  middleware: [journal, failing]\n  options: {journal.name: one, failing.name: hang}\n"
    gateway = load(versioned(tmp_path, "one", router), middleware={"journal": journal, "failing": Failing})
    names = {name for name in sys.modules if name.startswith("_gateway_")}
    starting = asyncio.create_task(gateway.lifespan_context().__aenter__())
    await until(lambda: "start one" in journal.events)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert journal.events == ["start one", "stop one"]
    assert len(names & sys.modules.keys()) == len(names) - 1


async def test_what_takes_longer_than_its_start_timeout_has_not_started(tmp_path: Path) -> None:
    service = SERVICE + "  lifecycle: {start_timeout: 50ms}\n"
    path = project(tmp_path, journaled("hang"), service=service)
    gateway = load(path, middleware={"journal": Failing})
    with pytest.raises(ExpressError, match=r"app:gateway did not start within 0\.05 seconds \(start_timeout\)"):
        async with gateway.lifespan_context():
            pass


async def test_what_does_not_stop_after_a_reload_is_logged(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    gateway = load(versioned(tmp_path, "one", journaled("stop")), middleware={"journal": Failing})
    async with gateway.lifespan_context():
        versioned(tmp_path, "two")
        await gateway.reload()
        await until(lambda: "what was there before a reload did not stop" in log.text)
        assert (await ask(gateway, "/api/version")).text == "two"


async def test_a_reload_says_what_only_a_restart_can_change(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    path = versioned(tmp_path, "one")
    gateway = load(path)
    other = SERVICE.replace("gateway", "other").replace("8080", "9090")
    path.write_text(path.read_text().replace("8080", "8081") + "".join(f"  {line}\n" for line in other.splitlines()))
    await gateway.reload()
    assert "app:gateway: to change port, start the server anew" in log.text
    assert "app:other is new: start the server anew" in log.text
    versioned(tmp_path, "one")
    await gateway.reload()
    assert "app:other is gone: start the server anew" in log.text


async def test_a_server_whose_service_is_gone_answers_that_nobody_is_there(tmp_path: Path) -> None:
    path = versioned(tmp_path, "one")
    gateway = load(path)
    entrance = gateway.app_of("app:gateway")
    path.write_text(path.read_text().replace("gateway", "other"))
    await gateway.reload()
    assert (await ask(entrance, "/api/version")).status == 421
    assert (await ask(gateway, "/api/version")).text == "one"


# -- under load


async def test_no_request_is_lost_while_files_change_under_load(tmp_path: Path, journal: type[Journal]) -> None:
    gateway = load(versioned(tmp_path, "0", journaled("0")), middleware={"journal": journal})
    answers: Counter[tuple[int, str]] = Counter()
    over = asyncio.Event()
    async with serving(gateway) as client:

        async def ask_on() -> None:
            while not over.is_set():
                answer = await client.get("/api/version")
                answers[answer.status_code, answer.text] += 1

        async def ask_slowly() -> None:
            # A connection for each request, and a body that comes in pieces.
            async def pieces() -> AsyncIterator[bytes]:
                for _ in range(3):
                    yield b"piece"
                    await asyncio.sleep(0)

            while not over.is_set():
                async with httpx2.AsyncClient(base_url=client.base_url) as own:
                    answer = await own.request("GET", "/api/version", content=pieces())
                    answers[answer.status_code, answer.text] += 1

        async def answered(version: int) -> None:
            await until(lambda: answers[200, str(version)] >= 20)

        asking = [asyncio.create_task(ask_on()) for _ in range(16)]
        asking += [asyncio.create_task(ask_slowly()) for _ in range(4)]
        for version in range(1, 11):
            await answered(version - 1)
            if version % 3 == 0:
                (tmp_path / "app.yaml").write_text("entries: [broken]\n")
                with pytest.raises(GatewayError):
                    await gateway.reload()
            versioned(tmp_path, str(version), journaled(str(version)))
            await gateway.reload()
        await answered(10)
        over.set()
        await asyncio.gather(*asking)
    assert set(answers) == {(200, str(version)) for version in range(11)}
    assert sum(answers.values()) > 220
    assert sorted(journal.events) == sorted(f"{what} {version}" for what in ("start", "stop") for version in range(11))


# -- when to reload


@asynccontextmanager
async def watched(gateway: Gateway, **options: Any) -> AsyncIterator[None]:
    async with gateway.lifespan_context(), reloading(gateway, **options):
        yield


async def version_is(gateway: Gateway, version: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await ask(gateway, "/api/version")).text != version:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("poll", [None, 0.02], ids=["watchfiles", "polling"])
async def test_a_change_of_a_file_of_entries_or_of_functions_is_seen(tmp_path: Path, poll: float | None) -> None:
    gateway = load(versioned(tmp_path, "one"))
    async with watched(gateway, hangup=False, poll=poll):
        (tmp_path / "handlers.py").write_text("def show(req, res): res.send('two')")
        await version_is(gateway, "two")
        path = tmp_path / "app.yaml"
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / "later.py").write_text("def show(req, res): res.send('three')")
        path.write_text(path.read_text().replace("//handlers.py", "//more/later.py"))
        await version_is(gateway, "three")
        (tmp_path / "more" / "later.py").write_text("def show(req, res): res.send('number four')")
        await version_is(gateway, "number four")


async def test_a_file_that_a_reload_has_begun_to_name_is_watched_from_when_it_was_read(tmp_path: Path) -> None:
    path = versioned(tmp_path, "one")
    gateway = load(path)
    changed = changes(gateway, poll=0.01)
    later = (tmp_path / "later.py").resolve()
    later.write_text("def show(req, res): res.send('two')")
    path.write_text(path.read_text().replace("handlers.py", "later.py"))
    assert await anext(changed) == {path.resolve()}
    await gateway.reload()
    following = asyncio.ensure_future(anext(changed))
    await asyncio.sleep(0)
    later.write_text("def show(req, res): res.send('number three')")
    async with asyncio.timeout(PATIENCE):
        assert await following == {later}
    await gateway.reload()
    (tmp_path / "handlers.py").write_text("nobody reads this any more")
    path.write_text(path.read_text() + "# a comment\n")
    async with asyncio.timeout(PATIENCE):
        assert await anext(changed) == {path.resolve()}
    await changed.aclose()


async def test_a_file_that_comes_to_be_named_and_stays_the_same_has_not_changed(tmp_path: Path) -> None:
    path = versioned(tmp_path, "one")
    gateway = load(path)
    changed = changes(gateway, poll=0.01)
    (tmp_path / "later.py").write_text("def show(req, res): res.send('two')")
    path.write_text(path.read_text().replace("handlers.py", "later.py"))
    assert await anext(changed) == {path.resolve()}
    await gateway.reload()
    following = asyncio.ensure_future(anext(changed))
    looked = 0

    def look(path: Path) -> Any:
        nonlocal looked
        looked += 1
        return whole(path)

    whole = signature_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asgi_express.gateway.reloading.signature_of", look)
        await until(lambda: looked > 6)  # three looks at two files
    assert not following.done()
    (tmp_path / "later.py").unlink()
    async with asyncio.timeout(PATIENCE):
        assert await following == {(tmp_path / "later.py").resolve()}
    await changed.aclose()


@pytest.mark.parametrize("poll", [None, 0.02], ids=["watchfiles", "polling"])
async def test_a_directory_of_a_file_may_come_later(tmp_path: Path, poll: float | None) -> None:
    path = versioned(tmp_path, "one")
    gateway = load(path)
    async with watched(gateway, hangup=False, poll=poll):
        path.write_text(path.read_text().replace("handlers.py", "below/mended.py"))
        await until(lambda: (tmp_path / "below" / "mended.py").resolve() in gateway.watched)
        (tmp_path / "below").mkdir()
        (tmp_path / "below" / "mended.py").write_text("def show(req, res): res.send('mended')")
        await version_is(gateway, "mended")


@pytest.mark.parametrize("poll", [None, 0.02], ids=["watchfiles", "polling"])
async def test_a_file_that_failed_is_watched_until_it_is_mended(tmp_path: Path, poll: float | None) -> None:
    path = versioned(tmp_path, "one")
    gateway = load(path)
    async with watched(gateway, hangup=False, poll=poll):
        path.write_text(path.read_text().replace("handlers.py", "mended.py"))
        await until(lambda: (tmp_path / "mended.py").resolve() in gateway.watched)
        (tmp_path / "mended.py").write_text("def show(req, res): res.send('mended')")
        await version_is(gateway, "mended")


@pytest.mark.parametrize("poll", [None, 0.02], ids=["watchfiles", "polling"])
async def test_a_new_file_in_a_directory_is_seen_but_a_hidden_one_is_not(tmp_path: Path, poll: float | None) -> None:
    versioned(tmp_path, "one")
    gateway = load(tmp_path)
    seen: list[set[str]] = []

    changed = changes(gateway, poll=poll)

    async def look() -> None:
        async for files in changed:
            seen.append({path.name for path in files})

    looking = asyncio.create_task(look())
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "no.yaml").write_text(HEAD)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "more.yaml").write_text(HEAD)
    await until(lambda: {"more.yaml"} in seen)
    with pytest.raises(GatewayError, match="expected a list of entries"):
        await gateway.reload()
    (tmp_path / "below" / "more.yaml").unlink()
    await until(lambda: seen.count({"more.yaml"}) == 2)
    looking.cancel()
    await asyncio.wait([looking])
    await changed.aclose()
    assert all(names <= {"more.yaml"} for names in seen)


def test_only_directories_that_are_there_are_watched(tmp_path: Path) -> None:
    assert _directories([tmp_path / "a.yaml", tmp_path / "no" / "b.py"]) == {tmp_path}


async def test_without_watchfiles_files_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    monkeypatch.setattr("asgi_express.gateway.reloading._INTERVAL", 0.02)
    gateway = load(versioned(tmp_path, "one"))
    async with watched(gateway, hangup=False):
        versioned(tmp_path, "two and more")
        await version_is(gateway, "two and more")


async def test_a_file_beside_them_that_nothing_names_is_no_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "watchfiles")
    gateway = load(versioned(tmp_path, "one"))
    numbers = itertools.count()

    def is_seen() -> bool:
        versioned(tmp_path, f"number {next(numbers)}")
        return "handlers.py" in caplog.text

    async with watched(gateway, hangup=False):
        await until(is_seen)  # the watcher is there
        (tmp_path / "serve.log").write_text("a line, as a server writes it for each change")
        caplog.clear()
        await until(is_seen)
    assert "serve.log" not in caplog.text


async def test_a_hangup_reloads_and_one_with_a_broken_file_does_not(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    path = versioned(tmp_path, "one")
    gateway = load(path)
    async with watched(gateway, watch=False):
        versioned(tmp_path, "two")
        os.kill(os.getpid(), signal.SIGHUP)
        await version_is(gateway, "two")
        path.write_text("entries: [broken]\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "expected an entry" in log.text)
        assert (await ask(gateway, "/api/version")).text == "two"
        versioned(tmp_path, "three")
        os.kill(os.getpid(), signal.SIGHUP)
        await version_is(gateway, "three")


async def test_after_the_block_a_hangup_does_what_it_did_before(tmp_path: Path) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, frame: heard.append(number))
    try:
        async with watched(load(versioned(tmp_path, "one")), watch=False):
            pass
        signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert heard == [signal.SIGHUP]


async def test_where_there_are_no_hangups_files_are_watched_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = load(versioned(tmp_path, "one"))
    monkeypatch.delattr(signal, "SIGHUP")
    async with watched(gateway, poll=0.02):
        versioned(tmp_path, "number two")
        await version_is(gateway, "number two")


async def test_a_fault_of_the_gateway_itself_does_not_end_the_watching(
    tmp_path: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = load(versioned(tmp_path, "one"))
    whole = Gateway.reload

    async def fail(self: Gateway) -> None:
        monkeypatch.setattr(Gateway, "reload", whole)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Gateway, "reload", fail)
    async with watched(gateway, hangup=False, poll=0.02):
        versioned(tmp_path, "number two")
        await until(lambda: "out of memory" in log.text)
        versioned(tmp_path, "number three")
        await version_is(gateway, "number three")


async def test_several_services_are_told_apart_by_their_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = one.getsockname()[1], two.getsockname()[1]
    text = entries(service="".join(f"- {{name: s{port}, kind: http.service, addr: ':{port}'}}\n" for port in ports))
    gateway = load(text)
    for port in ports:
        assert (await ask(gateway, "/", server=("127.0.0.1", port))).status == 404
    assert (await ask(gateway, "/", server=("127.0.0.1", 1))).status == 421
