"""Processes: their inboxes, their pids, and their ends."""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import Any

import pytest

from asgi_express import Express, HTTPError, MisuseError
from asgi_express.processes import EXIT, InboxClosed, Message, Process, Processes, current
from asgi_express.server import Server
from tests.virtual import now, play


async def echo(process: Process, prefix: str = "") -> None:
    async for message in process:
        process.send(message.sender, "echo", prefix + message.payload)


async def forever(process: Process) -> None:
    await asyncio.Event().wait()


async def fail(process: Process) -> None:
    raise ValueError("no database")


async def stubborn(process: Process, cancels: int, over: asyncio.Event) -> None:
    """Go on though it is cancelled."""
    for _ in range(cancels):
        try:
            await over.wait()
        except asyncio.CancelledError:
            continue


# -- writing


async def test_a_process_answers_who_wrote_to_it() -> None:
    processes = Processes()
    me = processes.open("me")
    pid = processes.spawn(echo, "you said ")
    assert processes.send(pid, "say", "hello", sender=me.pid) is True
    assert await me.receive() == Message("echo", "you said hello", pid)
    await processes.aclose()


async def test_a_process_is_the_sender_of_what_it_sends() -> None:
    processes = Processes()
    me = processes.open("me")

    async def run(process: Process) -> None:
        assert current() is process
        processes.send(me.pid, "one")
        await processes.deliver(me.pid, "two")
        await process.deliver(me.pid, "three")

    pid = processes.spawn(run)
    await processes.ended(pid)
    assert [(message.topic, message.sender) for message in [await me.receive() for _ in range(3)]] == [
        ("one", pid),
        ("two", pid),
        ("three", pid),
    ]
    with pytest.raises(MisuseError, match="no process runs here"):
        current()


async def test_a_pid_cannot_be_guessed_and_says_what_it_is() -> None:
    processes = Processes()
    pids = {processes.spawn(forever) for _ in range(10)} | {processes.spawn(forever, name="room.7")}
    assert len(pids) == 11
    assert all(len(pid.partition("-")[2]) >= 22 for pid in pids)
    assert sorted({pid.partition("-")[0] for pid in pids}) == ["forever", "room.7"]
    await processes.aclose()


async def test_what_is_sent_to_nobody_is_not_taken() -> None:
    processes = Processes()
    assert processes.send("nobody", "hello") is False
    assert await processes.deliver("nobody", "hello") is False
    pid = processes.spawn(forever)
    process = Process(processes, processes.open("me"))
    assert process.send(None, "hello") is await process.deliver(None, "hello") is False
    await processes.aclose()
    assert processes.send(pid, "hello") is False
    nonsense: list[Any] = [(7, "hello"), ("pid", None)]
    for wrong in nonsense:
        with pytest.raises(TypeError, match="a pid and a topic are text"):
            processes.send(*wrong)


async def test_a_full_inbox_loses_the_newest_or_the_oldest_or_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    processes = Processes()
    left: dict[str, list[int]] = {}
    for overflow in ("drop_newest", "drop_oldest", "close"):
        inbox = processes.open(overflow, size=2, overflow=overflow)
        taken = [processes.send(inbox.pid, "n", number) for number in range(4)]
        assert taken == ([True] * 4 if overflow == "drop_oldest" else [True, True, False, False])
        left[overflow] = [(await inbox.receive()).payload for _ in range(2)]
        assert inbox.closed is (overflow == "close")
    assert left == {"drop_newest": [0, 1], "drop_oldest": [2, 3], "close": [0, 1]}
    assert len(caplog.records) == 3  # each tells it once
    assert "the inbox is full with 2 messages: drop_newest" in caplog.text
    await processes.aclose()


async def test_who_delivers_waits_for_room() -> None:
    processes = Processes(buffer_size=1)
    inbox = processes.open("slow")
    await processes.deliver(inbox.pid, "n", 0)
    waiting = asyncio.ensure_future(processes.deliver(inbox.pid, "n", 1))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert [(await inbox.receive()).payload for _ in range(2)] == [0, 1]
    assert await waiting is True
    await processes.deliver(inbox.pid, "n", 2)
    late = asyncio.ensure_future(processes.deliver(inbox.pid, "n", 3))
    await asyncio.sleep(0)
    inbox.close()
    inbox.close("a second time")
    assert (await late, inbox.reason) == (False, None)


