"""Bodies with a content coding: what they inflate to counts, and what is broken is told."""

from __future__ import annotations

import asyncio
import gzip
import importlib
import math
import sys
import tracemalloc
import zlib
from typing import Any

import pytest

from asgi_express.body import raw
from tests.body.driver import application, b64, post

brotli: Any = importlib.import_module("brotli")
zstd: Any = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}

MIB = 1024 * 1024


async def send(content: bytes, encoding: str, **options: Any) -> dict[str, Any]:
    app = application(raw(type="*/*", **options))
    shown: dict[str, Any] = (await post(app, content, "a/b", content_encoding=encoding)).json
    return shown


def broken(reason: str, code: str = "Z_DATA_ERROR") -> dict[str, Any]:
    return {"error": {"status": 400, "type": "encoding.invalid", "message": reason, "code": code}}


@pytest.mark.parametrize("encoding", CODINGS)
@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 4000, b"\0" * 3 * MIB])
async def test_every_coding_is_undone(encoding: str, content: bytes) -> None:
    shown = await send(CODINGS[encoding](content), encoding.upper(), limit="10mb")
    assert shown == {"bytes": b64(content)}


@pytest.mark.parametrize("encoding", CODINGS)
async def test_the_limit_is_on_what_it_inflates_to(encoding: str) -> None:
    packed = CODINGS[encoding](b"x" * 1000)
    assert (await send(packed, encoding, limit=1000)) == {"bytes": b64(b"x" * 1000)}
    error = (await send(packed, encoding, limit=999))["error"]
    assert (error["status"], error["type"], error["limit"]) == (413, "entity.too.large", 999)
    assert error["received"] >= 1000


@pytest.mark.parametrize("encoding", CODINGS)
async def test_a_bomb_is_stopped_at_the_limit(encoding: str) -> None:
    bomb = CODINGS[encoding](bytes(50 * MIB))
    tracemalloc.start()
    try:
        error = (await send(bomb, encoding, limit="1mb"))["error"]
        assert tracemalloc.get_traced_memory()[1] < 5 * MIB
    finally:
        tracemalloc.stop()
    assert error["type"] == "entity.too.large"


@pytest.mark.parametrize("encoding", CODINGS)
async def test_without_a_limit_any_length_is_taken(encoding: str) -> None:
    assert await send(CODINGS[encoding](bytes(MIB)), encoding, limit=math.inf) == {"bytes": b64(bytes(MIB))}


async def test_what_came_is_limited_too() -> None:
    empty_blocks = zlib.compress(b"")[:2] + b"\0\0\0\xff\xff" * 100_000
    error = (await send(empty_blocks, "deflate", limit="100kb"))["error"]
    assert (error["status"], error["limit"]) == (413, 102400)


@pytest.mark.parametrize("encoding", CODINGS)
async def test_a_body_that_is_cut_off_is_refused(encoding: str) -> None:
    packed = CODINGS[encoding](bytes(range(256)) * 10)
    for end in (0, 1, len(packed) // 2, len(packed) - 1):
        assert await send(packed[:end], encoding) == broken("unexpected end of file", "Z_BUF_ERROR")


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [
        ("gzip", "incorrect header check"),
        ("deflate", "incorrect header check"),
        ("br", "Decompression failed"),
        ("zstd", "Decompression failed"),
    ],
)
async def test_a_body_that_has_another_coding_is_refused(encoding: str, reason: str) -> None:
    assert await send(b"this is plain text", encoding) == broken(reason)


@pytest.mark.parametrize("encoding", CODINGS)
async def test_a_body_with_something_behind_it_is_refused(encoding: str) -> None:
    shown = await send(CODINGS[encoding](b"hello") + b"garbage", encoding)
    assert shown["error"]["type"] == "encoding.invalid"


async def test_a_wrong_checksum_is_refused() -> None:
    packed = bytearray(gzip.compress(b"hello"))
    packed[-6] ^= 0xFF
    assert await send(bytes(packed), "gzip") == broken("incorrect data check")


async def test_zeros_behind_a_gzip_body_are_padding() -> None:
    packed = gzip.compress(b"hello")
    assert await send(packed + bytes(20_000), "gzip") == {"bytes": b64(b"hello")}
    assert (await send(packed + bytes(20_000) + b"x", "gzip"))["error"]["status"] == 400
    assert (await send(packed + bytes(20) + b"x", "gzip"))["error"]["status"] == 400


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_several_members_are_one_body(encoding: str) -> None:
    pack = CODINGS[encoding]
    assert await send(pack(b"a" * 10) * 1000, encoding) == {"bytes": b64(b"a" * 10_000)}
    assert (await send(pack(b"a" * 200) * 1000, encoding))["error"]["type"] == "entity.too.large"


async def test_frames_without_end_are_refused() -> None:
    assert await send(zstd.compress(b"") * 2000, "zstd") == broken("too many frames")


async def test_a_window_beyond_8_mb_is_refused() -> None:
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=options)
    assert await send(packer.compress(b"x" * 100) + packer.flush(), "zstd") == broken("Decompression failed")


@pytest.mark.parametrize("encoding", ["x-gzip", "gzip, gzip", "gzip,br", "compress", "", "snappy"])
async def test_an_unknown_coding_is_unsupported(encoding: str) -> None:
    if not encoding:
        assert await send(b"x", encoding) == {"bytes": b64(b"x")}
        return
    assert await send(b"x", encoding) == {
        "error": {
            "status": 415,
            "type": "encoding.unsupported",
            "message": f'unsupported content encoding "{encoding}"',
            "encoding": encoding,
        }
    }


@pytest.mark.parametrize(
    ("encoding", "modules"), [("br", ("brotli",)), ("zstd", ("compression.zstd", "backports.zstd"))]
)
async def test_a_coding_whose_package_is_missing_is_unsupported(
    encoding: str, modules: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)
    assert (await send(CODINGS[encoding](b"x"), encoding))["error"]["type"] == "encoding.unsupported"


async def test_a_brotli_that_cannot_stop_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        def process(self, data: bytes) -> bytes:
            return data

    monkeypatch.setattr(brotli, "Decompressor", Old)
    assert (await send(b"x", "br"))["error"]["type"] == "encoding.unsupported"


async def test_without_inflate_only_plain_bodies_are_taken() -> None:
    assert await send(b"x", "identity", inflate=False) == {"bytes": b64(b"x")}
    error = (await send(gzip.compress(b"x"), "gzip", inflate=False))["error"]
    assert (error["status"], error["type"], error["message"]) == (
        415,
        "encoding.unsupported",
        "content encoding unsupported",
    )


async def test_a_large_body_is_inflated_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    to_thread = asyncio.to_thread

    async def counted(*args: Any) -> Any:
        calls.append(args)
        return await to_thread(*args)

    monkeypatch.setattr(asyncio, "to_thread", counted)
    await send(gzip.compress(bytes(1000)), "gzip")
    assert not calls
    await send(gzip.compress(bytes(MIB)), "gzip", limit="2mb")
    assert calls
