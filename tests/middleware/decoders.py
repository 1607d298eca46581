"""Decoders of the content codings, none of them ours."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import brotli
from backports import zstd

# Without types in some of its releases.
brotli_decompressor: Any = brotli.Decompressor


class Decoder:
    """Decodes a body as it comes."""

    def __init__(self, name: str) -> None:
        decoders: dict[str, Callable[[], Any]] = {
            "zstd": lambda: zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 23}).decompress,
            "br": lambda: _all_of(brotli_decompressor().process),
            "gzip": lambda: zlib.decompressobj(31).decompress,
            "deflate": lambda: zlib.decompressobj(15).decompress,
        }
        self._decode = decoders[name]()

    def __call__(self, data: bytes) -> bytes:
        return bytes(self._decode(data)) if data else b""


def _all_of(process: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Go on asking: the decoder of brotli keeps back what does not fit into its buffer."""

    def decode(data: bytes) -> bytes:
        parts = [process(data)]
        while more := process(b""):
            parts.append(more)
        return b"".join(parts)

    return decode


def decoded(name: str, data: bytes) -> bytes:
    return Decoder(name)(data)
