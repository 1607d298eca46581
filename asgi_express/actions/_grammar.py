"""Paths in Lapis's grammar: compiled to the patterns that routers match, with a precedence.

==============  ==========================================================================================
written         matches
==============  ==========================================================================================
``/text``       itself; a path is matched as a whole, trailing slash and case included
``:name``       one character or more, without ``/`` and without the text that follows it
``:name[%d]``   the same, of a class of characters: ``%d`` digits, ``%a`` letters, ``%w`` both, ranges such as
                ``a-f``, other characters as they are; ``[^...]`` for all others
``*``           one character or more up to the text that follows it, as ``params["splat"]``
``( ... )``     its content, or nothing; groups nest
==============  ==========================================================================================

Nothing is given back once it has matched, as in Lapis's parsing expressions: the time is linear in the path. Unlike
there, captures are percent-decoded, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, TypeAlias

from asgi_express._path_regex import literal
from asgi_express._pattern import Match, Pattern, decode
from asgi_express._tokens import MAX_ALTERNATIVES, MAX_PARAMS, Group, Param, Text, Token, Wildcard, expand, names
from asgi_express.errors import PathError

__all__ = ["ActionPattern", "compile_action_path"]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLASSES: Final = {"%d": "0-9", "%a": "A-Za-z", "%w": "0-9A-Za-z"}


@dataclass(frozen=True, slots=True)
class Var:
    """A value inside one segment; ``chars`` is its class, written for `re`."""

    name: str
    chars: str | None = None


@dataclass(frozen=True, slots=True)
class Splat:
    """Everything up to the text that follows."""


@dataclass(slots=True)
class Optional:
    """Chunks that are there together or not at all."""

    chunks: list[Chunk] = field(default_factory=list)


Chunk: TypeAlias = Text | Var | Splat | Optional


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ActionPattern(Pattern):
    """A path of an action.

    Attributes:
        precedence: what is lower is tried first.
    """

    precedence: float
    captures: tuple[str, ...]
    test: Callable[[str], re.Match[str] | None]

    def match(self, path: str) -> Match | None:
        found = self.test(path)
        if found is None:
            return None
        values = zip(self.captures, found.groups(), strict=True)
        return Match(path, {name: decode(value) for name, value in values if value is not None}, self)


def compile_action_path(path: str) -> ActionPattern:
    """Compile a path.

    Raises:
        PathError: it does not begin with ``/``, or is not in the grammar.
    """
    chunks = _Parser(path).run()
    captures: list[str] = []
    source = _write(chunks, [], captures)
    tokens = tuple(map(_token, chunks))
    if _ways(chunks) > MAX_ALTERNATIVES:
        msg = f"Too many path combinations: {path}; its optional groups stand for more than {MAX_ALTERNATIVES} paths"
        raise PathError(msg, path=path)
    only = chunks[0] if len(chunks) == 1 else None
    counts = _counts(chunks)
    splats = counts.get(Splat, 0)
    return ActionPattern(
        source=path,
        keys=names(tokens),
        literal=only.value if isinstance(only, Text) else None,
        head="",
        alternatives=expand(tokens),
        end=True,
        strict=True,
        case_sensitive=True,
        precedence=counts.get(Var, 0) + (10 + 10 / splats if splats else 0),
        captures=tuple(captures),
        test=re.compile(source, re.ASCII | re.DOTALL).fullmatch,
    )


def _counts(chunks: Sequence[Chunk]) -> dict[type[Any], int]:
    """Count captures as Lapis does: those of an optional group only if there was none of their kind before it."""
    counts: dict[type[Any], int] = {}
    for chunk in chunks:
        if isinstance(chunk, Optional):
            for kind, count in _counts(chunk.chunks).items():
                counts.setdefault(kind, count)
        else:
            counts[type(chunk)] = counts.get(type(chunk), 0) + 1
    return counts


def _ways(chunks: Sequence[Chunk]) -> int:
    ways = 1
    for chunk in chunks:
        if isinstance(chunk, Optional):
            ways = min(ways * (_ways(chunk.chunks) + 1), MAX_ALTERNATIVES + 1)
    return ways


def _token(chunk: Chunk) -> Token:
    """Return the token of a chunk, for the index and for ``url_for``."""
    if isinstance(chunk, Var):
        return Param(chunk.name)
    if isinstance(chunk, Splat):
        return Wildcard("splat", "rest")
    if isinstance(chunk, Optional):
        return Group(tuple(map(_token, chunk.chunks)))
    return chunk


def _write(chunks: Sequence[Chunk], after: list[str], captures: list[str]) -> str:
    """Write a regular expression that never goes back; `after` are the texts that may follow."""
    source: list[str] = []
    for index, chunk in enumerate(chunks):
        if isinstance(chunk, Text):
            source.append(literal(chunk.value))
            continue
        following = _following(chunks[index + 1 :], after)
        if isinstance(chunk, Optional):
            source.append(f"(?:{_write(chunk.chunks, following, captures)})?+")
        elif isinstance(chunk, Var):
            captures.append(chunk.name)
            source.append(f"((?:{_unless(['/', *following])}{f'[{chunk.chars}]' if chunk.chars else '.'})++)")
        else:
            captures.append("splat")
            source.append(f"((?:{_unless(following)}.)++)")
    return "".join(source)


def _following(chunks: Sequence[Chunk], after: list[str]) -> list[str]:
    """Return the texts that may come next: those of optional groups, and the first that has to."""
    texts: list[str] = []
    for chunk in chunks:
        if isinstance(chunk, Text):
            return [*texts, chunk.value]
        if not isinstance(chunk, Optional):
            return texts
        texts += _following(chunk.chunks, [])
    return [*texts, *after]


def _unless(texts: list[str]) -> str:
    return f"(?!{'|'.join(map(literal, texts))})" if texts else ""


class _Parser:
    """One pass over one path."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.index = 0
        self.captures = 0
        self.around: list[tuple[list[Chunk], int]] = []

    def run(self) -> list[Chunk]:
        path = self.path
        if not path.startswith("/"):
            self.fail("The path of an action begins with a slash")
        chunks: list[Chunk] = []
        while self.index < len(path):
            start = self.index
            char = path[start]
            self.index += 1
            if char == "(":
                self.around.append((chunks, start))
                chunks = []
            elif char == ")":
                chunks = self.close(chunks, start)
            elif char == "*":
                self.add(chunks, Splat(), start)
            elif char == ":" and _NAME.match(path, self.index):
                self.add(chunks, self.var(), start)
            elif chunks and isinstance(chunks[-1], Text):
                chunks[-1] = Text(chunks[-1].value + char)
            else:
                chunks.append(Text(char))
        if self.around:
            self.fail("Unterminated optional group", self.around[-1][1])
        return chunks

    def close(self, chunks: list[Chunk], start: int) -> list[Chunk]:
        """End an optional group; return the chunks around it."""
        if not self.around or not chunks:
            self.fail("Empty optional group" if self.around else "Unexpected )", start)
        outer, _ = self.around.pop()
        return [*outer, Optional(chunks)]

    def add(self, chunks: list[Chunk], chunk: Var | Splat, start: int) -> None:
        self.captures += 1
        if self.captures > MAX_PARAMS:
            self.fail(f"Too many parameters, {MAX_PARAMS} is the most", start)
        before = chunks[-1] if chunks else None
        # Either takes all that the second could have.
        if isinstance(before, Splat) or (isinstance(before, Var) and not before.chars and isinstance(chunk, Var)):
            self.fail("Missing text between two captures", start)
        chunks.append(chunk)

    def var(self) -> Var:
        name = _NAME.match(self.path, self.index)
        assert name is not None  # noqa: S101 - looked at by the caller
        self.index = name.end()
        if not self.path.startswith("[", self.index):
            return Var(name[0])
        start, end = self.index, self.path.find("]", self.index)
        if end < 0:
            self.fail("Unterminated character class", start)
        self.index = end + 1
        return Var(name[0], self.character_class(self.path[start + 1 : end], start))

    def character_class(self, text: str, start: int) -> str:
        negated = text.startswith("^")
        rest = text[negated:]
        written: list[str] = []
        while rest:
            if rest[:2] in _CLASSES:
                written.append(_CLASSES[rest[:2]])
                rest = rest[2:]
            elif len(rest) > 2 and rest[1] == "-":
                if rest[0] > rest[2]:
                    self.fail(f"The range {rest[:3]} runs backwards", start)
                written.append(f"{re.escape(rest[0])}-{re.escape(rest[2])}")
                rest = rest[3:]
            else:
                written.append(re.escape(rest[0]))
                rest = rest[1:]
        if not written:
            self.fail("Empty character class", start)
        return "^" * negated + "".join(written)

    def fail(self, what: str, index: int = 0) -> NoReturn:
        msg = f"{what} at index {index}: {self.path}"
        raise PathError(msg, path=self.path, index=index)
