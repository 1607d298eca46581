"""Run commands: in this process, or as the program that users run."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

import httpx2
from click.testing import CliRunner, Result

from asgi_express.cli._commands import commands

PATIENCE = 60.0
"""Seconds until a program that says nothing counts as hanging."""

APP = """
    import asgi_express as express
    from asgi_express.middleware import CORS, EndpointFirewall
    from asgi_express.security import Policy

    app = express.Express()

    def show(req, res):
        res.json(req.params)

    def check(req, res, next):
        next()

    users = express.Router()
    users.post_match(EndpointFirewall(policies=[Policy("staff", "access", "*")]))
    users.get("/:id", check, show, name="user")
    app.use(CORS())
    app.use("/users", users)
    app.ws("/chat", lambda ws: None)
    app.get("/", show)
    app.all("/any", show)
"""


def command(*arguments: str, given: str | None = None) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(commands, list(arguments), input=given)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Program:
    """The program in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, text: str) -> str:
        """Read stderr up to the line that has a text."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stderr.readline()).decode():
                self.lines.append(line)
                if text in line:
                    return line
        raise AssertionError(f"it ended without {text!r}:\n{''.join(self.lines)}")

    async def end(self, number: int) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            _, err = await self.process.communicate()
        self.lines.append(err.decode())
        code = self.process.returncode
        assert code is not None
        return code


@asynccontextmanager
async def program(*arguments: str, cwd: Path, **environment: str) -> AsyncIterator[Program]:
    """Run the program; it is killed if the block leaves it running."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "asgi_express.cli", *arguments),
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


async def answers(url: str) -> httpx2.Response:
    """Ask until a server that is just starting answers."""
    async with asyncio.timeout(PATIENCE), httpx2.AsyncClient() as client:
        while True:
            try:
                return await client.get(url)
            except httpx2.TransportError:
                await asyncio.sleep(0.05)


def interrupting(port: int, act: Callable[[str], None], number: int = signal.SIGINT) -> threading.Thread:
    """Once this process listens on a port: act, with the URL, then send itself a signal."""

    def wait() -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                act(f"http://127.0.0.1:{port}")
                break
            except OSError:
                time.sleep(0.02)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread
