"""The content codings: zstd, br, gzip and deflate, over the fastest library that is installed.

zstd is ``compression.zstd`` (Python 3.14) or ``backports.zstd``, br is ``brotli``. For gzip and deflate the two lowest
levels are ``isal``, the others ``zlib-ng``, and where these are missing the standard library.

An encoder belongs to one answer and to one thread at a time. Brotli is only driven piece by piece: its one call for
everything overflowed beyond 2 GiB (CVE-2020-8927).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol, TypeAlias, cast

__all__ = ["CODINGS", "LEVELS", "Coding", "Encoder", "Work", "codings", "encode", "installed"]

CODINGS = ("zstd", "br", "gzip", "deflate")
"""Every coding there is, in the order in which we like them."""

_INSTALL = "pip install 'asgi-express[compress]'"

Buffer: TypeAlias = bytes | bytearray | memoryview


class Encoder(Protocol):
    """One body under way. What ``compress`` keeps back comes out with the next ``flush`` or ``finish``."""

    def compress(self, data: Buffer, /) -> bytes:
        """Take bytes; return what is ready."""
        ...

    def flush(self) -> bytes:
        """Return the rest of what can be decoded so far."""
        ...

    def finish(self) -> bytes:
        """Return the rest, and the end."""
        ...


# -- levels

LEVELS: Mapping[str, Mapping[str, int]] = {
    "fastest": {"zstd": 1, "br": 1, "gzip": 1, "deflate": 1},
    "default": {"zstd": 3, "br": 4, "gzip": 2, "deflate": 2},
    # Beyond these an answer takes longer to compress than a slow line takes to carry the difference.
    "best": {"zstd": 9, "br": 9, "gzip": 9, "deflate": 9},
}
"""What a word means for each coding."""

_WITHOUT_ISAL = 4
"""The default of gzip and deflate without isal, whose level 2 is as fast as nothing of the others."""

# zstd 20 and above use windows beyond the 8 MiB that clients have to take (RFC 9659), and 650 MiB for each stream.
_RANGES = {"zstd": (1, 19), "br": (0, 11), "gzip": (1, 9), "deflate": (1, 9)}

_KIB = 1024

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
    """

    name: str
    level: int
    library: str
    inline: int
    inline_piece: int
    _new: Callable[[int | None], Encoder]

    def encoder(self, size: int | None = None, padding: int = 0) -> Encoder:
        """Start a body.

        Args:
            size: bytes of the whole body; ``None`` where they are not known. Other than that many is an error.
            padding: about how many bytes that say nothing are put in.
        """
        encoder = self._new(size)
        if not padding:
            return encoder
        return _Titled(encoder, padding) if self.name == "gzip" else _Padded(encoder, _FILLERS[self.name](padding))


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
    return _made(name, number, library, make(module, number))


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

    def new(size: int | None) -> Encoder:
        return _Deflate(module.compressobj(number, zlib.DEFLATED, wbits))

    return _made(name, number, library, new)


def _made(name: str, number: int, library: str, new: Callable[[int | None], Encoder]) -> Coding:
    whole, piece = next((whole, piece) for up_to, whole, piece in _INLINE[library] if number <= up_to)
    return Coding(name, number, library, whole, piece, new)


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
        return cast("bytes", self._raw.compress(data))

    def flush(self) -> bytes:
        return cast("bytes", self._raw.flush(zlib.Z_SYNC_FLUSH))

    def finish(self) -> bytes:
        return cast("bytes", self._raw.flush())


class _Brotli:
    __slots__ = ("_raw",)

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def compress(self, data: Buffer) -> bytes:
        return cast("bytes", self._raw.process(data))

    def flush(self) -> bytes:
        return cast("bytes", self._raw.flush())

    def finish(self) -> bytes:
        return cast("bytes", self._raw.finish())


