"""Upload a large file to a real server and see how much memory that takes.

A server process of its own (uvicorn) takes the file with ``multipart``, on disk and as a stream, and computes its
digest; the client sends it over a socket without ever holding it. After a small upload that warms everything up, the
growth is that of the peak of the resident memory (``VmHWM``), so this needs Linux.

    python -m benchmarks.uploads [--size 1gb] [--most 32]

It fails if an upload takes more than ``--most`` MiB, comes to a wrong digest, or leaves a file behind.
"""

import argparse
import asyncio
import hashlib
import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import asgi_express as express
from asgi_express._units import parse_bytes
from asgi_express.body import multipart

MIB = 1024 * 1024
BOUNDARY = b"----upload"
HEAD = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\nContent-Type: %s\r\n\r\n'
TAIL = b"\r\n--%s--\r\n" % BOUNDARY
PIECE = bytes(range(256)) * 1024


def build(directory: str) -> express.Express:
    app = express.Express()
    on_disk = multipart(storage="disk", single="file", limit=math.inf, directory=directory)

    async def disk(req: Any) -> dict[str, Any]:
        digest = hashlib.blake2b()
        async for chunk in req.file.chunks(MIB):
            digest.update(chunk)
        return {"size": req.file.size, "digest": digest.hexdigest()}

    async def stream(req: Any) -> dict[str, Any]:
        digest = hashlib.blake2b()
        size = 0
        async for part in req.parts:
            async for chunk in part.chunks():
                digest.update(chunk)
                size += len(chunk)
        return {"size": size, "digest": digest.hexdigest()}

    app.post("/disk", on_disk, disk)
    app.post("/stream", multipart(storage="stream"), stream)
    return app


async def serve(directory: str) -> None:
    async with build(directory).serve(port=0) as server:
        print(server.port, flush=True)
        await asyncio.Event().wait()


def upload(port: int, path: str, size: int) -> tuple[dict[str, Any], str, float]:
    """Send a file of a size; return the answer, the digest of what was sent, and the seconds it took."""
    head = HEAD % (BOUNDARY, b"application/octet-stream")
    digest = hashlib.blake2b()
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as client:
        length = len(head) + size + len(TAIL)
        client.sendall(
            b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n"
            b"Content-Type: multipart/form-data; boundary=%s\r\n\r\n%s" % (path.encode(), length, BOUNDARY, head)
        )
        left = size
        while left:
            piece = PIECE[:left]
            digest.update(piece)
            client.sendall(piece)
            left -= len(piece)
        client.sendall(TAIL)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    taken = time.perf_counter() - started
    first, _, body = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200"), answer[:200]
    return json.loads(body), digest.hexdigest(), taken


def peak(pid: int) -> float:
    """Return the highest resident memory that a process has had, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def remaining(directory: Path) -> int:
    """Return how many files are there, after the server had time to remove them: it answers first."""
    deadline = time.monotonic() + 5
    while (found := len(list(directory.iterdir()))) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def measure(path: str, size: int) -> tuple[float, float, int]:
    """Return the growth in MiB, the MiB per second, and the files that were left behind."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "benchmarks.uploads", "--serve", directory]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - this program
            try:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                upload(port, path, 4 * MIB)
                before = peak(server.pid)
                answer, digest, taken = upload(port, path, size)
                growth = peak(server.pid) - before
                left = remaining(Path(directory))
            finally:
                server.terminate()
    assert answer == {"size": size, "digest": digest}, answer
    return growth, size / MIB / taken, left


def main() -> None:
    arguments = argparse.ArgumentParser(description="Upload a large file and see how much memory that takes")
    arguments.add_argument("--size", default="1gb", help="how large the file is")
    arguments.add_argument("--most", type=float, default=32, help="how many MiB an upload may take")
    arguments.add_argument("--serve", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    size = parse_bytes(options.size)
    print(f"{size / MIB:,.0f} MiB, Python {sys.version.split()[0]}, {os.cpu_count()} CPUs\n")
    print("| storage | growth, MiB | MiB/s | files left |\n|---|--:|--:|--:|")
    failed = False
    for path in ("/disk", "/stream"):
        growth, speed, left = measure(path, size)
        print(f"| {path[1:]} | {growth:.1f} | {speed:,.0f} | {left} |")
        failed = failed or growth > options.most or left > 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
