"""The explorer in a real Chromium: clicked through, used with the keyboard alone, and with two thousand routes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from asgi_express import Express, Router
from asgi_express.explorer import explorer
from asgi_express.gateway import load
from asgi_express.middleware import CORS, EndpointFirewall
from asgi_express.security import Actor, Policy
from asgi_express.server import Server
from tests.browser.devtools import Tab, browsing
from tests.gateway.serving import ROUTER, project, route

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
ITEMS = "[...document.querySelectorAll('#tree [role=treeitem]')]"
LABELS = f"{ITEMS}.map((item) => item.getAttribute('aria-label'))"
FOCUS = "document.activeElement.getAttribute('aria-label')"
ROWS = "[...document.querySelectorAll('#requests .request')].map((row) => row.innerText.replace(/\\s+/g, ' '))"


def shop() -> Express:
    """Return an application with all kinds of layers."""
    app = Express(env="development")
    app.use("/_explorer", explorer(app))
    app.use(CORS(allow_origins="https://shop.example"))

    async def time_it(req: Any, res: Any, next: Any) -> None:
        await next()

    async def load_user(req: Any, res: Any, next: Any) -> None:
        await asyncio.sleep(0.01)
        req.scope["asgi_express.actor"] = Actor("ada") if req.get("X-User") else None
        next()

    def show_user(req: Any, res: Any) -> None:
        res.json({"id": req.params["id"]})

    def list_users(req: Any, res: Any) -> None:
        res.json([])

    app.use(time_it)
    users = Router()
    users.get("/", list_users, name="users")
    users.get("/:id", show_user, name="user")
    app.use("/users", users)
    admin = Router()
    admin.use(load_user)
    admin.post_match(EndpointFirewall(policies=[Policy("staff", "access", "*")]))
    admin.get("/orders/{id:int}", show_user, name="order")
    admin.delete("/orders/{id:int}", show_user)
    app.use("/admin", admin)
    app.get("/", lambda req, res: res.send("Welcome"))
    return app


def wide(count: int) -> Express:
    app = Express(env="development")
    app.use("/_explorer", explorer(app))
    many = Router()
    for number in range(count):
        many.get(f"/thing-{number}/:id", lambda req, res: res.send("x"), name=f"thing{number}")
    app.use("/api", many)
    return app


@asynccontextmanager
async def open_explorer(app: Express, path: str = "/_explorer") -> AsyncIterator[tuple[Tab, httpx2.AsyncClient]]:
    """Serve an app, and open its explorer."""
    async with (
        Server(app, port=0, host="127.0.0.1", timeout_graceful_shutdown=1) as server,
        httpx2.AsyncClient(base_url=server.url) as client,
        browsing(server.url + path) as tab,
    ):
        await tab.until(f"{ITEMS}.length")
        await tab.until("document.getElementById('status').textContent === 'Connected'")
        yield tab, client
        assert tab.logs == []  # no error, and no breach of the policy


async def save(tab: Tab, name: str) -> None:
    """Renew a picture of the documentation, if that is wanted."""
    if os.environ.get("ASGI_EXPRESS_SCREENSHOTS"):
        IMAGES.mkdir(exist_ok=True)
        await tab.screenshot(IMAGES / f"{name}.png")


async def test_the_tree_the_requests_and_an_explanation_can_be_clicked_through() -> None:
    async with open_explorer(shop()) as (tab, client):
        await tab.prefer("light")
        assert await tab.value("document.getElementById('count').textContent") == "9 routes, 10 other layers"
        closed = await tab.value(LABELS)
        assert closed[0] == "/ Express"
        assert "/users Router" in closed
        assert not any("user · " in label for label in closed)
        await tab.click("[aria-label='/users Router'] > .row")
        await tab.click("[aria-label='/admin Router'] > .row")
        opened = await tab.value(LABELS)
        assert any(label.startswith("GET /users/:id user · ") for label in opened)
        assert any(label.startswith("guard EndpointFirewall") for label in opened)

        assert await tab.value("document.getElementById('none').hidden") is False
        await client.get("/users/7?token=s3cret")
        await client.get("/admin/orders/7")
        await client.get("/admin/orders/7", headers={"X-User": "ada"})
        await client.get("/nothing")
        await tab.until(f"{ROWS}.length === 4")
        rows = await tab.value(ROWS)
        assert [row.split()[:3] for row in rows] == [
            ["GET", "/nothing", "404"],
            ["GET", "/admin/orders/7", "200"],
            ["GET", "/admin/orders/7", "401"],
            ["GET", "/users/7?token=***", "200"],
        ]
        await tab.click("#requests li:nth-child(2) .request")
        steps = await tab.value("[...document.querySelectorAll('.steps li')].map((step) => step.textContent)")
        assert any("guard" in step and "EndpointFirewall" in step and "ms" in step for step in steps)
        assert any("route" in step and "order /admin/orders/{id:int} (id=7)" in step for step in steps)
        (slow,) = [step for step in steps if "load_user" in step]
        assert float(slow.removesuffix(" ms").rpartition("/admin")[2]) >= 10

        await tab.click("#path")
        await tab.type("/admin/orders/7")
        await tab.click("#explain button")
        end = await tab.until("document.querySelector('#explanation .end')?.textContent")
        assert end.endswith("EndpointFirewall refuses: no actor, access on order")
        await save(tab, "explorer-light")
        await tab.click("#theme")
        assert await tab.value("document.documentElement.dataset.theme") == "dark"
        await save(tab, "explorer-dark")
        assert len(await tab.value(ROWS)) == 4  # the explanation was no request


async def test_requests_can_be_paused_and_cleared_and_a_mistake_is_told() -> None:
    async with open_explorer(shop()) as (tab, client):
        await client.get("/a")
        await tab.until(f"{ROWS}.length === 1")
        await tab.click("#pause")
        assert await tab.value("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
        await client.get("/b")
        await tab.until("waiting.length === 1")
        assert len(await tab.value(ROWS)) == 1
        await tab.click("#pause")
        assert [row.split()[1] for row in await tab.value(ROWS)] == ["/b", "/a"]
        await tab.click("#clear")
        assert await tab.value(ROWS) == []
        await tab.click("#path")
        await tab.type("nonsense")
        await tab.click("#explain button")
        told = await tab.until("document.querySelector('#explanation .error')?.textContent")
        assert told.startswith("a path begins with / and is percent-encoded")
        assert any("400" in log for log in tab.logs)
        tab.logs.clear()  # Chromium tells of an answer of 400


async def test_what_an_application_is_called_or_asked_never_becomes_markup() -> None:
    app = Express(env="development")
    app.use("/_explorer", explorer(app))
    app.get("/x", lambda req, res: res.send("x"), name="<img src=x onerror=alert(1)>")
    async with open_explorer(app) as (tab, client):
        await client.get("/x/<script>alert(1)</script>?<b>=1")
        await tab.until(f"{ROWS}.length === 1")
        await tab.click("#requests .request")
        await tab.click("#path")
        await tab.type("/%3Cimg%3E<b>")
        await tab.click("#explain button")
        await tab.until("document.querySelector('#explanation .end')")
        assert await tab.value("document.querySelectorAll('img, b, #requests script').length") == 0
        assert "<img src=x" in await tab.value("document.getElementById('tree').textContent")


async def test_it_is_used_with_the_keyboard_alone() -> None:
    async with open_explorer(shop()) as (tab, client):
        await tab.press("Tab")
        assert await tab.value("document.activeElement.className") == "skip"
        for wanted in ("theme", "filter"):
            await tab.press("Tab")
            assert await tab.value("document.activeElement.id") == wanted
        await tab.press("Tab")
        assert await tab.value(FOCUS) == "/ Express"
        await tab.press("ArrowDown")
        assert await tab.value(FOCUS) == "/_explorer Router"
        await tab.press("End")
        assert (await tab.value(FOCUS)).startswith("GET /")
        await tab.press("ArrowUp")
        assert await tab.value(FOCUS) == "/admin Router"
        await tab.press("ArrowRight")
        await tab.press("ArrowRight")
        inside = await tab.value(FOCUS)
        assert inside.startswith("guard")
        await tab.press("ArrowLeft")
        assert await tab.value(FOCUS) == "/admin Router"
        await tab.press("ArrowLeft")
        assert await tab.value("document.activeElement.getAttribute('aria-expanded')") == "false"
        await tab.press("Enter")
        assert await tab.value("document.activeElement.getAttribute('aria-expanded')") == "true"
        await tab.press("Home")
        assert await tab.value(FOCUS) == "/ Express"
        assert await tab.value(f"{ITEMS}.filter((item) => item.tabIndex === 0).length") == 1
        await client.get("/users/7")
        await tab.until(f"{ROWS}.length === 1")
        await tab.value("document.querySelector('.request').focus()")
        await tab.press("Enter")
        assert await tab.value("document.querySelector('.request').getAttribute('aria-expanded')") == "true"


async def test_a_reader_of_the_screen_is_told_what_everything_is() -> None:
    async with open_explorer(shop()) as (tab, client):
        await client.get("/users/7")
        await tab.until(f"{ROWS}.length === 1")
        nodes = (await tab.call("Accessibility.getFullAXTree"))["nodes"]
        found = {
            (node.get("role", {}).get("value"), node.get("name", {}).get("value"))
            for node in nodes
            if not node.get("ignored")
        }
        for wanted in [
            ("heading", "Explorer"), ("tree", "Layers"), ("treeitem", "/users Router"), ("region", "Requests"),
            ("searchbox", "Filter by path, method or name"), ("button", "Pause"), ("textbox", "Path"),
            ("textbox", "Headers, one on a line"), ("button", "Explain"), ("link", "Skip to the layers"),
        ]:  # fmt: skip
            assert wanted in found
        unnamed = [role for role, name in found if role in ("button", "textbox", "combobox", "treeitem") and not name]
        assert unnamed == []


CONTRAST = """(() => {
    const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
    const ground = (element) => {
        for (; element; element = element.parentElement) {
            const colour = rgb(getComputedStyle(element).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
    };
    const poor = [];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.checkVisibility() || element.closest(".skip")) continue;
        const [a, b] = [light(rgb(getComputedStyle(element).color)), light(ground(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) poor.push([element.className, element.textContent, ratio]);
    }
    return poor;
})()"""


async def test_every_text_has_the_contrast_of_wcag_in_light_and_in_dark() -> None:
    async with open_explorer(shop()) as (tab, client):
        for path in ("/users/7", "/nothing"):
            await client.get(path)
        await tab.until(f"{ROWS}.length === 2")
        await tab.click("#requests .request")
        await tab.click("#explain button")
        await tab.until("document.querySelector('#explanation .end')")
        for scheme in ("light", "dark"):
            await tab.prefer(scheme)
            await tab.until(f"document.documentElement.dataset.theme === '{scheme}'")
            await tab.until("document.getAnimations().length === 0")
            assert await tab.value(CONTRAST) == []


async def test_two_thousand_routes_open_at_once_because_what_is_closed_is_not_drawn() -> None:
    async with open_explorer(wide(2000)) as (tab, _):
        assert await tab.value("document.getElementById('count').textContent") == "2004 routes, 5 other layers"
        assert await tab.value(f"{ITEMS}.length") == 3
        assert (await tab.value(LABELS))[-1] == "/api Router"
        took = await tab.value("""(() => {
            const start = performance.now();
            document.querySelector("[aria-label='/api Router'] > .row").click();
            document.body.offsetHeight;
            return performance.now() - start;
        })()""")
        assert took < 1000
        assert await tab.value(f"{ITEMS}.length") == 3 + 201
        assert "Show more (1800)" in await tab.value("document.getElementById('tree').innerText")
        await tab.press("End")
        await tab.press("Enter")
        assert await tab.value(f"{ITEMS}.length") == 3 + 401
        assert (await tab.value(FOCUS)).startswith("GET /api/thing-200/:id")
        await tab.click("#filter")
        await tab.type("thing-1999")
        await tab.until("document.getElementById('count').textContent === '1 of 2009 found'")
        assert (await tab.value(LABELS))[0].startswith("GET /api/thing-1999/:id thing1999")


async def test_it_connects_again_when_a_stream_has_ended_and_loses_nothing() -> None:
    async with open_explorer(shop()) as (tab, client):
        await tab.value("window.hellos = 0, news.addEventListener('hello', () => window.hellos++), 0")
        for number in range(3):
            await client.get(f"/before-{number}")
        await tab.until("window.hellos > 0")  # the first stream is over
        await client.get("/after")
        await tab.until(f"{ROWS}.length === 4")
        assert [row.split()[1] for row in await tab.value(ROWS)] == ["/after", "/before-2", "/before-1", "/before-0"]
        assert await tab.value("document.getElementById('status').textContent") == "Connected"


async def test_a_reload_of_a_gateway_shows_the_new_tree_without_a_reload_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASGI_EXPRESS_ENV", "development")
    code = "def hello(req): return 'hi'\n\ndef other(req): return 'hi'"
    gateway = load(project(tmp_path, ROUTER, route("GET", "/old", "hello"), handlers=code))
    app = Express(env="development")
    app.use("/_explorer", explorer(gateway))
    app.mount("/", gateway)
    async with open_explorer(app) as (tab, client):
        await tab.click("[aria-label='/api Router'] > .row")
        assert "GET /api/old app:get_hello · handlers.py:hello" in await tab.value(LABELS)
        project(tmp_path, ROUTER, route("GET", "/new", "hello"), route("PUT", "/new", "other"), handlers=code)
        await gateway.reload()
        await tab.until("document.getElementById('count').textContent === '2 routes, 3 other layers'")
        assert await tab.value(FOCUS) == "/ Express"  # where the keyboard was, something still is
        await tab.click("[aria-label='/api Router'] > .row")
        assert "GET /api/new app:get_hello · handlers.py:hello" in await tab.value(LABELS)
        await client.get("/api/new")
        await tab.until(f"{ROWS}.length === 1")
        assert (await tab.value(ROWS))[0].startswith("GET /api/new 200")
