"""Open pages in a real Chromium, over two real servers, and hear what they report."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import uvicorn

from asgi_express.types import ASGIApp

PATIENCE = 90.0
"""Seconds until a page that has not reported counts as hanging; a browser starts slowly on a busy machine."""

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
)


def chromium() -> str:
    """Return the path of Chromium; without one, skip the test, or fail it in CI."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    words = "no chromium in PATH; on Debian: apt-get install chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


@asynccontextmanager
async def serving(listener: socket.socket, app: ASGIApp) -> AsyncIterator[None]:
    """Serve an app with uvicorn."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        await task


class Pages:
    """A server of pages that report what they found with ``POST /report``."""

    def __init__(self, pages: dict[str, str]) -> None:
        self.pages = pages
        self.reports: asyncio.Queue[Any] = asyncio.Queue()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", scope["method"] == "POST"
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if body:
            self.reports.put_nowait(json.loads(body))
        page = self.pages.get(scope["path"], "").encode()
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(page))]
        await send(
            {"type": "http.response.start", "status": 200 if page else 204, "headers": headers[: 2 if page else 0]}
        )
        await send({"type": "http.response.body", "body": page})


async def visit(urls: list[str], reports: asyncio.Queue[Any]) -> tuple[list[Any], str]:
    """Open each URL in a new browser; return what the pages reported, and what the browsers logged."""
    results, logs = [], []
    for url in urls:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            command = [chromium(), *_FLAGS, f"--user-data-dir={profile}", url]
            with tempfile.TemporaryFile() as log:
                process = await asyncio.create_subprocess_exec(
                    *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
                )
                try:
                    async with asyncio.timeout(PATIENCE):
                        results.append(await reports.get())
                except TimeoutError:
                    log.seek(0)
                    pytest.fail(f"{url} reported nothing:\n{log.read().decode('utf-8', 'replace')[-4000:]}")
                finally:
                    if process.returncode is None:
                        process.terminate()
                    await process.wait()
                log.seek(0)
                logs.append(log.read().decode("utf-8", "replace"))
    return results, "".join(logs)


@asynccontextmanager
async def two_servers(pages: Pages, api: Any) -> AsyncIterator[tuple[int, int]]:
    """Serve pages and an API on ports that the system picks.

    Args:
        pages: the one app.
        api: makes the other, from both ports.
    """
    async with AsyncExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        ports = [listener.getsockname()[1] for listener in listeners]
        for listener, app in zip(listeners, (pages, api(*ports)), strict=True):
            await stack.enter_async_context(serving(listener, app))
        yield ports[0], ports[1]
