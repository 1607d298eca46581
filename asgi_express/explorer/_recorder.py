"""The last requests of an application, and the news of them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Recorder", "Span", "Trace"]

_MAX_SPANS = 300


@dataclass(slots=True)
class Span:
    """One layer on the way of a request.

    Attributes:
        kind, name, path, depth: what it is and where, as in ``Step`` of ``explain``.
        at: milliseconds from the beginning of the request.
        took: milliseconds until the next layer on the same level, what ran inside of it included; ``None`` for what
            is not called: routers and routes.
        own: the milliseconds of ``took`` that it spent itself.
        params: of a route.
    """

    kind: str
    name: str
    path: str
    depth: int
    at: float
    took: float | None = None
    own: float | None = None
    params: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Trace:
    """One request.

    Attributes:
        id: counts up from 1.
        version: counts up with every change of any trace.
        method, path, query: what was asked, secrets hidden.
        when: seconds since the epoch.
        status: of the answer; ``None`` while there is none.
        took: milliseconds until the walk was over; ``None`` before.
        error: the class of the error that nobody answered.
        spans: the layers, in the order in which the request met them.
        is_cut: whether there were more of them.
    """

    id: int
    method: str
    path: str = ""
    query: str = ""
    version: int = 0
    when: float = field(default_factory=time.time)
    status: int | None = None
    took: float | None = None
    error: str | None = None
    spans: list[Span] = field(default_factory=list)
    is_cut: bool = False

    def add(self, span: Span) -> None:
        """Note a layer; of a request that goes round and round, only the first ones."""
        if len(self.spans) < _MAX_SPANS:
            self.spans.append(span)
        else:
            self.is_cut = True

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can write it."""
        spans = [
            {
                "kind": span.kind, "name": span.name, "path": span.path, "depth": span.depth, "params": span.params,
                "at": _rounded(span.at), "took": _rounded(span.took), "own": _rounded(span.own),
            }
            for span in self.spans
        ]  # fmt: skip
        return {
            "id": self.id, "method": self.method, "path": self.path, "query": self.query, "when": self.when,
            "status": self.status, "took": _rounded(self.took), "error": self.error, "cut": self.is_cut,
            "spans": spans,
        }  # fmt: skip


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 3)


class Recorder:
    """Keeps the last requests; the oldest goes when a new one comes.

    Args:
        size: how many.

    Attributes:
        epoch: tells this recorder from the one of another run of the program.
        version: the version of the newest change.
        tree: counts the trees that there were; a reload makes another one.
    """

    def __init__(self, size: int) -> None:
        self.epoch = secrets.token_hex(4)
        self.version = 0
        self.tree = 0
        self._traces: deque[Trace] = deque(maxlen=size)
        self._ids = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def open(self, method: str) -> Trace:
        """Return a trace that is not shown yet."""
        self._ids += 1
        return Trace(self._ids, method)

    def publish(self, trace: Trace) -> None:
        """Show a trace, or what has changed of it."""
        is_new = not trace.version
        self.version += 1
        trace.version = self.version
        if is_new:
            self._traces.append(trace)
        self._wake()

    def replant(self) -> None:
        """Tell that there is another tree."""
        self.tree += 1
        self._wake()

    def _wake(self) -> None:
        listening, self._waiting = self._waiting, set()
        for waiting in listening:
            # A program may serve from several loops: test clients do.
            loop = waiting.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(waiting.set_result, None)

    def since(self, version: int) -> list[Trace]:
        """Return the traces that have changed since a version, oldest change first."""
        return sorted((each for each in self._traces if each.version > version), key=lambda each: each.version)

    async def wait(self, version: int, tree: int, seconds: float) -> None:
        """Wait for a change after a version, or for another tree, for so many seconds at most."""
        if self.version > version or self.tree != tree:
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await asyncio.wait([waiting], timeout=seconds)
        finally:
            self._waiting.discard(waiting)
