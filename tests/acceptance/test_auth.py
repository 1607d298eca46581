"""Express's example "auth": a login with a password, its session, and a page for those who have logged in."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express, urlencoded
from asgi_express.middleware import Session
from tests.asgi import Answer, ask

LOGIN = "<form method=post>{{ message }}</form>"
SALT = b"salt of tj"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def hashed(password: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), SALT, 10)


USERS = {"tj": hashed("foobar")}


def restrict(req: Any, res: Any, next: Any) -> None:
    """Let those pass who have logged in."""
    if "user" in req.session:
        next()
    else:
        req.session["error"] = "Access denied!"
        res.redirect("/login")


def log_in(req: Any, res: Any) -> None:
    known = USERS.get(req.body["username"])
    if known and hmac.compare_digest(known, hashed(req.body["password"])):
        req.session.regenerate()
        req.session["user"] = req.body["username"]
        res.redirect("/")
    else:
        req.session["error"] = "Authentication failed, please check your username and password."
        res.redirect("/login")


def log_out(req: Any, res: Any) -> None:
    req.session.destroy()
    res.redirect("/")


@pytest.fixture
def app(tmp_path: Path) -> Express:
    (tmp_path / "login.html").write_text(LOGIN)
    app = Express(views=tmp_path, view_engine="html")
    app.use(urlencoded(), Session(secret="shhhh, very secret"))
    app.get("/", lambda req, res: res.redirect("/login"))
    app.get("/login", lambda req, res: res.render("login", {"message": req.session.pop("error", "")}))
    app.post("/login", log_in)
    app.get("/logout", log_out)
    app.get("/restricted", restrict, lambda req, res: res.send("Wahoo! restricted area"))
    return app


async def logging_in(app: Express, username: str, password: str) -> Answer:
    body = f"username={username}&password={password}".encode()
    return await ask(app, "/login", "POST", headers={**FORM, "Content-Length": str(len(body))}, body=body)


def with_cookie_of(answer: Answer) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@pytest.mark.parametrize(("target", "location"), [("/", "/login"), ("/logout", "/"), ("/restricted", "/login")])
async def test_a_stranger_is_sent_to_the_login(app: Express, target: str, location: str) -> None:
    answer = await ask(app, target)
    assert (answer.status, answer.headers["location"]) == (302, location)


async def test_the_login_is_a_form(app: Express) -> None:
    answer = await ask(app, "/login")
    assert answer.status == 200
    assert "<form" in answer.text
    assert "failed" not in answer.text


@pytest.mark.parametrize(("username", "password"), [("not-tj", "foobar"), ("tj", "nogood"), ("tj", "")])
async def test_a_wrong_name_or_password_is_told_once(app: Express, username: str, password: str) -> None:
    refused = await logging_in(app, username, password)
    assert (refused.status, refused.headers["location"]) == (302, "/login")
    shown = await ask(app, "/login", headers=with_cookie_of(refused))
    assert "Authentication failed" in shown.text
    assert "failed" not in (await ask(app, "/login", headers=with_cookie_of(shown))).text
    denied = await ask(app, "/restricted", headers=with_cookie_of(refused))
    assert (denied.status, denied.headers["location"]) == (302, "/login")


async def test_who_has_logged_in_may_pass_until_the_logout(app: Express) -> None:
    welcome = await logging_in(app, "tj", "foobar")
    assert (welcome.status, welcome.headers["location"]) == (302, "/")
    cookie = with_cookie_of(welcome)
    assert (await ask(app, "/restricted", headers=cookie)).text == "Wahoo! restricted area"
    gone = await ask(app, "/logout", headers=cookie)
    assert (await ask(app, "/restricted", headers=with_cookie_of(gone))).status == 302