async def test_a_closed_inbox_is_read_to_its_end() -> None:
    processes = Processes()
    inbox = processes.open("closing")
    processes.send(inbox.pid, "n", 0)
    processes.send(inbox.pid, "n", 1)
    inbox.close()
    assert repr(inbox) == f"<Inbox {inbox.pid}: 2 of 1024, closed>"
    assert [message.payload async for message in inbox] == [0, 1]
    with pytest.raises(InboxClosed, match="no message will come any more"):
        await inbox.receive()
    assert inbox.put(Message("n", 2)) is False
    assert (len(inbox), bool(inbox)) == (0, True)


async def test_control_deals_with_messages_first() -> None:
    processes = Processes()
    seen: list[Any] = []
    inbox = processes.open(control=lambda message: message.topic == "control" and not seen.append(message.payload))
    processes.send(inbox.pid, "control", 1)
    processes.send(inbox.pid, "other", 2)
    assert (seen, (await inbox.receive()).payload) == ([1], 2)


# -- names


async def test_a_registered_name_stands_for_a_pid_until_the_process_ends() -> None:
    processes = Processes()
    me, pid = processes.open("me"), processes.spawn(echo)
    processes.register("echo", pid)
    processes.register("echo", pid)
    processes.send("echo", "say", "hello", sender=me.pid)
    assert (await me.receive()).payload == "hello"
    with pytest.raises(MisuseError, match="the name is taken"):
        processes.register("echo", me.pid)
    with pytest.raises(LookupError, match="there is no process 'nobody'"):
        processes.register("other", "nobody")
    assert processes.stop("echo") is True
    assert await processes.ended("echo") == "cancelled"
    assert processes.find("echo") is None
    processes.register("echo", me.pid)
    await processes.aclose()


# -- ends


