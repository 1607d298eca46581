"""Read YAML as data with line numbers, and refuse what YAML can do beyond that.

No anchors and aliases (a few lines can stand for gigabytes), no tags (they name Python objects), no merge keys, no
second document, no duplicate keys; bounds for size and depth. Plain scalars are read by the core schema of YAML 1.2:
``no`` and ``on`` are text, and so are dates and ``12:30``, of which PyYAML would make booleans, dates and numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from asgi_express.gateway._problems import Problems

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Node", "parse"]

MAX_BYTES = 1024 * 1024
"""Bytes that one file may have."""

MAX_DEPTH = 20
"""How deep mappings and lists may be nested."""

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_INTEGER = re.compile(r"[-+]?[0-9]{1,100}\Z")
_FLOAT = re.compile(r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)\Z")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}

_ADVICE = "look at the brackets, quotes and indentation up to there"

Value: TypeAlias = "bool | int | float | str | dict[str, Node] | list[Node] | None"


@dataclass(slots=True)
class Node:
    """A value and where it stands.

    Attributes:
        value: a scalar, a list of nodes, or a mapping of nodes by key.
        line: its line, from 1; in a mapping that of its key.
        raw: a scalar as it was written, to be shown in messages.
    """

    value: Value
    line: int
    raw: str = field(default="", compare=False)

    def plain(self) -> Any:
        """Return it without places."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    @property
    def shown(self) -> str:
        """What it is, for a message. Never what a placeholder stands for."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        if self.value is None:
            return "nothing"
        return repr(self.raw) if isinstance(self.value, str) else self.raw


class _Refused(Exception):
    def __init__(self, message: str, line: int, suggestion: str) -> None:
        super().__init__(message)
        self.line = line
        self.suggestion = suggestion


def parse(text: str, file: str, problems: Problems) -> Node | None:
    """Read one document; note what is wrong with it.

    Args:
        text: the document.
        file: what to call it in problems.
        problems: where they go.

    Raises:
        ImportError: PyYAML is not installed; the message names the line to install it.
    """
    try:
        import yaml
    except ImportError as error:
        msg = "the gateway needs PyYAML: pip install 'asgi-express[gateway]'"
        raise ImportError(msg) from error
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1024} KiB"
        problems.add("yaml", message, file=file, line=1, suggestion="share the entries out among several files")
        return None
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Reader(iter(yaml.parse(text, Loader=loader)), file, problems).document()
    except _Refused as refused:
        problems.add("yaml", str(refused), file=file, line=refused.line, suggestion=refused.suggestion)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ": ".join(filter(None, (error.context, error.problem)))
        problems.add(
            "yaml", f"this is not YAML: {words}", file=file, line=mark.line + 1 if mark else 1, suggestion=_ADVICE
        )
    except yaml.YAMLError as error:  # a character that YAML does not have
        problems.add("yaml", f"this is not YAML: {str(error).splitlines()[0]}", file=file, line=1, suggestion=_ADVICE)
    return None


class _Reader:
    """Makes nodes of PyYAML's events, and never asks it to construct anything."""

    def __init__(self, events: Iterator[Any], file: str, problems: Problems) -> None:
        self._events = events
        self._file = file
        self._problems = problems

    def document(self) -> Node:
        self._next()  # the start of the stream
        if _name(self._next()) == "StreamEnd":
            return Node(None, 1)
        node = self._node(self._next(), 0)
        self._next()  # the end of the document
        after = self._next()
        if _name(after) != "StreamEnd":
            msg = "there is a second document; a file has one"
            raise _Refused(msg, _line(after), "put it into a file of its own")
        return node

    def _next(self) -> Any:
        return next(self._events)

    def _node(self, event: Any, depth: int) -> Node:
        kind, line = _name(event), _line(event)
        if kind == "Alias" or event.anchor is not None:
            msg = "anchors and aliases are not read"
            raise _Refused(msg, line, "write the value out")
        if event.tag is not None:
            msg = f"tags are not read, here {event.tag!r}"
            raise _Refused(msg, line, "write the plain value")
        if kind == "Scalar":
            text: str = event.value
            if _NO_TEXT.search(text):
                msg = "there is a NUL, or half of a character, in a text"
                raise _Refused(msg, line, "no path, name or header can have it: take it out")
            return Node(_resolve(text) if event.implicit[0] else text, line, text)
        if depth == MAX_DEPTH:
            msg = f"more than {MAX_DEPTH} levels"
            raise _Refused(msg, line, "keep it flatter")
        return Node(self._list(depth + 1) if kind == "SequenceStart" else self._mapping(depth + 1), line)

    def _list(self, depth: int) -> list[Node]:
        items: list[Node] = []
        while _name(event := self._next()) != "SequenceEnd":
            items.append(self._node(event, depth))
        return items

    def _mapping(self, depth: int) -> dict[str, Node]:
        pairs: dict[str, Node] = {}
        while _name(event := self._next()) != "MappingEnd":
            key = self._node(event, depth)
            child = self._node(self._next(), depth)
            if isinstance(key.value, dict | list):
                msg = f"a key must be a word, not {key.shown}"
                raise _Refused(msg, key.line, "put text with braces into quotes")
            if key.raw in pairs:
                message = f"the key {key.raw!r} stands here twice, first in line {pairs[key.raw].line}"
                advice = "take one of the two out"
                self._problems.add("duplicate-key", message, file=self._file, line=key.line, suggestion=advice)
            # What is wrong with a value is looked for at its key.
            child.line = key.line
            pairs.setdefault(key.raw, child)
        return pairs


def _name(event: Any) -> str:
    return type(event).__name__.removesuffix("Event")


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _resolve(text: str) -> bool | int | float | str | None:
    """Read a plain scalar by the core schema of YAML 1.2, without its octal and hexadecimal numbers."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text) and math.isfinite(number := float(text)):
        return number
    return text
