"""Answers, part 2: jsonp, format, links, cookies, redirects, hints, settings. The tables are answers of Express."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from asgi_express import Express, HeadersSentError, HTTPError, Request, Response, Router
from asgi_express._headers import HeaderValueError
from asgi_express.cookies import cookie_parser
from tests.asgi import Answer, ask
from tests.cases import rows

CONTROLS = ["\r\n", "\n", "\r", "\0", "\x7f", "\x1b"]


async def answered(
    write: Callable[[Response], object], settings: dict[str, Any] | None = None, secret: Any = None, **asked: Any
) -> Answer:
    """Return what the client gets when a handler writes something."""
    app = Express()
    for name, value in (settings or {}).items():
        app.set(name, value)
    if secret:
        app.use(cookie_parser(secret))

    @app.use
    def handler(req: Request, res: Response) -> None:
        write(res)

    return await ask(app, **asked)


def seen(answer: Answer) -> dict[str, Any]:
    """Return an answer as the tables have it; the order of headers is Express's own affair."""
    headers = [(name.decode(), value.decode()) for name, value in answer.raw_headers if name != b"x-powered-by"]
    return {"status": answer.status, "headers": sorted(headers), "body": answer.text}


def expected(want: dict[str, Any]) -> dict[str, Any]:
    return {**want, "headers": sorted((name, value) for name, value in want["headers"])}


def typed(res: Response, kind: str | None) -> Response:
    return res if kind is None else res.type(kind)


def cookies(answer: Answer) -> list[str]:
    return [value.decode() for name, value in answer.raw_headers if name == b"set-cookie"]


# -- json and jsonp


@pytest.mark.parametrize(("given", "want"), rows("response", "json"))
async def test_json_is_written_as_express_writes_it(given: dict[str, Any], want: dict[str, Any]) -> None:
    answer = await answered(lambda res: typed(res, given["type"]).json(given["value"]), given["settings"])
    assert seen(answer) == expected(want)


@pytest.mark.parametrize(("given", "want"), rows("response", "jsonp"))
async def test_jsonp_is_written_as_express_writes_it(given: dict[str, Any], want: dict[str, Any]) -> None:
    answer = await answered(
        lambda res: typed(res, given["type"]).jsonp(given["value"]), given["settings"], target=given["url"]
    )
    assert seen(answer) == expected(want)


async def test_a_replacer_function_sees_every_member() -> None:
    def replacer(key: str, value: Any) -> Any:
        return "hidden" if key == "password" else value

    answer = await answered(
        lambda res: res.json({"users": [{"name": "ada", "password": "x"}]}), {"json replacer": replacer}
    )
    assert answer.text == '{"users":[{"name":"ada","password":"hidden"}]}'


async def test_the_json_settings_are_those_of_the_application_that_answers() -> None:
    app, child = Express().set("json spaces", 1), Express()
    app.use("/child", child.use(lambda req: [1]))
    app.use(lambda req: [1])
    assert (await ask(app, "/child")).text == "[\n 1\n]"
    child.set("json spaces", 0)
    assert (await ask(app, "/child")).text == "[1]"
    assert (await ask(app)).text == "[\n 1\n]"


@pytest.mark.parametrize("write", [Response.json, Response.jsonp])
async def test_values_of_python_have_their_json_form_and_what_has_none_is_an_error(
    write: Callable[[Response, Any], Any],
) -> None:
    value = {"at": datetime(2026, 1, 2, tzinfo=UTC), "id": UUID(int=7)}
    assert (await answered(lambda res: write(res, value))).text == (
        '{"at":"2026-01-02T00:00:00.000Z","id":"00000000-0000-0000-0000-000000000007"}'
    )
    loop: list[Any] = []
    loop.append(loop)
    for bad in (object(), b"bytes", loop):
        answer = await answered(lambda res: write(res, bad))  # noqa: B023 - used at once
        assert (answer.status, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")


async def test_jsonp_takes_no_callback_from_a_query_that_is_no_mapping() -> None:
    queries: list[Any] = [["callback"], {"callback": []}, {"callback": 7}, None]
    for query in queries:
        answer = await answered(lambda res: res.jsonp(1), {"query parser": lambda _, q=query: q}, target="/?callback=x")
        assert (answer.text, answer.headers["content-type"]) == ("1", "application/json; charset=utf-8")
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["</script><script>alert(1)", "a;b", "a(b)", "a\u2028b", "é", "a\nb", "'\"`${x}"])
async def test_a_hostile_callback_keeps_only_the_letters_of_a_name(name: str) -> None:
    answer = await answered(lambda res: res.jsonp({}), {"query parser": lambda _: {"callback": name}})
    assert re.fullmatch(r"/\*\*/ typeof ([\w.$\[\]]*) === 'function' && \1\(\{\}\);", answer.text, re.ASCII)


