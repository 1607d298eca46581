"""What came of a publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = ["Delivery", "Outcome", "PublishErrors", "Stop"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stop(Generic[T]):
    """What a subscriber returns to end a publish: those after it, and the parent channels, are not called.

    Attributes:
        value: its result; ``None`` for none.

    Example::

        channels = Channels()
        channels.subscribe("data:user", lambda name: Stop("cached"))
        channels.subscribe("data", lambda name: "from the database")
        (await channels.publish("data:user", "ada")).results  # -> ["cached"]
    """

    value: T | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a subscriber of two parameters is told of what it was given.

    Attributes:
        channel: the name that was published, as text.
        path: the same in its parts.
        id: the id in the stream; ``None`` where there is no stream.
        attempt: 1, or more where a stream delivers again.
        remote: whether it came from another process, or out of a stream.
    """

    channel: str
    path: tuple[str, ...]
    id: str | None = None
    attempt: int = 1
    remote: bool = False


@dataclass(slots=True)
class Outcome:
    """What the subscribers of this process made of a publish.

    Attributes:
        results: what they returned, in the order of the calls, ``None`` left out.
        errors: what they raised, in the order of the calls.
        stopped: whether one of them ended the publish with ``Stop``.
        id: the id in the stream, where a stream took it: its subscribers are called later, and elsewhere.
    """

    results: list[Any] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    stopped: bool = False
    id: str | None = None

    @property
    def first(self) -> Any:
        """The first result; ``None`` if there is none.

        Example::

            channels = Channels()
            channels.subscribe("data:user:get", lambda id: {"id": id})
            (await channels.publish("data:user:get", 7)).first  # -> {"id": 7}
        """
        return self.results[0] if self.results else None


class PublishErrors(ExceptionGroup[Exception]):
    """Subscribers failed; the others were called all the same.

    Attributes:
        outcome: what came of the publish, results and errors.
    """

    outcome: Outcome

    @classmethod
    def of(cls, channel: str, outcome: Outcome) -> PublishErrors:
        """Return the errors of an outcome. Not for programs."""
        count = len(outcome.errors)
        group = cls(f"{count} subscriber{'s' if count > 1 else ''} of {channel!r} failed", outcome.errors)
        group.outcome = outcome
        return group

    def derive(self, excs: Sequence[Any]) -> PublishErrors:  # type: ignore[override] # ours holds no others
        """Return a group of some of the errors, as ``except*`` needs it. Not for programs."""
        group = PublishErrors(self.message, excs)
        group.outcome = self.outcome
        return group
