"""Over a real server: after a refused body the connection goes on, or it is closed after the answer."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express
from asgi_express.body import json, multipart, text, urlencoded
from tests.body.driver import END, FORM, field, file, show_error

NEXT = b"POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n[1,2,3]"


def build(directory: Path) -> Express:
    app = Express()
    app.use(json(limit=1000), urlencoded(), text(limit=1000))
    app.post("/json", lambda req: {"body": req.body})
    app.post("/text", lambda req: {"body": req.body})
    app.post("/form", lambda req: {"body": req.body})
    upload = multipart(storage="disk", directory=directory, limits={"file_size": 100_000})
    app.post("/upload", upload, lambda req, res: res.json([each.size for each in req.files]))

    async def stream(req: Any, res: Any) -> None:
        res.json([(part.name, len(await part.read())) async for part in req.parts])

    app.post("/stream", multipart(storage="stream"), stream)
    app.use(show_error)
    return app


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> Wire:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(first.split()[1]), headers, body

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def post(path: str, kind: str, content: bytes, **headers: str) -> bytes:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = {"Host": "x", "Content-Type": kind, "Content-Length": str(len(content)), **more}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content


def chunked(path: str, kind: str, chunks: list[bytes]) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + body
    )


JSON, FORM_URL = "application/json", "application/x-www-form-urlencoded"

REFUSED: dict[str, tuple[bytes, int]] = {
    "no JSON": (post("/json", JSON, b"{oops"), 400),
    "too long": (post("/json", JSON, b"[" + b"1," * 2000 + b"1]"), 413),
    "too long, chunked": (chunked("/json", JSON, [b"[1" + b",1" * 500] * 10), 413),
    "no charset": (post("/json", f"{JSON}; charset=utf-7", b"[]"), 415),
    "no coding": (post("/json", JSON, b"[]", Content_Encoding="x"), 415),
    "broken coding": (post("/json", JSON, b"[]", Content_Encoding="gzip"), 400),
    "a bomb": (post("/json", JSON, gzip.compress(bytes(10_000_000))[:900], Content_Encoding="gzip"), 413),
    "too many parameters": (post("/form", FORM_URL, b"a=1&" * 1000), 413),
    "a broken upload": (post("/upload", FORM, field("a")), 400),
    "a large file": (post("/upload", FORM, file("f", "a", b"x" * 120_000) + END), 413),
    "a broken stream": (post("/stream", FORM, file("f", "a")), 400),
    "no boundary": (post("/stream", "multipart/form-data", file("f", "a") + END), 400),
}


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize(("request_bytes", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_the_next_request_works_after_a_refused_body(
    request_bytes: bytes, status: int, http: str, tmp_path: Path
) -> None:
    async with asyncio.timeout(20), build(tmp_path).serve(port=0, http=http) as server:
        wire = await Wire.open(server.port)
        await wire.send(request_bytes + NEXT)
        found, headers, _ = await wire.answer()
        assert found == status
        assert "connection" not in headers
        assert (await wire.answer())[2] == b'{"body":[1,2,3]}'
        await wire.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("http", ["h11", "httptools"])
async def test_a_length_above_the_limit_is_answered_at_once_and_ends_the_connection(http: str, tmp_path: Path) -> None:
    async with asyncio.timeout(20), build(tmp_path).serve(port=0, http=http) as server:
        wire = await Wire.open(server.port)
        await wire.send(post("/json", JSON, b"", Content_Length="1000000000"))
        status, headers, body = await wire.answer()
        assert (status, headers["connection"]) == (413, "close")
        assert b"entity.too.large" in body
        assert await wire.reader.read() == b""
        await wire.close()


async def test_a_client_that_asks_first_is_told_no(tmp_path: Path) -> None:
    async with asyncio.timeout(20), build(tmp_path).serve(port=0) as server:
        wire = await Wire.open(server.port)
        await wire.send(post("/json", JSON, b"", Content_Length="5000", Expect="100-continue"))
        status, headers, _ = await wire.answer()
        assert (status, headers["connection"]) == (413, "close")
        await wire.close()


async def test_a_body_without_end_is_cut_at_the_limit(tmp_path: Path) -> None:
    async with asyncio.timeout(20), build(tmp_path).serve(port=0) as server:
        wire = await Wire.open(server.port)
        await wire.send(
            b"POST /text HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

        async def flood() -> None:
            while True:
                await wire.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")

        flooding = asyncio.ensure_future(flood())
        status, headers, _ = await wire.answer()
        assert (status, headers["connection"]) == (413, "close")
        await asyncio.wait([flooding])
        assert isinstance(flooding.exception(), ConnectionError)
        await wire.close()


@pytest.mark.parametrize("path", ["/upload", "/stream", "/json"])
async def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(path: str, tmp_path: Path) -> None:
    over = asyncio.Event()
    app = Express()

    def watch(req: Any, res: Any, next: Any) -> None:
        req.on("close", over.set)
        next()

    app.use(watch, build(tmp_path))
    async with asyncio.timeout(20), app.serve(port=0) as server:
        wire = await Wire.open(server.port)
        kind = JSON if path == "/json" else FORM
        await wire.send(post(path, kind, file("f", "a", b"x" * 70_000), Content_Length="1000000"))
        await wire.close()
        await over.wait()
    assert list(tmp_path.iterdir()) == []


async def test_chunks_of_one_byte_are_one_body(tmp_path: Path) -> None:
    async with asyncio.timeout(20), build(tmp_path).serve(port=0) as server:
        wire = await Wire.open(server.port)
        content = field("a", b"xyz") + file("f", "b", b"hello") + END
        await wire.send(chunked("/upload", FORM, [content[i : i + 1] for i in range(len(content))]) + NEXT)
        assert (await wire.answer())[2] == b"[5]"
        assert (await wire.answer())[2] == b'{"body":[1,2,3]}'
        await wire.close()