# -- format


@pytest.mark.parametrize(("given", "want"), rows("response", "format"))
async def test_the_form_is_the_one_that_express_picks(given: dict[str, Any], want: dict[str, Any]) -> None:
    def write(res: Response) -> None:
        if given["vary"]:
            res.vary(given["vary"])
        res.format({kind: lambda req, res, kind=kind: res.send(kind) for kind in given["keys"]})

    answer = await answered(write, headers={} if given["accept"] is None else {"accept": given["accept"]})
    if want["status"] == 406:
        assert (answer.status, answer.headers["vary"]) == (406, want["headers"][0][1])
        assert "<pre>Not Acceptable</pre>" in answer.text
    else:
        assert seen(answer) == expected(want)


async def test_the_error_of_a_form_that_nobody_offers_lists_the_types_on_offer() -> None:
    app = Express()
    app.get("/", lambda req, res: res.format({"html": lambda: "x", "text/plain;a": lambda: "y", "odd": lambda: "z"}))

    @app.use
    def shown(err: Any, req: Request, res: Response, next: Any) -> None:
        res.status(err.status).json(err.types)

    answer = await ask(app, headers={"accept": "image/png"})
    assert (answer.status, answer.json) == (406, ["text/html", "text/plain", "application/octet-stream"])


async def later(req: Request, res: Response) -> None:
    res.send(f"later {req.path}")


async def later_value() -> dict[str, int]:
    return {"a": 1}


async def later_awaited(req: Request, res: Response) -> None:
    await res.send("pushed")


async def later_failing() -> None:
    raise HTTPError(409)


def failing() -> None:
    raise HTTPError(409)


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (lambda: "value", 200, "value"),
        (lambda req: req.path, 200, "/"),
        (lambda req, res: res.send("sent"), 200, "sent"),
        (lambda req, res, extra="x": res.send(extra), 200, "x"),
        (lambda req, res: res.status(201).send("made"), 201, "made"),
        (later, 200, "later /"),
        (later_value, 200, '{"a":1}'),
        (later_awaited, 200, "pushed"),
        (later_failing, 409, None),
        (failing, 409, None),
        (lambda: None, 500, None),
    ],
)
async def test_a_form_is_written_by_any_shape_of_function(answer: Any, status: int, text: str | None) -> None:
    got = await answered(lambda res: res.format({"default": answer}))
    assert got.status == status
    assert text is None or got.text == text


async def test_only_the_function_of_the_chosen_form_is_called() -> None:
    called: list[str] = []

    def form(name: str) -> Callable[[], str]:
        def write() -> str:
            called.append(name)
            return name

        return write

    await answered(lambda res: res.format({kind: form(kind) for kind in ("html", "json", "default")}))
    assert called == ["html"]


async def test_a_form_may_call_another() -> None:
    def write(res: Response) -> None:
        forms: dict[str, Callable[[], Any]] = {
            "json": lambda: res.send("json"),
            "default": lambda: (res.set("X-Default", "1"), forms["json"]())[1],
        }
        res.format(forms)

    answer = await answered(write, headers={"accept": "text/plain"})
    assert (answer.status, answer.headers["x-default"], answer.text) == (200, "1", "json")


