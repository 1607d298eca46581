"""What the client sends: a handler is asked with a request that fits."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import Any

from asgi_express import _cookies, cookie_parser
from asgi_express.middleware import Session, TokenAuth
from asgi_express.security import Actor, Grant, Policy
from asgi_express.security import Scope as SecurityScope
from tests.docstrings.scene import Ask, Handled, Names, Scene

SECRET = "sixteen characters or more"
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
BOUNDARY = {"content-type": "multipart/form-data; boundary=xx"}
TAG = '"a tag"'


def logger() -> Names:
    """Return a log, and the lines that are written to it."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    log = logging.Logger("of the example")
    log.addHandler(Kept())
    return {"log": log, "lines": lines}


def sessions() -> list[Any]:
    return [Session(secret=SECRET)]


def tokens() -> list[Any]:
    class Store:
        async def validate(self, token: str) -> Grant | None:
            return Grant(Actor("ada"), SecurityScope([Policy("readers", "read", "*")]), 9e9)

    def bring(req: Any, res: Any, next: Any) -> None:
        req.scope["headers"] = [(b"authorization", b"Bearer token")]
        next()

    return [bring, TokenAuth(store=Store())]


def tagged(req: Any, res: Any, next: Any) -> None:
    res.set("ETag", TAG)
    next()


def with_job(names: Names) -> None:
    names["job"] = asyncio.ensure_future(asyncio.Event().wait())


async def client_leaves(names: Names) -> None:
    gone = asyncio.Event()
    names["req"].on("aborted", gone.set)
    names["client"].leave()
    await gone.wait()


SCENES: dict[str, Scene] = {
    "_incoming.Incoming.state": Handled(
        ask=Ask(more={"state": {"database": "a connection"}}), gives={"values": ["a connection"]}
    ),
    "_incoming.Incoming.read": Handled(ask=Ask("POST /", body=b"\0\1\2"), gives={"body": b"\0\1\2"}),
    "_incoming.Incoming.text": Handled(ask=Ask("POST /", body=b"caf\xc3\xa9"), gives={"note": "café"}),
    "_incoming.Incoming.json": Handled(ask=Ask("POST /", body=b'{"a": 1}'), gives={"data": {"a": 1}}),
    "_incoming.Incoming.form": Handled(
        ask=Ask("POST /", body=b"name=Ada+L&x=1", headers=FORM), gives={"name": "Ada L", "form['x']": "1"}
    ),
    "_incoming.Incoming.stream": Handled(
        names=lambda: {"hashlib": hashlib},
        ask=Ask("POST /", body=b"abc"),
        gives={"digest.hexdigest()": hashlib.sha256(b"abc").hexdigest()},
    ),
    "_incoming.Incoming.disconnected": Handled(ask=Ask(leaves=0), first=with_job, gives={"job.cancelling()": 1}),
    "_incoming.Incoming.on": Handled(
        ask=Ask(leaves=-1), first=with_job, then=client_leaves, gives={"job.cancelling()": 1}
    ),
    "request.Request.is_": Handled(ask=Ask("POST /", body=b'{"a": 1}', headers=JSON), gives={"data": {"a": 1}}),
    "request.Request.fresh": Handled(
        through=lambda: [tagged], ask=Ask(status=304, text="", headers={"if-none-match": TAG})
    ),
    "request.Request.stale": Handled(
        through=lambda: [tagged],
        names=lambda: {"make_page": lambda: "the page"},
        ask=Ask(text="the page", headers={"if-none-match": '"another"'}),
    ),
    "request.Request.xhr": Handled(
        names=lambda: {"rows": [1, 2]}, ask=Ask(text="[1,2]", headers={"x-requested-with": "XMLHttpRequest"})
    ),
    "request.Request.secure": Handled(
        ask=Ask("GET /a?b=c", status=302, headers={"host": "h.example"}, sends={"location": "https://h.example/a?b=c"})
    ),
    "request.Request.ip": Handled(names=logger, gives={"lines": ["from 127.0.0.1"]}),
    "request.Request.ips": Handled(settings={"trust_proxy": True}),
    "request.Request.signed_cookies": Handled(
        through=lambda: [cookie_parser(SECRET)],
        ask=Ask(headers={"cookie": f"user=s%3A{_cookies.sign('ada', SECRET)}"}),
        gives={"values": ["ada"]},
    ),
    "request.Request.cookie_secrets": Handled(
        ask=Ask(headers={"cookie": f"user=s%3A{_cookies.sign('ada', 'old secret')}"}),
        gives={"req.cookie_secrets": ("new secret", "old secret"), "req.signed_cookies": {"user": "ada"}},
    ),
    "request.Request.session": Handled(
        through=sessions, gives={"dict(req.session)": {"user": "ada"}, "'set-cookie' in answer.headers": True}
    ),
    "request.Request.actor": Handled(through=tokens, gives={"values": ["ada"]}),
    "request.Request.security_scope": Handled(through=tokens, gives={"values": [1]}),
    "middleware._session_data.SessionData.regenerate": Handled(
        through=lambda: [*sessions(), lambda req, res, next: (req.session.update(cart=[1]), next())[1]],
        names=lambda: {"user": type("User", (), {"id": 7})},
        gives={"dict(req.session)": {"user": 7}, "'set-cookie' in answer.headers": True},
    ),
}
