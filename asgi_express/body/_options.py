"""The options that the parsers share, checked where the parser is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from asgi_express._units import parse_bytes
from asgi_express.types import Size

if TYPE_CHECKING:
    from asgi_express.request import Request
    from asgi_express.response import Response

__all__ = ["DEFAULT_LIMIT", "Options", "TypeSpec", "Verify", "flag", "function", "limit_of", "options_of"]

TypeSpec: TypeAlias = "str | Sequence[str] | Callable[[Request], Any]"
"""Which bodies are parsed: patterns as ``req.is_`` takes them, or a function of the request."""

Verify: TypeAlias = "Callable[[Request, Response, bytes, str | None], Any]"
"""``(req, res, body, charset)``; raises to refuse the body, plain or ``async``."""

DEFAULT_LIMIT = 100 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one parser.

    Attributes:
        parser: its name, for messages.
        limit: bytes that a body may have, inflated; may be infinite.
        types: the patterns of the types that it parses.
        wanted: a function that tells instead.
        inflate: whether bodies with a content coding are taken.
        verify: called with the raw body.
        default_charset: the charset where the request names none; ``None`` where the body is not text.
    """

    parser: str
    limit: float
    types: tuple[str, ...]
    wanted: Callable[[Request], Any] | None
    inflate: bool
    verify: Verify | None
    default_charset: str | None


def options_of(
    parser: str,
    *,
    limit: Size | float | None,
    type: TypeSpec,  # noqa: A002 - body-parser's word
    inflate: bool,
    verify: Verify | None,
    default_charset: str | None,
) -> Options:
    """Check the options of a parser.

    Raises:
        TypeError: an option is of a wrong type.
        ValueError: an option has a value that cannot be.
    """
    types, wanted = _types(parser, type)
    return Options(
        parser=parser,
        limit=limit_of(parser, "limit", limit, DEFAULT_LIMIT),
        types=types,
        wanted=wanted,
        inflate=flag(parser, "inflate", inflate),
        verify=function(parser, "verify", verify),
        default_charset=default_charset,
    )


def limit_of(parser: str, option: str, value: Any, default: float) -> float:
    """Return a limit in bytes; ``None`` is the default, and only ``math.inf`` is no limit.

    Raises:
        TypeError: the value is neither a number nor text.
        ValueError: the value cannot be read, or is negative.
    """
    if value is None:
        return default
    if value == math.inf:
        return math.inf
    try:
        return parse_bytes(value)
    except (TypeError, ValueError) as error:
        msg = f"{parser}: option {option} is invalid: {error}"
        raise type(error)(msg) from None


def flag(parser: str, option: str, value: Any) -> bool:
    """Return an option that is ``True`` or ``False``.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(value, bool):
        msg = f"{parser}: option {option} must be True or False, not {value!r}"
        raise TypeError(msg)
    return value


def function(parser: str, option: str, value: Any) -> Any:
    """Return an option that is a function or ``None``.

    Raises:
        TypeError: it is neither.
    """
    if value is not None and not callable(value):
        msg = f"{parser}: option {option} must be a function, not {value!r}"
        raise TypeError(msg)
    return value


def _types(parser: str, value: Any) -> tuple[tuple[str, ...], Callable[[Request], Any] | None]:
    if callable(value):
        return (), value
    found = (value,) if isinstance(value, str) else value
    if not isinstance(found, Sequence) or not found or not all(isinstance(item, str) and item for item in found):
        msg = f"{parser}: option type must be a type such as 'json', a list of them or a function, not {value!r}"
        raise TypeError(msg)
    return tuple(found), None
