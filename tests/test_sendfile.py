"""Files as answers: ``send_file``, ``download``, ``attachment``; how they are read, sent and closed."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from email.parser import BytesParser
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from asgi_express import ClientDisconnect, Express, HeadersSentError, HTTPError, next_app
from asgi_express._outgoing import PassOn
from asgi_express._ranges import MAX_RANGES
from asgi_express._sendfile import CHUNK, SMALL
from asgi_express._sendfile.files import Found, find, in_thread
from asgi_express._sendfile.options import file_options
from asgi_express._sendfile.paths import locate
from tests.asgi import PATIENCE, Answer, Client, Socket, ask, http_scope
from tests.cases.files import answers, check, recorded_app, write

BIG = bytes(range(256)) * 4096  # 1 MiB
PATHSEND: dict[str, Any] = {"extensions": {"http.response.pathsend": {}}}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Express:
    return recorded_app(tmp_path_factory.mktemp("tree"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, {"a.txt": "0123456789", "dir/index.html": "<p>dir</p>", "empty": ""})
    (tmp_path / "big.bin").write_bytes(BIG)
    return tmp_path


def sending(root: Path, path: str = "a.txt", **options: Any) -> Express:
    app = Express()
    app.all("/", lambda req, res: res.send_file(path, root=root, **options))
    return app


def open_files(root: Path) -> list[str]:
    """Return the files under a directory that this process has open."""
    names = []
    for number in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue
    return [name for name in names if name.startswith(str(root))]


# -- as Express


@pytest.mark.parametrize(("request_", "expected"), answers(r"/[fd]\d"))
async def test_an_answer_is_that_of_express(recorded: Express, request_: list[Any], expected: list[Any]) -> None:
    method, target, headers = request_
    headers = {name: value.strip() for name, value in headers.items()}
    check(await ask(recorded, target, method, headers=headers), request_, expected)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("",), TypeError, "expected a path, got ''"),
        ((b"/x",), TypeError, "expected a path, got b'/x'"),
        ((7,), TypeError, "os.PathLike"),
        (("x.txt",), TypeError, "path must be absolute, or root be given"),
        (("/x", {"dotfiles": "x"}), ValueError, "dotfiles option"),
        (("/x", {"max_age": "x"}), ValueError, "invalid duration"),
    ],
)
async def test_a_wrong_argument_is_an_error_at_once(
    arguments: tuple[Any, ...], error: type[Exception], words: str
) -> None:
    path, options = (*arguments, {})[:2]
    raised: list[Exception] = []
    app = Express()

    @app.get("/")
    def handler(req: Any, res: Any) -> None:
        for method in (res.send_file, *([res.download] if path != "x.txt" else [])):
            with pytest.raises(error, match=re.escape(words)) as caught:
                method(path, **options)
            raised.append(caught.value)
        res.send("x")

    assert (await ask(app)).text == "x"
    assert raised


async def test_a_path_may_be_a_path_object(root: Path) -> None:
    app = Express()
    app.get("/send", lambda req, res: res.send_file(root / "a.txt"))
    app.get("/download", lambda req, res: res.download(root / "a.txt"))
    app.get("/under", lambda req, res: res.send_file(Path("a.txt"), root=root))
    for target in ("/send", "/download", "/under"):
        assert (await ask(app, target)).text == "0123456789"


async def test_the_tag_follows_the_setting_unless_it_is_asked_for(root: Path) -> None:
    app = Express()
    app.disable("etag")
    app.get("/", lambda req, res: res.send_file("a.txt", root=root))
    app.get("/tagged", lambda req, res: res.send_file("a.txt", root=root, etag=True))
    assert "etag" not in (await ask(app)).headers
    assert (await ask(app, "/tagged")).headers["etag"].startswith('W/"a-')
    assert "etag" not in (await ask(sending(root, etag=False))).headers


@pytest.mark.parametrize(("path", "status"), [("none", 404), ("../x", 403), ("dir/../a.txt", 403), ("a\0", 400)])
@pytest.mark.parametrize("awaited", [False, True])
async def test_an_error_goes_to_the_error_handlers_or_is_raised_where_it_is_awaited(
    root: Path, path: str, status: int, awaited: bool
) -> None:
    app = Express()
    seen: list[Any] = []

    @app.get("/")
    async def handler(req: Any, res: Any) -> None:
        sent = res.send_file(path, root=root)
        if awaited:
            try:
                await sent
            except HTTPError as error:
                seen.append(("caught", error.status))
                res.status(error.status).send("no")

    def answer_error(error: Any, req: Any, res: Any, next: Any) -> None:
        seen.append(("handled", error.status))
        res.status(error.status).send("no")

    app.use(answer_error)
    answer = await ask(app)
    assert (answer.status, answer.text) == (status, "no")
    assert seen == [("caught" if awaited else "handled", status)]


async def test_the_code_after_an_awaited_file_runs_when_it_was_sent(root: Path) -> None:
    app = Express()
    answer = Answer()
    seen: list[Any] = []

    @app.get("/")
    async def handler(req: Any, res: Any) -> None:
        res.on("finish", lambda: seen.append("finish"))
        await res.send_file("big.bin", root=root)
        seen.append((answer.complete, res.finished))

    await ask(app, answer=answer)
    assert answer.body == BIG
    assert seen == ["finish", (True, True)]


@pytest.mark.parametrize("send", ["send_file", "download"])
@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [("GET", {}, 200), ("HEAD", {}, 200), ("GET", {"If-None-Match": "*"}, 304), ("GET", {"Range": "bytes=1-2"}, 206)],
)
async def test_an_awaited_file_ends_without_an_error(
    root: Path, send: str, method: str, headers: dict[str, str], status: int
) -> None:
    app = Express()
    seen: list[str] = []

    @app.get("/")
    async def handler(req: Any, res: Any) -> None:
        await getattr(res, send)("a.txt", root=root)
        seen.append("done")

    answer = await ask(app, method=method, headers=headers)
    assert (answer.status, seen) == (status, ["done"])
    assert ("content-disposition" in answer.headers) is (send == "download")


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("taking", [2, 3])
async def test_at_a_directory_the_walk_goes_on(root: Path, awaited: bool, taking: int) -> None:
    app = Express()

    async def two(req: Any, res: Any) -> None:
        sent = res.send_file("dir", root=root)
        if awaited:
            with pytest.raises(PassOn):
                await sent
            raise PassOn

    async def three(req: Any, res: Any, next: Any) -> None:
        await two(req, res)

    app.get("/", two if taking == 2 else three)
    app.get("/", lambda req, res: res.send("next"))
    assert (await ask(app)).text == "next"


async def test_nothing_is_set_after_a_file_was_decided(root: Path) -> None:
    app = Express()

    @app.get("/")
    async def handler(req: Any, res: Any) -> None:
        res.send_file("a.txt", root=root)
        for late in (partial(res.set, "X-A", "1"), partial(res.send, "x"), partial(res.send_file, "/x")):
            with pytest.raises(HeadersSentError):
                late()

    assert (await ask(app)).text == "0123456789"


async def test_a_file_after_an_answer_is_an_error_and_is_closed(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = Express()

    @app.get("/")
    async def handler(req: Any, res: Any) -> None:
        sent = res.send_file("big.bin", root=root)
        res.write("first")
        with pytest.raises(HeadersSentError):
            await sent
        res.end()

    assert (await ask(app)).text == "first"
    assert open_files(root) == []


# -- reading


async def test_for_head_nothing_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Found, "_read", None)
    for path, size in (("a.txt", 10), ("big.bin", len(BIG))):
        answer = await ask(sending(root, path), method="HEAD")
        assert (answer.status, answer.headers["content-length"], answer.body) == (200, str(size), b"")
    answer = await ask(sending(root), method="HEAD", headers={"Range": "bytes=2-4"})
    assert (answer.status, answer.headers["content-length"]) == (206, "3")
    assert open_files(root) == []


async def test_what_the_client_has_is_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    etag = (await ask(sending(root))).headers["etag"]
    monkeypatch.setattr(Found, "_read", None)
    assert (await ask(sending(root), headers={"If-None-Match": etag})).status == 304
    assert open_files(root) == []


async def test_what_the_client_had_is_read(root: Path) -> None:
    assert (await ask(sending(root), headers={"If-None-Match": '"old"'})).text == "0123456789"
    answer = await ask(sending(root), headers={"If-None-Match": '"old"', "Range": "bytes=2-4"})
    assert (answer.status, answer.text) == (206, "234")
    assert open_files(root) == []


@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1])
async def test_a_file_of_any_size_is_sent_in_chunks_of_bounded_size(root: Path, size: int) -> None:
    (root / "file").write_bytes(BIG[:size])
    answer = await ask(sending(root, "file"))
    assert answer.body == BIG[:size]
    assert answer.headers["content-length"] == str(size)
    assert answer.complete
    assert len(answer.chunks) == (1 if size < SMALL else -(-size // CHUNK))


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=1000000-1000009", 1_000_000, 1_000_010),
        ("bytes=100-900000", 100, 900_001),
        ("bytes=-300000", len(BIG) - 300_000, len(BIG)),
    ],
)
async def test_a_range_of_a_large_file_is_that_part_of_it(root: Path, header: str, start: int, end: int) -> None:
    answer = await ask(sending(root, "big.bin"), headers={"Range": header})
    assert (answer.status, answer.body) == (206, BIG[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(BIG)}"


async def test_a_chunk_is_read_when_the_one_before_was_taken(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    real = Found._read

    def counted(self: Found, start: int, size: int) -> bytes:
        reads.append(size)
        return real(self, start, size)

    monkeypatch.setattr(Found, "_read", counted)
    taken: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            taken.append(len(message["body"]))
            assert len(reads) == len(taken)

    async with asyncio.timeout(PATIENCE):
        await sending(root, "big.bin")(http_scope(), Client().receive, send)
    assert taken == reads == [CHUNK] * 4


# -- several ranges


def parts(answer: Answer) -> list[tuple[str, str, bytes]]:
    """Take a multipart answer apart with a parser that is not ours."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    mail: Any = BytesParser().parsebytes(head + answer.body)
    return [(part["Content-Type"], part["Content-Range"], part.get_payload(decode=True)) for part in mail.get_payload()]


