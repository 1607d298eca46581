"""Tokens against cross-site request forgery."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_express import MisuseError
from asgi_express.actions import Actions, capture_errors_json, csrf
from tests.asgi import Answer, ask

SECRET = "a secret of many characters"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def made(secret: Any = SECRET, **options: Any) -> Actions:
    app = Actions(secret=secret, **options)
    app.get("/token", lambda self: csrf.generate_token(self, self.params.get("data")))

    @app.post("/token")
    @capture_errors_json
    def check(self: Any) -> Any:
        csrf.assert_token(self)
        return {"json": [csrf.validate_token(self), csrf.token_problem(self, lambda data: data == "7")]}

    return app


async def token_of(app: Actions, target: str = "/token", **more: Any) -> tuple[str, str, Answer]:
    got = await ask(app, target, **more)
    return got.text, got.headers["set-cookie"].partition(";")[0], got


async def posted(app: Actions, token: str, cookie: str, **headers: str) -> Any:
    got = await ask(app, "/token", "POST", headers={**FORM, "cookie": cookie, **headers}, body=token.encode())
    return got.json


async def test_a_token_of_this_site_is_right() -> None:
    app = made()
    token, cookie, got = await token_of(app)
    assert got.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")
    assert await posted(app, f"csrf_token={token}", cookie) == [True, "csrf: failed check"]
    assert await posted(app, "", cookie, **{"x-csrf-token": token}) == [True, "csrf: failed check"]


async def test_a_token_holds_data_that_a_check_sees() -> None:
    app = made()
    token, cookie, _ = await token_of(app, "/token?data=7")
    assert await posted(app, f"csrf_token={token}", cookie) == [True, None]


async def test_the_cookie_is_set_once_and_over_tls_it_is_secure() -> None:
    app = made()
    _, cookie, _ = await token_of(app)
    assert "set-cookie" not in (await ask(app, "/token", headers={"cookie": cookie})).headers
    _, _, got = await token_of(app, scheme="https")
    assert "; Secure" in got.headers["set-cookie"]


async def test_everything_else_is_wrong_and_says_how() -> None:
    app = made()
    token, cookie, _ = await token_of(app)
    other_token, other_cookie, _ = await token_of(app)
    foreign = (await ask(made("another secret of many"), "/token", headers={"cookie": cookie})).text
    wrong = {
        ("", cookie): "missing csrf token",
        ("csrf_token", cookie): "missing csrf token",
        (f"csrf_token={token}", "a=b"): "csrf: missing token cookie",
        ("csrf_token=x", cookie): "csrf: invalid signature",
        (f"csrf_token={token}x", cookie): "csrf: invalid signature",
        (f"csrf_token={foreign}", cookie): "csrf: invalid signature",
        (f"csrf_token={other_token}", cookie): "csrf: token mismatch",
        (f"csrf_token={token}", other_cookie): "csrf: token mismatch",
    }
    for (body, with_cookie), words in wrong.items():
        assert await posted(app, body, with_cookie) == {"errors": [words]}


async def test_a_session_cookie_is_no_token() -> None:
    app = made()

    @app.match("/session")
    def start(self: Any) -> str:
        self.session["k"] = "chosen"
        return ""

    session = (await ask(app, "/session")).headers["set-cookie"].partition("=")[2].partition(";")[0]
    answer = await posted(app, f"csrf_token={session}", "lapis_session_token=chosen")
    assert answer == {"errors": ["csrf: invalid signature"]}


async def test_secrets_rotate() -> None:
    old, new = made(), made(["another secret of many", SECRET])
    token, cookie, _ = await token_of(old)
    assert (await posted(new, f"csrf_token={token}", cookie))[0] is True


async def test_tokens_take_a_secret() -> None:
    app = Actions(raise_errors=True)
    app.match("/", lambda self: csrf.generate_token(self))
    app.match("/check", lambda self: str(csrf.validate_token(self)))
    for path in ("/", "/check"):
        with pytest.raises(MisuseError, match="CSRF tokens are signed, which takes a secret"):
            await ask(app, path)
