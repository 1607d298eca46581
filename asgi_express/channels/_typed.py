"""Events as dataclasses: bound to a channel, and read again from the JSON of another process."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from asgi_express.channels._names import parse_name

__all__ = ["channel_of", "check_plain", "event", "reader"]

C = TypeVar("C", bound=type)
Reader = Callable[[Any], Any]

_ATTRIBUTE = "__channel__"

# Half of what the reader of JSON takes: an envelope is around it.
_MAX_DEPTH = 100

_WORDS = (
    "an event that travels has fields of JSON's types: str, int, float, bool, None, Any, list, tuple[..., ...], "
    "dict[str, ...], Literal, unions and other dataclasses"
)


def event(channel: str) -> Callable[[C], C]:
    """Bind a dataclass to a channel: its instances are published there, and subscribers of it are given no others.

    Args:
        channel: the name of the channel.

    Raises:
        TypeError: the class is no dataclass.
        ValueError: the name is not one of a channel.

    Example::

        from dataclasses import dataclass

        @event("data:store:user")
        @dataclass(frozen=True)
        class UserStored:
            id: int

        channels = Channels()
        channels.subscribe(UserStored, lambda stored: stored.id)
        (await channels.publish(UserStored(7))).results  # -> [7]
    """
    path = parse_name(channel)

    def bind(cls: C) -> C:
        found: Any = cls
        if not (isinstance(cls, type) and dataclasses.is_dataclass(found)):
            msg = f"event({channel!r}): expected a dataclass, got {cls!r}; @event stands above @dataclass"
            raise TypeError(msg)
        setattr(cls, _ATTRIBUTE, path)
        return cls

    return bind


def channel_of(cls: type) -> tuple[str, ...] | None:
    """Return the channel that a class itself, not one above it, is bound to."""
    path: tuple[str, ...] | None = vars(cls).get(_ATTRIBUTE)
    return path


def reader(cls: Any) -> Reader:
    """Return a function that makes an instance of a dataclass from what JSON made of one.

    Raises:
        TypeError: a field is of a type that JSON does not bring back as it was.
    """
    return _Readers().of(cls, cls.__qualname__)


class _Readers:
    """The readers of some types; a dataclass may have fields of itself."""

    def __init__(self) -> None:
        self._fields: dict[type, dict[str, Reader]] = {}

    def of(self, hint: Any, where: str) -> Reader:
        if hint is Any:
            return lambda value: value
        if hint in (str, int, float, bool, None, type(None)):
            return _exact(type(None) if hint is None else hint, where)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return self._dataclass(hint)
        return self._generic(hint, where)

    def _generic(self, hint: Any, where: str) -> Reader:
        origin, args = typing.get_origin(hint) or hint, typing.get_args(hint)
        if origin is typing.Literal:
            return _one_of(args, where)
        if origin in (types.UnionType, typing.Union):
            return _first_of([self.of(each, where) for each in args], where)
        if origin is list:
            return _many(list, self.of(args[0] if args else Any, where), where)
        if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
            return _many(tuple, self.of(args[0], where), where)
        if origin is dict and (not args or args[0] is str):
            return _members(self.of(args[1] if args else Any, where), where)
        msg = f"{where} is of {hint!r}: {_WORDS}"
        raise TypeError(msg)

    def _dataclass(self, cls: Any) -> Reader:
        if cls not in self._fields:
            readers = self._fields[cls] = {}
            hints = typing.get_type_hints(cls)
            for each in dataclasses.fields(cls):
                if each.init:
                    readers[each.name] = self.of(hints[each.name], f"{cls.__qualname__}.{each.name}")
        fields = self._fields[cls]

        def read(value: Any) -> Any:
            if not isinstance(value, dict) or not value.keys() <= fields.keys():
                msg = f"expected the fields of {cls.__qualname__}, got {value!r:.200}"
                raise TypeError(msg)
            return cls(**{name: fields[name](member) for name, member in value.items()})

        return read


def _exact(kind: Any, where: str) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is kind:
            return value
        if kind is float and type(value) is int:
            return float(value)  # JSON has one kind of number
        msg = f"{where}: expected {kind.__name__}, got {value!r:.200}"
        raise TypeError(msg)

    return read


def _one_of(values: tuple[Any, ...], where: str) -> Reader:
    def read(value: Any) -> Any:
        if any(value == each and type(value) is type(each) for each in values):
            return value
        msg = f"{where}: expected one of {values!r}, got {value!r:.200}"
        raise TypeError(msg)

    return read


def _first_of(readers: list[Reader], where: str) -> Reader:
    def read(value: Any) -> Any:
        errors = []
        for each in readers:
            try:
                return each(value)
            except TypeError as error:
                errors.append(str(error))
        msg = f"{where}: {'; '.join(errors)}"
        raise TypeError(msg)

    return read


def _many(kind: Callable[[Any], Any], item: Reader, where: str) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, list):
            msg = f"{where}: expected a list, got {value!r:.200}"
            raise TypeError(msg)
        return kind(item(each) for each in value)

    return read


def _members(item: Reader, where: str) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            msg = f"{where}: expected an object, got {value!r:.200}"
            raise TypeError(msg)
        return {name: item(each) for name, each in value.items()}

    return read


def check_plain(value: Any) -> None:
    """Make sure that data comes out of JSON as it went in.

    Raises:
        TypeError: it would not.
    """
    pending = [(value, 0)]
    while pending:
        each, depth = pending.pop()
        kind = type(each)
        if depth > _MAX_DEPTH:
            msg = f"data that travels is nested {_MAX_DEPTH} levels deep at most; does it contain itself?"
            raise TypeError(msg)
        if kind is list:
            pending += [(item, depth + 1) for item in each]
        elif kind is dict and all(type(name) is str for name in each):
            pending += [(item, depth + 1) for item in each.values()]
        elif kind not in (str, int, float, bool, type(None)):
            msg = (
                "data that travels is what JSON gives back as it was (None, bool, numbers, str, list, dict with str "
                f"keys), or an event of a class; {each!r:.200} is none of these"
            )
            raise TypeError(msg)
