"""Applications, routers, parsers, files, views, servers."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader
from starlette.middleware.gzip import GZipMiddleware

from asgi_express import Express, Router, _cookies, multipart
from asgi_express.types import Receive, Send
from asgi_express.types import Scope as ASGIScope
from tests.asgi import Socket
from tests.docstrings.scene import Ask, Handled, Hook, Matched, Names, Program, Scene
from tests.docstrings.scenes.requests import FORM, JSON

UPLOAD = {"content-type": "multipart/form-data; boundary=xx"}
IMAGE = (
    b'--xx\r\nContent-Disposition: form-data; name="id"\r\n\r\n7\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="avatar"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    b"an image\r\n--xx--\r\n"
)


def show(req: Any, res: Any) -> None:
    res.send("shown")


def check(req: Any, res: Any, next: Any) -> None:
    res.set("X-Checked", "yes")
    next()


def make_report(req: Any) -> dict[str, bool]:
    return {"beside the loop": threading.current_thread() is not threading.main_thread()}


def users() -> Router:
    return Router().get("/:id", lambda req: {"user": req.params["id"]})


def load_user(req: Any, res: Any, next: Any, value: str, name: str) -> None:
    req.user = f"{name} {value}"
    next()


async def plain_app(scope: ASGIScope, receive: Receive, send: Send) -> None:
    text = f"{scope['root_path']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text})


async def chat(ws: Any) -> None:
    await ws.accept()
    await ws.close()


def talk(path: str) -> Hook:
    """Return what opens a WebSocket, and keeps the types of the messages that came."""

    async def connect(names: Names) -> None:
        names["types"] = (await Socket().connect(names["router"], path)).types

    return connect


def with_lifespan() -> Names:
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(router: Router) -> AsyncIterator[None]:
        events.append("started")
        yield
        events.append("stopped")

    return {"FastAPI": FastAPI, "router": Router(lifespan=lifespan), "events": events}


async def live(names: Names) -> None:
    async with names["app"].router.lifespan_context(names["app"]):
        names["events"].append("alive")


async def with_parts(names: Names) -> None:
    parts = names["req"].parts
    await anext(parts)  # the field before the file
    names |= {"parts": parts, "part": await anext(parts)}


def with_record(names: Names) -> None:
    match = names["match"]
    names |= {"scope": {}, "route": match.route}
    names |= {"frame": match._frame, "pattern": match._pattern}


def hello(path: str = "/") -> Any:
    """Return what registers a handler behind the example."""
    return lambda names: names["app"].all(path, lambda req, res: res.send("hello"))


def receiving(names: Names) -> None:
    names["app"].post("/", lambda req: {"body": req.body})


def ask_route(text: str, **sends: str) -> list[Ask]:
    return [Ask("GET /x", text=text, sends=sends, of="router")]


PAGES = {"public/app.js": "let a", "public/app.js.br": "compressed", "dist/index.html": "the page"}

OPENED = {"types": ["websocket.accept", "websocket.close"]}

SHOW: dict[str, Any] = {"show": show, "check": check, "chat": chat}

PLAIN = "from asgi_express import Express\nfrom asgi_express.server import listen\n"
PAGE = PLAIN + 'app = Express()\napp.get("/", lambda req, res: res.send("Hello"))\n'

SCENES: dict[str, Scene] = {
    "asgi_express": Program(swap={"3000": "0"}, text="Hello"),
    "application.Express": Program(swap={"3000": "0"}, before=PLAIN, text="Hello"),
    "application.Express.listen": Program(swap={"3000": "0"}, before=PAGE, text="Hello"),
    "server.listen": Program(swap={"8000": "0"}, before=PAGE, text="Hello"),
    "application.Express.serve": Scene(gives={"out == f'{server.url}\\n'": True, "server.port > 0": True}),
    "server.Server": Scene(gives={"out == f'{server.url}\\n'": True, "server.port > 0": True}),
    "application.Express.set": Scene(gives={"app.get_setting('trust proxy')": 1, "app.get_setting('json spaces')": 2}),
    "application.Express.enable": Scene(gives={"app.get_setting('trust proxy')": True}),
    "application.Express.disable": Scene(
        then=hello(),
        asks=[Ask()],
        gives={"'x-powered-by' in answer.headers": False, "Express().enabled('x-powered-by')": True},
    ),
    "application.Express.on": Scene(
        names=lambda: {"admin": Express()},
        then=lambda names: names["app"].use("/admin", names["admin"]),
        gives={"out == f'mounted on {app}\\n'": True},
    ),
    "application.Express.emit": Scene(gives={"out": "with arguments\n"}),
    "application.Express.engine": Scene(
        files={"views/hello.txt": "Hello {name}"},
        gives={"await app.render('hello.txt', {'name': 'Ada'})": "Hello Ada"},
    ),
    "application.Express.render": Scene(files={"views/mail.html": "Dear {{ name }}"}, gives={"text": "Dear Ada"}),
    "_handlers.blocking": Scene(
        names=lambda: {"make_report": make_report}, asks=[Ask("GET /report", '{"beside the loop":true}')]
    ),
    "_scope.next_app": Scene(
        names=lambda: {"GZipMiddleware": GZipMiddleware},
        then=lambda names: names["router"].get("/", lambda req: "x" * 1000),
        asks=[Ask(of="router", headers={"accept-encoding": "gzip"}, sends={"content-encoding": "gzip"})],
    ),
    "body.json.json": Scene(asks=[Ask("POST /", '{"hello":"Ada"}', headers=JSON, body=b'{"name": "Ada"}')]),
    "body.raw.raw": Scene(asks=[Ask("POST /hook", '{"bytes":4}', headers=JSON, body=b"{ 1}")]),
    "body.text.text": Scene(
        then=receiving,
        asks=[Ask("POST /", '{"body":"# A"}', headers={"content-type": "text/markdown"}, body=b"# A")],
    ),
    "body.urlencoded.urlencoded": Scene(
        asks=[
            Ask(
                "POST /",
                '{"user":{"name":"Ada","tags":["a","b"]}}',
                headers=FORM,
                body=b"user[name]=Ada&user[tags][]=a&user[tags][]=b",
            )
        ]
    ),
    "body.multipart.multipart": Scene(
        names=lambda: {"avatars": Path("avatars")},
        files={"avatars/6.png": "another"},
        asks=[
            Ask("POST /profile", status=204, headers=UPLOAD, body=IMAGE),
            Ask("POST /backup", status=204, headers=UPLOAD, body=IMAGE),
        ],
        gives={"(avatars / '7.png').read_bytes()": b"an image"},
    ),
    "body.multipart._file.UploadedFile.chunks": Handled(
        names=lambda: {"hashlib": hashlib},
        through=lambda: [multipart(single="avatar")],
        ask=Ask("POST /", headers=UPLOAD, body=IMAGE),
        gives={"digest.hexdigest()": hashlib.sha256(b"an image").hexdigest()},
    ),
    "body.multipart._file.UploadedFile.save": Handled(
        names=lambda: {"uploads": Path("uploads"), "user": type("User", (), {"id": 7})},
        files={"uploads/6.png": "another"},
        through=lambda: [multipart(single="avatar")],
        ask=Ask("POST /", headers=UPLOAD, body=IMAGE),
        gives={"(uploads / '7.png').read_bytes()": b"an image"},
    ),
    "body.multipart._parts.Part.chunks": Handled(
        names=lambda: {"hashlib": hashlib},
        first=with_parts,
        through=lambda: [multipart(storage="stream")],
        ask=Ask("POST /", headers=UPLOAD, body=IMAGE),
        gives={"digest.hexdigest()": hashlib.sha256(b"an image").hexdigest()},
    ),
    "cookies.cookie_parser": Scene(
        then=lambda names: names["app"].get("/", lambda req: req.signed_cookies),
        asks=[Ask(text='{"user":"ada"}', headers={"cookie": f"user=s%3A{_cookies.sign('ada', 'old secret')}"})],
    ),
    "route.Route.handlers_for": Scene(
        names=lambda: {"route": Router().route("/x").all(check).get(show)},
        gives={"out": f"{__name__}.check\n{__name__}.show\n"},
    ),
    "route.Route.record": Matched(first=with_record, gives={"scope['asgi_express.match'].template": "/users/:id"}),
    "route.RouteMatch.meta": Matched(target="/users"),
    "route.Route.methods": Scene(names=lambda: SHOW),
    "route.Route.allowed": Scene(names=lambda: SHOW),
    "route.Route.serves": Scene(names=lambda: SHOW),
    "router.Router.index": Scene(names=lambda: SHOW),
    "route.Route.all": Scene(names=lambda: SHOW, asks=ask_route("shown", **{"x-checked": "yes"})),
    "route.Route.ws": Scene(names=lambda: SHOW, then=talk("/chat"), gives=OPENED),
    "router.Router.ws": Scene(then=talk("/echo"), gives=OPENED),
    "router.Router": Scene(
        names=lambda: {"fastapi_app": FastAPI()}, asks=[Ask("GET /users/7", '{"id":"7"}', of="fastapi_app")]
    ),
    "router.Router.use": Scene(
        names=lambda: {"log_requests": check, "users_router": users()},
        asks=[Ask("GET /users/7", '{"user":"7"}', sends={"x-checked": "yes"})],
    ),
    "router.Router.mount": Scene(names=lambda: {"admin_app": plain_app}, asks=[Ask("GET /admin/7", "/admin /admin/7")]),
    "router.Router.route": Scene(
        names=lambda: {"list_users": lambda req: [7], "add_user": lambda req, res: res.send_status(201)},
        asks=[Ask("GET /users", "[7]", of="router"), Ask("POST /users", "Created", 201, of="router")],
    ),
    "router.Router.all": Scene(asks=[Ask("PUT /health", "ok", of="router")]),
    "router.Router.post_match": Scene(
        names=lambda: {"require_role": check},
        then=lambda names: names["router"].get("/", show),
        asks=[Ask(text="shown", of="router", sends={"x-checked": "yes"}), Ask("GET /no", status=404, of="router")],
        gives={"'x-checked' in answer.headers": False},
    ),
    "router.Router.param": Scene(
        names=lambda: {"load_user": load_user},
        then=lambda names: names["router"].get("/:id", lambda req: req.user),
        asks=[Ask("GET /7", "id 7", of="router")],
    ),
    "router.Router.lifespan_context": Scene(
        names=with_lifespan, then=live, gives={"events": ["started", "alive", "stopped"]}
    ),
    "static.static": Scene(
        files=PAGES,
        asks=[
            Ask("GET /assets/app.js", "let a", sends={"cache-control": "public, max-age=31536000, immutable"}),
            Ask("GET /assets/app.js", headers={"accept-encoding": "br"}, sends={"content-encoding": "br"}),
            Ask("GET /some/page", "the page", headers={"accept": "text/html"}),
        ],
    ),
    "views.View": Scene(files={"views/home.html": "at home"}, gives={"await view.render({})": "at home"}),
    "views.View.render": Scene(
        files={"views/home.html": "{{ name }} at home"},
        first=lambda names: names.update(
            view=names["View"]("home", default_engine="html", roots=["views"], engines={})
        ),
        gives={"text": "Ada at home"},
    ),
    "views.Jinja": Scene(
        files={"views/home.html": "{{ '<' }}"},
        names=lambda: {"environment": Environment(loader=FileSystemLoader(["views"]))},
        gives={"await app.render('home.html')": "<"},
    ),
    "views.Jinja.for_roots": Scene(
        files={"views/home.tpl": "{{ '<' }}"}, gives={"await app.render('home.tpl')": "&lt;"}
    ),
}
