"""The request object: parameters, cookies, session, addresses, and ``write``."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_express import Express, MisuseError, Router, UrlError
from asgi_express.actions import ActionRequest, Actions, json_params, respond_to
from asgi_express.actions._params import add_params, query_params
from tests.asgi import Answer, ask

SECRET = "a secret of many characters"
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def answered(action: Any, target: str = "/x", method: str = "GET", **more: Any) -> Answer:
    """Ask an app that has one action for ``/:id``."""
    app = Actions(secret=SECRET)
    app.match("x", "/:id", action)
    return await ask(app, target, method, **more)


# -- parameters


async def test_params_are_the_query_then_the_form_then_the_path() -> None:
    def show(self: Any) -> Any:
        return {"json": [self.params, self.GET, self.POST, self.url_params]}

    got = await answered(show, "/path?id=query&a=query&b=query", "POST", headers=FORM, body=b"id=form&a=form&c=form")
    query = {"id": "query", "a": "query", "b": "query"}
    form = {"id": "form", "a": "form", "c": "form"}
    assert got.json == [{"id": "path", "a": "form", "b": "query", "c": "form"}, query, form, {"id": "path"}]


async def test_a_multipart_form_is_read_and_a_file_is_an_object() -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="n.txt"\r\nContent-Type: text/plain\r\n\r\nhi\r\n'
        b"--b--\r\n"
    )

    async def show(self: Any) -> Any:
        file = self.params["f"]
        return {"json": [self.params["a"], file.filename, file.content_type, (await file.read()).decode()]}

    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert (await answered(show, method="POST", headers=headers, body=body)).json == [
        "1",
        "n.txt",
        "text/plain",
        "hi",
    ]


async def test_a_form_that_is_broken_is_the_client_s_fault() -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert (await answered(lambda self: "x", method="POST", headers=headers, body=b"--b\r\n")).status == 400


QUERIES: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("a=1&b=2", {"a": "1", "b": "2"}),
    ("a=1&a=2", {"a": "2"}),
    ("flag&a=", {"flag": True, "a": ""}),
    ("a+b=c%20d%26", {"a b": "c d&"}),
    ("a=%FF", {"a": "\ufffd"}),
    ("&&a=1&", {"a": "1"}),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_a_query_is_read_flatly_and_the_last_of_a_name_counts(query: str, expected: dict[str, Any]) -> None:
    assert query_params(query) == expected


def test_no_more_than_a_thousand_parameters_of_a_query_count() -> None:
    assert len(query_params("&".join(f"a{number}=1" for number in range(5000)))) == 1000


NESTED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"a[b]": "1", "a[c][d]": "2"}, {"a": {"b": "1", "c": {"d": "2"}}}),
    ({"a": "1", "a[b]": "2"}, {"a": {"b": "2"}}),
    ({"a[b]": "1", "a": "2"}, {"a": "2"}),
    ({"a[]": "1"}, {"a[]": "1"}),
    ({"a[b": "1", "[a]": "2", "a]b": "3"}, {"a[b": "1", "[a]": "2", "a]b": "3"}),
    ({"a[__class__][x]": "1"}, {"a": {"__class__": {"x": "1"}}}),
    ({"a" + "[b]" * 20: "1"}, {"a" + "[b]" * 20: "1"}),
]


@pytest.mark.parametrize(("given", "expected"), NESTED)
def test_brackets_nest(given: dict[str, Any], expected: dict[str, Any]) -> None:
    params: dict[str, Any] = {}
    add_params(params, given)
    assert params == expected


def test_what_comes_later_joins_what_is_nested_already() -> None:
    params: dict[str, Any] = {}
    add_params(params, {"a[b]": "1"})
    add_params(params, {"a[c]": "2"})
    assert params == {"a": {"b": "1", "c": "2"}}


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (
            "application/json",
            b'{"a": 1, "id": "json", "b[c]": 2}',
            [{"id": "path", "q": "1", "a": 1, "b": {"c": 2}}, 3],
        ),
        ("application/json; charset=utf-8", b"[1, 2]", [{"id": "path", "q": "1"}, 2]),
        ("text/plain", b'{"a": 1}', [{"id": "path", "q": "1"}, 0]),
    ],
)
async def test_json_params_reads_a_json_body(kind: str, body: bytes, expected: list[Any]) -> None:
    def show(self: Any) -> Any:
        return {"json": [self.params, len(self.json or ())]}

    got = await answered(json_params(show), "/path?q=1", "POST", headers={"content-type": kind}, body=body)
    assert got.json == expected


async def test_json_params_answers_a_broken_body_with_400() -> None:
    got = await answered(
        json_params(lambda self: "x"), method="POST", headers={"content-type": "application/json"}, body=b"{"
    )
    assert got.status == 400


# -- req, res, app


async def test_req_is_the_raw_request() -> None:
    async def show(self: Any) -> Any:
        req, url = self.req, self.req.parsed_url
        return {
            "json": [
                *(req.method, req.headers["X-A"], req.cmd_url, req.request_uri, req.params_get, req.params_post),
                *(url.scheme, url.host, url.port, url.path, url.query),
                *(await req.read_body_as_string(), req.ip, hasattr(req, "__nothing__")),
            ]
        }

    headers = {**FORM, "host": "localhost:8080", "x-a": "1"}
    got = await answered(show, "/a%20b?x=1", "POST", headers=headers, body=b"y=2")
    raw = ["POST", "1", "/a%20b?x=1", "/a%20b?x=1", {"x": "1"}, {"y": "2"}]
    assert got.json == [*raw, "http", "localhost", 8080, "/a%20b", "x=1", "y=2", "127.0.0.1", False]


@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        ("/x", "example.org", ["example.org", None, "/x", None]),
        ("/x?", "example.org", ["example.org", None, "/x", None]),
        ("/x", "[::1]:80", ["[::1]", 80, "/x", None]),
        ("/x", "example.org:http", ["example.org", None, "/x", None]),
        ("http://other.org/x?y", "example.org", ["example.org", None, "/x", "y"]),
    ],
)
async def test_parsed_url_has_the_parts(target: str, host: str, expected: list[Any]) -> None:
    got = await answered(lambda self: {"json": self.req.parsed_url[1:]}, target, headers={"host": host})
    assert got.json == expected


async def test_parsed_url_has_no_host_where_the_request_has_none() -> None:
    assert (await answered(lambda self: {"json": self.req.parsed_url})).json == ["http", None, None, "/x", None]


async def test_res_and_app_are_at_hand() -> None:
    def show(self: Any) -> Any:
        self.res.set("X-A", "1")
        return type(self.app).__name__

    got = await answered(show)
    assert (got.text, got.headers["x-a"]) == ("Actions", "1")


# -- cookies


async def test_cookies_are_read_and_what_is_assigned_is_sent() -> None:
    def show(self: Any) -> Any:
        cookies = self.cookies
        cookies["foo"] = "bar; baz"
        cookies["new"] = "1"
        del cookies["old"]
        return {"json": [dict(cookies), len(cookies), "old" in cookies, cookies.get("old"), repr(cookies)]}

    got = await answered(show, headers={"cookie": "foo=1; old=2; kept=a%20b"})
    assert got.json == [
        {"foo": "bar; baz", "kept": "a b", "new": "1"}, 3, False, None, "<cookies: 'foo', 'kept', 'new'>",
    ]  # fmt: skip
    sent = [value.decode() for name, value in got.raw_headers if name == b"set-cookie"]
    assert sent == [
        "foo=bar%3B%20baz; Path=/; HttpOnly",
        "new=1; Path=/; HttpOnly",
        "old=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly",
    ]


async def test_cookies_that_are_only_read_are_not_sent() -> None:
    got = await answered(lambda self: self.cookies["a"] + repr(self.cookies), headers={"cookie": "a=1"})
    assert (got.text, "set-cookie" in got.headers) == ("1<cookies: 'a'>", False)
    assert (await answered(lambda self: repr(self.cookies))).text == "<cookies: none>"


async def test_a_cookie_is_text_and_one_that_is_not_there_cannot_be_deleted() -> None:
    def show(self: Any) -> str:
        with pytest.raises(TypeError, match=r"cookies\['a'\]: a cookie is text, not 7"):
            self.cookies["a"] = 7
        with pytest.raises(KeyError):
            del self.cookies["b"]
        return "checked"

    assert (await answered(show)).text == "checked"


async def test_cookie_attributes_are_text_a_mapping_or_nothing() -> None:
    app = Actions()

    @app.match("/")
    def home(self: Any) -> str:
        self.cookies.update(text="1", mapping="2", nothing="3", empty="4")
        return ""

    def cookie_attributes(self: Any, name: str, value: str) -> Any:
        assert (self.route_pattern, value.isdigit()) == ("/", True)
        return {"text": "Max-Age=60; Path=/", "mapping": {"max_age": 60, "secure": True}, "empty": ""}.get(name)

    app.cookie_attributes = cookie_attributes
    got = await ask(app, "/")
    sent = [value.decode() for name, value in got.raw_headers if name == b"set-cookie"]
    assert sent[0] == "text=1; Max-Age=60; Path=/"
    assert sent[1].startswith("mapping=2; Max-Age=60; Path=/; Expires=")
    assert sent[1].endswith("Secure")
    assert sent[2:] == ["nothing=3; Path=/", "empty=4"]


@pytest.mark.parametrize(
    ("attributes", "sent"),
    [
        (None, "a=; Path=/; Expires={}"),
        ({"path": "/shop", "domain": "example.com", "max_age": 60}, "a=; Domain=example.com; Path=/shop; Expires={}"),
        ("Expires=Sun, 01 Jan 2040 00:00:00 GMT; Max-Age=9; Path=/shop; Secure", "a=; Expires={}; Path=/shop; Secure"),
        ("", "a=; Expires={}"),
    ],
)
async def test_a_cookie_is_forgotten_with_the_path_and_domain_it_was_set_with(attributes: Any, sent: str) -> None:
    app = Actions()
    app.cookie_attributes = lambda self, name, value: attributes

    @app.match("/")
    def home(self: Any) -> None:
        del self.cookies["a"]

    got = await ask(app, "/", headers={"cookie": "a=1"})
    assert got.headers["set-cookie"] == sent.format("Thu, 01 Jan 1970 00:00:00 GMT")


async def test_attributes_cannot_smuggle_in_a_header() -> None:
    app = Actions()
    app.cookie_attributes = lambda self, name, value: "Path=/\r\nX-Evil: 1"

    @app.match("/")
    def home(self: Any) -> str:
        self.cookies["a"] = "1"
        return ""

    assert (await ask(app, "/")).status == 500


# -- session


def session_cookie(answer: Answer) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


async def test_a_session_is_signed_and_kept_between_requests() -> None:
    def count(self: Any) -> Any:
        self.session["count"] = self.session.get("count", 0) + 1
        return {"json": self.session["count"]}

    app = Actions(secret=SECRET)
    app.match("/", count)
    first = await ask(app, "/")
    cookie = session_cookie(first)
    assert cookie.startswith("lapis_session=")
    assert (await ask(app, "/", headers={"cookie": cookie})).json == 2
    forged = cookie[:-2] + ("A" if cookie[-2] != "A" else "B") + cookie[-1]
    assert (await ask(app, "/", headers={"cookie": forged})).json == 1


async def test_what_changes_deep_inside_a_session_is_saved() -> None:
    def add(self: Any) -> Any:
        self.session.setdefault("list", {"items": []})["items"].append(1)
        return {"json": self.session["list"]["items"]}

    app = Actions(secret=SECRET)
    app.match("/", add)
    second = await ask(app, "/", headers={"cookie": session_cookie(await ask(app, "/"))})
    third = await ask(app, "/", headers={"cookie": session_cookie(second)})
    assert third.json == [1, 1, 1]


async def test_secrets_rotate_and_the_cookie_has_the_name_that_was_chosen() -> None:
    def user(self: Any) -> Any:
        if "set" in self.params:
            self.session["user"] = "ada"
        return {"json": self.session.get("user")}

    old = Actions(secret=SECRET, session_name="site")
    new = Actions(secret=["another secret of many", SECRET], session_name="site", session={"idle": "1h"})
    for app in (old, new):
        app.match("/", user)
    cookie = session_cookie(await ask(old, "/?set"))
    assert cookie.startswith("site=")
    renewed = await ask(new, "/", headers={"cookie": cookie})
    assert renewed.json == "ada"
    assert (await ask(old, "/", headers={"cookie": session_cookie(renewed)})).json is None


async def test_a_session_without_a_secret_is_an_error_and_one_from_around_is_used() -> None:
    app = Actions(raise_errors=True)
    app.match("/", lambda self: self.session["user"])
    with pytest.raises(MisuseError, match="which takes a secret"):
        await ask(app, "/")
    assert (await ask(app, "/", session={"user": "ada"})).text == "ada"


async def test_a_session_is_saved_with_a_redirect() -> None:
    def sign_in(self: Any) -> Any:
        self.session["user"] = "ada"
        return {"redirect_to": "/"}

    got = await answered(sign_in)
    assert (got.status, "lapis_session=" in got.headers["set-cookie"]) == (302, True)


# -- write


class Shout:
    def __call__(self, buffer: list[str]) -> Any:
        return f"<{''.join(buffer)}>"


WRITTEN: list[tuple[Any, str]] = [
    ("text", "text"),
    (None, ""),
    (["a", ("b", None), []], "ab"),
    ({1: "a", 2: ["b"]}, "ab"),
    (lambda buffer: None, ""),
    (["a", Shout(), Shout()], "a<a><a<a>>"),
    (["a", lambda buffer: buffer.clear()], ""),
    (lambda buffer: lambda inner: "deep", "deep"),
]


@pytest.mark.parametrize(("result", "expected"), WRITTEN, ids=map(str, range(len(WRITTEN))))
async def test_what_an_action_returns_is_written(result: Any, expected: str) -> None:
    assert (await answered(lambda self: result)).text == expected


async def test_write_takes_options_and_text_together() -> None:
    def show(self: Any) -> Any:
        self.write("a", {"status": 201}, "b")
        assert (self.buffer, self.options) == (["a", "b"], {"status": 201})
        return {"headers": {"X-A": "1"}, 1: "c"}

    got = await answered(show)
    assert (got.status, got.text, got.headers["x-a"]) == (201, "abc", "1")


async def later() -> str:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (7, r"don't know how to write: \(int\) 7"),
        (b"x", r"don't know how to write: \(bytes\)"),
        ({"jsn": {}}, "there is no render option 'jsn'; there are status, render"),
    ],
)
async def test_other_things_are_refused_with_words(thing: Any, words: str) -> None:
    app = Actions(raise_errors=True)
    app.match("/", lambda self: thing)
    app.match("/later", lambda self: [later])
    with pytest.raises(TypeError, match=words):
        await ask(app, "/")


async def test_an_async_function_cannot_be_written() -> None:
    app = Actions(raise_errors=True)
    waiting: list[Any] = []

    def lazy(buffer: Any) -> Any:
        waiting.append(later())
        return waiting[0]

    app.match("/", lambda self: [lazy])
    with pytest.raises(TypeError, match=r"don't know how to write: \(coroutine\)"):
        await ask(app, "/")
    waiting[0].close()


# -- filters


async def test_a_filter_runs_before_the_action_and_answers_if_it_writes() -> None:
    seen: list[str] = []
    app = Actions(secret=SECRET)

    @app.before_filter
    async def check(self: Any) -> str:
        seen.append(self.route_name)
        if "user" not in self.params:
            self.write({"redirect_to": self.url_for("sign_in")})
        return "what it returns does not matter"

    app.before_filter(lambda self: seen.append("second"))
    app.match("home", "/", lambda self: "home")
    app.match("sign_in", "/sign-in", lambda self: "sign in")
    refused = await ask(app, "/")
    assert (refused.status, refused.headers["location"]) == (302, "/sign-in")
    assert (await ask(app, "/?user")).text == "home"
    assert seen == ["home", "home", "second"]


@pytest.mark.parametrize("place", ["filter", "respond_to"])
async def test_a_filter_that_answers_with_res_keeps_the_action_from_running_as_well(place: str) -> None:
    ran: list[str] = []

    def refuse(self: Any) -> None:
        self.res.status(403).send("not you")

    app = Actions()
    if place == "filter":
        app.before_filter(refuse)
    action = respond_to(GET=lambda self: ran.append("ran"), **({} if place == "filter" else {"before": refuse}))
    app.match("/", action)
    got = await ask(app, "/")
    assert (got.status, got.text, ran) == (403, "not you", [])


# -- addresses


class User:
    """A model."""

    id = 7

    def url_key(self, route_name: str) -> int:
        return self.id

    def url_params(self, request: Any, *args: Any, **values: Any) -> Any:
        return "user", {"user": self, **dict(*args), **values}


class Alias:
    def __init__(self, of: Any) -> None:
        self.of = of

    def url_params(self, request: Any) -> Any:
        return self.of


URLS: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    (("user_data", {"user_id": 123, "data_field": "height"}), {}, "/m/data/123/height"),
    (("user_data",), {"user_id": "a/b", "data_field": "ü?"}, "/m/data/a%2Fb/%C3%BC%3F"),
    (("user", {"user": User()}), {}, "/m/users/7"),
    (("user", {"user": 1}, {"a": 1, "b": True, "c": False}), {}, "/m/users/1?a=1&b"),
    (("user", {"user": 1}), {"query": "a=1"}, "/m/users/1?a=1"),
    ((User(),), {}, "/m/users/7"),
    ((User(), {"tab": "notes"}), {}, "/m/users/7/notes"),
    ((User(),), {"tab": "notes"}, "/m/users/7/notes"),
    ((Alias(User()),), {}, "/m/users/7"),
    ((Alias("home"),), {"query": {"a": 1}}, "/m/?a=1"),
    ((Alias(("user", {"user": 2}, {"b": 2})),), {}, "/m/users/2?b=2"),
]


@pytest.mark.parametrize(("args", "kwargs", "expected"), URLS, ids=map(str, range(len(URLS))))
async def test_url_for_makes_urls_of_names_and_objects(
    args: tuple[Any, ...], kwargs: dict[str, Any], expected: str
) -> None:
    app = Actions()
    app.match("user_data", "/data/:user_id/:data_field", lambda self: "hi")
    app.match("user", "/users/:user(/:tab)", lambda self: "hi")
    app.match("home", "/", lambda self: self.url_for(*args, **kwargs))
    assert (await ask(Router().use("/m", app), "/m")).text == expected


async def test_url_for_refuses_what_is_no_route() -> None:
    app = Actions(raise_errors=True)
    app.match("/", lambda self: self.url_for(7))
    app.match("home", "/home", lambda self: self.url_for("hme"))
    with pytest.raises(TypeError, match="the name of a route, or an object with url_params, got 7"):
        await ask(app, "/")
    with pytest.raises(UrlError, match="did you mean 'home'"):
        await ask(app, "/home")


BUILT: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    ((), {}, "http://localhost:8080"),
    (("hello",), {}, "http://localhost:8080/hello"),
    (("/hello?color=blue",), {}, "http://localhost:8080/hello?color=blue"),
    (("/hello?color=blue",), {"query": {"a": 1}}, "http://localhost:8080/hello?a=1"),
    (("world", {"host": "leafo.net", "port": 2000}), {}, "http://leafo.net:2000/world"),
    (("world",), {"scheme": "https", "port": None}, "https://localhost/world"),
    (("a b",), {"fragment": "x y"}, "http://localhost:8080/a%20b#x%20y"),
    (("https://example.org/x",), {}, "https://example.org/x"),
    (("//example.org/x",), {}, "//example.org/x"),
]


@pytest.mark.parametrize(("args", "kwargs", "expected"), BUILT, ids=map(str, range(len(BUILT))))
async def test_build_url_makes_absolute_urls(args: tuple[Any, ...], kwargs: dict[str, Any], expected: str) -> None:
    got = await answered(lambda self: self.build_url(*args, **kwargs), "/x?y=1", headers={"host": "localhost:8080"})
    assert got.text == expected


async def test_build_url_leaves_the_usual_port_out() -> None:
    hosts = {"http": "example.org:80", "https": "example.org:443"}
    for scheme, host in hosts.items():
        got = await answered(lambda self: self.build_url("/"), headers={"host": host}, scheme=scheme)
        assert got.text == f"{scheme}://example.org/"
    got = await answered(lambda self: self.build_url("/"), headers={"host": "example.org:443"})
    assert got.text == "http://example.org:443/"


@pytest.mark.parametrize("host", ["evil.example/x", "a b", "a@b", ""])
async def test_build_url_refuses_a_host_that_is_none(host: str) -> None:
    assert (await answered(lambda self: self.build_url("/"), headers={"host": host})).status == 400


async def test_build_url_refuses_other_options() -> None:
    app = Actions(raise_errors=True)
    app.match("/", lambda self: self.build_url("/", user="me"))
    with pytest.raises(TypeError, match="there is no option 'user'; there are scheme, host"):
        await ask(app, "/")


class Greeter(ActionRequest):
    def greet(self) -> str:
        return f"Hello {self.params['id']}"


async def test_the_request_object_may_be_a_class_of_one_s_own() -> None:
    class Site(Actions):
        request_class = Greeter

    app = Site()
    app.match("/:id", lambda self: self.greet())
    assert (await ask(Express().use(app), "/ada")).text == "Hello ada"
