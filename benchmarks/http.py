"""Compare frameworks over HTTP: requests per second of one worker each, on uvicorn, on granian, and on Node.

All servers run at once and are idle but for the one whose turn it is; the order is shuffled every round. The figures
are requests per second, the time that the server's processes worked for each (which another process on the machine
hardly changes), and both beside the raw ASGI application on the same server (for Node, on uvicorn), within each round.
``wrk`` makes the load where it is installed; else a client in Python does, which is slower than most of the servers:
the ratios of requests per second come out too near to 1 then. Express and Fastify are installed by npm into a
temporary directory, where there is a Node; where there is not, or no registry, they are left out and the program says
so.

    python -m benchmarks.http [--rounds 3] [--seconds 1] [--connections 32] [--server NAME ...] [--only NAME ...]
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks.calls import Case, read
from benchmarks.in_process import CASES, label_of
from benchmarks.turns import machine, ratios, spread, table, take_turns

FRAMEWORKS = ("raw", "asgi_express", "starlette", "falcon", "blacksheep")
ON_NODE = {"express": "5.3.0", "fastify": "5.12.8"}
SERVERS = ("uvicorn", "granian", "node")
ASKED = CASES[0], CASES[1], CASES[4]
APPS = Path(__file__).parent / "apps"
WAIT = 60

_WRK = re.compile(r"Requests/sec:\s+([\d.]+)")
_FAILED = re.compile(r"Socket errors:.*|Non-2xx.*")


@dataclass(frozen=True)
class Contestant:
    """A program that serves on a port."""

    server: str
    name: str
    label: str
    command: tuple[str, ...]


def on_python(server: str, names: Sequence[str]) -> list[Contestant]:
    """Return how an ASGI server serves the applications, one worker each and without an access log."""
    options = {
        "uvicorn": ["uvicorn", "--factory", "--no-access-log", "--log-level", "warning"],
        "granian": ["granian", "--factory", "--interface", "asgi", "--workers", "1", "--log-level", "warning"],
    }[server]
    return [
        Contestant(server, name, label_of(name), (sys.executable, "-m", *options, f"benchmarks.apps.{name}:few"))
        for name in names
    ]


def on_node(directory: Path) -> list[Contestant]:
    """Install Express and Fastify; return nothing, with a word on the reason, where that cannot be done."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("No Node and npm on the PATH: Express and Fastify are left out.\n")
        return []
    packages = [f"{name}@{wanted}" for name, wanted in ON_NODE.items()]
    command = [npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(directory), *packages]
    if subprocess.run(command, cwd=directory, stdout=subprocess.DEVNULL, check=False).returncode:  # noqa: S603 - npm
        print("npm could not install them: Express and Fastify are left out.\n")
        return []
    release = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    programs = []
    for name, wanted in ON_NODE.items():
        program = directory / f"{name}.mjs"  # beside node_modules, where Node looks for it
        shutil.copy(APPS / program.name, program)
        programs.append(Contestant("node", name, f"{name} {wanted}, Node {release}", (node, str(program))))
    return programs


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def worked(pid: int) -> float:
    """Return the seconds that a process and what it started have worked, on Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(worked(int(child)) for child in children)


@contextlib.contextmanager
def serving(contestant: Contestant) -> Iterator[tuple[int, int]]:
    """Start a program, wait until it listens, give its port and process, and end it."""
    port = free_port()
    end = [str(port)] if contestant.server == "node" else ["--port", str(port)]
    with subprocess.Popen([*contestant.command, *end]) as process:  # noqa: S603 - our own programs
        try:
            until = time.monotonic() + WAIT
            while True:
                with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                    break
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"{contestant.server} did not start {contestant.label}")
                time.sleep(0.05)
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def check(case: Case, port: int, contestant: Contestant) -> None:
    """Raise unless the answer is right."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
    headers = {"content-type": "application/json"} if case.body else {}
    connection.request(case.method, case.path, case.body or None, headers)
    answer = connection.getresponse()
    got = read(answer.read(), type(case.answer))
    connection.close()
    if answer.status != case.status or got != case.answer:
        raise SystemExit(f"{contestant.label}: {case.name}: got {answer.status} {got!r}, expected {case.answer!r}")


async def by_wrk(case: Case, port: int, connections: int, seconds: float, directory: Path) -> float:
    """Return the requests per second that ``wrk`` got through."""
    wrk = shutil.which("wrk")
    assert wrk is not None
    script = directory / "request.lua"
    body = json.dumps(case.body.decode())
    script.write_text(
        f'wrk.method = "{case.method}"\nwrk.body = {body}\nwrk.headers["content-type"] = "application/json"\n'
        if case.body
        else ""
    )
    # wrk takes whole seconds only.
    process = await asyncio.create_subprocess_exec(
        *(wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(script)),
        f"http://127.0.0.1:{port}{case.path}",
        stdout=subprocess.PIPE,
    )
    said = (await process.communicate())[0].decode()
    found, failed = _WRK.search(said), _FAILED.search(said)
    if process.returncode or found is None or failed:
        raise SystemExit(f"wrk: {failed[0] if failed else said}")
    return float(found[1])


