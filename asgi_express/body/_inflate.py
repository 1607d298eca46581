"""Bodies with a ``Content-Encoding``: inflated piece by piece, and counted as they grow.

A bomb is stopped by the limit on what it inflates to. 100 MiB of zeros are 165 bytes of brotli: so each
call to a decompressor has a cap on its output too, and one coding is all that is undone.
"""

from __future__ import annotations

import asyncio
import importlib
import math
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from asgi_express._inbox import too_large
from asgi_express.errors import BodyError

__all__ = ["inflate", "inflater"]

# The most that one call puts out, and the most that it is given: what zlib leaves over is copied each time.
_PIECE = 64 * 1024
_SLICE = 8 * 1024

# Beyond this, the work goes to a thread: it takes a few milliseconds (measured: 64 KiB in 0.1 ms).
_INLINE = 256 * 1024

# RFC 9659: the window of a zstd content coding is at most 8 MB. The library would give a bomb 128 MiB of memory.
_ZSTD_WINDOW_LOG = 23

# Each frame needs a decompressor of its own: 1 MiB of empty ones took 1.8 s.
_MAX_FRAMES = 1024

Inflater = Callable[[bytes], Iterator[bytes]]


def inflater(encoding: str) -> Inflater:
    """Return what undoes a content coding.

    Args:
        encoding: ``"gzip"``, ``"deflate"`` (in the zlib format), ``"br"`` or ``"zstd"``, in lower case.

    Raises:
        BodyError: 415 ``encoding.unsupported``; also where the package for ``br`` or ``zstd`` is not installed.
    """
    make = _MAKERS.get(encoding)
    found = make() if make is not None else None
    if found is None:
        message = f'unsupported content encoding "{encoding}"'
        raise BodyError(415, message, type="encoding.unsupported", encoding=encoding)
    return found


async def inflate(raw: bytes, pieces: Inflater, limit: float) -> bytes:
    """Return a body inflated; in a thread if it is more than a trifle.

    Args:
        raw: the body as it came.
        pieces: what undoes its coding.
        limit: how many bytes are allowed.

    Raises:
        BodyError: 413 ``entity.too.large``; 400 ``encoding.invalid``, it is broken, cut off, or followed by something.
    """
    work = _Inflation(pieces(raw), limit)
    if len(raw) > _INLINE or not work.run(_INLINE):
        await asyncio.to_thread(work.run, math.inf)
    return b"".join(work.chunks)


class _Inflation:
    """A body that is being inflated."""

    __slots__ = ("_limit", "_pieces", "_size", "chunks")

    def __init__(self, pieces: Iterator[bytes], limit: float) -> None:
        self._pieces = pieces
        self._limit = limit
        self._size = 0
        self.chunks: list[bytes] = []

    def run(self, budget: float) -> bool:
        """Inflate until it is done, or the budget is used up; tell whether it is done."""
        for piece in self._pieces:
            self._size += len(piece)
            if self._size > self._limit:
                raise too_large(int(self._limit), self._size)
            self.chunks.append(piece)
            if self._size >= budget:
                return False
        return True


def _broken(reason: str, code: str = "Z_DATA_ERROR") -> BodyError:
    return BodyError(400, reason, type="encoding.invalid", code=code)


def _cut_off() -> BodyError:
    return _broken("unexpected end of file", "Z_BUF_ERROR")


def _slices(raw: bytes) -> Iterator[bytes]:
    for start in range(0, len(raw), _SLICE):
        yield raw[start : start + _SLICE]


def _gzip(raw: bytes) -> Iterator[bytes]:
    """Several members in a row are one body, and zeros behind them are padding (RFC 1952 section 2.2, and Node)."""
    return _zlib(raw, 31)


def _deflate(raw: bytes) -> Iterator[bytes]:
    return _zlib(raw, 15)


def _zlib(raw: bytes, wbits: int) -> Iterator[bytes]:
    stream = zlib.decompressobj(wbits)
    at = 0
    try:
        for data in _slices(raw):
            at += len(data)
            while data:
                if stream.eof:
                    if wbits == 15:
                        raise _broken("trailing data after the end of the body")
                    if not data.strip(b"\0") and not raw[at:].strip(b"\0"):
                        return
                    stream = zlib.decompressobj(wbits)
                piece = stream.decompress(data, _PIECE)
                data = stream.unused_data if stream.eof else stream.unconsumed_tail
                if piece:
                    yield piece
        if not stream.eof:  # it ends with a checksum, so there is input left as long as there is output left
            raise _cut_off()
    except zlib.error as error:
        raise _broken(str(error).rpartition(": ")[2]) from None


def _make_brotli() -> Inflater | None:
    brotli = _module("brotli")
    if brotli is None:
        return None
    try:
        brotli.Decompressor().process(b"", output_buffer_limit=1)
    except TypeError:  # before 1.2 one call puts out all there is, be it 100 MiB
        return None

    def pieces(raw: bytes) -> Iterator[bytes]:
        stream = brotli.Decompressor()
        try:
            for data in _slices(raw):
                piece = stream.process(data, output_buffer_limit=_PIECE)
                while piece:
                    yield piece
                    piece = b"" if stream.is_finished() else stream.process(b"", output_buffer_limit=_PIECE)
        except brotli.error:
            raise _broken("Decompression failed") from None
        if not stream.is_finished():
            raise _cut_off()

    return pieces


def _make_zstd() -> Inflater | None:
    zstd = _module("compression.zstd", "backports.zstd")  # the first is a part of Python 3.14
    if zstd is None:
        return None
    options = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}

    def pieces(raw: bytes) -> Iterator[bytes]:
        stream = zstd.ZstdDecompressor(options=options)
        frames = 1
        try:
            for data in _slices(raw):
                while data or not (stream.eof or stream.needs_input):
                    if stream.eof:  # frames in a row are one body (RFC 8878 section 3.1)
                        frames += 1
                        if frames > _MAX_FRAMES:
                            raise _broken("too many frames")
                        stream = zstd.ZstdDecompressor(options=options)
                    piece = stream.decompress(data, _PIECE)
                    data = stream.unused_data if stream.eof else b""
                    if piece:
                        yield piece
        except zstd.ZstdError:
            raise _broken("Decompression failed") from None
        if not stream.eof:
            raise _cut_off()

    return pieces


def _module(*names: str) -> Any:
    """Return the first module that is installed, ``None`` if none is."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


_MAKERS: dict[str, Callable[[], Inflater | None]] = {
    "gzip": lambda: _gzip,
    "deflate": lambda: _deflate,
    "br": _make_brotli,
    "zstd": _make_zstd,
}
