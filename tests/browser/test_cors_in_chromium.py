"""What a page of another origin may do, in a real Chromium: what is allowed arrives, what is refused does not."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

import pytest

from asgi_express import Express, HTTPError
from asgi_express.middleware.cors import CORS, CORSPolicy
from tests.browser.chromium import Pages, two_servers, visit

PAGE = """<!DOCTYPE html><meta charset="utf-8"><title>CORS</title><script>
const api = "http://localhost:%d";
async function attempt({url, init}) {
  try {
    const answer = await fetch(api + url, init);
    return {status: answer.status, text: await answer.text(), total: answer.headers.get("x-total")};
  } catch (error) { return {error: error.name}; }
}
function fromSandbox() {
  return new Promise((resolve) => {
    addEventListener("message", (event) => resolve(event.data), {once: true});
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.srcdoc = `<script>fetch("${api}/open").then(() => "read", () => "refused")
      .then((word) => parent.postMessage(word, "*"))<` + "/script>";
    document.documentElement.append(frame);
  });
}
(async () => {
  const results = {};
  for (const [name, request] of Object.entries(%s)) results[name] = await attempt(request);
  results["from a sandbox"] = await fromSandbox();
  await fetch("/report", {method: "POST", body: JSON.stringify(results)});
})();
</script>"""

REFUSED = {"error": "TypeError"}


def ok(text: str, status: int = 200, total: str | None = None) -> dict[str, Any]:
    return {"status": status, "text": text, "total": total}


class Case(NamedTuple):
    """A request of the page, and what it gets as a page of an allowed and of another origin."""

    url: str
    init: dict[str, Any]
    allowed: dict[str, Any]
    other: dict[str, Any]


CASES = {
    "a simple request": Case("/open", {}, ok("open"), REFUSED),
    "an exposed header": Case("/total", {}, ok("total", total="7"), REFUSED),
    "a form": Case("/open", {"method": "POST", "body": "a=1"}, ok("open"), REFUSED),
    "a preflight for a method": Case("/open", {"method": "PUT"}, ok("open"), REFUSED),
    "a preflight for a header": Case("/open", {"headers": {"X-Requested-With": "page"}}, ok("open"), REFUSED),
    "a preflight for JSON": Case(
        "/open", {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": "{}"}, ok("open"), REFUSED
    ),
    "a method that is not allowed": Case("/open", {"method": "PURGE"}, REFUSED, REFUSED),
    "a header that is not allowed": Case("/open", {"headers": {"X-Secret": "1"}}, REFUSED, REFUSED),
    "an error": Case("/busy", {}, ok("Too Many Requests", 429), REFUSED),
    "a fault": Case("/fails", {}, ok("Internal Server Error", 500), REFUSED),
    "a missing page": Case("/missing", {}, ok("Cannot GET /missing", 404), REFUSED),
    "a login with credentials": Case("/login", {"credentials": "include"}, ok("in"), REFUSED),
    "a cookie with credentials": Case("/who", {"credentials": "include"}, ok("me"), REFUSED),
    "no cookie without credentials": Case("/who", {"credentials": "omit"}, ok("nobody"), REFUSED),
    "credentials and a preflight": Case("/who", {"credentials": "include", "method": "PUT"}, ok("me"), REFUSED),
    "everybody": Case("/public/open", {}, ok("open"), ok("open")),
    "everybody, any header": Case("/public/open", {"headers": {"X-Any": "1"}}, ok("open"), ok("open")),
    "everybody, any method": Case("/public/open", {"method": "PURGE"}, ok("open"), ok("open")),
    "everybody, Authorization": Case(
        "/public/open", {"headers": {"Authorization": "Bearer x"}}, ok("open"), ok("open")
    ),
    "everybody, but no credentials": Case("/public/open", {"credentials": "include"}, REFUSED, REFUSED),
    "no policy": Case("/bare/open", {}, REFUSED, REFUSED),
}


def make_api(page_port: int, _api_port: int) -> Express:
    app = Express(env="test")
    app.use(
        CORS(
            allow_origins=[f"http://localhost:{page_port}"],
            allow_credentials=True,
            expose_headers=["X-Total"],
            policies={
                "/public": CORSPolicy(allow_origins="*", allow_methods="*", allow_headers="*"),
                "/bare": None,
            },
        )
    )

    def busy(req: Any, res: Any) -> None:
        raise HTTPError(429)

    def fail(req: Any, res: Any) -> None:
        raise LookupError

    app.all(["/open", "/public/open", "/bare/open"], lambda req, res: res.send("open"))
    app.get("/total", lambda req, res: res.set("X-Total", "7").send("total"))
    app.get("/busy", busy)
    app.get("/fails", fail)
    app.get("/login", lambda req, res: res.cookie("who", "me", http_only=True).send("in"))
    app.all("/who", lambda req, res: res.send("me" if "who=me" in (req.get("cookie") or "") else "nobody"))
    return app


@pytest.fixture(scope="module")
def reported() -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return what the page of the allowed origin and that of another one report, and the log of the browser."""

    async def run() -> tuple[dict[str, Any], dict[str, Any], str]:
        pages = Pages({})
        async with two_servers(pages, make_api) as (page_port, api_port):
            requests = {name: {"url": case.url, "init": case.init} for name, case in CASES.items()}
            pages.pages["/"] = PAGE % (api_port, json.dumps(requests))
            urls = [f"http://{host}:{page_port}/" for host in ("localhost", "127.0.0.1")]
            (allowed, other), log = await visit(urls, pages.reports)
        return allowed, other, log

    return asyncio.run(run())


def words(result: Any) -> Any:
    """Reduce the page of an error to its words."""
    if "<pre>" in result.get("text", ""):
        return {**result, "text": result["text"].partition("<pre>")[2].partition("</pre>")[0]}
    return result


@pytest.mark.parametrize("name", CASES)
def test_a_page_of_an_allowed_origin_gets_what_the_policy_says(name: str, reported: Any) -> None:
    assert words(reported[0][name]) == CASES[name].allowed


@pytest.mark.parametrize("name", CASES)
def test_a_page_of_another_origin_gets_only_what_is_for_everybody(name: str, reported: Any) -> None:
    assert words(reported[1][name]) == CASES[name].other


def test_a_sandboxed_frame_gets_nothing(reported: Any) -> None:
    assert [report["from a sandbox"] for report in reported[:2]] == ["refused", "refused"]


@pytest.mark.parametrize(
    "sentence",
    [
        "Method PURGE is not allowed by Access-Control-Allow-Methods in preflight response",
        "Request header field x-secret is not allowed by Access-Control-Allow-Headers in preflight response",
    ],
)
def test_the_console_says_what_a_preflight_lacked(sentence: str, reported: Any) -> None:
    assert sentence in reported[2]
