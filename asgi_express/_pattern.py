"""Compile a path once, match it against many request paths.

Theory of operation
-------------------

A path becomes tokens (`_tokens`), optional groups are spread into *alternatives*, and what comes
out decides the kind of `Pattern`:

* no capture: a comparison of ASCII-folded text, no regular expression at all;
* captures: one regular expression (`_path_regex`), the alternatives in Express's order, the first
  one that fits wins;
* a compiled ``re.Pattern``: searched as it is.

Matching reads the raw path, still percent-encoded, as it was sent. Captures are decoded once, after the match.
Case is folded for ASCII letters only. Literal text outside ASCII also matches its percent-encoded
UTF-8. Nothing else is normalised.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from os.path import commonprefix
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes
from uuid import UUID

from asgi_express._path_regex import MAX_WORK, work_of, write_regex
from asgi_express._tokens import FlatToken, Text, expand, names, parse
from asgi_express.errors import DecodeError, PathError
from asgi_express.types import PathSpec

__all__ = ["Match", "Pattern", "compile_path", "decode"]

Alternative: TypeAlias = tuple[FlatToken, ...]
_Test: TypeAlias = Callable[[str], "re.Match[str] | None"]
_Convert: TypeAlias = Callable[[str], Any]


@dataclass(slots=True)
class Match:
    """That a path matched, and what was captured.

    Attributes:
        text: the matched text as it stands in the path; a prefix of it for middleware.
        params: the captures by name, decoded; a new dictionary for every match.
        pattern: the pattern that matched.
    """

    text: str
    params: dict[str, Any]
    pattern: Pattern


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Pattern(ABC):
    """One compiled path; immutable.

    Attributes:
        source: the path as it was written.
        keys: the names of its parameters, each once, in the order of appearance.
        literal: the exact text of a path without parameters and groups, in the case as written
            and without the trailing slashes that do not count; otherwise None.
        head: text that every matching path starts with, lower case unless ``case_sensitive``.
        alternatives: the sequences of tokens that it stands for; none for a regular expression.
        end: whether it matches whole paths, or prefixes that end at a ``/``.
        strict: whether a trailing slash counts.
        case_sensitive: whether ASCII case counts.
    """

    source: str | re.Pattern[str]
    keys: tuple[str, ...]
    literal: str | None
    head: str
    alternatives: tuple[Alternative, ...]
    end: bool
    strict: bool
    case_sensitive: bool

    @abstractmethod
    def match(self, path: str) -> Match | None:
        """Match the raw path of a request.

        Raises:
            DecodeError: the path matches, and a capture is not percent-encoded UTF-8.
        """

    def __repr__(self) -> str:
        return f"Pattern({self.source!r})"


def compile_path(
    path: PathSpec, *, end: bool, strict: bool = False, case_sensitive: bool = False
) -> tuple[Pattern, ...]:
    """Compile a path, or a list of them: the first pattern that matches wins.

    The grammar is in `asgi_express._tokens`, the meaning that of Express 5: ``:name`` is at least one
    character of one segment, ``*name`` a list of segments. ``{name...}`` and a bare trailing ``*``
    are the joined text of at least one character; ``{name:path}`` may be empty, as in Starlette.
    ``{name:int}``, ``{name:float}`` (at most 18 digits on either side) and ``{name:uuid}`` give
    typed values, and match in the canonical spelling only: an escaped digit is not a digit.

    A compiled regular expression is searched anywhere in the path. Its groups are parameters: by
    name, or ``"0"``, ``"1"``, … counted over the unnamed ones. It is its author's duty that it is
    fast, and flags and anchors are its own.

    Args:
        path: text, a compiled regular expression, or a list of those, nested at will.
        end: True for routes, which match whole paths; False for middleware and mounts, which match
            prefixes up to a ``/`` or the end.
        strict: whether a trailing slash counts. Without ``end`` it never does.
        case_sensitive: whether the case of ASCII letters counts.

    Returns:
        One pattern for each path of the list. As in Express, ``"/"`` alone without ``end`` matches
        everything, with an empty text; in a list it matches an empty first segment only.

    Raises:
        PathError: the text cannot be compiled.
        TypeError: it is not a path at all.
    """
    strict = strict and end
    if path == "/" and not end:
        alternatives: tuple[Alternative, ...] = ((Text("/"),),)
        return (_Everything("/", (), "/", "", alternatives, end, strict, case_sensitive),)
    return tuple(_compile_one(entry, end=end, strict=strict, case_sensitive=case_sensitive) for entry in _flatten(path))


def decode(raw: str) -> str:
    """Decode percent-encoded UTF-8, once; ``+`` and characters outside ASCII stay what they are.

    Raises:
        DecodeError: an escape is malformed, or the bytes are not UTF-8.
    """
    if "%" not in raw:
        return raw
    if _MALFORMED.search(raw):
        raise DecodeError(raw)
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeError:
        raise DecodeError(raw) from None


_MALFORMED: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)


def _decode_segments(raw: str) -> list[str]:
    return [decode(segment) for segment in raw.split("/")]


def _fold(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_LOWER)


# The kinds of pattern, each with its own way to match.


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Everything(Pattern):
    """The path ``/`` of middleware."""

    def match(self, path: str) -> Match | None:
        return Match("", {}, self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Whole(Pattern):
    """A route without captures: some texts, folded unless case counts."""

    texts: frozenset[str]

    def match(self, path: str) -> Match | None:
        texts = self.texts
        if path in texts or (not self.case_sensitive and _fold(path) in texts):
            return Match(path, {}, self)
        return None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Prefix(Pattern):
    """Middleware on one literal path; the text is folded unless case counts."""

    text: str

    def match(self, path: str) -> Match | None:
        text, size = self.text, len(self.text)
        if not path.startswith(text) and (self.case_sensitive or _fold(path[:size]) != text):
            return None
        if not path.startswith("/", size):
            return Match(path, {}, self) if len(path) == size else None
        return Match(path if len(path) == size + 1 else path[:size], {}, self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Captures(Pattern):
    """A path with captures; `plain` names them if each is always there, and text to decode."""

    test: _Test
    captures: tuple[tuple[str, _Convert], ...]
    plain: tuple[str, ...] | None

    def match(self, path: str) -> Match | None:
        found = self.test(path)
        if found is None:
            return None
        values = found.groups()
        plain = self.plain
        if plain is not None and "%" not in path:
            # Two shortcuts for the most frequent shapes: they halve the time of this method.
            if len(plain) == 1:
                return Match(found[0], {plain[0]: values[0]}, self)
            return Match(found[0], dict(zip(plain, values)), self)  # noqa: B905
        params: dict[str, Any] = {}
        for (name, convert), value in zip(self.captures, values, strict=True):
            if value is not None:
                params[name] = convert(value)
        return Match(found[0], params, self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Search(Pattern):
    """A compiled regular expression; `groups` names its groups in order."""

    groups: tuple[str, ...]
    search: _Test

    def match(self, path: str) -> Match | None:
        found = self.search(path)
        if found is None:
            return None
        values = zip(self.groups, found.groups(), strict=True)
        params = {name: decode(value) for name, value in values if value is not None}
        return Match(found[0], params, self)


# From what was written to a pattern.

_CONVERT: Final[dict[str, _Convert]] = {
    "str": decode,
    "rest": decode,
    "path": decode,
    "list": _decode_segments,
    "int": int,
    "float": float,
    "uuid": UUID,
}


def _flatten(path: object) -> Iterator[str | re.Pattern[str]]:
    if isinstance(path, str | re.Pattern):
        yield path
    elif isinstance(path, Sequence) and not isinstance(path, bytes | bytearray | memoryview):
        for entry in path:
            yield from _flatten(entry)
    else:
        msg = f"a path is text, a compiled regular expression, or a list of those, not {type(path).__name__}: {path!r}"
        raise TypeError(msg)


def _compile_one(source: str | re.Pattern[str], *, end: bool, strict: bool, case_sensitive: bool) -> Pattern:
    options = (end, strict, case_sensitive)
    if isinstance(source, re.Pattern):
        groups = _group_names(source)
        keys = tuple(dict.fromkeys(groups))
        return _Search(source, keys, None, "", (), *options, groups, source.search)
    path = source if strict or source == "/" else source.rstrip("/")
    tokens = parse(path)
    alternatives = expand(tokens)
    fold: Callable[[str], str] = str if case_sensitive else _fold
    texts = [_literal_text(alternative) for alternative in alternatives]
    literal = texts[0] if len(texts) == 1 else None
    common = (source, names(tokens), literal, fold(_head(alternatives)), alternatives, *options)
    plain = [fold(text) for text in texts if text is not None and text.isascii()]
    if end and len(plain) == len(texts):
        with_slash = [] if strict else [text + "/" for text in plain]
        return _Whole(*common, frozenset(plain + with_slash))
    if plain and literal is not None:
        return _Prefix(*common, plain[0])
    return _Captures(
        *common, *_compile_captures(alternatives, path, end=end, strict=strict, case_sensitive=case_sensitive)
    )


def _compile_captures(
    alternatives: tuple[Alternative, ...], path: str, *, end: bool, strict: bool, case_sensitive: bool
) -> tuple[_Test, tuple[tuple[str, _Convert], ...], tuple[str, ...] | None]:
    source = "|".join([write_regex(alternative, path) for alternative in alternatives])
    work = sum(map(work_of, alternatives))
    if work > MAX_WORK:
        msg = (
            f"Too many path combinations: {path}; they have {work} captures with more than one possible end, "
            f"{MAX_WORK} is the most: nest the optional groups, {{-:b{{-:c}}}}, or give an array of simpler paths"
        )
        raise PathError(msg, path=path)
    tail = (r"\Z" if strict else r"/?\Z") if end else r"(?:/\Z)?(?=/|\Z)"
    flags = re.ASCII | re.DOTALL if case_sensitive else re.ASCII | re.DOTALL | re.IGNORECASE
    captures = tuple(
        (token.name, _CONVERT[token.kind])
        for alternative in alternatives
        for token in alternative
        if not isinstance(token, Text)
    )
    simple = len(alternatives) == 1 and all(convert is decode for _, convert in captures)
    plain = tuple(name for name, _ in captures) if simple else None
    return re.compile(f"(?:{source}){tail}", flags).match, captures, plain


def _group_names(regex: re.Pattern[Any]) -> tuple[str, ...]:
    if isinstance(regex.pattern, bytes):
        msg = f"a path is text: compile {regex.pattern!r} from str, not from bytes"
        raise TypeError(msg)
    named = {index: name for name, index in regex.groupindex.items()}
    unnamed = map(str, count())
    return tuple(named.get(index) or next(unnamed) for index in range(1, regex.groups + 1))


def _literal_text(alternative: Alternative) -> str | None:
    if not alternative:
        return ""
    first = alternative[0]
    return first.value if len(alternative) == 1 and isinstance(first, Text) else None


def _head(alternatives: Sequence[Alternative]) -> str:
    heads = [
        alternative[0].value if alternative and isinstance(alternative[0], Text) else "" for alternative in alternatives
    ]
    return "".join(takewhile(str.isascii, commonprefix(heads)))  # noqa: RUF071 - texts, not files
