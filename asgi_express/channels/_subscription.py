"""One subscriber of one channel."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from inspect import isawaitable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from asgi_express._handlers import arity, name_of
from asgi_express.channels._names import written

if TYPE_CHECKING:
    from typing import Self

    from asgi_express.channels._outcome import Delivery

__all__ = ["Handler", "Predicate", "Subscription", "failure_of"]

Handler = Callable[..., Any]
"""``()``, ``(data)`` or ``(data, delivery)``, plain or ``async``."""

Predicate = Callable[[Any], Any]
"""``(data)``, plain or ``async``: whether to call the handler."""

_KEEP: Any = object()


class Subscription:
    """A handler on a channel; made by ``channels.subscribe``. As a context manager it ends with the block.

    Attributes:
        id: names it in ``channels.unsubscribe(id)``.
        path: the parts of the channel's name.
        active: whether it is still subscribed.

    Example::

        channels = Channels()
        seen = []
        with channels.subscribe("log", seen.append):
            await channels.publish("log", "in the block")
        await channels.publish("log", "after it")
        seen  # -> ["in the block"]
    """

    def __init__(
        self,
        number: int,
        path: tuple[str, ...],
        handler: Handler,
        *,
        priority: float | None,
        when: Predicate | None,
        kind: type | None,
        moved: Callable[[Subscription], None],
        ended: Callable[[Subscription], None],
    ) -> None:
        self.id = number
        self.path = path
        self.active = True
        self._kind = kind
        self._moved = moved
        self._ended = ended
        self._set(handler, priority, when)

    def _set(self, handler: Handler, priority: float | None, when: Predicate | None) -> None:
        what = f"subscribe({written(self.path)!r})"
        count = _count(handler, what)
        if priority is not None and (
            isinstance(priority, bool) or not isinstance(priority, int | float) or math.isnan(priority)
        ):
            msg = f"{what}: priority must be a number, of which the lowest is called first, not {priority!r}"
            raise TypeError(msg)
        if when is not None and not callable(when):
            msg = f"{what}: when must be a function of the data, not {when!r}"
            raise TypeError(msg)
        self.handler, self._count, self.priority, self.when = handler, count, priority, when

    @property
    def channel(self) -> str:
        """The name of the channel, as text.

        Example: ``Channels().subscribe("data:user", print).channel`` is ``"data:user"``.
        """
        return written(self.path)

    @property
    def order(self) -> tuple[float, int]:
        """What the subscribers of a channel are sorted by. Not for programs."""
        return (math.inf if self.priority is None else self.priority, self.id)

    def update(
        self, *, handler: Handler = _KEEP, priority: float | None = _KEEP, when: Predicate | None = _KEEP
    ) -> Self:
        """Change what is given, keep the rest.

        Raises:
            TypeError: as ``channels.subscribe``.

        Example::

            channels = Channels()
            channels.subscribe("a", lambda: "first")
            later = channels.subscribe("a", lambda: "second")
            later.update(priority=1)
            (await channels.publish("a")).results  # -> ["second", "first"]
        """
        self._set(
            self.handler if handler is _KEEP else handler,
            self.priority if priority is _KEEP else priority,
            self.when if when is _KEEP else when,
        )
        self._moved(self)
        return self

    def unsubscribe(self) -> None:
        """End it, at once: a publish under way does not call it any more. A second time does nothing.

        Example::

            channels = Channels()
            channels.subscribe("a", print).unsubscribe()
            len(channels)  # -> 0
        """
        if self.active:
            self.active = False
            self._ended(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unsubscribe()

    async def wants(self, data: Any) -> bool:
        """Tell whether it is to be called. Not for programs."""
        if self._kind is not None and not isinstance(data, self._kind):
            return False
        if self.when is None:
            return True
        answer = self.when(data)
        return bool(await answer if isawaitable(answer) else answer)

    async def call(self, data: Any, delivery: Delivery) -> Any:
        """Call the handler. Not for programs."""
        value = self.handler(*(data, delivery)[: self._count])
        return await value if isawaitable(value) else value

    def __repr__(self) -> str:
        return f"<Subscription {self.id} of {self.channel!r}: {name_of(self.handler)}>"


def _count(handler: Any, what: str) -> int:
    """Return with how many arguments a handler is called."""
    words = f"{what}: expected a function of (), (data) or (data, delivery)"
    if not callable(handler):
        msg = f"{words}, got {handler!r}"
        raise TypeError(msg)
    try:
        least, most = arity(handler, what)
    except TypeError:
        # list.append and other built-in functions that tell no signature take what they are for: the data
        least, most = 1, 1
    if least > 2:
        msg = f"{words}; {name_of(handler)} takes {least} positional parameters"
        raise TypeError(msg)
    # As with the handlers of a router: a parameter with a default does not count, *args takes all that there is.
    return 2 if most is None else least


def failure_of(error: Exception | asyncio.CancelledError) -> Exception:
    """Return what a subscriber raised as an error, unless it is the publish that is cancelled.

    A subscriber that waited for something that was cancelled has failed, and nothing else: it must not end the
    listening of the whole process in silence.

    Raises:
        asyncio.CancelledError: the publish is cancelled.
    """
    if isinstance(error, Exception):
        return error
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise error
    failure = RuntimeError("what the subscriber waited for was cancelled")
    failure.__cause__ = error
    return failure
