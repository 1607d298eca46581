"""The options of a middleware class, read from its signature: their names, and what they can hold.

There is no table of options. What a parameter's annotation says, the files and the JSON Schema follow.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Union

from asgi_express.gateway._kinds import STORES, TOKENS
from asgi_express.gateway._types import (
    Anything,
    Boolean,
    Choice,
    Duration,
    Either,
    Integer,
    ListOf,
    Mapping,
    Number,
    Reference,
    Size,
    Text,
    Type,
)
from asgi_express.security import Policy, TokenValidator
from asgi_express.stores import RedisStore, Store

__all__ = ["Option", "options_of"]


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a middleware.

    Attributes:
        name: the parameter.
        type: what it can hold.
        required: whether it must be given.
        default: the parameter's default.
        nullable: whether ``null`` switches it off.
    """

    name: str
    type: Type
    required: bool = False
    default: Any = None
    nullable: bool = False


_FUNCTION = Reference(("function.python",))

# Where a class takes text besides a list, it knows itself whether there are commas in it: a secret may have some.
_TEXTS = Either((Text(), ListOf(Text())))

_PLAIN: dict[Any, Type] = {
    bool: Boolean(),
    int: Integer(),
    float: Number(),
    str: Text(),
    Policy: Reference(("security.policy", "security.policy.expr")),
    RedisStore: Reference(("store.redis",)),
    Store: Reference(STORES),
    TokenValidator: Reference(TOKENS),
}

# By name, as an alias is gone once it is looked up: a duration is a number or text to Python.
_NAMED: dict[str, Type] = {
    "Directory": Reference(("fs.directory",)),
    "Duration": Duration(zero=True),
    "Size": Size(),
    "KeySpec": _TEXTS,
    "OriginSpec": _TEXTS,
    "HandlerSpec": _FUNCTION,
}


def options_of(cls: Callable[..., Any]) -> dict[str, Option]:
    """Return the options of a middleware class: its keyword parameters, by name."""
    parameters = list(inspect.signature(cls).parameters.values())
    found = {}
    for parameter in (
        parameters[1:] if parameters and parameters[0].kind is not parameters[0].KEYWORD_ONLY else parameters
    ):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            continue
        if "Processes" in str(parameter.annotation):  # those of the gateway
            continue
        required = parameter.default is parameter.empty
        if not required and callable(parameter.default):  # a clock: a matter of tests
            continue
        default = None if required else parameter.default
        nullable = (default is None and not required) or "None" in str(parameter.annotation)
        found[parameter.name] = Option(
            parameter.name, _type_of(cls, parameter.annotation), required, default, nullable=nullable
        )
    return found


def _type_of(cls: Any, annotation: Any) -> Type:
    if isinstance(annotation, str):
        parts = [part.strip() for part in annotation.split("|")]
        named = [_NAMED[part] for part in parts if part in _NAMED]
        if named:
            return named[0]
        init = getattr(cls, "__init__", cls)
        names = {**vars(typing), **getattr(init, "__globals__", {}), **vars(sys.modules.get(cls.__module__, typing))}
        try:
            annotation = eval(annotation, names)  # noqa: S307 - the annotation of a class that is imported
        except (NameError, TypeError):  # a name that is there for type checkers only
            return Anything()
    return _read(annotation)


def _read(hint: Any) -> Type:
    if isinstance(hint, type) and hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return Choice(tuple(each for each in arguments if isinstance(each, str)))
    if origin in (Union, types.UnionType):
        return _either([each for each in arguments if each is not type(None)])
    if origin is not None and inspect.isclass(origin):
        if issubclass(origin, typing.Mapping):
            return Mapping()
        if origin is typing.get_origin(Callable[..., Any]):
            return _FUNCTION
        if issubclass(origin, Iterable):
            return _listing(_read(arguments[0]))
    return Anything()


def _listing(item: Type) -> Type:
    if isinstance(item, Reference):
        return ListOf(item, lone=True)
    return ListOf(item, commas=True) if isinstance(item, Text) else ListOf(item)


def _either(hints: list[Any]) -> Type:
    """Return the type of a union: a list where there is one, as that takes a lone value too."""
    each = list(dict.fromkeys(_read(hint) for hint in hints))
    lists = [one for one in each if isinstance(one, ListOf)]
    if lists:
        return _TEXTS if str in hints else lists[0]
    if any(isinstance(one, Anything) for one in each):
        return Anything()
    return each[0] if len(each) == 1 else Either(tuple(each))
