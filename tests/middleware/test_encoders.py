"""The content codings: what they write is read by other decoders, in every library that can write it."""

from __future__ import annotations

import random
import sys
import time
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_express.middleware import _encoders
from asgi_express.middleware._encoders import CODINGS, LEVELS, Coding, Encoder, Work, codings, encode, installed
from tests.middleware.decoders import Decoder, decoded

_random = random.Random(7)
TEXT = b"".join(
    b'{"id": %d, "name": "%s", "score": %d}\n'
    % (n, _random.choice((b"Ada", b"Charles", b"Grace", b"Alan", b"Edsger")), _random.randrange(1000))
    for n in range(5000)
)

EACH = pytest.mark.parametrize("name", CODINGS)

ISAL = {"isal.isal_zlib", "isal"}
ZLIB_NG = {"zlib_ng.zlib_ng", "zlib_ng"}
LIBRARIES: dict[str, tuple[str, set[str]]] = {
    "zstd": ("zstd", set()),
    "br": ("br", set()),
    "gzip, isal": ("gzip", set()),
    "gzip, zlib-ng": ("gzip", ISAL),
    "gzip, zlib": ("gzip", ISAL | ZLIB_NG),
    "deflate, isal": ("deflate", set()),
    "deflate, zlib-ng": ("deflate", ISAL),
    "deflate, zlib": ("deflate", ISAL | ZLIB_NG),
}
"""A coding, and the modules that are missing."""


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name, missing = LIBRARIES[request.param]
    without(monkeypatch, *missing)
    return name


def the(name: str, level: str | int = "default") -> Coding:
    if isinstance(level, int):
        return codings((name,), levels={name: level})[name]
    return codings((name,), level)[name]


# -- bodies


@given(body=st.binary(max_size=5000), padding=st.integers(0, 600))
@settings(max_examples=40, deadline=None)
@EACH
def test_any_body_comes_back(name: str, body: bytes, padding: int) -> None:
    coded = encode(the(name).encoder(len(body), padding), body, last=True)
    assert decoded(name, coded) == body


@given(pieces=st.lists(st.binary(max_size=2000), max_size=8), padding=st.integers(0, 600))
@settings(max_examples=40, deadline=None)
@EACH
def test_each_piece_can_be_decoded_when_it_comes(name: str, pieces: list[bytes], padding: int) -> None:
    encoder, decode = the(name).encoder(None, padding), Decoder(name)
    for piece in pieces:
        assert decode(encode(encoder, piece, last=False)) == piece
    assert decode(encode(encoder, b"", last=True)) == b""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_library_takes_every_kind_of_bytes(library: str, kind: Any) -> None:
    coded = encode(the(library).encoder(len(TEXT)), kind(TEXT), last=True)
    assert decoded(library, coded) == TEXT
    assert len(coded) < len(TEXT) / 3


@pytest.mark.parametrize("level", LEVELS)
def test_every_library_has_every_level(library: str, level: str) -> None:
    encoder = the(library, level).encoder()
    coded = encode(encoder, TEXT[:5000], last=False) + encode(encoder, TEXT[5000:], last=True)
    assert decoded(library, coded) == TEXT


@EACH
def test_the_best_level_is_the_smallest(name: str) -> None:
    sizes = {level: len(encode(the(name, level).encoder(), TEXT, last=True)) for level in LEVELS}
    assert min(sizes, key=sizes.__getitem__) == "best"


def test_a_stream_of_gzip_is_one_member() -> None:
    """Not one for each piece, which many clients stop reading at."""
    encoder, decoder = the("gzip").encoder(), zlib.decompressobj(31)
    body = b"".join(encode(encoder, b"x", last=False) for _ in range(1000)) + encode(encoder, b"", last=True)
    assert decoder.decompress(body) == b"x" * 1000
    assert (decoder.eof, decoder.unused_data) == (True, b"")


def test_deflate_is_the_zlib_format() -> None:
    """RFC 9110 section 8.4.1.2, whatever some old browsers took it for."""
    assert zlib.decompress(encode(the("deflate").encoder(), TEXT, last=True)) == TEXT


