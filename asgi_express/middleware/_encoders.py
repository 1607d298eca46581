"""The content codings: zstd, br, gzip and deflate, over the fastest library that is installed.

zstd is ``compression.zstd`` (Python 3.14) or ``backports.zstd``, br is ``brotli``. For gzip and deflate the two lowest
levels are ``isal``, the others ``zlib-ng``, and where these are missing the standard library.

An encoder belongs to one answer and to one thread at a time. Brotli is only driven piece by piece: its one call for
everything overflowed beyond 2 GiB (CVE-2020-8927).
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, TypeAlias

from asgi_express.middleware._padding import Buffer, Encoder, padded

__all__ = ["CODINGS", "LEVELS", "Coding", "Encoder", "Work", "codings", "encode", "installed"]

CODINGS = ("zstd", "br", "gzip", "deflate")
"""Every coding there is, in the order in which we like them."""

_INSTALL = "pip install 'asgi-express[compress]'"

# -- levels

LEVELS: Mapping[str, Mapping[str, int]] = {
    "fastest": {"zstd": 1, "br": 1, "gzip": 1, "deflate": 1},
    # br 4 makes text and JSON a twentieth smaller, in 1.6 times the time.
    "default": {"zstd": 3, "br": 3, "gzip": 2, "deflate": 2},
    # Beyond these an answer takes longer to compress than a slow line takes to carry the difference.
    "best": {"zstd": 9, "br": 9, "gzip": 9, "deflate": 9},
}
"""What a word means for each coding."""

_WITHOUT_ISAL = 4
"""The default of gzip and deflate without isal, whose level 2 is as fast as nothing of the others."""

# zstd 20 and above use windows beyond the 8 MiB that clients have to take (RFC 9659), and 650 MiB for each stream.
_RANGES = {"zstd": (1, 19), "br": (0, 11), "gzip": (1, 9), "deflate": (1, 9)}

_KIB = 1024

# The highest level of zstd whose compressors are kept for the next body; from 7 on they have 10 MiB and more.
_MAX_REUSED = 6

# Up to a level: bytes of a whole body, and of a piece of a stream, that are compressed on the event loop. What took
# 2 ms at most (CPython 3.11, AMD EPYC; text and noise) with what setting up takes: the tables of a stream are as
# large as its level wants, those of a whole body no larger than it needs.
_INLINE: Mapping[str, tuple[tuple[int, int, int], ...]] = {
    "zstd": ((6, 128 * _KIB, 128 * _KIB), (9, 64 * _KIB, 0), (19, 0, 0)),
    "brotli": ((4, 128 * _KIB, 128 * _KIB), (6, 64 * _KIB, 64 * _KIB), (9, 32 * _KIB, 0), (11, 0, 0)),
    "isal": ((2, 128 * _KIB, 128 * _KIB),),
    "zlib-ng": ((7, 128 * _KIB, 128 * _KIB), (9, 32 * _KIB, 32 * _KIB)),
    "zlib": ((4, 128 * _KIB, 128 * _KIB), (6, 64 * _KIB, 64 * _KIB), (9, 8 * _KIB, 8 * _KIB)),
}


@dataclass(frozen=True, slots=True)
class Coding:
    """One coding at one level.

    Attributes:
        name: as it stands in ``Content-Encoding``.
        level: of its own scale.
        library: what does it: ``"zstd"``, ``"brotli"``, ``"isal"``, ``"zlib-ng"`` or ``"zlib"``.
        inline: bytes of a whole body that may be compressed on the event loop.
        inline_piece: bytes of one piece of a stream, likewise.
        whole: compresses a body that is small and whole.
    """

    name: str
    level: int
    library: str
    inline: int
    inline_piece: int
    whole: Callable[[Buffer], bytes]
    _new: Callable[[int | None], Encoder]

    def encoder(self, size: int | None = None, padding: int = 0) -> Encoder:
        """Start a body.

        Args:
            size: bytes of the whole body; ``None`` where they are not known. Other than that many is an error.
            padding: about how many bytes that say nothing are put in.
        """
        encoder = self._new(size)
        return padded(encoder, self.name, padding) if padding else encoder


def installed() -> tuple[str, ...]:
    """Return the codings that can be used here, in our order."""
    return tuple(name for name in CODINGS if name in ("gzip", "deflate") or _library(name) is not None)


def codings(
    names: tuple[str, ...], level: str = "default", levels: Mapping[str, int] | None = None
) -> dict[str, Coding]:
    """Return codings by name.

    Args:
        names: which.
        level: a word of :data:`LEVELS` for all of them.
        levels: a number for some of them.

    Raises:
        ImportError: the library of one is not installed.
        ValueError: a name, the word or a number is not one of those there are.
    """
    if level not in LEVELS:
        msg = f"Compress: level must be one of {', '.join(map(repr, LEVELS))}, not {level!r}"
        raise ValueError(msg)
    for name, number in (levels or {}).items():
        if name not in names:
            msg = f"Compress: levels names {name!r}, which is none of its encodings: {', '.join(names)}"
            raise ValueError(msg)
        low, high = _RANGES[name]
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            msg = f"Compress: the level of {name} must be from {low} to {high}, not {number!r}"
            raise ValueError(msg)
    return {name: _coding(name, level, (levels or {}).get(name)) for name in names}


def _coding(name: str, level: str, number: int | None) -> Coding:
    if name in ("gzip", "deflate"):
        return _zlib_coding(name, level, number)
    module = _library(name)
    if module is None:
        package = "brotli" if name == "br" else "backports.zstd"
        msg = f"Compress: the encoding {name!r} needs {package}: {_INSTALL}"
        raise ImportError(msg)
    number = LEVELS[level][name] if number is None else number
    library, make = ("brotli", _brotli) if name == "br" else ("zstd", _zstd)
    return _made(name, number, library, *make(module, number))


def _zlib_coding(name: str, level: str, number: int | None) -> Coding:
    isal = _import("isal.isal_zlib")
    if number is None:
        number = LEVELS[level][name] if level != "default" or isal else _WITHOUT_ISAL
    library, module = next(
        (library, module)
        for library, module in (
            # Its level 3 is no smaller than 2 and takes twice the time.
            ("isal", isal if number <= 2 else None),
            ("zlib-ng", _import("zlib_ng.zlib_ng")),
            ("zlib", zlib),
        )
        if module
    )
    wbits = zlib.MAX_WBITS + (16 if name == "gzip" else 0)

    def begin() -> _Deflate:
        return _Deflate(module.compressobj(number, zlib.DEFLATED, wbits))

    def whole(body: Buffer) -> bytes:
        # 5.6 us instead of 6.4 for 2 KiB; what comes out is a hundredth larger, and from 8 KiB on the same.
        coded: bytes = module.compress(body, number, wbits)
        return coded

    if library != "isal":
        return _made(name, number, library, lambda _: begin())
    return _made(name, number, library, lambda size: begin() if size is None else _Whole(whole, begin), whole)


def _made(
    name: str,
    number: int,
    library: str,
    new: Callable[[int | None], Encoder],
    whole: Callable[[Buffer], bytes] | None = None,
) -> Coding:
    inline, piece = next((inline, piece) for up_to, inline, piece in _INLINE[library] if number <= up_to)
    return Coding(name, number, library, inline, piece, whole or (lambda body: new(len(body)).finish(body)), new)


def _import(*names: str) -> ModuleType | None:
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


def _library(name: str) -> ModuleType | None:
    return _import("brotli") if name == "br" else _import("compression.zstd", "backports.zstd")


# -- encoders


class _Deflate:
    __slots__ = ("_raw",)

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def compress(self, data: Buffer) -> bytes:
        coded: bytes = self._raw.compress(data)
        return coded

    def flush(self, data: Buffer = b"") -> bytes:
        coded: bytes = self._raw.compress(data) + self._raw.flush(zlib.Z_SYNC_FLUSH)
        return coded

    def finish(self, data: Buffer = b"") -> bytes:
        coded: bytes = self._raw.compress(data) + self._raw.flush()
        return coded


class _Whole:
    """A body that comes in one piece, or else is begun as a stream: the same body gives the same bytes."""

    __slots__ = ("_all", "_begin", "_begun")

    def __init__(self, whole: Callable[[Buffer], bytes], begin: Callable[[], Encoder]) -> None:
        self._all = whole
        self._begin = begin
        self._begun: Encoder | None = None

    def compress(self, data: Buffer) -> bytes:
        self._begun = self._begun or self._begin()
        return self._begun.compress(data)

    def flush(self, data: Buffer = b"") -> bytes:
        self._begun = self._begun or self._begin()
        return self._begun.flush(data)

    def finish(self, data: Buffer = b"") -> bytes:
        return self._all(data) if self._begun is None else self._begun.finish(data)


class _Brotli:
    __slots__ = ("_raw",)

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def compress(self, data: Buffer) -> bytes:
        coded: bytes = self._raw.process(data)
        return coded

    def flush(self, data: Buffer = b"") -> bytes:
        coded: bytes = self._raw.process(data) + self._raw.flush()
        return coded

    def finish(self, data: Buffer = b"") -> bytes:
        coded: bytes = self._raw.process(data) + self._raw.finish()
        return coded


class _Zstd:
    __slots__ = ("_idle", "_raw")

    def __init__(self, raw: Any, idle: deque[Any] | None) -> None:
        self._raw: Any = raw
        self._idle = idle

    def compress(self, data: Buffer) -> bytes:
        coded: bytes = self._raw.compress(data)
        return coded

    def flush(self, data: Buffer = b"") -> bytes:
        coded: bytes = self._raw.compress(data, self._raw.FLUSH_BLOCK)
        return coded

    def finish(self, data: Buffer = b"") -> bytes:
        raw, self._raw = self._raw, None
        out: bytes = raw.compress(data, raw.FLUSH_FRAME)
        if self._idle is not None:
            self._idle.append(raw)
        return out


_Makes: TypeAlias = tuple[Callable[[int | None], Encoder], Callable[[Buffer], bytes] | None]


def _brotli(module: ModuleType, quality: int) -> _Makes:
    def begin(size: int | None) -> Any:
        # Half a MiB for streams, as nginx has it: each keeps its window as long as it lasts. No larger than the body,
        # else quality 9 spends 1 ms on the tables for 2 KiB.
        window = 19 if size is None else max(10, min(22, size.bit_length()))
        return module.Compressor(quality=quality, lgwin=window)

    def whole(body: Buffer) -> bytes:
        raw = begin(len(body))
        coded: bytes = raw.process(body) + raw.finish()
        return coded

    return (lambda size: _Brotli(begin(size))), whole


def _zstd(module: ModuleType, level: int) -> _Makes:
    # A compressor that has finished a body takes the next one, which saves 8 µs of 23 for 2 KiB. Few are kept, and none
    # whose tables are large; one that did not finish is dropped.
    idle: deque[Any] | None = deque(maxlen=4) if level <= _MAX_REUSED else None

    def new(size: int | None) -> Encoder:
        if size is None:
            return _Zstd(module.ZstdCompressor(level=level), None)
        try:
            raw = idle.pop() if idle else module.ZstdCompressor(level=level)
        except IndexError:  # another thread has just taken it
            raw = module.ZstdCompressor(level=level)
        raw.set_pledged_input_size(size)
        return _Zstd(raw, idle)

    return new, None


# -- work

SLICE = 1024 * _KIB
"""Bytes that are compressed in one go; whether to go on is asked between two slices.

Brotli finds a tenth less in slices of 256 KiB."""


class Work:
    """What is going on in a thread, to be given up from the loop.

    Attributes:
        is_wanted: whether anybody waits for it.
    """

    __slots__ = ("is_wanted",)

    def __init__(self) -> None:
        self.is_wanted = True


def _slices(data: Buffer, work: Work) -> Iterator[Buffer]:
    view = memoryview(data)
    for start in range(0, len(view), SLICE):
        if not work.is_wanted:
            return
        yield view[start : start + SLICE]


def encode(encoder: Encoder, data: Buffer, *, last: bool, work: Work | None = None) -> bytes:
    """Compress a piece so that all of it can be decoded.

    Args:
        encoder: what has compressed the pieces before.
        data: the piece.
        last: whether it is the last one.
        work: to give it up; what is returned then is worth nothing.
    """
    if work is None or len(data) <= SLICE:
        return encoder.finish(data) if last else encoder.flush(data)
    parts = [encoder.compress(part) for part in _slices(data, work)]
    if work.is_wanted:
        parts.append(encoder.finish() if last else encoder.flush())
    return b"".join(parts)
