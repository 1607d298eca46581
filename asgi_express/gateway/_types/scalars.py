"""Words, numbers, and what is written as one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from asgi_express._units import parse_bytes, parse_duration
from asgi_express.gateway._problems import closest, listed
from asgi_express.gateway._types.base import PLACEHOLDER, Context, Schema, Type, expected
from asgi_express.gateway._yaml import Node

__all__ = ["Boolean", "Choice", "Duration", "Integer", "Number", "Size", "Text"]


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is not empty."""

    words: str = "text"
    pattern: str | None = None
    example: str = "a word"

    @property
    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"{self.pattern}|{PLACEHOLDER}"} if self.pattern else {"type": "string"}

    def read(self, node: Node, context: Context) -> str:
        text = node.raw if isinstance(node.value, int | float) and not isinstance(node.value, bool) else node.value
        if not isinstance(text, str) or not text or (self.pattern and not re.search(self.pattern, text)):
            raise expected(self, node)
        return text


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number, or text that is one."""

    least: int = 0
    most: int | None = None

    @property
    def example(self) -> str:
        return str(max(self.least, 32))

    @property
    def words(self) -> str:
        return (
            f"an integer of {self.least} or more" if self.most is None else f"an integer, {self.least} to {self.most}"
        )

    @property
    def schema(self) -> Schema:
        number: Schema = {"type": "integer", "minimum": self.least}
        if self.most is not None:
            number["maximum"] = self.most
        return {"anyOf": [number, {"type": "string", "pattern": f"^-?[0-9]+$|{PLACEHOLDER}"}]}

    def read(self, node: Node, context: Context) -> int:
        value = node.value
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,30}", value.strip()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < self.least:
            raise expected(self, node)
        if self.most is not None and value > self.most:
            raise expected(self, node)
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A number, or text that is one."""

    words: str = "a number"
    example: str = "0.5"

    @property
    def schema(self) -> Schema:
        return {"anyOf": [{"type": "number"}, {"type": "string"}]}

    def read(self, node: Node, context: Context) -> float:
        value = node.value
        try:
            number = None if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
        except (ValueError, OverflowError):
            number = None
        if number is None or number - number != 0:
            raise expected(self, node)
        return number


@dataclass(frozen=True, slots=True)
class Boolean:
    """``true`` or ``false``, also as text."""

    words: str = "true or false"
    example: str = "true"

    @property
    def schema(self) -> Schema:
        return {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": f"^(true|false)$|{PLACEHOLDER}"}]}

    def read(self, node: Node, context: Context) -> bool:
        if isinstance(node.value, bool):
            return node.value
        if node.value in ("true", "false"):
            return node.value == "true"
        raise expected(self, node)


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time, in seconds."""

    zero: bool = False
    example: str = "30s"

    @property
    def words(self) -> str:
        return "a duration such as 30s or 1.5h" + ("" if self.zero else ", above 0")

    @property
    def schema(self) -> Schema:
        return {"type": ["string", "number"]}

    def read(self, node: Node, context: Context) -> float:
        seconds: float = _parsed(parse_duration, self, node)
        if seconds < 0 or (seconds == 0 and not self.zero):
            raise expected(self, node)
        return seconds


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes."""

    words: str = "a size such as 512 or 100kb"
    example: str = "100kb"

    @property
    def schema(self) -> Schema:
        return {"type": ["string", "integer"]}

    def read(self, node: Node, context: Context) -> int:
        return int(_parsed(parse_bytes, self, node))


def _parsed(parse: Any, kind: Type, node: Node) -> Any:
    try:
        return parse(node.value)
    except (TypeError, ValueError):
        raise expected(kind, node) from None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    options: tuple[str, ...]

    @property
    def words(self) -> str:
        return "one of " + listed(self.options)

    @property
    def example(self) -> str:
        return self.options[0]

    @property
    def schema(self) -> Schema:
        return {"anyOf": [{"enum": list(self.options)}, {"type": "string", "pattern": PLACEHOLDER}]}

    def read(self, node: Node, context: Context) -> str:
        if not isinstance(node.value, str) or node.value not in self.options:
            raise expected(self, node, closest(node.raw, self.options))
        return node.value
