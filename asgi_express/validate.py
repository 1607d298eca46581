"""Check parameters by rules: what the validator of express.lua does."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from asgi_express.errors import HTTPError
from asgi_express.request import Request
from asgi_express.types import Next

__all__ = ["ValidationError", "validate"]

# As many digits as CPython converts by default would still be a lot of work for one parameter.
_MAX_NUMBER = 100
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\Z", re.ASCII)
_HEX = re.compile(r"0[xX][0-9a-fA-F]+\Z")

Rule = Callable[[Any], Any]


class ValidationError(HTTPError):
    """A parameter broke a rule: 400, and the client may read which.

    Attributes:
        parameter: its name.
        rule: the name of the rule.
    """

    def __init__(self, parameter: str, rule: str, words: str) -> None:
        super().__init__(400, words, type="parameter.invalid")
        self.parameter = parameter
        self.rule = rule


class _Broken(Exception):
    """A value that breaks a rule."""


class _Absent(Exception):
    """There is no value, and none is needed."""


def validate(rules: Mapping[str, str], messages: Mapping[str, str] | None = None) -> Callable[[Any, Any, Next], None]:
    """Return a middleware that checks parameters and puts the converted ones into ``req.valid``.

    A parameter is looked for in ``req.params``, the parsed ``req.body``, ``req.query``, in this order. The rules of one
    are applied in the order in which they are written, each to what the one before it gave; the first that is broken
    ends the request with a ``ValidationError``.

    ``required`` (there, and not empty); ``optional`` (if it is not there, the rules after it do not count); ``string``,
    ``trim``; ``numeric`` (``decimal`` is the same), ``integer`` (hexadecimal, and 5.0, too); ``size:N``, ``min:N``,
    ``max:N`` (of a number its value, of text and lists the length); ``match:PATTERN`` (a regular expression for all of
    the text; it may have ``|`` as ``||``); ``ip`` (an IPv4 or IPv6 address).

    Args:
        rules: by parameter, separated by ``|``: ``{"age": "required|integer|min:18"}``.
        messages: what to tell the client, by ``"parameter.rule"``, ``"parameter.*"`` or ``"*"``.

    Raises:
        ValueError: there is no such rule, its argument is not one, or it takes none.

    Example::

        app.get("/users", validate({"age": "required|integer|min:18"}), lambda req: {"age": req.valid["age"]})
    """
    compiled = {name: _compile(name, text) for name, text in rules.items()}
    words = dict(messages or {})

    def check_parameters(req: Any, res: Any, next: Next) -> None:
        valid: dict[str, Any] = {}
        for parameter, steps in compiled.items():
            value = _find(req, parameter)
            try:
                for rule, step in steps:
                    try:
                        value = step(value)
                    except _Broken:
                        said = words.get(f"{parameter}.{rule}") or words.get(f"{parameter}.*") or words.get("*")
                        raise ValidationError(parameter, rule, _told(parameter, said or rule)) from None
            except _Absent:
                continue
            valid[parameter] = value
        req.valid = valid
        next()

    return check_parameters


def _told(parameter: str, said: str) -> str:
    return f"Parameter validation failed. {parameter}: {said}"


def _find(req: Request, parameter: str) -> Any:
    for source in (req.params, req.body, req.query):
        if isinstance(source, Mapping) and parameter in source:
            return source[parameter]
    return None


def _compile(parameter: str, text: str) -> list[tuple[str, Rule]]:
    steps = []
    for part in re.split(r"(?<!\|)\|(?!\|)", text):
        name, colon, argument = part.strip().replace("||", "|").partition(":")
        make = _WITH_ARGUMENT.get(name)
        if colon and name in _PLAIN:
            msg = f"validate: {parameter!r} has {part.strip()!r}, but {name} takes no argument"
            raise ValueError(msg)
        try:
            steps.append((name, make(argument) if make else _PLAIN[name]))
        except KeyError:
            known = ", ".join(sorted([*_PLAIN, *(f"{each}:..." for each in _WITH_ARGUMENT)]))
            msg = f"validate: {parameter!r} has the rule {name!r}; there are {known}"
            raise ValueError(msg) from None
        except (_Broken, re.error):
            msg = f"validate: {parameter!r} has {part.strip()!r}, whose argument cannot be read"
            raise ValueError(msg) from None
    return steps


def _required(value: Any) -> Any:
    if value is None or value in ("", [], {}):
        raise _Broken
    return value


def _optional(value: Any) -> Any:
    if value is None:
        raise _Absent
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise _Broken
    return value


def _numeric(value: Any) -> float | int:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    if not isinstance(value, str) or len(value) > _MAX_NUMBER:
        raise _Broken
    if _HEX.match(value):
        return int(value, 16)
    if not _NUMBER.match(value):
        raise _Broken
    number = float(value)
    if not math.isfinite(number):
        raise _Broken
    return int(value) if value.lstrip("+-").isdecimal() else number


def _integer(value: Any) -> int:
    number = _numeric(value)
    if number != int(number):
        raise _Broken
    return int(number)


def _ip(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(_string(value)))
    except ValueError:
        raise _Broken from None


def _measure(value: Any) -> float | int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str | list):
        return len(value)
    raise _Broken


def _compared(fits: Callable[[float, float], bool]) -> Callable[[str], Rule]:
    def make(argument: str) -> Rule:
        bound = _numeric(argument)

        def rule(value: Any) -> Any:
            if not fits(_measure(value), bound):
                raise _Broken
            return value

        return rule

    return make


def _match(argument: str) -> Rule:
    pattern = re.compile(argument)

    def rule(value: Any) -> str:
        if not pattern.fullmatch(_string(value)):
            raise _Broken
        return str(value)

    return rule


_PLAIN: dict[str, Rule] = {
    "decimal": _numeric,
    "integer": _integer,
    "ip": _ip,
    "numeric": _numeric,
    "optional": _optional,
    "required": _required,
    "string": _string,
    "trim": lambda value: _string(value).strip(),
}
_WITH_ARGUMENT: dict[str, Callable[[str], Rule]] = {
    "match": _match,
    "max": _compared(lambda value, bound: value <= bound),
    "min": _compared(lambda value, bound: value >= bound),
    "size": _compared(lambda value, bound: value == bound),
}
