"""The channels of one process, and of many."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from inspect import isawaitable
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from asgi_express.channels import _typed
from asgi_express.channels._names import ChannelName, parse_name, written
from asgi_express.channels._outcome import Delivery, Outcome, PublishErrors, Stop
from asgi_express.channels._sources import subscriptions_in
from asgi_express.channels._subscription import Handler, Predicate, Subscription, failure_of
from asgi_express.channels._tree import Tree
from asgi_express.channels._wire import Bus, Message
from asgi_express.errors import MisuseError

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Channels"]

F = TypeVar("F", bound=Callable[..., Any])

_log = logging.getLogger("asgi_express.channels")


class Channels:
    """Publish and subscribe on named channels: in one process, or with ``bus`` between many.

    A publish on ``"data:store:user"`` calls who subscribed to it, then to ``"data:store"``, to ``"data"`` and to
    ``"*"``. A handler takes ``()``, ``(data)`` or ``(data, delivery)``, plain or ``async``; what it returns is
    collected, ``None`` apart, and ``Stop(value)`` ends the publish. Handlers are called one after the other. The error
    of one stops no other: all of them come in one ``PublishErrors``.

    Args:
        events: subscriptions, ``{"data:user:get": "package.module#get_user"}``. A value is such text, a function, a
            mapping of ``handler``, ``priority`` and ``when``, or a list of those. Everything is imported at once.
        bus: what carries messages between processes, ``PubSub(...)`` or ``Streams(...)``. Then the channels are to be
            entered, ``async with channels:``, or given to an application, ``Express(lifespan=channels.lifespan)``.
        types: event classes that come from other processes and that nobody here subscribes to by class.
        on_error: called with the ``PublishErrors``, or another error, of what came from elsewhere, where no publisher
            waits for it; plain or ``async``. By default they go into the log.
        max_subscriptions: how many there may be at a time.

    Raises:
        ImportError: a module in ``events`` cannot be imported.
        TypeError: an option is of another kind.
        ValueError: an option is out of range, a name is wrong.

    Examples::

        channels = Channels()
        channels.subscribe("data:user:get", lambda number: {"id": number})
        (await channels.publish("data:user:get", 7)).first  # -> {"id": 7}

        channels = Channels({"text:length": "builtins#len"}, max_subscriptions=10)
        (await channels.publish("text:length", "four")).results  # -> [4]
    """

    def __init__(
        self,
        events: Mapping[str, Any] | None = None,
        *,
        bus: Bus | None = None,
        types: Iterable[type] = (),
        on_error: Callable[[Exception], Any] | None = None,
        max_subscriptions: int = 100_000,
    ) -> None:
        if isinstance(max_subscriptions, bool) or not isinstance(max_subscriptions, int) or max_subscriptions < 1:
            msg = f"Channels: max_subscriptions must be an integer of 1 or more, not {max_subscriptions!r}"
            raise ValueError(msg)
        if bus is not None and not (hasattr(bus, "running") and hasattr(bus, "send")):
            msg = f"Channels: bus must be PubSub(...), Streams(...) or like them, not {bus!r}"
            raise TypeError(msg)
        if on_error is not None and not callable(on_error):
            msg = f"Channels: on_error must be a function of the error, not {on_error!r}"
            raise TypeError(msg)
        self._bus = bus
        self._on_error = on_error
        self._max = max_subscriptions
        self._tree = Tree()
        self._subscriptions: dict[int, Subscription] = {}
        self._ids = count(1)
        self._classes: dict[tuple[str, ...], tuple[type, _typed.Reader]] = {}
        self._running: AbstractAsyncContextManager[None] | None = None
        for cls in types:
            self._learn(cls)
        for channel, options in subscriptions_in(events or {}):
            self.subscribe(channel, **options)

    def __len__(self) -> int:
        return len(self._subscriptions)

    def __bool__(self) -> bool:
        return True

    # -- subscribing

    def subscribe(
        self,
        channel: ChannelName | type,
        handler: Handler,
        *,
        priority: float | None = None,
        when: Predicate | None = None,
    ) -> Subscription:
        """Call a handler for what is published on a channel and below it.

        Args:
            channel: its name, or a class that is bound to one with ``@event``: then for its instances only.
            handler: a function of ``()``, ``(data)`` or ``(data, delivery)``.
            priority: among the subscribers of one channel the lowest is called first, those without one last, equal
                ones in the order of subscribing.
            when: a function of the data that says whether to call the handler; if it raises, it is not called.

        Raises:
            MisuseError: there are ``max_subscriptions`` already.
            TypeError: an argument is of another kind.
            ValueError: the name is not one of a channel.

        Example::

            channels = Channels()
            channels.subscribe("orders", lambda order: order["sum"], when=lambda order: order["sum"] > 100)
            (await channels.publish("orders:new", {"sum": 250})).results  # -> [250]
            (await channels.publish("orders:new", {"sum": 20})).results  # -> []
        """
        kind = None
        if isinstance(channel, type):
            kind, path = channel, self._learn(channel)
        else:
            path = parse_name(channel)
        if len(self._subscriptions) >= self._max:
            msg = f"there are {self._max} subscriptions; see the option max_subscriptions"
            raise MisuseError(msg)
        subscription = Subscription(
            next(self._ids),
            path,
            handler,
            priority=priority,
            when=when,
            kind=kind,
            moved=self._move,
            ended=self._remove,
        )
        self._tree.add(subscription)
        self._subscriptions[subscription.id] = subscription
        return subscription

    def on(
        self, channel: ChannelName | type, *, priority: float | None = None, when: Predicate | None = None
    ) -> Callable[[F], F]:
        """Subscribe a function: the decorator of ``subscribe``.

        Example::

            channels = Channels()

            @channels.on("greet")
            def greet(name):
                return f"Hello {name}"

            (await channels.publish("greet", "Ada")).first  # -> "Hello Ada"
        """

        def decorate(fn: F) -> F:
            self.subscribe(channel, fn, priority=priority, when=when)
            return fn

        return decorate

    def subscription(self, id: int) -> Subscription | None:  # noqa: A002 - what it is called in the documents
        """Return a subscription by its id; ``None`` if there is none.

        Example::

            channels = Channels()
            id = channels.subscribe("log", print).id
            channels.subscription(id).channel  # -> "log"
        """
        return self._subscriptions.get(id)

    def unsubscribe(self, id: int) -> bool:  # noqa: A002
        """End a subscription by its id; tell whether there was one.

        Example::

            channels = Channels()
            id = channels.subscribe("log", print).id
            channels.unsubscribe(id)  # -> True
            channels.unsubscribe(id)  # -> False
        """
        subscription = self._subscriptions.get(id)
        if subscription is not None:
            subscription.unsubscribe()
        return subscription is not None

    def _move(self, subscription: Subscription) -> None:
        if subscription.active:
            self._tree.move(subscription)

    def _remove(self, subscription: Subscription) -> None:
        del self._subscriptions[subscription.id]
        self._tree.remove(subscription)

    def _learn(self, cls: type) -> tuple[str, ...]:
        path = _typed.channel_of(cls) if isinstance(cls, type) else None
        if path is None:
            msg = f"{cls!r} is bound to no channel; put @event('the:channel') above its @dataclass"
            raise TypeError(msg)
        known = self._classes.get(path)
        if known is None:
            # Here no event travels, and its fields may be anything.
            self._classes[path] = (cls, _typed.reader(cls) if self._bus is not None else lambda value: value)
        elif known[0] is not cls:
            msg = f"{cls.__qualname__} and {known[0].__qualname__} are both bound to {written(path)!r}"
            raise ValueError(msg)
        return path

    # -- publishing

    @overload
    async def publish(self, channel: ChannelName, data: Any = None, *, local: bool = False) -> Outcome: ...
    @overload
    async def publish(self, event: Any, /, *, local: bool = False) -> Outcome: ...
    async def publish(self, channel: Any, data: Any = None, *, local: bool = False) -> Outcome:
        """Call the subscribers of a channel and of all above it; with a bus, those of other processes too.

        Args:
            channel: the name, or an event whose class is bound to one.
            data: what the handlers are given. With a bus: JSON's types only.
            local: keep it in this process, whatever the bus.

        Returns:
            The results of this process. Over ``Streams`` there are none: the subscribers are called later.

        Raises:
            MisuseError: there is a bus, and the channels were not entered.
            PublishErrors: subscribers, or the bus, failed; its ``outcome`` has the results.
            TypeError: an argument is of another kind.
            ValueError: the name is not one of a channel; the data is too long.
            StoreUnavailable: over ``Streams``, it was not taken, as far as is known.

        Example::

            channels = Channels()
            channels.subscribe("data:store", lambda user: "stored")
            channels.subscribe("data", lambda user: "seen")
            (await channels.publish("data:store:user", {"id": 7})).results  # -> ["stored", "seen"]
        """
        if isinstance(channel, str | list | tuple):
            path = parse_name(channel)
        elif data is not None:
            msg = f"publish takes the name of a channel and data, or an event alone; got {channel!r} and {data!r:.200}"
            raise TypeError(msg)
        else:
            path, data = self._learn(type(channel)), channel
        outcome = Outcome()
        if self._bus is not None and not local:
            message = self._pack(path, data)
            if self._running is None:
                msg = "channels with a bus are to be entered: async with channels, or lifespan=channels.lifespan"
                raise MisuseError(msg)
            if not self._bus.fan_out:
                outcome.id = await self._bus.send(message)
                return outcome
            try:
                await self._bus.send(message)
            except Exception as error:
                error.add_note("while sending to the other processes")
                outcome.errors.append(error)
        await self._call(path, data, Delivery(written(path), path), outcome)
        if outcome.errors:
            raise PublishErrors.of(written(path), outcome)
        return outcome

    async def _call(self, path: tuple[str, ...], data: Any, delivery: Delivery, outcome: Outcome) -> None:
        try:
            for subscription in self._tree.lineage(path):
                if subscription.active and await self._ask(subscription, data, delivery, outcome):
                    outcome.stopped = True
                    break
        except BaseException:
            # Cancelled: nobody gets the outcome, but the errors so far are not lost.
            if outcome.errors:
                await self._tell(PublishErrors.of(delivery.channel, outcome))
            raise

    async def _ask(self, subscription: Subscription, data: Any, delivery: Delivery, outcome: Outcome) -> bool:
        """Call one subscriber, note what came of it, and tell whether it ends the publish."""
        try:
            value = await subscription.call(data, delivery) if await subscription.wants(data) else None
        except (Exception, asyncio.CancelledError) as caught:
            error = failure_of(caught)
            error.add_note(f"in {subscription!r}, called for {delivery.channel!r}")
            outcome.errors.append(error)
            return False
        ends = isinstance(value, Stop)
        result = value.value if isinstance(value, Stop) else value
        if result is not None:
            outcome.results.append(result)
        return ends

    # -- between processes

    def _pack(self, path: tuple[str, ...], data: Any) -> Message:
        cls = self._classes.get(path, (None, None))[0]
        if cls is not None and type(data) is cls:
            fields: Any = data
            return Message(path, dataclasses.asdict(fields), typed=True)
        _typed.check_plain(data)
        return Message(path, data, typed=False)

    async def _deliver(self, message: Message) -> Exception | None:
        """Call the subscribers of what came from elsewhere."""
        delivery = Delivery(written(message.path), message.path, message.id, message.attempt, remote=True)
        outcome = Outcome()
        try:
            data = message.data
            if message.typed and message.path in self._classes:
                data = self._classes[message.path][1](data)
            await self._call(message.path, data, delivery, outcome)
        except Exception as error:
            error.add_note(f"reading what came on {delivery.channel!r}")
            outcome.errors.append(error)
        if not outcome.errors:
            return None
        errors = PublishErrors.of(delivery.channel, outcome)
        await self._tell(errors)
        return errors

    async def _tell(self, errors: PublishErrors) -> None:
        if self._on_error is None:
            _log.error("%s", errors.message, exc_info=errors)
            return
        try:
            answer = self._on_error(errors)
            if isawaitable(answer):
                await answer
        except Exception:
            _log.exception("on_error failed, for: %r", errors)

    async def __aenter__(self) -> Self:
        """Begin to deliver what other processes publish.

        Raises:
            MisuseError: they were entered before.
            StoreUnavailable: Redis cannot be reached. Once it was, it is reached again by itself.
        """
        if self._bus is None:
            return self
        if self._running is not None:
            msg = "these channels are entered already"
            raise MisuseError(msg)
        self._running = self._bus.running(self._deliver)
        try:
            await self._running.__aenter__()
        except BaseException:
            self._running = None
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        """Be entered as long as an application runs: ``Express(lifespan=channels.lifespan)``.

        Example::

            channels = Channels()
            app = Express(lifespan=channels.lifespan)
        """
        async with self:
            yield
