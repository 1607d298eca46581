"""What a field can hold: how it is read, what an editor is told of it, and its name in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from asgi_express._units import parse_bytes, parse_duration
from asgi_express.gateway._problems import Wrong, closest, listed
from asgi_express.gateway._yaml import Node

__all__ = [
    "Anything",
    "Boolean",
    "Choice",
    "Context",
    "Duration",
    "Either",
    "FilePath",
    "Integer",
    "ListOf",
    "Mapping",
    "Number",
    "Pem",
    "Raw",
    "Reference",
    "Schema",
    "Size",
    "Text",
    "Type",
    "expected",
]

Schema = dict[str, Any]

# What is written as text may come from the environment; then an editor cannot know what it is.
_PLACEHOLDER = r"\$\{env:"


class Context(Protocol):
    """What a type may ask about the entry that it is read in."""

    base: Path

    def refer(self, node: Node, kinds: Sequence[str]) -> str:
        """Note a reference to another entry; return the whole ID."""
        ...


class Type(Protocol):
    """What a field can hold."""

    @property
    def words(self) -> str:
        """What it is called in messages and in the documentation."""
        ...

    @property
    def example(self) -> str:
        """A value, as it is written."""
        ...

    @property
    def schema(self) -> Schema:
        """What JSON Schema says of it."""
        ...

    def read(self, node: Node, context: Context) -> Any:
        """Return the value.

        Raises:
            Wrong: it is another one.
        """
        ...


def expected(kind: Type, node: Node, suggestion: str | None = None) -> Wrong:
    """Return the error for a value that a type cannot read."""
    advice = suggestion or f"write {kind.example}, say"
    return Wrong(f"expected {kind.words}, not {node.shown}", suggestion=advice, line=node.line)


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is not empty."""

    words: str = "text"
    pattern: str | None = None
    example: str = "a word"

    @property
    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"{self.pattern}|{_PLACEHOLDER}"} if self.pattern else {"type": "string"}

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
        return {"anyOf": [number, {"type": "string", "pattern": f"^-?[0-9]+$|{_PLACEHOLDER}"}]}

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
        return {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": f"^(true|false)$|{_PLACEHOLDER}"}]}

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
        return {"anyOf": [{"enum": list(self.options)}, {"type": "string", "pattern": _PLACEHOLDER}]}

    def read(self, node: Node, context: Context) -> str:
        if not isinstance(node.value, str) or node.value not in self.options:
            raise expected(self, node, closest(node.raw, self.options))
        return node.value


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; where one is enough, also the one alone."""

    item: Type
    lone: bool = False
    commas: bool = False
    empty: bool = True

    @property
    def words(self) -> str:
        more = ", or text with commas" if self.commas else ", or one of them" if self.lone else ""
        return f"a list of {self.item.words}{more}"

    @property
    def example(self) -> str:
        return f"[{self.item.example}]"

    @property
    def schema(self) -> Schema:
        several: Schema = {"type": "array", "items": self.item.schema}
        if not self.empty:
            several["minItems"] = 1
        return {"anyOf": [self.item.schema, several]} if self.lone or self.commas else several

    def read(self, node: Node, context: Context) -> list[Any]:
        if self.commas and isinstance(node.value, str):
            parts = [part.strip() for part in node.value.split(",")]
            return [self.item.read(Node(part, node.line, node.raw), context) for part in parts if part]
        if isinstance(node.value, list):
            if not node.value and not self.empty:
                raise expected(self, Node(None, node.line))
            return [self.item.read(item, context) for item in node.value]
        if self.lone or self.commas:
            return [self.item.read(node, context)]
        raise expected(self, node)


@dataclass(frozen=True, slots=True)
class Either:
    """What the first of several types can read."""

    types: tuple[Type, ...]

    @property
    def words(self) -> str:
        return ", or ".join(each.words for each in self.types)

    @property
    def example(self) -> str:
        return self.types[0].example

    @property
    def schema(self) -> Schema:
        return {"anyOf": [each.schema for each in self.types]}

    def read(self, node: Node, context: Context) -> Any:
        for each in self.types[:-1]:
            try:
                return each.read(node, context)
            except Wrong:
                continue
        try:
            return self.types[-1].read(node, context)
        except Wrong:
            raise expected(self, node) from None


@dataclass(frozen=True, slots=True)
class Reference:
    """The ID of another entry; without a namespace, one of the same."""

    kinds: tuple[str, ...]
    example: str = "the name of one in this file"

    @property
    def words(self) -> str:
        return "the ID of " + (f"a {' or '.join(self.kinds)}" if self.kinds else "an entry")

    @property
    def schema(self) -> Schema:
        return {"type": "string", "description": self.words}

    def read(self, node: Node, context: Context) -> str:
        if not isinstance(node.value, str) or not node.value:
            raise expected(self, node)
        return context.refer(node, self.kinds)


@dataclass(frozen=True, slots=True)
class FilePath:
    """A directory, relative to the file that names it."""

    words: str = "the path of a directory"
    example: str = "./public"

    @property
    def schema(self) -> Schema:
        return {"type": "string"}

    def read(self, node: Node, context: Context) -> Path:
        if not isinstance(node.value, str) or not node.value:
            raise expected(self, node)
        path = (context.base / node.value.removeprefix("file://")).resolve()
        if not path.is_dir():
            beside = [each.name for each in path.parent.iterdir() if each.is_dir()] if path.parent.is_dir() else []
            advice = closest(path.name, beside, otherwise=f"paths begin at {context.base}")
            raise Wrong(f"there is no directory {node.shown}", suggestion=advice, code="missing-file", line=node.line)
        return path


@dataclass(frozen=True, slots=True)
class Pem:
    """A certificate or a key: as text, or from a file."""

    words: str = "PEM text, or file:// and the path of a PEM file"
    example: str = "file://cert.pem"

    @property
    def schema(self) -> Schema:
        return {"type": "string"}

    def read(self, node: Node, context: Context) -> str:
        text = node.value
        if not isinstance(text, str):
            raise expected(self, node)
        if text.startswith("file://"):
            path = context.base / text.removeprefix("file://")
            try:
                text = path.read_text("ascii")
            except (OSError, UnicodeDecodeError):
                advice = f"paths begin at {context.base}"
                message = f"{node.shown} cannot be read"
                raise Wrong(message, suggestion=advice, code="missing-file", line=node.line) from None
        if "-----BEGIN " not in text:
            # not shown: it may be a key
            message = f"expected {self.words}; there is no -----BEGIN line"
            raise Wrong(message, suggestion=f"write {self.example}, say", line=node.line)
        return text


@dataclass(frozen=True, slots=True)
class Mapping:
    """Facts of any shape."""

    words: str = "a mapping"
    example: str = "{role: reader}"

    @property
    def schema(self) -> Schema:
        return {"type": "object"}

    def read(self, node: Node, context: Context) -> Any:
        if not isinstance(node.value, dict):
            raise expected(self, node)
        return node.plain()


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever is there."""

    words: str = "any value"
    example: str = "7"

    @property
    def schema(self) -> Schema:
        return {}

    def read(self, node: Node, context: Context) -> Any:
        return node.plain()


@dataclass(frozen=True, slots=True)
class Raw:
    """The options of middleware, which are read when the middleware is known."""

    words: str = "a mapping of the options of the middleware"
    example: str = "{ratelimit.requests: 100}"

    @property
    def schema(self) -> Schema:
        return {"type": "object"}

    def read(self, node: Node, context: Context) -> Any:
        if node.value is None:
            return {}
        if not isinstance(node.value, dict):
            raise expected(self, node)
        return node.value