@pytest.fixture
def text(root: Path) -> str:
    text = "".join(f"{number:05}" for number in range(1000))
    write(root, {"text.txt": text})
    return text


async def test_several_ranges_are_one_multipart_answer_where_that_is_allowed(root: Path, text: str) -> None:
    headers = {"Range": "bytes=0-4, 4000-4009, -5"}
    answer = await ask(sending(root, "text.txt", multipart_ranges=True), headers=headers)
    assert answer.status == 206
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "content-range" not in answer.headers
    kind = "text/plain; charset=utf-8"
    assert parts(answer) == [
        (kind, "bytes 0-4/5000", text[:5].encode()),
        (kind, "bytes 4000-4009/5000", text[4000:4010].encode()),
        (kind, "bytes 4995-4999/5000", text[-5:].encode()),
    ]
    head = await ask(sending(root, "text.txt", multipart_ranges=True), method="HEAD", headers=headers)
    assert (head.status, head.headers["content-length"]) == (206, answer.headers["content-length"])
    assert (await ask(sending(root, "text.txt"), headers=headers)).text == text  # as in Express


async def test_several_ranges_lie_between_start_and_end(root: Path, text: str) -> None:
    app = sending(root, "text.txt", multipart_ranges=True, start=1000, end=2999)
    answer = await ask(app, headers={"Range": "bytes=0-4,1990-"})
    assert [part[1:] for part in parts(answer)] == [
        ("bytes 0-4/2000", text[1000:1005].encode()),
        ("bytes 1990-1999/2000", text[2990:3000].encode()),
    ]


