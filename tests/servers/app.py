"""The application that every server is to serve alike."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from asgiref.wsgi import WsgiToAsgi
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.websockets import WebSocket

from asgi_express import Express, HTTPError, Request, Response, Router
from asgi_express.middleware import EndpointFirewall
from asgi_express.security import public
from asgi_express.types import Next


def say(words: str) -> None:
    """Print for the test to read."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


# -- the mounted apps


async def starlette_where(request: StarletteRequest) -> JSONResponse:
    return JSONResponse(
        {
            "root_path": request.scope["root_path"],
            "path": request.scope["path"],
            "url": request.url.path,
            "url_for": request.url_for("where", name="x y").path,
            "name": request.path_params["name"],
            "state": getattr(request.state, "starlette", None),
        }
    )


@asynccontextmanager
async def starlette_lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
    say("starlette: started")
    yield {"starlette": "started"}
    say("starlette: stopped")


starlette_app = Starlette(
    routes=[Route("/where/{name:path}", starlette_where, name="where"), Route("/slash/", starlette_where)],
    lifespan=starlette_lifespan,
)

fastapi_app = FastAPI()


@fastapi_app.get("/items/{item_id}")
async def item(item_id: int) -> dict[str, int]:
    return {"item": item_id}


guarded_app = FastAPI()
guarded_app.add_middleware(EndpointFirewall, strict_paths=True)


@guarded_app.get("/open")
@public
async def open_to_all() -> str:
    return "open"


@guarded_app.get("/{secret}")
async def closed(secret: str) -> str:
    return secret


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    size = int(environ.get("CONTENT_LENGTH") or 0)
    seen = {name: environ[name] for name in ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING")}
    body = json.dumps({**seen, "body": environ["wsgi.input"].read(size).decode()}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


# -- the application


@asynccontextmanager
async def lifespan(app: Express) -> AsyncIterator[dict[str, str]]:
    say("express: started")
    yield {"express": "started"}
    say("express: stopped")


app = Express(lifespan=lifespan)


def whereabouts(req: Request) -> dict[str, Any]:
    return {
        "method": req.method,
        "original_url": req.original_url,
        "base_url": req.base_url,
        "url": req.url,
        "params": req.params,
    }


app.get("/", lambda req, res: res.send("hello"))


@app.get("/user/:id")
def user(req: Request, res: Response) -> None:
    res.json({"id": req.params["id"], "q": req.query.get("q")})


app.get("/files/*path", lambda req, res: res.json(req.params["path"]))

members = Router(merge_params=True)
members.get("/members/:member", lambda req, res: res.json(whereabouts(req)))
members.get("/leave", lambda req, res: res.redirect(req.base_url + "/members/1"))
app.use("/teams/:team", members)


@app.post("/echo")
async def echo(req: Request, res: Response) -> None:
    res.status(201).json({"got": await req.json()})


@app.post("/count")
async def count(req: Request, res: Response) -> None:
    sizes = [len(chunk) async for chunk in req.stream()]
    res.json({"bytes": sum(sizes)})


@app.get("/stream")
async def stream(req: Request, res: Response) -> None:
    res.type("txt")
    for number in range(5):
        await res.write(f"line {number}\n")
        await asyncio.sleep(0)
    res.end("over\n")


@app.get("/state")
async def state(req: Request, res: Response) -> None:
    res.json({"express": getattr(req.state, "express", None)})


@app.get("/headers")
async def headers(req: Request, res: Response) -> None:
    res.append("Set-Cookie", "a=1; Path=/").append("Set-Cookie", "b=2; Path=/")
    res.set("X-Got", req.get("X-Sent")).send_status(202)


@app.get("/boom")
async def boom(req: Request, res: Response) -> None:
    raise RuntimeError("secret words")


@app.get("/late-boom")
async def late_boom(req: Request, res: Response) -> None:
    await res.write("begun")
    raise RuntimeError("secret words")


@app.get("/bad-header")
def bad_header(req: Request, res: Response) -> None:
    res.set("X-Split", "a\r\nX-Injected: yes").send("never")


@app.get("/bad-status")
def bad_status(req: Request, res: Response) -> None:
    res.status(42).send("never")


@app.get("/teapot")
def teapot(req: Request, res: Response) -> None:
    raise HTTPError(418, "short and stout")


def guard(req: Request, res: Response, next: Next) -> None:
    res.set("X-Guard", "seen")
    next()


app.use("/admin", guard)
app.get("/admin", lambda req, res: res.send("secret"))


async def never(ws: WebSocket) -> None:
    await ws.accept()


async def room(ws: WebSocket, req: Request) -> None:
    await ws.accept()
    await ws.send_json({"room": req.params["room"], "base_url": req.base_url})
    async for text in ws.iter_text():
        await ws.send_text(f"{req.params['room']}: {text}")


app.use("/private", lambda req, res: res.status(401).json({"error": "who are you?"}))
app.ws("/private/ws", never)
app.ws("/ws/:room", room)

app.mount("/starlette", starlette_app)
app.mount("/fastapi", fastapi_app)
app.mount("/guarded", guarded_app)
app.mount("/wsgi", WsgiToAsgi(wsgi_app))  # type: ignore[no-untyped-call]


def teapots(err: Any, req: Request, res: Response, next: Next) -> None:
    if getattr(err, "status", None) != 418:
        next(err)
    else:
        res.status(418).json({"error": str(err)})


app.use(teapots)
