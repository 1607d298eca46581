"""What a handler asks a relay for, in a header: read, and checked in full."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from asgi_express._units import parse_duration

__all__ = ["Config", "config_in", "read_config"]

# A topic becomes the name of an event: no line end, no NUL, nothing that cannot be seen.
_TOPIC = re.compile(r"[!-~]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Config:
    """What a handler asks for.

    Attributes:
        target_pid: the process; ``None`` for none.
        message_topic: of the messages of the client; or, for events, of those to it.
        heartbeat_interval: seconds; ``None`` for no heartbeats.
        idle_timeout: seconds without an event until a stream ends; ``None`` for never.
        hard_timeout: seconds until a stream ends; ``None`` for never.
        metadata: facts that are told with every join, heartbeat and leave.
    """

    target_pid: str | None = None
    message_topic: str = "ws.message"
    heartbeat_interval: float | None = 30.0
    idle_timeout: float | None = None
    hard_timeout: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def changed(self, given: Any) -> Config:
        """Return it with some of its values changed.

        Raises:
            ValueError: a value is wrong, or not one of its.
        """
        return replace(self, **_checked(given, _NAMES))


def read_config(kind: Literal["ws", "sse"], text: bytes) -> Config:
    """Read the value of a header.

    Raises:
        ValueError: it is no JSON object, or a value is wrong or missing.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"it is no JSON: {error}"
        raise ValueError(msg) from None
    known = _NAMES if kind == "sse" else _NAMES - {"idle_timeout", "hard_timeout"}
    config = replace(Config(message_topic=f"{kind}.message"), **_checked(given, known))
    if kind == "ws" and config.target_pid is None:
        msg = "it needs target_pid, the pid of a process"
        raise ValueError(msg)
    return config


def config_in(kind: Literal["ws", "sse"], headers: Iterable[tuple[bytes, bytes]]) -> Config:
    """Read the configuration among the headers of an answer, where it is.

    Raises:
        ValueError: it is there twice, or wrong.
    """
    name = b"x-ws-relay" if kind == "ws" else b"x-sse-relay"
    values = [bytes(value) for key, value in headers if key.lower() == name]
    if len(values) > 1:
        msg = "the header is there twice"
        raise ValueError(msg)
    return read_config(kind, values[0])


_NAMES = frozenset(each.name for each in fields(Config))


def _checked(given: Any, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        msg = f"expected an object, not {given!r:.100}"
        raise ValueError(msg)
    unknown = sorted(map(str, given.keys() - known))
    if unknown:
        msg = f"there is no {', '.join(unknown)}; there are {', '.join(sorted(known))}"
        raise ValueError(msg)
    return {name: _READERS[name](name, value) for name, value in given.items()}


def _pid(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        msg = f"{name} must be text, not {value!r:.100}"
        raise ValueError(msg)
    return value or None


def _topic(name: str, value: Any) -> str:
    if not isinstance(value, str) or not _TOPIC.match(value):
        msg = f"{name} must be at most 128 visible ASCII characters, not {value!r:.100}"
        raise ValueError(msg)
    return value


def _seconds(name: str, value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        seconds = parse_duration(value)
    except (TypeError, ValueError) as error:
        msg = f"{name}: {error}"
        raise ValueError(msg) from None
    if seconds < 0:
        msg = f"{name} must not be negative, not {value!r}"
        raise ValueError(msg)
    return seconds or None


def _facts(name: str, value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        msg = f"{name} must be an object, not {value!r:.100}"
        raise ValueError(msg)
    return value or {}


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "target_pid": _pid,
    "message_topic": _topic,
    "heartbeat_interval": _seconds,
    "idle_timeout": _seconds,
    "hard_timeout": _seconds,
    "metadata": _facts,
}