@pytest.mark.parametrize(
    "header",
    [
        "bytes=0-2400,2402-4999",  # hardly shorter than the whole, once the heads of the parts are counted
        "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 200, 2)),
        "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 2 * MAX_RANGES + 2, 2)),
        "bytes=" + ",".join(["0-"] * 10_000),
    ],
)
async def test_ranges_that_would_cost_more_than_the_file_get_the_file(root: Path, text: str, header: str) -> None:
    answer = await ask(sending(root, "text.txt", multipart_ranges=True), headers={"Range": header})
    assert (answer.status, answer.text) == (200, text)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


async def test_ranges_that_touch_are_one(root: Path, text: str) -> None:
    app = sending(root, "text.txt", multipart_ranges=True)
    answer = await ask(app, headers={"Range": "bytes=0-9,10-19,5-12"})
    assert (answer.status, answer.text, answer.headers["content-range"]) == (206, text[:20], "bytes 0-19/5000")


async def test_large_ranges_are_sent_in_chunks(root: Path) -> None:
    app = sending(root, "big.bin", multipart_ranges=True)
    answer = await ask(app, headers={"Range": "bytes=0-299999, 400000-400009, -300000"})
    assert [content for *_, content in parts(answer)] == [BIG[:300_000], BIG[400_000:400_010], BIG[-300_000:]]
    assert answer.complete
    assert max(map(len, answer.chunks)) < CHUNK + 512


# -- files that change