@pytest.mark.parametrize("level", range(1, 20))
@pytest.mark.parametrize("size", [None, 20 * 1024 * 1024])
def test_no_window_of_zstd_is_larger_than_clients_take(level: int, size: int | None) -> None:
    """8 MiB, RFC 9659; read from the header of the frame (RFC 8878 section 3.1.1.1)."""
    encoder = the("zstd", level).encoder(size)
    head = encode(encoder, TEXT[:100], last=False)
    assert not head[4] & 0b100000  # not a single segment, whose window would be as large as the body
    exponent, mantissa = divmod(head[5], 8)
    assert (1 << (10 + exponent)) * (1 + mantissa / 8) <= 8 * 1024 * 1024


# -- padding


@EACH
@pytest.mark.parametrize("length", [1, 2, 3, 99, 258, 259, 1000, 4096])
def test_padding_adds_about_as_many_bytes(name: str, length: int) -> None:
    plain = encode(the(name).encoder(len(TEXT)), TEXT, last=True)
    padded = encode(the(name).encoder(len(TEXT), length), TEXT, last=True)
    assert decoded(name, padded) == TEXT
    assert length <= len(padded) - len(plain) <= length + 16


@EACH
def test_padding_is_put_in_once(name: str) -> None:
    plain, padded = the(name).encoder(), the(name).encoder(None, 500)
    sizes = [[len(encode(encoder, TEXT[:99], last=False)) for _ in range(3)] for encoder in (plain, padded)]
    assert sizes[1][0] >= sizes[0][0] + 500
    assert sizes[0][1:] == sizes[1][1:]


def test_padding_waits_for_a_header_that_comes_late() -> None:
    encoder = the("gzip", 1).encoder(None, 20)
    late = encoder.compress(b"abc")
    assert (late, decoded("gzip", late + encoder.finish(b"def"))) == (b"", b"abcdef")


# -- compressors of zstd are used again


def test_a_compressor_that_was_left_in_the_middle_is_not_used_again() -> None:
    coding = the("zstd")
    for _ in range(6):
        assert decoded("zstd", encode(coding.encoder(len(TEXT)), TEXT, last=True)) == TEXT
        coding.encoder(len(TEXT)).compress(TEXT[:100])


def test_many_threads_share_the_compressors() -> None:
    coding = the("zstd")

    def work(number: int) -> bool:
        body = b"%d " % number * 1000
        return all(decoded("zstd", encode(coding.encoder(len(body)), body, last=True)) == body for _ in range(50))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(16)))


def test_a_compressor_that_another_thread_takes_first_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    class Taken(deque[Any]):
        def pop(self) -> Any:  # type: ignore[override]
            raise IndexError

    monkeypatch.setattr(_encoders, "deque", Taken)
    coding = the("zstd")
    for _ in range(2):
        assert decoded("zstd", encode(coding.encoder(len(TEXT)), TEXT, last=True)) == TEXT


# -- levels and libraries


@pytest.mark.parametrize(
    ("name", "level", "missing", "expected"),
    [
        ("zstd", "default", (), ("zstd", 3)),
        ("zstd", "best", (), ("zstd", 9)),
        ("br", "default", (), ("brotli", 3)),
        ("br", 11, (), ("brotli", 11)),
        ("br", 0, (), ("brotli", 0)),
        ("gzip", "fastest", (), ("isal", 1)),
        ("gzip", "default", (), ("isal", 2)),
        ("gzip", 3, (), ("zlib-ng", 3)),
        ("gzip", "best", (), ("zlib-ng", 9)),
        ("gzip", "fastest", ISAL, ("zlib-ng", 1)),
        ("gzip", "default", ISAL, ("zlib-ng", 4)),
        ("gzip", "default", ZLIB_NG, ("isal", 2)),
        ("gzip", "best", ZLIB_NG, ("zlib", 9)),
        ("deflate", "default", (), ("isal", 2)),
        ("deflate", "default", ISAL | ZLIB_NG, ("zlib", 4)),
        ("deflate", 2, ISAL | ZLIB_NG, ("zlib", 2)),
    ],
)
def test_the_fastest_library_that_is_installed_does_it(
    monkeypatch: pytest.MonkeyPatch, name: str, level: str | int, missing: set[str], expected: tuple[str, int]
) -> None:
    without(monkeypatch, *missing)
    coding = the(name, level)
    assert (coding.name, (coding.library, coding.level)) == (name, expected)


