"""What a page of another site can make a real Chromium do: nothing; a page of one's own, everything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asgi_express import Express
from asgi_express.middleware import CORS, CSRF
from asgi_express.security import OriginPolicy
from tests.browser.chromium import Pages, two_servers, visit

PAGE = """<!DOCTYPE html><meta charset="utf-8"><meta name="referrer" content="%(referrer)s"><title>CSRF</title><script>
const api = "http://localhost:%(api)d";
async function status(url, init) {
  try { return (await fetch(api + url, {credentials: "include", ...init})).status; }
  catch (error) { return error.name; }
}
function first(target, ...names) {
  return new Promise((resolve) => {
    for (const name of names) target.addEventListener(name, () => resolve(name), {once: true});
  });
}
function submitted() {
  const frame = document.createElement("iframe"), form = document.createElement("form");
  frame.name = "answer";
  form.action = api + "/form";
  form.method = "post";
  form.target = "answer";
  document.documentElement.append(frame, form);
  const loaded = first(frame, "load");
  form.submit();
  return loaded;
}
(async () => {
  await status("/login");
  const results = {
    get: await status("/get"),
    post: await status("/post", {method: "POST", body: "a=1"}),
    json: await status("/json", {method: "PUT", headers: {"Content-Type": "application/json"}, body: "{}"}),
    socket: await first(new WebSocket(api.replace("http", "ws") + "/socket"), "open", "error"),
    stream: await first(new EventSource(api + "/stream", {withCredentials: true}), "open", "error"),
  };
  await status("/blind", {method: "POST", mode: "no-cors", body: "a=1"});
  await submitted();
  results.ran = await (await fetch(api + "/ran")).json();
  await fetch("http://localhost:%(pages)d/report", {method: "POST", mode: "no-cors", body: JSON.stringify(results)});
})();
</script>"""

ALLOWED = {"get": 200, "post": 200, "json": 200, "socket": "open", "stream": "open"}
REFUSED = {"get": 200, "post": 403, "json": 403, "socket": "error", "stream": "error"}
RAN = ["/blind", "/form", "/json", "/post", "/socket", "/stream"]


def make_api(pages: Pages, page_port: int, api_port: int) -> Express:
    app = Express(env="test")
    trusted = OriginPolicy(f"http://localhost:{page_port}", credentials=True)
    readers = [f"http://{host}:{page_port}" for host in ("localhost", "127.0.0.1")]
    ran: list[str] = []

    def run(req: Any, res: Any) -> None:
        ran.append(req.path)
        res.send("done")

    async def stream(req: Any, res: Any) -> None:
        ran.append(req.path)
        events = res.sse()
        await events.send("hello")
        await events.wait_closed() if hasattr(events, "wait_closed") else None

    async def chat(ws: Any) -> None:
        ran.append("/socket")
        await ws.accept()
        await ws.close()

    def report_ran(req: Any, res: Any) -> None:
        res.json(sorted(set(ran)))
        ran.clear()

    # All pages may read every answer: what is refused here is refused by CSRF alone.
    app.use(CORS(allow_origins=readers, allow_credentials=True))
    app.use(CSRF(origins=trusted))
    app.get("/own", lambda req, res: res.type("html").send(pages.pages["/own"]))
    app.get("/login", lambda req, res: res.cookie("who", "me", http_only=True).send("in"))
    app.get("/get", lambda req, res: res.send("done"))
    app.all(["/post", "/json", "/blind", "/form"], run)
    app.get("/stream", stream)
    app.ws("/socket", chat)
    app.get("/ran", report_ran)
    return app


@pytest.fixture(scope="module")
def reported() -> dict[str, Any]:
    """Return what pages of different origins report."""

    async def run() -> dict[str, Any]:
        pages = Pages({})
        async with two_servers(pages, lambda *ports: make_api(pages, *ports)) as (page_port, api_port):
            ports = {"api": api_port, "pages": page_port}
            pages.pages["/own"] = pages.pages["/"] = PAGE % {**ports, "referrer": "origin"}
            pages.pages["/silent"] = PAGE % {**ports, "referrer": "no-referrer"}
            urls = {
                "own": f"http://localhost:{api_port}/own",
                "trusted": f"http://localhost:{page_port}/",
                "other": f"http://127.0.0.1:{page_port}/",
                "other, silent": f"http://127.0.0.1:{page_port}/silent",
            }
            results, _ = await visit(list(urls.values()), pages.reports)
        return dict(zip(urls, results, strict=True))

    return asyncio.run(run())


@pytest.mark.parametrize("page", ["own", "trusted"])
def test_a_page_of_ones_own_and_one_that_is_trusted_can_do_everything(page: str, reported: Any) -> None:
    assert reported[page] == {**ALLOWED, "ran": RAN}


@pytest.mark.parametrize("page", ["other", "other, silent"])
def test_a_page_of_another_site_can_do_nothing(page: str, reported: Any) -> None:
    assert reported[page] == {**REFUSED, "ran": []}
