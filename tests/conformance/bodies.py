"""Bodies as the recordings write them."""

from __future__ import annotations

import base64
from typing import Any, TypeAlias

JSON: TypeAlias = Any


def to_bytes(body: Any) -> bytes:
    """Return the bytes: of text, ``{"base64": ...}``, ``{"repeat": [body, count]}`` or ``{"join": [body, ...]}``."""
    if isinstance(body, str):
        return body.encode()
    if "base64" in body:
        return base64.b64decode(body["base64"])
    if "repeat" in body:
        return to_bytes(body["repeat"][0]) * int(body["repeat"][1])
    return b"".join(map(to_bytes, body["join"]))


def plain(value: Any) -> Any:
    """Return what JSON can say of a value: bytes are text, or Base64 where they are not UTF-8."""
    if isinstance(value, bytes | bytearray | memoryview):
        content = bytes(value)
        try:
            return {"bytes": content.decode()}
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(content).decode()}
    return value