def test_what_is_installed_is_in_our_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed() == ("zstd", "br", "gzip", "deflate")
    without(monkeypatch, "brotli")
    assert installed() == ("zstd", "gzip", "deflate")
    without(monkeypatch, "backports.zstd", "compression.zstd")
    assert installed() == ("gzip", "deflate")


@pytest.mark.parametrize(
    ("name", "package", "missing"),
    [("br", "brotli", ["brotli"]), ("zstd", "backports.zstd", ["backports.zstd", "compression.zstd"])],
)
def test_a_coding_whose_library_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str, missing: list[str]
) -> None:
    without(monkeypatch, *missing)
    with pytest.raises(ImportError, match=rf"{name!r} needs {package}: pip install 'asgi-express\[compress\]'"):
        codings(("gzip", name))


def test_the_standard_library_comes_first_for_zstd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compression", sys.modules["backports"])
    monkeypatch.setitem(sys.modules, "compression.zstd", zstd)
    without(monkeypatch, "backports.zstd")
    assert decoded("zstd", encode(the("zstd").encoder(), TEXT, last=True)) == TEXT


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"level": "fast"}, "level must be one of 'fastest', 'default', 'best', not 'fast'"),
        ({"levels": {"br": 4}}, "levels names 'br', which is none of its encodings: zstd, gzip"),
        ({"levels": {"zstd": 20}}, "the level of zstd must be from 1 to 19, not 20"),
        ({"levels": {"zstd": 0}}, "the level of zstd must be from 1 to 19, not 0"),
        ({"levels": {"gzip": 10}}, "the level of gzip must be from 1 to 9, not 10"),
        ({"levels": {"gzip": "9"}}, "the level of gzip must be from 1 to 9, not '9'"),
        ({"levels": {"gzip": True}}, "the level of gzip must be from 1 to 9, not True"),
    ],
)
def test_a_level_that_there_is_not_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        codings(("zstd", "gzip"), **options)


# -- work


class Counting:
    """Counts what it is given; gives the work up after the first."""

    def __init__(self, work: Work | None = None) -> None:
        self.sizes: list[int] = []
        self.work = work

    def compress(self, data: Any) -> bytes:
        self.sizes.append(len(data))
        if self.work is not None:
            self.work.is_wanted = False
        return b"c"

    def flush(self, data: Any = b"") -> bytes:
        return b"f"

    def finish(self, data: Any = b"") -> bytes:
        return b"e"


LARGE = b"x" * (3 * _encoders.SLICE + 1)


def test_large_bodies_are_cut_in_a_thread_and_given_up_between_two_slices() -> None:
    encoder: Encoder = (counting := Counting())
    assert encode(encoder, LARGE, last=True, work=Work()) == b"cccce"
    assert encode(encoder, LARGE, last=False, work=Work()) == b"ccccf"
    assert counting.sizes == [_encoders.SLICE] * 3 + [1] + [_encoders.SLICE] * 3 + [1]
    work = Work()
    given_up = Counting(work)
    assert encode(given_up, LARGE, last=True, work=work) == b"c"
    assert given_up.sizes == [_encoders.SLICE]


@EACH
@pytest.mark.parametrize("padding", [0, 50])
def test_slices_are_one_body(name: str, padding: int) -> None:
    body = TEXT * (_encoders.SLICE * 2 // len(TEXT) + 1)
    coded = encode(the(name).encoder(len(body), padding), body, last=True, work=Work())
    assert decoded(name, coded) == body


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_compressed_on_the_loop_is_done_soon(library: str, level: str) -> None:
    """2 ms where it was measured; here only that it is not slower by an order of magnitude."""
    coding = the(library, level)
    for size, data in ((coding.inline, TEXT[: coding.inline]), (None, TEXT[: coding.inline_piece])):
        times = []
        for _ in range(5):
            start = time.thread_time()
            encode(coding.encoder(None if size is None else len(data)), data, last=True)
            times.append(time.thread_time() - start)
        assert not data or min(times) < 0.02
