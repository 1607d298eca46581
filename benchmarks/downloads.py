"""Download a large file over uvicorn, and see how much memory the server takes meanwhile.

The server runs in a process of its own; what is printed is how far its peak (VmHWM) rose above what it had after a
first small download. The file is sparse, made for the run and removed after it. The slow client stops reading
until the server has to wait: whoever does not wait holds the file in memory then.

    python -m benchmarks.downloads [--size 1gb]
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from asgi_express import Express
from asgi_express._units import parse_bytes

LIMIT_MIB = 32
SLOW_READS = 20


def serve(directory: str) -> None:
    """Serve a directory, print the port, and stop when standard input ends."""

    async def run() -> None:
        app = Express()
        app.get("/:name", lambda req, res: res.send_file(req.params["name"], root=directory))
        async with app.serve(port=0) as server:
            print(server.port, flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(run())


def peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM: this needs Linux")


async def download(port: int, name: str, headers: str = "", *, slow: bool = False) -> int:
    """Download a file and drop it; return how many bytes came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(f"GET /{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    expected = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    received = pauses = 0
    while chunk := await reader.read(1 << 20):
        received += len(chunk)
        if slow and pauses < SLOW_READS:
            pauses += 1
            await asyncio.sleep(0.05)
    writer.close()
    assert received == expected, (received, expected)
    return received


def make_sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


async def measure(size: int) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        make_sparse(Path(directory, "warm"), 1 << 20)
        make_sparse(Path(directory, "large"), size)
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.downloads", "--serve", directory),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            port = int(await server.stdout.readline())
            await download(port, "warm")
            before = peak_mib(server.pid)
            print(f"{size / (1 << 20):.0f} MiB, {os.cpu_count()} cores, uvicorn; {before:.1f} MiB before\n")
            print("| download    |   seconds |     MiB/s | growth of the peak |")
            print("|-------------|----------:|----------:|-------------------:|")
            worst = 0.0
            half = f"Range: bytes={size // 2}-\r\n"
            for title, headers, slow in (
                ("whole file", "", False),
                ("slow client", "", True),
                ("one range", half, False),
            ):
                started = time.perf_counter()
                received = await download(port, "large", headers, slow=slow)
                seconds = time.perf_counter() - started
                growth = peak_mib(server.pid) - before
                worst = max(worst, growth)
                rate = received / seconds / (1 << 20)
                print(f"| {title:<11} | {seconds:9.2f} | {rate:9.0f} | {growth:14.1f} MiB |")
        finally:
            server.stdin.close()
            await server.wait()
    print(f"\nThe limit is {LIMIT_MIB} MiB: {'kept' if worst < LIMIT_MIB else 'EXCEEDED'}")
    return worst < LIMIT_MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--size", default="1gb", help="of the file, such as 1gb or 64mb")
    parser.add_argument("--serve", metavar="DIRECTORY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
    elif not asyncio.run(measure(parse_bytes(options.size))):
        sys.exit(1)


if __name__ == "__main__":
    main()
