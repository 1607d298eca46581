"""Express's examples "cookies" and "cookie-sessions": what a browser is to remember."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_express import Express, cookie_parser, urlencoded
from asgi_express.middleware import Session
from tests.asgi import Answer, ask

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def remembering() -> Express:
    app = Express()
    app.use(cookie_parser("my secret here"), urlencoded())

    @app.get("/")
    def shown(req: Any, res: Any) -> None:
        if "remember" in req.cookies:
            res.send('Remembered :). Click to <a href="/forget">forget</a>!')
        else:
            res.send('<form method="post"><input type="checkbox" name="remember"/></form>')

    app.get("/forget", lambda req, res: res.clear_cookie("remember").redirect("/"))

    @app.post("/")
    def remember(req: Any, res: Any) -> None:
        if req.body and req.body.get("remember"):
            res.cookie("remember", 1, max_age=60)
        res.redirect(req.get("Referrer") or "/")

    return app


def counting() -> Express:
    app = Express()
    app.use(Session(secret="manny is cool, and so on"))

    @app.get("/")
    def count(req: Any, res: Any) -> None:
        req.session["count"] = req.session.get("count", 0) + 1
        res.send(f"viewed {req.session['count']} times\n")

    return app


def kept(answer: Answer) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


async def test_a_stranger_gets_a_form_and_no_cookie() -> None:
    answer = await ask(remembering())
    assert answer.status == 200
    assert "<form" in answer.text
    assert "set-cookie" not in answer.headers


async def test_who_asks_for_it_is_remembered_until_told_to_forget() -> None:
    app = remembering()
    answer = await ask(app, "/", "POST", headers={**FORM, "Content-Length": "10"}, body=b"remember=1")
    assert answer.status == 302
    assert answer.headers["set-cookie"].startswith("remember=1; Max-Age=60; ")
    assert "Remembered" in (await ask(app, headers=kept(answer))).text
    forgotten = await ask(app, "/forget", headers=kept(answer))
    assert (forgotten.status, forgotten.headers["location"]) == (302, "/")
    assert forgotten.headers["set-cookie"].startswith("remember=; Path=/; Expires=Thu, 01 Jan 1970")


@pytest.mark.parametrize("headers", [{}, FORM])
async def test_without_the_wish_nothing_is_set(headers: dict[str, str]) -> None:
    answer = await ask(remembering(), "/", "POST", headers=headers)
    assert answer.status == 302
    assert "set-cookie" not in answer.headers


async def test_every_visit_is_counted_in_the_cookie() -> None:
    app = counting()
    answer = await ask(app)
    assert (answer.status, answer.text) == (200, "viewed 1 times\n")
    assert answer.headers["set-cookie"].startswith("session=")
    assert (await ask(app, headers=kept(answer))).text == "viewed 2 times\n"
    assert (await ask(app)).text == "viewed 1 times\n"
