"""Where an example makes sense: the names that it needs, the request that it is run in, what must come of it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from asgi_express import Express, Router
from tests.asgi import Answer, Client, ask
from tests.docstrings.examples import Example
from tests.docstrings.running import evaluate, execute, namespace, same

Names = dict[str, Any]
Hook = Callable[[Names], object]

PATIENCE = 30

# What an example is said to be for, where that is a target or a header; else it is code.
_REQUESTED = re.compile(r"/.*|(?P<name>[A-Za-z-]+): (?P<value>.*)")


@dataclass(frozen=True)
class Ask:
    """A request, and what must come back.

    Attributes:
        request: the method and the target.
        text: the whole body; ``None`` for any.
        sends: headers that must be there, with these values.
        of: the app that is asked, by its name in the example.
        leaves: the client leaves after so many messages; ``None`` for one that stays.
        more: further keys of the scope.
    """

    request: str = "GET /"
    text: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    sends: Mapping[str, str] = field(default_factory=dict)
    of: str = "app"
    leaves: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    async def put(self, app: Any, names: Names) -> None:
        """Ask an app, and check the answer."""
        method, _, target = self.request.partition(" ")
        length = {"content-length": str(len(self.body))} if self.body else {}
        client = Client([self.body]) if self.leaves is None else Client([])
        answer = Answer(_Counted(client, self.leaves))
        names |= {"client": client, "answer": answer}

        async def given(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await app({**scope, **self.more}, receive, send)

        await ask(given, target, method, headers={**length, **self.headers}, client=client, answer=answer)
        if self.leaves is not None:
            return
        assert (answer.status, answer.complete) == (self.status, True), answer.messages
        assert self.text is None or answer.text == self.text, answer.text
        assert self.sends.items() <= answer.headers.items(), answer.headers


class _Counted(list[dict[str, Any]]):
    """The messages of an answer; after some of them the client leaves."""

    def __init__(self, client: Client, most: int | None) -> None:
        self._client, self._most = client, most
        super().__init__()
        self._look()

    def _look(self) -> None:
        if len(self) == self._most:
            self._client.leave()

    def append(self, message: dict[str, Any]) -> None:
        super().append(message)
        self._look()


@dataclass(frozen=True)
class World:
    """What a test has around it."""

    folder: Path
    redis: Callable[[], str]
    patch: pytest.MonkeyPatch

    def filled(self, text: str) -> str:
        """Put the folder and the address of Redis into a text."""
        text = text.replace("$FOLDER", str(self.folder))
        return text.replace("$REDIS", self.redis()) if "$REDIS" in text else text


def _nothing(names: Names) -> None:
    """Leave the names as they are."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A module with a fresh ``app`` and a fresh ``router``.

    Attributes:
        names: further names.
        first: what is done before the example, with its names.
        then: what is done after it.
        last: what is done in the end, whatever happened.
        gives: expressions of its names, and the values that they have at the end; ``values`` are those of its
            statements, ``out`` is what it printed.
        asks: requests, after it.
        files: files in the working directory, by path.
        swap: texts of the example that are replaced; ``$FOLDER`` is the working directory, ``$REDIS`` a Redis.
        env: variables of the environment.
        unreached: functions and blocks of the example that do not run here.
    """

    names: Callable[[], Mapping[str, Any]] = dict
    first: Hook = _nothing
    then: Hook = _nothing
    last: Hook = _nothing
    gives: Mapping[str, Any] = field(default_factory=dict)
    asks: Sequence[Ask] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    swap: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    unreached: Sequence[str] = ()

    async def play(self, example: Example, world: World) -> None:
        """Run an example in it."""
        world.patch.chdir(world.folder)
        for name, content in self.files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(content, encoding="utf-8")
        for name, value in self.env.items():
            world.patch.setenv(name, value)
        source = example.source
        for old, new in self.swap.items():
            assert old in source, f"{example.place}: there is no {old} to replace"
            source = source.replace(old, world.filled(new))
        names = {**namespace(example), "world": world, **self.names()}
        try:
            with contextlib.redirect_stdout(io.StringIO()) as out:
                await self._act(example._replace(source=source), names)
                for each in self.asks:
                    await each.put(names[each.of], names)
            names["out"] = out.getvalue()
            assert "values" in names, f"{example.place} was not run"
            for code, value in self.gives.items():
                got = await evaluate(code, names)
                assert got == value, f"{example.place}: {code} is {got!r}"
            assert names["unreached"] == set(self.unreached), names["unreached"]
        finally:
            await _done(self.last(names))

    async def _act(self, example: Example, names: Names) -> None:
        await self._run(example, names)

    async def _run(self, example: Example, names: Names) -> None:
        await _done(self.first(names))
        if example.given is not None and not _REQUESTED.match(example.given):
            await execute(example.given, names, example.place)
        await execute(example.source, names, example.place)
        if example.value is not None:
            same(names["values"][-1], await evaluate(example.value, names))
        await _done(self.then(names))


async def _done(result: object) -> None:
    if isawaitable(result):
        await result


@dataclass(frozen=True, kw_only=True)
class Handled(Scene):
    """The body of a handler: ``req``, ``res`` and ``next`` are those of a request.

    Attributes:
        ask: the request; a sentence in the docstring may say another target or header.
        through: the handlers before it.
        settings: those of the application.
        lacks: headers that the answer must not have.
    """

    ask: Ask = Ask()
    through: Callable[[], Sequence[Any]] = tuple
    settings: Mapping[str, Any] = field(default_factory=dict)
    lacks: Sequence[str] = ()

    async def _act(self, example: Example, names: Names) -> None:
        app = Express(raise_errors=True, **self.settings)
        for each in self.through():
            app.use(each)

        async def handler(req: Any, res: Any, next: Any) -> None:
            names.update(req=req, res=res, next=next)
            await self._run(example, names)
            if not res.finished:
                res.end()

        app.use(handler)
        await self._asked(example).put(app, names)
        assert not set(self.lacks) & set(names["answer"].headers)

    def _asked(self, example: Example) -> Ask:
        given = _REQUESTED.match(example.given or "")
        if given is None:
            return self.ask
        return Ask(f"GET {given[0]}") if given["name"] is None else Ask(headers={given["name"]: given["value"]})


@dataclass(frozen=True, kw_only=True)
class Matched(Scene):
    """A moment after a match: ``match`` is the record, ``show`` the handler, ``scope`` that of the request."""

    target: str = "/users/7"

    async def _act(self, example: Example, names: Names) -> None:
        def show(req: Any, res: Any) -> None:
            names.update(match=req.scope["asgi_express.match"], scope=dict(req.scope))
            res.end()

        app, router = Express(), Router()
        names |= {"show": show, "router": router}
        given = example.given or ""
        code = 'router.get("/:id", show)' if not given or _REQUESTED.match(given) else given
        await execute(code, names, example.place)
        app.use("/users", router)
        await Ask(f"GET {given if code != given and given else self.target}").put(app, names)
        await self._run(example._replace(given=None), names)


@dataclass(frozen=True, kw_only=True)
class Program(Scene):
    """A program of its own, which listens until it is interrupted.

    Attributes:
        before: what the program does first.
        text: what its page says.
    """

    before: str = ""
    text: str = ""

    async def _act(self, example: Example, names: Names) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            f"{self.before}\n{example.source}",
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(PATIENCE):
                said = (await process.stderr.readuntil(b"Listening on ")).decode()
                url = (await process.stderr.readline()).decode().strip()
                assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url), said
                async with httpx2.AsyncClient() as client:
                    assert (await client.get(url)).text == self.text
                process.send_signal(signal.SIGINT)
                rest = (await process.stderr.read()).decode()
                assert (await process.wait(), "Traceback" in rest) == (0, False), rest
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        names |= {"values": [url], "unreached": set()}
