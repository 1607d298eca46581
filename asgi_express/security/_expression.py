"""Conditions as text: a small language, read once and never given to Python."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from asgi_express.security._conditions import Facts, check_field, compare, read_field

__all__ = ["Expression"]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\\n]|\\["\\nt])*"|'(?:[^'\\\n]|\\['\\nt])*')
      | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?![\w.]))
      | (?P<name>[A-Za-z_][\w-]*(?:\.[\w-]+)*)
      | (?P<sign>&&|\|\||[=!<>]=|[<>!()\[\],])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)

_OPERATORS = {
    "==": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "lte",
    ">": "gt",
    ">=": "gte",
    "in": "in",
    "contains": "contains",
    "matches": "matches",
}

_CONSTANTS = {"true": True, "false": False, "null": None}
_WORDS = {"and": "&&", "or": "||", "not": "!"}

_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t"}

_MAX_TEXT = 4096
_MAX_DEPTH = 32

_Test: TypeAlias = Callable[[Facts], "bool | None"]
_Operand: TypeAlias = Callable[[Facts], Any]


class Expression:
    """A condition as text. A word in quotes keeps them until it is a value, so it is never taken for a sign.

    Raises:
        ValueError: the text cannot be read; the message says where.
    """

    __slots__ = ("_depth", "_kind", "_position", "_test", "_text", "_word")

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or len(text) > _MAX_TEXT:
            msg = f"expression: must be text of up to {_MAX_TEXT} characters"
            raise ValueError(msg)
        self._text = text
        self._position = self._depth = 0
        self._kind = self._word = ""
        self._advance()
        self._test = self._either()
        if self._kind != "end":
            self._fail("an operator or the end")

    def holds(self, facts: Facts) -> bool | None:
        """Tell whether it holds; ``None`` where that depends on values that cannot be compared."""
        return self._test(facts)

    def _advance(self) -> str:
        """Go to the next token; return the one before."""
        before = self._word
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            self._kind, self._word = "", self._text[self._position :].lstrip()[:1]
            self._fail("something else")
        self._kind = match.lastgroup or ""
        self._word = match[self._kind]
        if self._kind == "name":
            self._word = _WORDS.get(self._word, self._word)
        self._position = match.end()
        return before

    def _fail(self, wanted: str) -> NoReturn:
        found = repr(self._word) if self._word else "the end"
        msg = f"expression {self._text!r}: expected {wanted}, found {found} before character {self._position + 1}"
        raise ValueError(msg)

    def _either(self) -> _Test:
        tests = [self._both()]
        while self._word == "||":
            self._advance()
            tests.append(self._both())
        return _any_of(tests) if len(tests) > 1 else tests[0]

    def _both(self) -> _Test:
        tests = [self._negation()]
        while self._word == "&&":
            self._advance()
            tests.append(self._negation())
        # not (not a or not b): one three-valued rule for both
        return _not(_any_of([_not(test) for test in tests])) if len(tests) > 1 else tests[0]

    def _negation(self) -> _Test:
        if self._word not in ("!", "("):
            return self._comparison()
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail(f"less than {_MAX_DEPTH} levels")
        if self._advance() == "!":
            test = _not(self._negation())
        else:
            test = self._either()
            self._expect(")")
        self._depth -= 1
        return test

    def _comparison(self) -> _Test:
        left = self._operand()
        negated = self._word == "!" and self._kind == "name"
        if negated:
            self._advance()
        operator = _OPERATORS.get(self._word)
        if operator is None or (negated and operator != "in"):
            self._fail("'in'" if negated else "a comparison")
        self._advance()
        right = self._operand()
        operator = "nin" if negated else operator

        def test(facts: Facts) -> bool | None:
            return compare(operator, left(facts), right(facts))

        return test

    def _operand(self) -> _Operand:
        if self._word == "[":
            self._advance()
            items: list[Any] = []
            while self._word != "]":
                if items:
                    self._expect(",")
                items.append(self._constant())
            self._advance()
            return _always(tuple(items))
        if self._kind == "name" and self._word not in _CONSTANTS:
            path = self._advance()
            check_field(path)
            return lambda facts: read_field(facts, path)
        return _always(self._constant())

    def _constant(self) -> Any:
        if self._kind == "text":
            return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), self._advance()[1:-1])
        if self._kind == "number":
            number = self._advance()
            return float(number) if "." in number else int(number)
        if self._kind != "name" or self._word not in _CONSTANTS:
            self._fail("a value")
        return _CONSTANTS[self._advance()]

    def _expect(self, sign: str) -> None:
        if self._word != sign:
            self._fail(repr(sign))
        self._advance()


def _always(value: Any) -> _Operand:
    return lambda facts: value


def _not(test: _Test) -> _Test:
    def negated(facts: Facts) -> bool | None:
        holds = test(facts)
        return None if holds is None else not holds

    return negated


def _any_of(tests: list[_Test]) -> _Test:
    """Return the test that holds where one does, and is unknown where none does and one is."""

    def either(facts: Facts) -> bool | None:
        unknown = False
        for test in tests:
            holds = test(facts)
            if holds:
                return True
            unknown = unknown or holds is None
        return None if unknown else False

    return either
