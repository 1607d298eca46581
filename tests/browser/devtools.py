"""Drive a page in a real Chromium: real mouse and key events, over the DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.browser.chromium import _FLAGS, PATIENCE, chromium

_KEYS = {
    "ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37, "ArrowRight": 39, "Enter": 13, "Home": 36, "End": 35, "Tab": 9,
    " ": 32,
}  # fmt: skip


class Tab:
    """One page.

    Attributes:
        logs: what the page has written to the console, and what Chromium says of it: a breach of the policy, say.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self.logs: list[str] = []
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                self._answers.pop(message["id"]).set_result(message)
            elif message["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                self.logs.append(json.dumps(message["params"]))

    async def call(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        async with asyncio.timeout(PATIENCE):
            message = await answer
        assert "error" not in message, message
        return message["result"]

    async def value(self, expression: str) -> Any:
        """Return what an expression is, a promise's value too."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until an expression is true; return what it is."""
        promise = f"""new Promise((resolve) => {{
            const look = () => {{ const it = {expression}; if (it) resolve(it); else setTimeout(look, 20); }};
            look();
        }})"""
        return await self.value(promise)

    async def click(self, selector: str) -> None:
        """Click into the middle of an element."""
        x, y = await self.until(f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            if (!element) return null;
            element.scrollIntoView({{block: "nearest"}});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def type(self, text: str) -> None:
        """Write text where the focus is, in the place of what is there."""
        await self.value("document.activeElement.select()")
        await self.call("Input.insertText", text=text)

    async def press(self, key: str) -> None:
        """Press a key."""
        code = _KEYS[key]
        text = {"Enter": "\r", " ": " "}.get(key)
        pressed = {"key": key, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **pressed)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    async def prefer(self, scheme: str) -> None:
        """Be a browser of somebody who prefers ``dark`` or ``light``."""
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def screenshot(self, path: Path) -> None:
        """Save what is seen."""
        shot = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def browsing(url: str, *, width: int = 1400, height: int = 900) -> AsyncIterator[Tab]:
    """Open a page in a new browser."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = [flag for flag in _FLAGS if "logging" not in flag]
        process = await asyncio.create_subprocess_exec(
            *(chromium(), *flags, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = await _port(Path(profile, "DevToolsActivePort"))
            async with connect(f"ws://127.0.0.1:{port[0]}{port[1]}", max_size=None, proxy=None) as around:
                browser = Tab(around)
                made = await browser.call("Target.createTarget", url="about:blank")
                page = f"ws://127.0.0.1:{port[0]}/devtools/page/{made['targetId']}"
                async with connect(page, max_size=None, proxy=None) as socket:
                    tab = Tab(socket)
                    for domain in ("Page", "Runtime", "Log"):
                        await tab.call(f"{domain}.enable")
                    await tab.call(
                        "Emulation.setDeviceMetricsOverride",
                        width=width, height=height, deviceScaleFactor=1, mobile=False,
                    )  # fmt: skip
                    await tab.call("Page.navigate", url=url)
                    try:
                        yield tab
                    finally:
                        tab._reader.cancel()
                        browser._reader.cancel()
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _port(file: Path) -> list[str]:
    """Wait for the file in which Chromium writes where it listens."""
    async with asyncio.timeout(PATIENCE):
        while True:
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) == 2:
                return lines
            await asyncio.sleep(0.05)
