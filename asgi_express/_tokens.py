"""Parse the text of a path into tokens, and spread its optional groups into plain sequences.

The grammar is Express 5's (path-to-regexp 8): ``:name``, ``:"any name"``, ``*name``, ``{optional}``
and backslash escapes. The forms of other frameworks that are read besides:

====================  ==============================================  ===========================
written               read as                                         where
====================  ==============================================  ===========================
``{name}``            ``Param(name)``                                 a whole segment
``{name...}``         ``Wildcard(name, "rest")``, at least one char   a whole segment
``{name:path}``       ``Wildcard(name, "path")``, may be empty        anywhere
``{name:int}``        ``Param(name, "int")``                          anywhere
``{name:float}``      ``Param(name, "float")``                        anywhere
``{name:uuid}``       ``Param(name, "uuid")``                         anywhere
``{name:str}``        ``Param(name)``                                 anywhere
``*``                 ``Wildcard("splat", "rest")``                   a whole segment, at the end
====================  ==============================================  ===========================

A *whole segment* follows a ``/`` and is followed by ``/`` or by the end of the path, the braces of
surrounding or neighbouring groups apart. All other braces are Express's optional group.

Nothing here recurses, so no path, however nested, can exhaust the stack. Every fault is a
`PathError` in path-to-regexp's words, with the offset and a remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NoReturn, TypeAlias
from unicodedata import category

from asgi_express.errors import PathError

__all__ = [
    "MAX_ALTERNATIVES",
    "MAX_PARAMS",
    "Capture",
    "FlatToken",
    "Group",
    "Param",
    "ParamKind",
    "Text",
    "Token",
    "Wildcard",
    "WildcardKind",
    "expand",
    "names",
    "parse",
]

MAX_ALTERNATIVES: Final = 256
"""How many sequences the optional groups of one path may spread into, as in path-to-regexp."""

MAX_PARAMS: Final = 100
"""How many parameters one path may have."""

ParamKind: TypeAlias = Literal["str", "int", "float", "uuid"]
WildcardKind: TypeAlias = Literal["list", "rest", "path"]


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text, never empty."""

    value: str


@dataclass(frozen=True, slots=True)
class Param:
    """A value inside one segment."""

    name: str
    kind: ParamKind = "str"


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A value that spans segments: a list of them, or the joined text."""

    name: str
    kind: WildcardKind = "list"


@dataclass(frozen=True, slots=True)
class Group:
    """Tokens that are there together or not at all."""

    tokens: tuple[Token, ...]


Capture: TypeAlias = Param | Wildcard
FlatToken: TypeAlias = Text | Capture
Token: TypeAlias = FlatToken | Group

# Unicode's ID_Start and ID_Continue, the alphabet of JavaScript's identifiers: general categories
# and the few characters that Unicode lists one by one.
_START_CATEGORIES: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl"})
_CONTINUE_CATEGORIES: Final = _START_CATEGORIES | {"Mn", "Mc", "Nd", "Pc"}
_OTHER_START: Final = frozenset("$_\u1885\u1886\u2118\u212e\u309b\u309c")
_OTHER_CONTINUE: Final = _OTHER_START | frozenset(
    "\u00b7\u0387\u1369\u136a\u136b\u136c\u136d\u136e\u136f\u1370\u1371\u19da\u200c\u200d\u30fb\uff65"
)
_NOT_IN_NAMES: Final = "\u2e2f"  # a letter by category, a pattern syntax character by decree

_TYPED: Final[dict[str, Callable[[str], Capture]]] = {
    ":int}": lambda name: Param(name, "int"),
    ":float}": lambda name: Param(name, "float"),
    ":uuid}": lambda name: Param(name, "uuid"),
    ":str}": Param,
    ":path}": lambda name: Wildcard(name, "path"),
}
_WHOLE_SEGMENT: Final[dict[str, Callable[[str], Capture]]] = {
    "}": Param,
    "...}": lambda name: Wildcard(name, "rest"),
}

_ESCAPE_REMEDY: Final = 'write "\\{0}" for the character itself'
_RESERVED: Final[dict[str, str]] = {
    "}": 'no "{{" opens this group; ' + _ESCAPE_REMEDY,
    "(": "a regular expression goes into re.compile(...), an optional part into braces; " + _ESCAPE_REMEDY,
    ")": "a regular expression goes into re.compile(...), an optional part into braces; " + _ESCAPE_REMEDY,
    "[": "a regular expression goes into re.compile(...); " + _ESCAPE_REMEDY,
    "]": "a regular expression goes into re.compile(...); " + _ESCAPE_REMEDY,
    "+": "one or more segments are a wildcard, /*name; " + _ESCAPE_REMEDY,
    "?": "an optional part goes into braces, {{/:name}}; " + _ESCAPE_REMEDY,
    "!": _ESCAPE_REMEDY,
}


def parse(path: str) -> tuple[Token, ...]:
    """Parse the text of a path.

    Args:
        path: the path as it was written.

    Returns:
        The tokens in order; neighbouring texts are one token.

    Raises:
        PathError: the path is not in the grammar, has more than `MAX_PARAMS` parameters, or its
            optional groups stand for more than `MAX_ALTERNATIVES` sequences.
    """
    return _Parser(path).run()


def names(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return the parameter names of a path, each once, in the order of appearance."""
    found: dict[str, None] = {}
    pending = list(reversed(tokens))
    while pending:
        token = pending.pop()
        if isinstance(token, Group):
            pending.extend(reversed(token.tokens))
        elif not isinstance(token, Text):
            found[token.name] = None
    return tuple(found)


