"""Start a server as a process of its own, wait until it answers, and end it."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

ROOT = Path(__file__).parents[2]
APP = "tests.servers.app:app"
PATIENCE = 30.0
"""Seconds that a server has to start, or to stop."""


class Spec(NamedTuple):
    """How to start a server.

    Attributes:
        arguments: the command after ``python -m``; ``{fd}`` is a listening socket, ``{port}`` a port to bind.
        root_path: the option that says what a proxy has taken off.
    """

    arguments: str
    root_path: str


SERVERS = {
    "uvicorn-h11": Spec(f"uvicorn {APP} --fd {{fd}} --lifespan on --http h11 --ws websockets-sansio", "--root-path"),
    "uvicorn-httptools": Spec(f"uvicorn {APP} --fd {{fd}} --lifespan on --http httptools --ws wsproto", "--root-path"),
    "hypercorn": Spec(f"hypercorn {APP} --bind fd://{{fd}} --workers 0", "--root-path"),
    "granian": Spec(f"granian {APP} --interface asgi --host 127.0.0.1 --port {{port}}", "--url-path-prefix"),
    "daphne": Spec(f"daphne {APP} --fd {{fd}}", "--root-path"),
}


class NotRunningError(Exception):
    """The server has ended before it answered."""


class Running:
    """A server that answers.

    Attributes:
        name: which of ``SERVERS``.
        port: where it listens on the loopback interface.
    """

    def __init__(self, name: str, port: int, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self.name = name
        self.port = port
        self._process = process
        self._output = output

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """All that it has printed."""
        self._output.seek(0)
        return self._output.read().decode("utf-8", "replace")

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            if self._process.poll() is not None:
                raise NotRunningError(f"{self.name} ended with {self._process.returncode}:\n{self.log}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} did not answer:\n{self.log}")
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/")
                connection.getresponse().read()
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit status."""
        self._process.send_signal(with_signal)
        return self._process.wait(PATIENCE)


@contextlib.contextmanager
def running(name: str, *options: str) -> Iterator[Running]:
    """Run a server around a block; it is gone afterwards, whatever happens."""
    command = SERVERS[name].arguments
    if "{fd}" in command:
        with _started(name, command, options) as server:
            yield server
        return
    for attempt in range(5):  # a port that was free may be taken before the server binds it
        with contextlib.ExitStack() as stack:
            try:
                server = stack.enter_context(_started(name, command, options))
            except NotRunningError:
                if attempt == 4:
                    raise
                continue
            yield server
            return


@contextlib.contextmanager
def _started(name: str, command: str, options: tuple[str, ...]) -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.TemporaryFile() as output:
        port: int = listener.getsockname()[1]
        inherited = (listener.fileno(),) if "{fd}" in command else ()
        if not inherited:
            listener.close()
        words = command.format(fd=listener.fileno(), port=port).split()
        process = subprocess.Popen(
            [sys.executable, "-m", *words, *options],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "ASGI_EXPRESS_ENV": "production"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=inherited,
            start_new_session=True,
        )
        # The socket is the child's alone now: if it dies, connections are refused rather than left waiting.
        listener.close()
        server = Running(name, port, process, output)
        try:
            server.wait_until_it_answers()
            yield server
        finally:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and the workers that it may have left
            process.wait()