def on_open(monkeypatch: pytest.MonkeyPatch, change: Callable[[str], None]) -> None:
    """Do something to a file right after it was opened."""
    real = os.open

    def opened(path: Any, *args: Any) -> int:
        number = real(path, *args)
        change(path)
        return number

    monkeypatch.setattr(os, "open", opened)


async def test_a_small_file_that_becomes_shorter_is_an_error_of_500(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = os.fstat

    def shortened(number: int) -> os.stat_result:
        found = real(number)
        os.truncate(root / "a.txt", 5)
        return found

    monkeypatch.setattr(os, "fstat", shortened)
    answer = await ask(sending(root))
    assert answer.status == 500
    assert b"01234" not in answer.body
    assert "became shorter" in caplog.text
    assert open_files(root) == []


async def test_a_large_file_that_becomes_shorter_is_cut_off_visibly(root: Path) -> None:
    answer = Answer()

    async def send(message: Any) -> None:
        answer.messages.append(message)
        if message["type"] == "http.response.body":
            os.truncate(root / "big.bin", CHUNK + 10)

    with pytest.raises(HTTPError, match="became shorter"):
        await sending(root, "big.bin")(http_scope(), Client().receive, send)
    assert answer.body == BIG[:CHUNK]
    assert not answer.complete
    assert open_files(root) == []


async def test_of_a_file_that_grows_the_promised_length_is_sent(root: Path) -> None:
    answer = Answer()

    async def send(message: Any) -> None:
        answer.messages.append(message)
        with (root / "big.bin").open("ab") as file:
            file.write(b"more")

    await sending(root, "big.bin")(http_scope(), Client().receive, send)
    assert answer.body == BIG


async def test_a_file_that_is_replaced_or_deleted_is_sent_as_it_was_opened(root: Path) -> None:
    answer = Answer()

    async def send(message: Any) -> None:
        answer.messages.append(message)
        (root / "big.bin").unlink(missing_ok=True)

    await sending(root, "big.bin")(http_scope(), Client().receive, send)
    assert answer.body == BIG
    assert open_files(root) == []


async def test_a_read_that_gives_less_than_asked_is_continued(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.read
    monkeypatch.setattr(os, "read", lambda number, size: real(number, min(size, 100_000)))
    assert (await ask(sending(root, "big.bin"))).body == BIG


# -- clients that leave


@pytest.mark.parametrize("how", ["silently", "with an error"])
async def test_a_client_that_leaves_ends_the_reading_without_an_error(
    root: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client()
    answer = Answer()
    events: list[str] = []
    app = Express()

    @app.get("/")
    async def handler(req: Any, res: Any) -> None:
        for event in ("finish", "close"):
            res.on(event, lambda event=event: events.append(event))
        await res.send_file("big.bin", root=root)
        assert res.finished
        events.append("after")

    async def send(message: Any) -> None:
        answer.messages.append(message)
        if message["type"] == "http.response.body":
            client.leave()
            if how == "with an error":
                raise BrokenPipeError(errno.EPIPE, "gone")
            for _ in range(5):  # turns of the loop, for the news to arrive
                await asyncio.sleep(0)

    async with asyncio.timeout(PATIENCE):
        await app(http_scope(), client.receive, send)
    assert answer.body == BIG[:CHUNK]
    assert "after" in events
    assert "close" in events
    assert "finish" not in events
    assert caplog.text == ""
    assert open_files(root) == []


async def test_a_client_that_has_left_already_gets_no_file_and_no_error(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = Express()
    seen: list[str] = []

    @app.get("/")
    async def handler(req: Any, res: Any) -> None:
        with pytest.raises(ClientDisconnect):
            await req.read()
        await res.send_file("big.bin", root=root)
        seen.append("after")

    answer = await ask(app, client=Client([], leaves=True))
    assert seen == ["after"]
    assert BIG not in answer.body
    assert caplog.text == ""
    assert open_files(root) == []


async def test_a_receive_that_fails_does_not_disturb_the_answer(root: Path) -> None:
    answer = Answer()

    async def receive() -> Any:
        raise RuntimeError("no body for you")

    async def send(message: Any) -> None:
        answer.messages.append(message)
        await asyncio.sleep(0)

    await sending(root, "big.bin")(http_scope(), receive, send)
    assert answer.body == BIG


class Gate:
    """Stops a function in its thread until it is let go."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.loop = asyncio.get_running_loop()
        self.reached = asyncio.Event()
        self.go = threading.Event()

    def __call__(self, *args: Any) -> Any:
        self.loop.call_soon_threadsafe(self.reached.set)
        self.go.wait(PATIENCE)
        return self._function(*args)


@pytest.mark.parametrize("function", ["open", "read"])
@pytest.mark.parametrize("fails", [False, True])
async def test_a_file_is_closed_when_the_request_is_cancelled_while_a_thread_has_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, function: str, fails: bool
) -> None:
    real = getattr(os, function)

    def failing(*args: Any) -> Any:
        raise OSError(errno.EIO, "broken")

    gate = Gate(failing if fails else real)
    monkeypatch.setattr(os, function, gate)
    request = asyncio.ensure_future(ask(sending(root, "big.bin")))
    await gate.reached.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert len(open_files(root)) == (1 if function == "read" else 0)  # not closed under the thread's hands
    gate.go.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    for _ in range(3):
        await asyncio.sleep(0)
    assert open_files(root) == []


async def test_work_that_was_cancelled_before_it_began_leaves_nothing(root: Path) -> None:
    executor_is_full = threading.Event()
    loop = asyncio.get_running_loop()
    busy = [loop.run_in_executor(None, executor_is_full.wait, PATIENCE) for _ in range(64)]
    target = locate("big.bin", file_options(root))
    looking = asyncio.ensure_future(in_thread(lambda: find(target, file_options(root), (), 0)))
    await asyncio.sleep(0)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    executor_is_full.set()
    await asyncio.gather(*busy)
    await loop.shutdown_default_executor()
    await asyncio.sleep(0)
    assert open_files(root) == []


async def test_a_file_that_nobody_holds_is_closed(root: Path) -> None:
    options = file_options(root)
    found = find(locate("big.bin", options), options, (), 0)
    assert len(open_files(root)) == 1
    del found
    gc.collect()
    assert open_files(root) == []


@pytest.mark.parametrize("http", ["h11", "httptools"])
async def test_downloads_that_are_aborted_leave_no_file_open(root: Path, http: str) -> None:
    with (root / "huge.bin").open("wb") as file:
        file.truncate(64 << 20)
    app = Express()
    closed = asyncio.Semaphore(0)

    @app.get("/")
    async def handler(req: Any, res: Any) -> None:
        res.on("close", closed.release)
        await res.send_file("huge.bin", root=root)

    async with app.serve(port=0, http=http) as server, asyncio.timeout(6 * PATIENCE):

        async def abort(after: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readexactly(after)
            writer.transport.abort()
            await closed.acquire()

        for batch in range(20):
            await asyncio.gather(*[abort(1 + 7919 * (batch + number)) for number in range(10)])
    assert open_files(root) == []


# -- the server sends the file


class Watching:
    """A middleware that wants to see the body."""

    def __init__(self, app: Any = next_app) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_seen(message: Any) -> None:
            await send(message)

        await self.app(scope, receive, send_seen)


class Looking(Watching):
    """A middleware that leaves the body alone."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.mark.parametrize("middleware", [None, Looking])
async def test_a_server_that_takes_a_path_gets_it(root: Path, middleware: Any) -> None:
    app = Express()
    events: list[str] = []
    if middleware:
        app.use(middleware())

    @app.get("/")
    async def handler(req: Any, res: Any) -> None:
        res.on("finish", lambda: events.append("finish"))
        await res.send_file("big.bin", root=root)
        assert res.finished

    answer = await ask(app, **PATHSEND)
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.pathsend"]
    assert answer.messages[1]["path"] == str(root / "big.bin")
    assert answer.headers["content-length"] == str(len(BIG))
    assert events == ["finish"]
    assert open_files(root) == []


@pytest.mark.parametrize(
    ("path", "options", "headers", "middleware", "method"),
    [
        ("a.txt", {}, {}, None, "GET"),  # small: already read
        ("big.bin", {}, {"Range": "bytes=0-900000"}, None, "GET"),
        ("big.bin", {"start": 1}, {}, None, "GET"),
        ("big.bin", {"end": 900_000}, {}, None, "GET"),
        ("big.bin", {}, {}, Watching, "GET"),
        ("big.bin", {}, {}, None, "HEAD"),
    ],
)
async def test_a_path_is_not_handed_over_where_it_is_not_the_whole_answer(
    root: Path, path: str, options: Any, headers: Any, middleware: Any, method: str
) -> None:
    app = Express()
    if middleware:
        app.use(middleware())
    app.all("/", lambda req, res: res.send_file(path, root=root, **options))
    answer = await ask(app, method=method, headers=headers, **PATHSEND)
    assert {message["type"] for message in answer.messages} == {"http.response.start", "http.response.body"}
    assert answer.complete


@pytest.mark.parametrize("denial", [False, True])
async def test_a_websocket_may_be_denied_with_a_file(
    root: Path, denial: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = Express()
    app.use(lambda req, res: res.status(403).send_file("big.bin", root=root))
    peer = await Socket().connect(app, denial=denial)
    if denial:
        assert peer.sent[0]["status"] == 403
        assert b"".join(message["body"] for message in peer.sent[1:]) == BIG
    else:
        assert peer.types == ["websocket.close"]
    assert caplog.text == ""
    assert open_files(root) == []


# -- download and attachment


@pytest.mark.parametrize(
    ("name", "header"),
    [
        (None, "attachment; filename=a.txt"),
        ("", "attachment; filename=a.txt"),
        ("b.pdf", "attachment; filename=b.pdf"),
        ('a"b', 'attachment; filename="a\\"b"'),
        ("a;b", 'attachment; filename="a;b"'),
        ("../../x", "attachment; filename=x"),
        ("x/", "attachment; filename=x"),
        ("a\r\nX: 1", "attachment; filename=\"a??X: 1\"; filename*=UTF-8''a%0D%0AX%3A%201"),
        ("\u20ac.txt", "attachment; filename=\"?.txt\"; filename*=UTF-8''%E2%82%AC.txt"),
        ("\u202egpj.exe", "attachment; filename=\"?gpj.exe\"; filename*=UTF-8''%E2%80%AEgpj.exe"),
        ("n" * 5000, f"attachment; filename={'n' * 5000}"),
    ],
)
async def test_the_name_of_a_download_is_safe_in_its_header(root: Path, name: str | None, header: str) -> None:
    app = Express()
    app.get("/", lambda req, res: res.download("a.txt", name, root=root))
    answer = await ask(app)
    assert answer.headers["content-disposition"] == header
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"  # of the file, not of the name


async def test_a_download_is_relative_to_the_working_directory_without_a_root(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / "dir")
    app = Express()
    headers = {"content-disposition": "inline", "X-A": ["1", "2"]}
    app.get("/", lambda req, res: res.download("../a.txt", headers=headers, max_age=60, last_modified=False))
    answer = await ask(app)
    assert answer.text == "0123456789"
    assert answer.headers["content-disposition"] == "attachment; filename=a.txt"
    assert answer.headers["x-a"] == "1, 2"
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert "last-modified" not in answer.headers


async def test_a_download_that_fails_leaves_no_header(root: Path) -> None:
    app = Express()
    app.get("/", lambda req, res: res.download("none.txt", root=root, headers={"X-A": "1"}))
    answer = await ask(app)
    assert answer.status == 404
    assert not {"content-disposition", "x-a", "etag", "cache-control"} & set(answer.headers)


async def test_a_download_that_fails_can_be_answered_in_another_way(root: Path) -> None:
    app = Express()

    @app.get("/")
    async def handler(req: Any, res: Any) -> None:
        with pytest.raises(HTTPError) as caught:
            await res.download("none.txt", "document", root=root)
        res.send(f"got {caught.value.status}")

    answer = await ask(app)
    assert (answer.status, answer.text) == (200, "got 404")
    assert "content-disposition" not in answer.headers


@pytest.mark.parametrize(
    ("arguments", "disposition", "kind"),
    [
        ((), "attachment", "text/html; charset=utf-8"),
        (("",), 'attachment; filename=""', "text/html; charset=utf-8"),
        (("a.csv",), "attachment; filename=a.csv", "text/csv; charset=utf-8"),
        (("/tmp/a.json",), "attachment; filename=a.json", "application/json; charset=utf-8"),
        (("README",), "attachment; filename=README", "application/octet-stream; charset=utf-8"),
        (("\u00fc.png",), "attachment; filename=\"?.png\"; filename*=UTF-8''%C3%BC.png", "image/png; charset=utf-8"),
    ],
)
async def test_an_attachment_has_a_name_and_the_type_of_its_extension(
    arguments: tuple[str, ...], disposition: str, kind: str
) -> None:
    app = Express()
    app.get("/", lambda req, res: res.attachment(*arguments).send("x"))
    answer = await ask(app)
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers["content-type"] == kind


# -- the benchmark


def test_the_benchmark_prints_time_and_growth() -> None:
    command = [sys.executable, "-m", "benchmarks.downloads", "--size", "8mb"]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^\| ([\w ]+?) +\|.* MiB \|$", done.stdout, re.M) == ["whole file", "slow client", "one range"]