async def test_what_was_left_to_an_async_form_cannot_be_answered_twice() -> None:
    def write(res: Response) -> None:
        res.format({"default": later})
        with pytest.raises(HeadersSentError):
            res.send("again")

    assert (await answered(write)).text == "later /"


# -- links


@pytest.mark.parametrize(("given", "want"), rows("response", "links"))
async def test_links_are_written_as_express_writes_them(given: dict[str, Any], want: list[list[str]]) -> None:
    def write(res: Response) -> None:
        for call in given["calls"]:
            if isinstance(call, dict):
                res.links(call)
            else:
                how, _, text = call.partition(":")
                res.set("Link", text.split("|") if how == "list" else text)
        res.end()

    (_, link), *_ = want
    assert (await answered(write)).headers["link"] == link.replace('>; rel="y",<z>', '>; rel="y", <z>')


@pytest.mark.parametrize(
    "links",
    [
        {"next": "/a>; rel=evil"},
        {"next": "/<a"},
        {'next"; x="': "/a"},
        *({"next": f"/a{bad}b"} for bad in CONTROLS),
        *({f"ne{bad}xt": "/a"} for bad in CONTROLS),
        {"next": ["/ok", "/a>"]},
        {"next": "/€"},
    ],
)
async def test_a_link_that_would_break_out_of_its_header_is_refused(links: dict[str, Any]) -> None:
    def write(res: Response) -> None:
        with pytest.raises(HeaderValueError):
            res.links(links)
        assert res.get("Link") is None
        res.end()

    assert (await answered(write)).status == 200


# -- cookies


def snake(options: dict[str, Any]) -> dict[str, Any]:
    names = {"httpOnly": "http_only", "sameSite": "same_site", "maxAge": "max_age"}
    return {names.get(name, name): value for name, value in options.items()}


@pytest.mark.parametrize(("given", "want"), rows("response", "cookie"))
async def test_a_cookie_is_set_as_express_sets_it(given: dict[str, Any], want: list[str]) -> None:
    def write(res: Response) -> None:
        res.cookie(given["name"], given["value"], **snake(given["options"])).end()

    assert cookies(await answered(write, secret=given["secret"])) == want


@pytest.mark.parametrize(("given", "want"), rows("response", "clear_cookie"))
async def test_a_cookie_is_cleared_as_express_clears_it(given: dict[str, Any], want: list[str]) -> None:
    options = snake(given["options"])
    if "expires" in options:
        options["expires"] = datetime(2001, 9, 9, tzinfo=UTC)

    def write(res: Response) -> None:
        res.clear_cookie("a", **options).end()

    assert cookies(await answered(write, secret=given["secret"])) == want


@pytest.mark.parametrize("value", ["text", "j:text", {"a": [1, None]}, [], {}, "", "é;,\"'\\ %"])
async def test_a_cookie_comes_back_as_it_was_set(value: Any) -> None:
    for signed in (False, True):
        app = Express().use(cookie_parser("secret"))
        app.get("/set", lambda req, res: res.cookie("a", value, signed=signed).end())  # noqa: B023 - used at once
        app.get("/get", lambda req: [req.cookies.get("a"), req.signed_cookies.get("a")])
        (cookie,) = cookies(await ask(app, "/set"))
        back = (await ask(app, "/get", headers={"cookie": cookie.partition(";")[0]})).json
        assert back == ([None, value] if signed else [value, None])