def expand(tokens: tuple[Token, ...]) -> tuple[tuple[FlatToken, ...], ...]:
    """Spread optional groups into the sequences that they stand for, at most `MAX_ALTERNATIVES`.

    With the group comes before without it, the leftmost group varies slowest, and of equal
    sequences the first one is kept.

    Args:
        tokens: what `parse` returned.
    """
    found: list[tuple[FlatToken, ...]] = []
    # One entry is a sequence that was begun, and what is still to come: a linked list.
    pending: list[tuple[list[FlatToken], _Rest]] = [([], (tokens, 0, None))]
    while pending:
        begun, rest = pending.pop()
        while rest is not None:
            items, index, after = rest
            if index == len(items):
                rest = after
                continue
            token, rest = items[index], (items, index + 1, after)
            if isinstance(token, Group):
                pending.append((begun.copy(), rest))
                rest = (token.tokens, 0, rest)
            elif isinstance(token, Text) and begun and isinstance(begun[-1], Text):
                begun[-1] = Text(begun[-1].value + token.value)
            else:
                begun.append(token)
        found.append(tuple(begun))
    return tuple(dict.fromkeys(found))


_Rest: TypeAlias = "tuple[tuple[Token, ...], int, _Rest] | None"


class _Parser:
    """One pass over one path; `index` is the next character to read."""

    __slots__ = ("captures", "index", "open", "path", "text", "tokens", "ways")

    def __init__(self, path: str) -> None:
        self.path = path
        self.index = 0
        self.text: list[str] = []
        self.tokens: list[Token] = []
        self.ways = 1  # how many sequences the tokens stand for so far
        self.open: list[tuple[list[Token], int]] = []  # tokens and ways around the current group
        self.captures = 0

    def run(self) -> tuple[Token, ...]:
        path, end = self.path, len(self.path)
        while self.index < end:
            char = path[self.index]
            self.index += 1
            if char == "\\":
                self.escape()
            elif char in ":*":
                self.capture(char)
            elif char == "{":
                self.brace()
            elif char == "}" and self.open:
                self.close()
            elif char in _RESERVED:
                self.index -= 1
                self.fail(f"Unexpected {char}", _RESERVED[char].format(char))
            else:
                self.text.append(char)
        if self.open:
            self.fail("Unexpected end", "close the optional group", detail=", expected }")
        if self.ways > MAX_ALTERNATIVES:
            msg = (
                f"Too many path combinations: {path}; the optional groups of one path stand for at "
                f"most {MAX_ALTERNATIVES} paths, give an array of simpler ones"
            )
            raise PathError(msg, path=path)
        self.flush()
        return tuple(self.tokens)

    def escape(self) -> None:
        if self.index == len(self.path):
            self.fail("Unexpected end after \\", 'write "\\\\" for a backslash')
        self.text.append(self.path[self.index])
        self.index += 1

    def capture(self, char: str) -> None:
        start = self.index
        name = self.quoted() if self.path.startswith('"', start) else self.identifier()
        if name:
            self.add(Param(name) if char == ":" else Wildcard(name))
        elif char == "*" and self.bare_splat(start):
            self.add(Wildcard("splat", "rest"))
        elif char == "*":
            self.fail("Missing parameter name", 'give the wildcard a name, /*splat; or write "\\*"')
        else:
            remedy = 'a name starts with a letter, others are quoted, :"1a"; or write "\\:"'
            self.fail("Missing parameter name", remedy)

    def bare_splat(self, start: int) -> bool:
        whole = start == 1 or self.path[start - 2] == "/"
        return whole and start == len(self.path) and not self.open

    def identifier(self) -> str:
        path, start = self.path, self.index
        if start < len(path) and _starts_name(path[start]):
            self.index += 1
            while self.index < len(path) and _continues_name(path[self.index]):
                self.index += 1
        return path[start : self.index]

    def quoted(self) -> str:
        path, quote, end = self.path, self.index, len(self.path)
        name: list[str] = []
        index = quote + 1
        while index < end and path[index] != '"':
            if path[index] == "\\":
                index += 1
            name.append(path[index : index + 1])
            index += 1
        if index >= end:
            self.index = quote
            self.fail("Unterminated quote", "end the name with a quote")
        self.index = index + 1
        return "".join(name)

    def brace(self) -> None:
        start = self.index
        capture = self.shorthand()
        if capture is not None:
            self.add(capture)
            return
        self.index = start
        self.flush()
        self.open.append((self.tokens, self.ways))
        self.tokens, self.ways = [], 1

    def shorthand(self) -> Capture | None:
        """Read a capture in braces; the index is only meaningful if there is one."""
        path, start = self.path, self.index
        name = self.identifier()
        if not name:
            return None
        forms = _TYPED
        if path.startswith("/", max(start - 2, 0)) and start > 1:
            forms = {**_TYPED, **_WHOLE_SEGMENT}
        for ending, make in forms.items():
            if path.startswith(ending, self.index):
                self.index += len(ending)
                return make(name) if ending in _TYPED or self.segment_ends() else None
        return None

    def segment_ends(self) -> bool:
        path, index = self.path, self.index
        while path.startswith(("{", "}"), index):
            index += 1
        return index == len(path) or path[index] == "/"

    def close(self) -> None:
        self.flush()
        group = Group(tuple(self.tokens))
        self.tokens, before = self.open.pop()
        self.ways = min(before * (self.ways + 1), MAX_ALTERNATIVES + 1)
        self.tokens.append(group)

    def add(self, capture: Capture) -> None:
        self.flush()
        self.captures += 1
        if self.captures > MAX_PARAMS:
            self.fail("Too many parameters", f"a path has at most {MAX_PARAMS}")
        self.tokens.append(capture)

    def flush(self) -> None:
        if self.text:
            self.tokens.append(Text("".join(self.text)))
            self.text = []

    def fail(self, what: str, remedy: str, *, detail: str = "") -> NoReturn:
        msg = f"{what} at index {self.index}{detail}: {self.path}; {remedy}"
        raise PathError(msg, path=self.path, index=self.index)


def _starts_name(char: str) -> bool:
    return char in _OTHER_START or (category(char) in _START_CATEGORIES and char != _NOT_IN_NAMES)


def _continues_name(char: str) -> bool:
    return char in _OTHER_CONTINUE or (category(char) in _CONTINUE_CATEGORIES and char != _NOT_IN_NAMES)