class _Zstd:
    __slots__ = ("_raw",)

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def compress(self, data: Buffer) -> bytes:
        return cast("bytes", self._raw.compress(data))

    def flush(self) -> bytes:
        return cast("bytes", self._raw.flush(self._raw.FLUSH_BLOCK))

    def finish(self) -> bytes:
        return cast("bytes", self._raw.flush())  # FLUSH_FRAME


def _brotli(module: ModuleType, quality: int) -> Callable[[int | None], Encoder]:
    def new(size: int | None) -> Encoder:
        # Half a MiB for streams, as nginx has it: each keeps its window as long as it lasts. No larger than the body,
        # else quality 9 spends 1 ms on the tables for 2 KiB.
        window = 19 if size is None else max(10, min(22, size.bit_length()))
        return _Brotli(module.Compressor(quality=quality, lgwin=window))

    return new


def _zstd(module: ModuleType, level: int) -> Callable[[int | None], Encoder]:
    def new(size: int | None) -> Encoder:
        raw = module.ZstdCompressor(level=level)
        if size is not None:
            raw.set_pledged_input_size(size)
        return _Zstd(raw)

    return new


# -- bytes that say nothing


class _Padded:
    """Put bytes between the first part that can be decoded and the next."""

    __slots__ = ("_encoder", "_filler")

    def __init__(self, encoder: Encoder, filler: bytes) -> None:
        self._encoder = encoder
        self._filler = filler

    def compress(self, data: Buffer) -> bytes:
        return self._encoder.compress(data)

    def flush(self) -> bytes:
        filler, self._filler = self._filler, b""
        return self._encoder.flush() + filler

    def finish(self) -> bytes:
        if not self._filler:
            return self._encoder.finish()
        return self.flush() + self._encoder.finish()


class _Titled:
    """Put a comment into the header of gzip (RFC 1952 section 2.3.1)."""

    __slots__ = ("_encoder", "_head", "_length")

    def __init__(self, encoder: Encoder, length: int) -> None:
        self._encoder = encoder
        self._head: bytes | None = b""
        self._length = length

    def compress(self, data: Buffer) -> bytes:
        return self._with_comment(self._encoder.compress(data))

    def flush(self) -> bytes:
        return self._with_comment(self._encoder.flush())

    def finish(self) -> bytes:
        return self._with_comment(self._encoder.finish())

    def _with_comment(self, out: bytes) -> bytes:
        if self._head is None:
            return out
        self._head += out
        if len(self._head) < 10:  # isal writes its header late
            return b""
        head, self._head = self._head, None
        return head[:3] + b"\x10" + head[4:10] + b"x" * (self._length - 1) + b"\0" + head[10:]


def _brotli_filler(length: int) -> bytes:
    """Blocks of metadata, which decoders skip (RFC 7932 section 9.2): 256 bytes each, after two of their own."""
    whole, rest = divmod(length, 258)
    return _metadata(256) * whole + (_metadata(max(1, rest - 2)) if rest else b"")


def _metadata(length: int) -> bytes:
    # From the lowest bit: not the last block, no length of data, reserved, one byte of length, the length less one.
    return (0b010110 | (length - 1) << 6).to_bytes(2, "little") + b"x" * length


_FILLERS: Mapping[str, Callable[[int], bytes]] = {
    "zstd": lambda length: b"\0\0\0" * -(-length // 3),  # empty raw blocks (RFC 8878 section 3.1.1.2)
    "br": _brotli_filler,
    "deflate": lambda length: b"\0\0\0\xff\xff" * -(-length // 5),  # empty stored blocks (RFC 1951 section 3.2.4)
}


# -- work

SLICE = 256 * _KIB
"""Bytes that are compressed in one go; whether to go on is asked between two slices."""


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
        return encoder.compress(data) + (encoder.finish() if last else encoder.flush())
    parts = [encoder.compress(part) for part in _slices(data, work)]
    if work.is_wanted:
        parts.append(encoder.finish() if last else encoder.flush())
    return b"".join(parts)