@pytest.mark.parametrize("max_age", [90, 90.9, "90s", "1.5m", timedelta(seconds=90)])
async def test_the_age_of_a_cookie_is_a_duration_and_sets_its_end(max_age: Any) -> None:
    before = datetime.now(UTC)
    (cookie,) = cookies(await answered(lambda res: res.cookie("a", "b", max_age=max_age, expires=0).end()))
    head, _, end = cookie.partition("; Expires=")
    assert head == "a=b; Max-Age=90; Path=/"
    expires = datetime.strptime(end, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    assert timedelta(seconds=88) < expires - before < timedelta(seconds=95)


async def test_every_cookie_has_its_own_line() -> None:
    answer = await answered(lambda res: res.cookie("a", "1").cookie("b", "2").clear_cookie("c").end())
    assert [cookie.partition("=")[0] for cookie in cookies(answer)] == ["a", "b", "c"]


async def test_a_value_may_be_encoded_by_a_function_that_stays_within_the_grammar() -> None:
    assert cookies(await answered(lambda res: res.cookie("a", "b c", encode=lambda v: v.replace(" ", "+")).end())) == [
        "a=b+c; Path=/"
    ]

    def write(res: Response) -> None:
        with pytest.raises(ValueError, match="argument val is invalid"):
            res.cookie("a", "b; Domain=evil", encode=str)
        res.end()

    assert cookies(await answered(write)) == []


@pytest.mark.parametrize("method", [Response.cookie, Response.clear_cookie])
@pytest.mark.parametrize("bad", [*CONTROLS, "; Secure"])
@pytest.mark.parametrize("field", ["name", "path", "domain", "same_site", "priority"])
async def test_no_part_of_a_cookie_can_carry_another(method: Any, bad: str, field: str) -> None:
    def write(res: Response) -> None:
        name, options = (f"a{bad}", {}) if field == "name" else ("a", {field: f"x{bad}"})
        with pytest.raises(ValueError, match="is invalid"):
            method(res, name, *(["v"] if method is Response.cookie else []), **options)
        assert res.get("Set-Cookie") is None
        res.end()

    assert (await answered(write)).status == 200


@pytest.mark.parametrize("value", [object(), float("nan"), {"a": float("inf")}, b"x"])
async def test_a_value_that_no_cookie_can_hold_is_an_error(value: Any) -> None:
    assert (await answered(lambda res: res.cookie("a", value).end())).status == 500


@pytest.mark.parametrize("method", [Response.cookie, Response.clear_cookie])
async def test_signing_without_a_secret_says_what_is_missing(method: Any) -> None:
    app = Express(env="development")
    app.get("/", lambda req, res: method(res, "a", *(["v"] if method is Response.cookie else []), signed=True).end())
    answer = await ask(app, headers={"accept": "application/json"})
    assert answer.status == 500
    assert answer.json["message"] == 'cookie_parser("secret") required for signed cookies'


# -- redirects


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/home?x=1#y", "/home?x=1#y"),
        ("home", "home"),
        ("https://own.test/x", "https://own.test/x"),
        ("https://OWN.test:8080/x", "/"),
        ("https://evil.test/", "/"),
        ("//evil.test", "/"),
        ("/\\evil.test", "/"),
        ("\\\\evil.test", "/"),
        ("/\t/evil.test", "/"),
        ("https:evil.test", "/"),
        ("https:///evil.test", "/"),
        ("https://own.test@evil.test/", "/"),
        ("https://own.test\\@evil.test/", "/"),
        ("https://own.test.evil.test/", "/"),
        ("javascript:alert(1)", "/"),
        ("JaVaScRiPt:alert(1)", "/"),
        ("data:text/html,x", "/"),
        (" https://evil.test", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("", "/"),
    ],
)
async def test_a_safe_redirect_stays_here_or_on_an_allowed_host(url: str, location: str) -> None:
    answer = await answered(lambda res: res.safe_redirect(url, allowed_hosts=["own.test"]))
    assert (answer.status, answer.headers["location"]) == (302, location)


async def test_a_safe_redirect_has_a_status_and_a_fallback() -> None:
    answer = await answered(lambda res: res.safe_redirect("//evil.test", 303, fallback="/login"))
    assert (answer.status, answer.headers["location"]) == (303, "/login")


# -- early hints