class Client(asyncio.Protocol):
    """A connection that asks again as soon as it is answered, one request at a time."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.answers = 0
        self._left = b""
        self._wanted = 0  # bytes of the answer that is coming
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Count the answer when it is complete, and ask again."""
        assert self._transport is not None
        self._left += data
        if not self._wanted:
            head, mark, _ = self._left.partition(b"\r\n\r\n")
            if not mark:
                return
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._wanted = len(head) + len(mark) + int(length)
        if len(self._left) >= self._wanted:
            self.answers += 1
            self._left, self._wanted = b"", 0
            self._transport.write(self.request)

    def close(self) -> None:
        """Hang up."""
        assert self._transport is not None
        self._transport.abort()


async def by_python(case: Case, port: int, connections: int, seconds: float, _directory: Path) -> float:
    """Return the requests per second that clients of asyncio got through."""
    head = f"{case.method} {case.path} HTTP/1.1\r\nHost: localhost\r\n"
    if case.body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(case.body)}\r\n"
    request = head.encode() + b"\r\n" + case.body
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(partial(Client, request), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    started, before = time.perf_counter(), sum(client.answers for client in clients)
    await asyncio.sleep(seconds)
    rate = (sum(client.answers for client in clients) - before) / (time.perf_counter() - started)
    for client in clients:
        client.close()
    return rate


@dataclass
class Meter:
    """Turns of one contestant, and what its server worked in each of them.

    Attributes:
        load: makes the load for a turn; returns the requests per second.
        pid: the process of the server.
        costs: µs that the server worked for each request, a figure for each turn.
    """

    load: Callable[[], Awaitable[float]]
    pid: int
    costs: list[float]

    async def turn(self) -> float:
        """Return the requests per second of a turn."""
        started, before = time.perf_counter(), worked(self.pid)
        rate = await self.load()
        self.costs.append((worked(self.pid) - before) / (rate * (time.perf_counter() - started)) * 1e6)
        return rate


async def contest(contestants: Sequence[Contestant], options: argparse.Namespace, directory: Path) -> None:
    """Start everybody, measure each request, and print its table."""
    load = by_wrk if options.client == "wrk" else by_python
    raw = {one.server: one for one in contestants if one.name == "raw"}
    columns = ["server", "requests/s", "of raw ASGI", "work, µs/request", "raw ASGI's"]
    with contextlib.ExitStack() as stack:
        serve = {one: stack.enter_context(serving(one)) for one in contestants}
        for case in ASKED:
            meters = {}
            for one, (port, pid) in serve.items():
                check(case, port, one)
                asking = partial(load, case, port, options.connections, options.seconds, directory)
                meters[one] = Meter(asking, pid, [])
            rates = await take_turns({one: meter.turn for one, meter in meters.items()}, max(2, options.rounds))
            costs = {one: meter.costs[1:] for one, meter in meters.items()}  # the first was to warm up
            rows = []
            for one in contestants:
                base = raw.get(one.server) or raw.get("uvicorn")
                beside = [spread(ratios(of[one], of[base])) if base else "–" for of in (rates, costs)]
                rows.append([one.label, one.server, spread(rates[one], 0), beside[0], spread(costs[one], 0), beside[1]])
            print(table([case.name, *columns], rows, texts=2), flush=True)
            print(against_express(rates), flush=True)


def against_express(rates: dict[Contestant, list[float]]) -> str:
    """Return how many times Express on Node ours is."""
    found = {(one.server, one.name): rate for one, rate in rates.items()}
    express = found.get(("node", "express"))
    lines = [
        f"asgi-express on {server} is {spread(ratios(found[server, 'asgi_express'], express))} times Express on Node.\n"
        for server in SERVERS
        if express and (server, "asgi_express") in found
    ]
    return "\n" + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1, help="of each turn")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--server", nargs="+", choices=SERVERS, default=SERVERS)
    parser.add_argument("--only", nargs="+", choices=FRAMEWORKS[1:], help="compare these with raw")
    parser.add_argument("--client", choices=("wrk", "python"), default="wrk" if shutil.which("wrk") else "python")
    options = parser.parse_args()
    names = FRAMEWORKS if options.only is None else ("raw", *options.only)
    servers = {name: version(name) for name in options.server if name != "node"}
    print(
        f"{machine()} {' and '.join(f'{name} {release}' for name, release in servers.items())}, one worker each; "
        f"{options.client}, {options.connections} connections, {options.rounds} rounds of {options.seconds:g} s.\n"
    )
    with tempfile.TemporaryDirectory() as directory:
        contestants = [one for server in servers for one in on_python(server, names)]
        if "node" in options.server:
            contestants += on_node(Path(directory))
        if not contestants:
            raise SystemExit("nobody is left to compare")
        asyncio.run(contest(contestants, options, Path(directory)))


if __name__ == "__main__":
    main()
