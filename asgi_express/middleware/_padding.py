"""Bytes that say nothing in a coded body, so that its length says less; and what an encoder is.

Where a format has no room for any number of bytes, the next larger number that it has room for is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

__all__ = ["Buffer", "Encoder", "padded"]

Buffer: TypeAlias = bytes | bytearray | memoryview


class Encoder(Protocol):
    """One body under way. What ``compress`` keeps back comes out with the next ``flush`` or ``finish``."""

    def compress(self, data: Buffer, /) -> bytes:
        """Take bytes; return what is ready."""
        ...

    def flush(self, data: Buffer = b"", /) -> bytes:
        """Take bytes; return all that can be decoded so far."""
        ...

    def finish(self, data: Buffer = b"", /) -> bytes:
        """Take the last bytes; return the rest, and the end. Nothing may follow."""
        ...


def padded(encoder: Encoder, name: str, length: int) -> Encoder:
    """Return an encoder that puts in bytes once.

    Args:
        encoder: one that has not begun.
        name: its coding.
        length: about how many bytes, one or more.
    """
    return _Titled(encoder, length) if name == "gzip" else _Filled(encoder, _FILLERS[name](length))


class _Filled:
    """Put bytes between the first part that can be decoded and the next; an empty body has no parts."""

    __slots__ = ("_encoder", "_filler", "_is_empty")

    def __init__(self, encoder: Encoder, filler: bytes) -> None:
        self._encoder = encoder
        self._filler = filler
        self._is_empty = True

    def compress(self, data: Buffer) -> bytes:
        self._is_empty = self._is_empty and not data
        return self._encoder.compress(data)

    def flush(self, data: Buffer = b"") -> bytes:
        self._is_empty = self._is_empty and not data
        out = self._encoder.flush(data)
        if self._is_empty:
            return out
        filler, self._filler = self._filler, b""
        return out + filler

    def finish(self, data: Buffer = b"") -> bytes:
        if not self._filler:
            return self._encoder.finish(data)
        return self.flush(data) + self._encoder.finish()


class _Titled:
    """Put a comment into the header of gzip (RFC 1952 section 2.3.1)."""

    __slots__ = ("_encoder", "_head", "_length")

    def __init__(self, encoder: Encoder, length: int) -> None:
        self._encoder = encoder
        self._head: bytes | None = b""
        self._length = length

    def compress(self, data: Buffer) -> bytes:
        return self._with_comment(self._encoder.compress(data))

    def flush(self, data: Buffer = b"") -> bytes:
        return self._with_comment(self._encoder.flush(data))

    def finish(self, data: Buffer = b"") -> bytes:
        return self._with_comment(self._encoder.finish(data))

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