async def test_early_hints_go_ahead_of_the_answer_where_the_server_can() -> None:
    links = ["</style.css>; rel=preload; as=style", "</x.js>; rel=preload"]
    told: list[bool] = []
    app = Express()

    @app.get("/")
    async def handler(req: Request, res: Response) -> None:
        told.append(await res.early_hints(*links))
        res.send("x")

    answer = await ask(app, extensions={"http.response.early_hint": {}})
    assert answer.messages[0] == {"type": "http.response.early_hint", "links": [link.encode() for link in links]}
    assert answer.text == "x"
    unable: list[dict[str, Any]] = [{"extensions": None}, {}]
    for more in unable:
        assert (await ask(app, **more)).messages[0]["type"] == "http.response.start"
    assert told == [True, False, False]


async def test_early_hints_are_checked_and_come_before_the_answer() -> None:
    app = Express()

    @app.get("/")
    async def handler(req: Request, res: Response) -> None:
        with pytest.raises(HeaderValueError):
            await res.early_hints("</a>\r\nX: y")
        res.send("x")
        with pytest.raises(HeadersSentError):
            await res.early_hints("</a>")

    answer = await ask(app, extensions={"http.response.early_hint": {}})
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]


# -- entity tags


@pytest.mark.parametrize(("given", "want"), rows("response", "etag"))
async def test_the_entity_tag_is_that_of_express(given: dict[str, Any], want: list[str]) -> None:
    def write(res: Response) -> None:
        if given["own"]:
            res.set("ETag", given["own"])
        res.send(given["body"])

    answer = await answered(write, {"etag": given["etag"]})
    assert [value.decode() for name, value in answer.raw_headers if name == b"etag"] == want


async def test_a_function_makes_the_entity_tag_of_the_bytes_that_are_sent() -> None:
    given: list[bytes] = []

    def tag(content: bytes) -> str:
        given.append(content)
        return '"mine"'

    for body in ("é", b"\xe9", {"a": 1}, None):
        answer = await answered(lambda res: res.send(body), {"etag": tag})  # noqa: B023 - used at once
        assert answer.headers["etag"] == '"mine"'
    assert given == ["é".encode(), b"\xe9", b'{"a":1}', b""]
    fresh = await answered(lambda res: res.send("é"), {"etag": tag}, headers={"if-none-match": '"mine"'})
    assert (fresh.status, fresh.body) == (304, b"")


@pytest.mark.parametrize("nothing", [None, "", False])
async def test_a_function_may_give_no_entity_tag(nothing: Any) -> None:
    assert "etag" not in (await answered(lambda res: res.send("x"), {"etag": lambda _: nothing})).headers


async def test_an_entity_tag_that_may_not_be_sent_is_an_error() -> None:
    answer = await answered(lambda res: res.send("x"), {"etag": lambda _: '"a"\r\nX: y'})
    assert answer.status == 500
    assert "x" not in answer.headers


# -- render


async def test_render_needs_an_application() -> None:
    router = Router()
    router.get("/", lambda req, res: res.render("x"))
    assert (await ask(router)).status == 500


async def test_render_sends_what_the_engine_gives(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("ignored")
    app = Express(views=tmp_path).engine("txt", lambda path, options: f"{Path(path).name} {options['word']}")
    app.get("/", lambda req, res: res.render("page.txt", {"word": "hey"}))
    app.get("/plain", lambda req, res: res.status(201).type("text").render("page.txt", {"word": "é"}))

    @app.get("/awaited")
    async def awaited(req: Request, res: Response) -> None:
        await res.render("page.txt", {"word": "now"})
        assert res.finished
        with pytest.raises(HeadersSentError):
            res.render("page.txt")

    page = await ask(app)
    assert (page.status, page.text, page.headers["content-type"]) == (200, "page.txt hey", "text/html; charset=utf-8")
    assert page.headers["etag"].startswith('W/"')
    plain = await ask(app, "/plain")
    assert (plain.status, plain.text, plain.headers["content-type"]) == (201, "page.txt é", "text/plain; charset=utf-8")
    assert (await ask(app, "/awaited")).text == "page.txt now"
    head = await ask(app, "/", "HEAD")
    assert (head.body, head.headers["content-length"]) == (b"", "12")
    assert (await ask(app, headers={"if-none-match": page.headers["etag"]})).status == 304
