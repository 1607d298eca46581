"""Processes of a gateway, in the words of Wippy.

A function of a file is started as a process by a handler, and relays hand clients to it::

    import json

    from asgi_express.gateway import http, process


    async def room(user):
        async for message in process.inbox():
            if message.topic == "ws.message":
                process.send(message.sender, "said", {"by": user, "text": message.payload})


    def chat():
        pid = process.spawn(room, http.request().query("user"))
        http.response().set_header("X-WS-Relay", json.dumps({"target_pid": pid}))
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from asgi_express.errors import MisuseError
from asgi_express.gateway._objects import hosting, resource
from asgi_express.gateway.http._exchange import forget
from asgi_express.processes import Inbox, Process, Processes, current

__all__ = ["deliver", "inbox", "lookup", "monitor", "pid", "register", "send", "spawn", "stop"]


def spawn(function: str | Callable[..., Any], /, *arguments: Any) -> str:
    """Start a function as a process of the service, and return its pid.

    It knows what was known where it was started, the actor for one; not the request.

    Args:
        function: an async function, or the ID of a ``function.python``.
        *arguments: what it is given.

    Raises:
        HTTPError: 503, there are too many processes.
        LookupError: there is no such entry.
        MisuseError: no request of a gateway is being served here, and no process runs.
        TypeError: it is no async function.

    Example::

        pid = process.spawn(room, "ada")
        process.send(pid, "ws.message", "hello")  # -> True
    """
    processes = _host()
    called = resource(function) if isinstance(function, str) else function
    if not inspect.iscoroutinefunction(called):
        msg = f"process.spawn(): expected an async function, or the ID of one, got {function!r}"
        raise TypeError(msg)
    context = copy_context()
    context.run(forget)
    name = re.sub(r"[^A-Za-z0-9_.:]", "", called.__name__)
    return processes.spawn(_run, called, arguments, name=name, context=context)


async def _run(process: Process, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    await function(*arguments)


def _host() -> Processes:
    found = hosting.get(None)
    if found is None:
        msg = "no request of a gateway is being served here, and no process of one runs"
        raise MisuseError(msg)
    return found


def pid() -> str:
    """Return the pid of the process that runs here.

    Raises:
        MisuseError: none does.

    Example::

        process.send(process.pid(), "tick", 1)  # -> True
    """
    return current().pid


def inbox() -> Inbox:
    """Return the inbox of the process that runs here: iterate over it.

    Raises:
        MisuseError: none does.

    Example::

        process.send(process.pid(), "tick", 1)
        (await process.inbox().receive()).payload  # -> 1
    """
    return current().inbox


def send(to: str, topic: str, payload: Any = None) -> bool:
    """Put a message into the inbox of a process or of a relayed client; tell whether it was taken. It never waits.

    Args:
        to: a pid, or a registered name.
        topic: what it is about.
        payload: whatever it carries.

    Example: ``process.send("nobody", "hello")`` is ``False``.
    """
    return _host().send(to, topic, payload)


async def deliver(to: str, topic: str, payload: Any = None) -> bool:
    """Put a message into an inbox, and wait for room; tell whether it was taken.

    Example: ``await process.deliver("nobody", "hello")`` is ``False``.
    """
    return await _host().deliver(to, topic, payload)


def monitor(pid: str) -> None:
    """Get a message ``process.exit`` when a process or a relayed client ends.

    Raises:
        MisuseError: no process runs here.

    Example::

        pid = process.spawn(room, "ada")
        process.monitor(pid)
        process.stop(pid)
        (await process.inbox().receive()).payload["reason"]  # -> "cancelled"
    """
    current().monitor(pid)


def register(name: str, pid: str) -> None:
    """Let a process be found by a name, until it ends.

    Raises:
        LookupError: there is no such process.
        MisuseError: the name is another's.

    Example::

        process.register("room", process.spawn(room, "ada"))
        process.send("room", "ws.message", "hello")  # -> True
    """
    _host().register(name, pid)


def lookup(name: str) -> str | None:
    """Return the pid that a name stands for; ``None`` where there is none.

    Example: ``process.lookup("nobody")`` is ``None``.
    """
    found = _host().find(name)
    return None if found is None else found.pid


def stop(pid: str) -> bool:
    """Cancel a process; tell whether there was one.

    Example: ``process.stop("nobody")`` is ``False``.
    """
    return _host().stop(pid)
