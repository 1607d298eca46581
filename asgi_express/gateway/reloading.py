"""When to reload: when a file changes, and on SIGHUP."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from asgi_express.errors import ExpressError
from asgi_express.gateway._gateway import Gateway
from asgi_express.gateway._paths import below
from asgi_express.gateway._sources import SUFFIXES, Signature, files_in, signature_of

__all__ = ["changes", "on_hangup", "reloading"]

_log = logging.getLogger("asgi_express.gateway")

# Milliseconds in which changes count as one: editors write a file in several steps.
_DEBOUNCE = 100

# Seconds between two looks where nothing tells of changes.
_INTERVAL = 0.5


@asynccontextmanager
async def reloading(
    gateway: Gateway, *, watch: bool = True, hangup: bool = True, poll: float | None = None
) -> AsyncIterator[None]:
    """Reload a gateway when it is told to, around a block. A reload that fails is logged, and nothing changes.

    Args:
        gateway: the gateway.
        watch: whether to reload when one of its files changes; with ``watchfiles`` if that is installed.
        hangup: whether to reload on SIGHUP, where the system has it. Only in the main thread. Outside of the block
            the signal does what it did before: end the process, unless the program says otherwise.
        poll: seconds between two looks at the files, without ``watchfiles``; ``None`` to use it if it is there.

    Example::

        async with gateway.lifespan_context(), reloading(gateway):
            gateway.services[0].port  # -> 8080
    """
    wanted = asyncio.Event()
    tasks = [asyncio.ensure_future(_reload_when(gateway, wanted))]
    if watch:
        tasks.append(asyncio.ensure_future(_tell(changes(gateway, poll=poll), wanted)))
    loop = asyncio.get_running_loop()
    try:
        with on_hangup(lambda: loop.call_soon_threadsafe(wanted.set)) if hangup else nullcontext():
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@contextmanager
def on_hangup(act: Callable[[], object]) -> Iterator[None]:
    """Call a function on SIGHUP in a ``with`` block, where the system has it. Only in the main thread.

    Not by ``loop.add_signal_handler``: what is removed there leaves the default behind, which ends the process, and not
    the handler that was there before.

    Example::

        import signal

        heard = []
        with on_hangup(lambda: heard.append("a hangup")):
            signal.raise_signal(signal.SIGHUP)
        heard  # -> ["a hangup"]
    """
    number = getattr(signal, "SIGHUP", None)
    if number is None:
        yield
        return
    before = signal.signal(number, lambda *_: act())
    try:
        yield
    finally:
        signal.signal(number, before)


async def _reload_when(gateway: Gateway, wanted: asyncio.Event) -> None:
    while True:
        await wanted.wait()
        wanted.clear()
        try:
            await gateway.reload()
        except ExpressError:
            pass  # the gateway has logged why
        except Exception:
            _log.exception("the gateway was not reloaded, and goes on as it was")


async def _tell(changed: AsyncGenerator[frozenset[Path], None], wanted: asyncio.Event) -> None:
    async with aclosing(changed):
        async for _ in changed:
            wanted.set()


def changes(gateway: Gateway, *, poll: float | None = None) -> AsyncGenerator[frozenset[Path], None]:
    """Give the files of a gateway that have changed since they were read, each time some have.

    Args:
        gateway: the gateway.
        poll: seconds between two looks, without ``watchfiles``; ``None`` to use it if it is there.

    Example::

        changed = changes(gateway)
        Path("app.yaml").touch()
        [path.name for path in await anext(changed)]  # -> ["app.yaml"]
        await changed.aclose()
    """
    return _changes(gateway, dict(gateway.seen), poll)


async def _changes(
    gateway: Gateway, known: dict[Path, Signature], poll: float | None
) -> AsyncGenerator[frozenset[Path], None]:
    while True:
        async with aclosing(_ticks(gateway.watched, poll)) as ticks:
            async for _ in ticks:
                now = await asyncio.to_thread(_look, gateway.watched)
                # A file that a reload has begun to name is known as it was when it was read.
                before = {**gateway.seen, **known}
                changed = frozenset(path for path, signature in now.items() if signature != before.get(path))
                is_more = not now.keys() <= known.keys()
                known = now
                if changed:
                    yield changed
                if is_more:
                    break  # it may be in another directory


async def _ticks(watched: Iterable[Path], poll: float | None) -> AsyncGenerator[None, None]:
    """Say when it is worth to look."""
    awatch = _awatch() if poll is None else None
    if awatch is None:
        while True:
            await asyncio.sleep(poll or _INTERVAL)
            yield
    names = {path.name for path in watched}

    def may_matter(change: object, path: str) -> bool:
        # Or the log of this program, in a file beside the others, would be told of each of its own lines.
        return Path(path).name in names or path.endswith(SUFFIXES)

    # On a timeout too: a directory that was not there may have come.
    looking = awatch(
        *_directories(watched),
        watch_filter=may_matter,
        debounce=_DEBOUNCE,
        step=20,
        rust_timeout=1000,
        yield_on_timeout=True,
        recursive=False,
    )
    async with aclosing(looking):
        async for _ in looking:
            yield


def _awatch() -> Any:
    try:
        from watchfiles import awatch
    except ImportError:
        return None
    return awatch


def _directories(watched: Iterable[Path]) -> set[Path]:
    """Return the directories of files, and all below those that are watched as a whole, hidden ones apart."""
    found = set()
    for path in watched:
        if os.path.isdir(path):
            found |= {place for place, _ in below(path)}
        elif os.path.isdir(path.parent):
            found.add(path.parent)
    return found


def _look(watched: Iterable[Path]) -> dict[Path, Signature]:
    each = [file for path in watched for file in (files_in(path) if os.path.isdir(path) else (path,))]
    return {path: signature_of(path) for path in each}
