"""What every type of a field has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from asgi_express.gateway._problems import Wrong
from asgi_express.gateway._yaml import Node

__all__ = ["PLACEHOLDER", "Context", "Schema", "Type", "expected"]

Schema = dict[str, Any]

# What is written as text may come from the environment; then an editor cannot know what it is.
PLACEHOLDER = r"\$\{env:"


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
