"""Lists, mappings, and what may be several things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asgi_express.gateway._problems import Wrong
from asgi_express.gateway._types.base import Context, Schema, Type, expected
from asgi_express.gateway._yaml import Node

__all__ = ["Anything", "Either", "ListOf", "Mapping", "OrNull", "Raw"]


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
class OrNull:
    """A value, or ``null`` where it is to be said that there is none."""

    item: Type

    @property
    def words(self) -> str:
        return f"{self.item.words}, or null"

    @property
    def example(self) -> str:
        return self.item.example

    @property
    def schema(self) -> Schema:
        return {"anyOf": [self.item.schema, {"type": "null"}]}

    def read(self, node: Node, context: Context) -> Any:
        return None if node.value is None else self.item.read(node, context)


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
