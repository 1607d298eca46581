"""Gateways, and the handlers of Wippy's manner."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from asgi_express import Express, gateway
from asgi_express.gateway import http, process
from asgi_express.gateway._objects import serving
from asgi_express.gateway.http._exchange import exchanging
from tests.docstrings.examples import Example
from tests.docstrings.scene import Ask, Handled, Names, Scene

FILES = {
    "app.yaml": """\
version: "1.0"
namespace: app
entries:
  - {name: gateway, kind: http.service, addr: "127.0.0.1:8080"}
  - {name: admin, kind: http.service, addr: "127.0.0.1:9090"}
  - {name: api, kind: http.router, meta: {server: gateway}, prefix: /api}
  - {name: memory, kind: store.memory}
  - {name: tokens, kind: security.token_store, store: memory}
  - name: users
    kind: security.policy
    groups: users
    policy: {actions: access, resources: "app:*", effect: allow}
"""
}
PUBLIC = {name: getattr(gateway, name) for name in gateway.__all__}


def loaded() -> Names:
    made = gateway.load("app.yaml")
    inside = SimpleNamespace(objects=made._current.made.objects)
    return {**PUBLIC, "gateway": made, "service": made.services[0], "ssl": ssl, "http": http, "held": inside}


@dataclass(frozen=True, kw_only=True)
class Served(Scene):
    """A module with a gateway, its first service, and the names of the package."""

    names: Any = loaded
    files: Any = None

    def __post_init__(self) -> None:
        if self.files is None:
            object.__setattr__(self, "files", FILES)


async def room(user: str) -> None:
    """Read what comes."""
    async for message in process.inbox():
        process.send(str(message.sender), "read", message.payload)


def with_a_room() -> Names:
    return {**loaded(), "process": process, "room": room}


@dataclass(frozen=True, kw_only=True)
class Running(Served):
    """The body of a process of a gateway."""

    names: Any = with_a_room

    async def _act(self, example: Example, names: Names) -> None:
        made = names["gateway"]._current.made
        processes = made.processes["app:gateway"]

        async def act(_: Any) -> None:
            try:
                await self._run(example, names)
            except BaseException as error:
                names["failed"] = error

        with serving(made.objects, processes):
            await processes.ended(processes.spawn(act))
        await processes.aclose()
        if "failed" in names:
            raise names["failed"]


async def talk(names: Names) -> None:
    """Let the room of an example hear something, and the handler of it hand a client over."""
    pid = process.spawn(names["room"], "ada")
    process.send(pid, "ws.message", "hello")
    message = await process.inbox().receive()
    names["said"] = message.payload
    app = Express(raise_errors=True)

    async def chat(req: Any, res: Any) -> None:
        with exchanging(req, res):
            names["chat"]()
            http.response()._finish()

    app.get("/", chat)
    await Ask("GET /?user=ada").put(app, names)


REQUEST = Ask(
    "POST /api/v1/users/7?page=2&tag=a&tag=b",
    body=b'{"id": 7}',
    headers={"host": "example.com:8080", "accept": "application/json", "content-type": "application/json"},
)


@dataclass(frozen=True, kw_only=True)
class Wippy(Handled):
    """The body of a handler without arguments: ``req`` and ``res`` are those of ``http``."""

    ask: Ask = REQUEST

    async def _act(self, example: Example, names: Names) -> None:
        app = Express(raise_errors=True)

        async def handler(req: Any, res: Any) -> None:
            with exchanging(req, res):
                names.update(req=http.request(), res=http.response(), http=http)
                await self._run(example, names)
                if not res.finished:
                    names["res"]._finish()

        for path in ("/api/v1/users/:id", "/files/{filepath...}", "/"):
            app.all(path, handler)
        await self._asked(example).put(app, names)


PART = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n%s\r\n%s\r\n'
FORM = PART % (b"title", b"", b"", b"Photos")
FORM += PART % (b"photos", b'; filename="one.txt"', b"Content-Type: text/plain\r\n", b"first")
UPLOAD = Wippy(ask=Ask("POST /", body=FORM + b"--b--\r\n", headers={"content-type": "multipart/form-data; boundary=b"}))
JSON = "application/json; charset=utf-8"


def answers(text: str, kind: str = "text/plain; charset=utf-8", **more: Any) -> Wippy:
    return Wippy(ask=Ask("GET /", text=text, sends={"content-type": kind, **more.pop("sends", {})}, **more))


_RESPONSE = "gateway.http._response.Response"
SCENES: dict[str, Scene] = {
    "gateway": Served(gives={"len(app.services)": 2}),
    "gateway.process": Running(
        then=talk,
        gives={"said": {"by": "ada", "text": "hello"}, "'target_pid' in answer.headers['x-ws-relay']": True},
    ),
    "gateway.http": Wippy(
        names=lambda: {"users": {"7": {"id": "7"}}},
        then=lambda names: names["handler"](),
        ask=Ask("GET /api/v1/users/7", text='{"id":"7"}'),
    ),
    **{
        f"gateway.http._request.{name}": UPLOAD
        for name in ("Request.parse_multipart", "Form", "File", "File.header", "File.stream")
    },
    "gateway.http._exchange.request": Wippy(),
    "gateway.http._exchange.response": answers('{"id":7}', JSON, status=201),
    _RESPONSE: answers('{"id":7}', JSON, status=201, sends={"location": "/users/7"}),
    f"{_RESPONSE}.set_status": Wippy(ask=Ask("GET /", status=404)),
    f"{_RESPONSE}.set_header": Wippy(ask=Ask("GET /", sends={"cache-control": "no-store"})),
    f"{_RESPONSE}.set_content_type": Wippy(ask=Ask("GET /", sends={"content-type": "text/html; charset=utf-8"})),
    f"{_RESPONSE}.write": answers("hello"),
    f"{_RESPONSE}.write_json": answers('{"id":7}', JSON),
    f"{_RESPONSE}.write_event": answers('event: price\ndata: {"value":42}\n\n', "text/event-stream; charset=utf-8"),
    f"{_RESPONSE}.set_transfer": answers(""),
    f"{_RESPONSE}.flush": answers(""),
}