@pytest.mark.parametrize(
    ("function", "reason"), [(functools.partial(echo, prefix="x"), "shutdown"), (fail, "ValueError: no database")]
)
async def test_who_monitors_is_told_how_it_ended(function: Any, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    processes = Processes()
    watcher = processes.open("watcher")
    pid = processes.spawn(function, name="it")
    for _ in range(3):
        processes.monitor(pid, watcher.pid)
    await asyncio.sleep(0)
    inbox = processes.find(pid)
    if inbox is not None:
        inbox.close("shutdown")
    assert await watcher.receive() == Message(EXIT, {"pid": pid, "reason": reason}, pid)
    assert (len(watcher), pid in processes) == (0, False)
    assert [record.levelno for record in caplog.records] == ([] if reason == "shutdown" else [logging.ERROR])


async def test_one_that_returned_has_no_reason_and_one_that_is_not_there_has() -> None:
    processes = Processes()

    async def short(process: Process) -> None: ...

    async def watch(process: Process, other: str) -> list[Any]:
        process.monitor(other)
        process.monitor("nobody")
        ends = [await process.receive() for _ in range(2)]
        result.extend((end.payload["pid"], end.payload["reason"]) for end in ends)
        return ends

    result: list[Any] = []
    pid = processes.spawn(short)
    await processes.ended(processes.spawn(watch, pid))
    assert sorted(result) == sorted([(pid, None), ("nobody", "there is no such process")])
    assert await processes.ended(pid) is None
    with pytest.raises(LookupError, match="no process 'nobody' to be told"):
        processes.monitor(pid, "nobody")


async def test_those_who_monitor_leave_nothing_behind() -> None:
    processes = Processes()
    hub = processes.open("hub")
    for _ in range(100):
        client = processes.open("client")
        processes.monitor(client.pid, hub.pid)
        processes.monitor(hub.pid, client.pid)
        processes.close(client)
        processes.close(client)
    assert (len(hub), len(hub.watched), len(hub._listeners), len(processes)) == (100, 0, 0, 1)


async def test_the_news_of_an_end_finds_room_in_a_full_inbox() -> None:
    processes = Processes(buffer_size=1)
    watcher, other = processes.open("watcher"), processes.open("other")
    processes.monitor(other.pid, watcher.pid)
    processes.send(watcher.pid, "n", 0)
    processes.close(other, "over")
    assert [(await watcher.receive()).payload for _ in range(2)] == [0, {"pid": other.pid, "reason": "over"}]


def test_closing_lets_processes_end_and_cancels_those_that_do_not(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        over = asyncio.Event()
        processes = Processes(drain="3s")
        processes.spawn(echo)
        assert len(processes) == 1
        await processes.aclose()
        assert (now(), len(processes)) == (0, 0)  # it waited for nobody
        async with processes.lifespan():
            pids = [processes.spawn(echo), processes.spawn(forever), processes.spawn(stubborn, 1, over)]
            processes.spawn(stubborn, 2, over, name="mule")
            ends = [asyncio.ensure_future(processes.ended(pid)) for pid in pids]
            await asyncio.sleep(0)
        assert now() == 6
        assert [await end for end in ends] == ["shutdown", "cancelled", "shutdown"]
        assert len(processes) == 1
        assert "process mule-" in caplog.text
        assert "goes on though it was cancelled" in caplog.text
        with pytest.raises(MisuseError, match="the processes are closed"):
            processes.spawn(echo)
        over.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(processes) == 0

    play(scene())


async def test_there_are_at_most_so_many() -> None:
    processes = Processes(max_processes=2)
    first = processes.spawn(forever)
    processes.open()
    for start in (lambda: processes.spawn(forever), processes.open):
        with pytest.raises(HTTPError, match="there are 2 processes already") as caught:
            start()
        assert (caught.value.status, caught.value.expose) == (503, False)
    processes.stop(first)
    await processes.ended(first)
    processes.spawn(forever)
    await processes.aclose()


async def test_those_who_join_know_each_other_and_end_apart() -> None:
    one, other = Processes(), Processes(buffer_size=1)
    me = one.open("me")
    other.join(one)
    pid = other.spawn(echo)
    one.send(pid, "say", "hello", sender=me.pid)
    assert (await me.receive()).payload == "hello"
    await one.aclose()
    assert (pid in one, me.pid in other) == (True, False)
    with pytest.raises(MisuseError, match="before the first of them is started"):
        other.join(one)
    await other.aclose()
    assert pid not in one


async def test_processes_live_as_long_as_the_application() -> None:
    processes = Processes()
    app = Express(lifespan=processes.lifespan)
    ended: list[str] = []

    async def ticker(process: Process) -> None:
        async for _ in process:
            raise AssertionError
        ended.append(process.pid)

    async with Server(app, port=0, host="127.0.0.1"):
        pid = processes.spawn(ticker)
        await asyncio.sleep(0)
    assert ended == [pid]


# -- what cannot be


class Callable:
    async def __call__(self, process: Process) -> None: ...


async def test_a_process_is_an_async_function() -> None:
    processes = Processes()
    for function in (echo, functools.partial(echo, prefix="a"), Callable()):
        assert processes.spawn(function)
    nonsense: list[Any] = [print, 7, lambda process: None]
    for wrong in nonsense:
        with pytest.raises(TypeError, match=r"expected an async function of \(process, ...\)"):
            processes.spawn(wrong)
    await processes.aclose()


def test_outside_of_a_loop_nothing_is_started() -> None:
    processes = Processes()
    with pytest.raises(RuntimeError, match="no running event loop"):
        processes.spawn(echo)
    assert len(processes) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"buffer_size": 0}, "buffer_size must be an integer of 1 or more, not 0"),
        ({"buffer_size": True}, "buffer_size must be"),
        ({"max_processes": "7"}, "max_processes must be"),
        ({"drain": -1}, "drain must not be negative"),
        ({"drain": "soon"}, "invalid duration"),
    ],
)
def test_options_are_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Processes(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "a b"}, "the name of an inbox must be at most 100 letters"),
        ({"name": "x" * 101}, "the name of an inbox must be"),
        ({"name": 7}, "the name of an inbox must be"),
        ({"size": 0}, "size must be an integer of 1 or more"),
        ({"size": True}, "size must be"),
        ({"overflow": "wait"}, "overflow must be 'drop_newest', 'drop_oldest', 'close', not 'wait'"),
    ],
)
def test_an_inbox_is_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Processes().open(**options)


def test_what_is_empty_is_still_there() -> None:
    processes = Processes()
    inbox = processes.open("a")
    assert (bool(processes), bool(inbox)) == (True, True)
    assert repr(Process(processes, inbox)) == f"<Process {inbox.pid}>"
    forget = inbox.on_end(lambda: pytest.fail("it was to be forgotten"))
    forget()
    processes.close(inbox)
