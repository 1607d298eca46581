"""``cookie_parser``: the secrets that cookies are signed with."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_express import Express, Request, Response, Router
from asgi_express._cookies import sign
from asgi_express.cookies import cookie_parser
from tests.asgi import ask


def reader(*secrets: Any) -> Express:
    """Return an application that answers with the cookies of the request, and with those that are signed."""
    app = Express()
    for each in secrets:
        app.use(cookie_parser(each))
    return app.use(lambda req: [req.cookies, req.signed_cookies, list(req.cookie_secrets)])


@pytest.mark.parametrize(
    ("secrets", "kept"),
    [("one", ["one"]), (["new", "old"], ["new", "old"]), (("new", "old"), ["new", "old"]), ("é❤", ["é❤"])],
)
async def test_secrets_are_one_text_or_several(secrets: Any, kept: list[str]) -> None:
    headers = {"cookie": f"a=1; s=s:{sign('x', kept[-1])}"}
    assert (await ask(reader(secrets), headers=headers)).json == [{"a": "1"}, {"s": "x"}, kept]


@pytest.mark.parametrize(
    ("secrets", "error", "words"),
    [
        ("", ValueError, "a secret must not be empty"),
        ([], ValueError, "a secret must not be empty"),
        (["new", ""], ValueError, "a secret must not be empty"),
        (b"bytes", TypeError, "a secret must be text"),
        ([b"bytes"], TypeError, r"a secret must be text, got \['bytes'\]"),
        (["new", None], TypeError, r"got \['str', 'NoneType'\]"),
        ([7], TypeError, r"got \['int'\]"),
        (None, TypeError, r"got \['NoneType'\]"),
        (7, TypeError, r"got \['int'\]"),
        ({"unordered"}, TypeError, r"got \['set'\]"),
    ],
)
def test_what_is_no_secret_is_refused_before_any_request(secrets: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        cookie_parser(secrets)


async def test_without_it_signed_cookies_are_text_that_nobody_vouches_for() -> None:
    value = f"s:{sign('x', 'secret')}"
    assert (await ask(reader(), headers={"cookie": f"s={value}"})).json == [{"s": value}, {}, []]


async def test_the_first_secret_signs_and_all_are_accepted() -> None:
    app = Express().use(cookie_parser(["new", "old"]))
    app.get("/", lambda req, res: res.cookie("s", "x", signed=True).end())
    cookie = (await ask(app)).headers["set-cookie"].partition(";")[0]
    assert (await ask(reader("new"), headers={"cookie": cookie})).json[1] == {"s": "x"}
    assert (await ask(reader("old"), headers={"cookie": cookie})).json[1] == {"s": False}


async def test_the_secrets_hold_for_what_follows_and_for_mounted_applications() -> None:
    headers = {"cookie": f"s=s:{sign('x', 'secret')}"}
    app = Express()
    app.get("/before", lambda req: req.signed_cookies)
    app.use("/child", cookie_parser("secret"), Express().use(lambda req: req.signed_cookies))
    app.use("/router", Router().use(cookie_parser("secret")).use(lambda req: req.signed_cookies))
    app.use(lambda req: req.signed_cookies)
    assert (await ask(app, "/before", headers=headers)).json == {}
    assert (await ask(app, "/child/x", headers=headers)).json == {"s": "x"}
    assert (await ask(app, "/router/x", headers=headers)).json == {"s": "x"}
    assert (await ask(app, "/after", headers=headers)).json == {}


async def test_the_last_of_several_parsers_counts_and_the_list_is_its_own() -> None:
    secrets = ["mine"]
    app = reader("other", secrets)
    secrets.append("added later")
    answer = await ask(app, headers={"cookie": f"s=s:{sign('x', 'mine')}; t=s:{sign('x', 'other')}"})
    assert answer.json == [{}, {"s": "x", "t": False}, ["mine"]]


@pytest.mark.parametrize(
    "value",
    [
        "s:",
        "s:.",
        "s:x",
        "s:x.",
        "s:.x",
        "s:x.y.z",
        "s:%ff.%ff",
        "s:%F0%9F%92%A3.%F0%9F%92%A3",
        "s:x." + "A" * 43,
        "s:x." + "A" * 60_000,
        "s:" + "." * 60_000,
        "s:j:" + "[" * 60_000 + ".x",
        "s:\xe9.\xff",
    ],
    ids=lambda value: value[:12].encode("ascii", "backslashreplace").decode(),
)
async def test_a_forged_cookie_is_false_never_an_error(value: str) -> None:
    answer = await ask(reader("secret"), headers={"cookie": f"a={value}; b=1"})
    assert answer.json[:2] == [{"b": "1"}, {"a": False}]


async def test_a_signature_of_another_value_does_not_fit() -> None:
    mac = sign("admin=0", "secret").rpartition(".")[2]
    for value in ("admin=1", "admin=0 ", "", "admin=0."):
        answer = await ask(reader("secret"), headers={"cookie": f"a=s:{value}.{mac}"})
        assert answer.json[1]["a"] is False, value


async def test_a_signed_json_cookie_is_read_only_where_the_signature_fits() -> None:
    value = 'j:{"admin":true}'
    good = sign(value, "secret")
    answer = await ask(reader("secret"), headers={"cookie": f"good=s:{good}; bad=s:{value}.x; plain={value}"})
    assert answer.json[:2] == [{"plain": {"admin": True}}, {"good": {"admin": True}, "bad": False}]


async def test_it_goes_on_and_answers_nothing_itself() -> None:
    called: list[Any] = []

    app = Express().use(cookie_parser("secret"))

    @app.use
    async def around(req: Request, res: Response, next: Any) -> None:
        await next()
        called.append(req.cookie_secrets)

    assert (await ask(app)).status == 404
    assert called == [("secret",)]
