"""Where a request goes: root_path, path and raw_path of all kinds of servers and hosts (rows P16, P21 to P24)."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express import Express, MisuseError, Router, next_app
from asgi_express._scope import encode_path, mounted_scope, target
from tests.asgi import ask, http_scope
from tests.cases import HOSTILE, assert_linear


def scope_of(path: str, raw: bytes | None = None, root: str = "", query: bytes = b"") -> dict[str, Any]:
    scope = {**http_scope(), "path": path, "raw_path": raw, "root_path": root, "query_string": query}
    return {key: value for key, value in scope.items() if value is not None}


@pytest.mark.parametrize(
    ("scope", "base", "url"),
    [
        # alone
        (scope_of("/", b"/"), "", "/"),
        (scope_of("/a b", b"/a%20b", query=b"q=%20"), "", "/a%20b?q=%20"),
        (scope_of("/a/b", b"/a%2Fb"), "", "/a%2Fb"),
        (scope_of("/ü", b"/%C3%BC"), "", "/%C3%BC"),
        (scope_of("/ü", b"/%c3%bc"), "", "/%c3%bc"),
        (scope_of("/\ufffd", b"/%ff"), "", "/%ff"),
        (scope_of("/\0", b"/%00"), "", "/%00"),
        (scope_of("/a", b"/a?q=1", query=b"q=1"), "", "/a?q=1"),
        (scope_of("http://h/a", b"http://h/a"), "", "http://h/a"),
        (scope_of("*", b"*"), "", "*"),
        (scope_of("", b""), "", ""),
        (scope_of("@evil", b"@evil"), "", "@evil"),
        (scope_of("//evil", b"//evil"), "", "//evil"),
        # no raw_path, or an empty one: what the host decoded is encoded again, and "/" splits
        (scope_of("/a b/ü?#%"), "", "/a%20b/%C3%BC%3F%23%25"),
        (scope_of("/a/b", b""), "", "/a/b"),
        (scope_of("/\ud800"), "", "/%EF%BF%BD"),
        (scope_of("/\udcff", b"/%ff"), "", "/%EF%BF%BD"),
        # a raw_path that says something else: nobody sees what the host did not route on
        (scope_of("/public", b"/admin"), "", "/public"),
        (scope_of("/public", b"/admin", root="/x"), "", "/public"),
        (scope_of("/a", b"/%61"), "", "/%61"),
        (scope_of("/a", b"/%2561"), "", "/a"),
        # bytes that should have been encoded
        (scope_of("/ü", "/ü".encode()), "", "/%C3%BC"),
        (scope_of("/a", b"/a", query=b"q=\xff&r=%20"), "", "/a?q=%FF&r=%20"),
        # mounted: the whole path stays, root_path grows (ASGI)
        (scope_of("/api/x", b"/api/x", "/api"), "/api", "/x"),
        (scope_of("/api/x", b"/api/x", "/api/"), "/api", "/x"),
        (scope_of("/api", b"/api", "/api"), "/api", "/"),
        (scope_of("/api/", b"/api/", "/api"), "/api", "/"),
        (scope_of("/api//x", b"/api//x", "/api"), "/api", "//x"),
        (scope_of("/api/x", b"/%61pi/x", "/api"), "/%61pi", "/x"),
        (scope_of("/ü/x", b"/%C3%BC/x", "/ü"), "/%C3%BC", "/x"),
        (scope_of("/a b/x", b"/a%20b/x", "/a b"), "/a%20b", "/x"),
        (scope_of("/a/b/x", b"/a%2Fb/x", "/a/b"), "/a%2Fb", "/x"),
        (scope_of("/api/x", None, "/api"), "/api", "/x"),
        (scope_of("/ü/x", None, "/ü"), "/%C3%BC", "/x"),
        (scope_of("/x", b"/x", "/"), "", "/x"),
        # mounted, the older way: the host took the prefix off path
        (scope_of("/x", b"/api/x", "/api"), "/api", "/x"),
        (scope_of("/x", b"/api/x", "/api/"), "/api", "/x"),
        (scope_of("/x/", b"/api/x", "/api"), "/api", "/x"),
        (scope_of("/ü", b"/%C3%A4/%C3%BC", "/ä"), "/%C3%A4", "/%C3%BC"),
        # borders: a prefix is whole segments
        (scope_of("/apiary", b"/apiary", "/api"), "", "/apiary"),
        (scope_of("/apiary", b"/api%61ry", "/api"), "", "/api%61ry"),
        (scope_of("/api/x", b"/api%2Fx", "/api"), "/api", "%2Fx"),
        (scope_of("/api/x", b"/api%2fx", "/api"), "/api", "%2fx"),
        # a root_path that is none of this path
        (scope_of("/x", b"/x", "/api"), "", "/x"),
        (scope_of("/x", b"/x", "/much/longer/than/the/path"), "", "/x"),
        (scope_of("/API/x", b"/API/x", "/api"), "", "/API/x"),
        (scope_of("/ap%", b"/ap%", "/api"), "", "/ap%"),
        (scope_of("/\ufffd", b"/%ff", "/\ud800"), "", "/%ff"),
    ],
)
def test_a_target_is_split_at_the_prefix_that_the_host_took(scope: dict[str, Any], base: str, url: str) -> None:
    assert target(scope)[:2] == (base, url)


def test_a_scope_with_only_what_must_be_there_is_enough() -> None:
    assert target({"type": "http", "path": "/x"})[:2] == ("", "/x")


@given(st.text(), st.text(), st.binary())
def test_no_scope_makes_a_target_fail_or_become_unprintable(path: str, root: str, raw: bytes) -> None:
    base, url = target(scope_of("/" + path, raw, root, raw))[:2]
    assert base.isascii()
    assert url.isascii()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_encoded_path_decodes_to_itself(path: str) -> None:
    encoded = encode_path(path)
    assert unquote(encoded) == path
    assert "?" not in encoded
    assert "#" not in encoded


@pytest.mark.parametrize("piece", ["/", "a", "%2F", "%41/", "%", "\xff", "a-"])
def test_a_long_target_is_linear_work(piece: str) -> None:
    raw = (piece * HOSTILE)[: HOSTILE // 4]
    path = unquote(raw)
    assert_linear(lambda: target(scope_of(path, raw.encode("latin-1"))))
    assert_linear(lambda: target(scope_of(raw, raw.encode("latin-1"), raw[: HOSTILE // 64])))


def test_a_scope_for_an_app_below_has_the_whole_path_and_the_grown_prefix() -> None:
    scope = http_scope("/api/ü/x".encode().decode("latin-1"))
    child = mounted_scope(scope, "/api/ü", "/a%2Fb?q=%20", "/api/%C3%BC")
    assert child is not scope
    assert {key: child[key] for key in ("root_path", "path", "raw_path", "query_string", "method")} == {
        "root_path": "/api/ü",
        "path": "/api/ü/a/b",
        "raw_path": b"/api/%C3%BC/a%2Fb",
        "query_string": b"q=%20",
        "method": "GET",
    }
    assert target(child)[:2] == ("/api/%C3%BC", "/a%2Fb?q=%20")
    assert mounted_scope(scope, "", "/x", "")["query_string"] == b""


@pytest.mark.parametrize("url", ["/€?ü=€", "/\ud800?\ud800"])
def test_a_url_that_a_handler_left_unencoded_is_no_crash(url: str) -> None:
    child = mounted_scope(http_scope(), "", url, "")
    assert target(child)[1].isascii()


# -- as users see it


class Tells:
    """An ASGI app that tells what it sees."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        seen = "|".join([scope["root_path"], scope["path"], scope["raw_path"].decode()])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": seen.encode("utf-8", "replace")})


@pytest.mark.parametrize(
    ("mount", "target", "seen"),
    [
        ("/sub", "/sub", "/sub|/sub/|/sub/"),
        ("/sub", "/sub/", "/sub|/sub/|/sub/"),
        ("/sub", "/sub/x%2Fy?z", "/sub|/sub/x/y|/sub/x%2Fy"),
        ("/sub", "/sub%2Fx", None),
        ("/sub", "/subx", None),
        ("/ü", "/%C3%BC/x", "/ü|/ü/x|/%C3%BC/x"),
        ("/a%20b", "/a%20b/x", "/a b|/a b/x|/a%20b/x"),
        ("/:id", "/5/x", "/5|/5/x|/5/x"),
        ("/:id", "/a%2Fb/x", "/a/b|/a/b/x|/a%2Fb/x"),
    ],
)
async def test_an_app_that_is_mounted_sees_where(mount: str, target: str, seen: str | None) -> None:
    answer = await ask(Router().mount(mount, Tells()), target)
    assert (answer.text if answer.status == 200 else None) == seen


@pytest.mark.parametrize(
    ("root", "path", "base", "text"),
    [
        ("/v1", "/v1/users/5", "/v1/users", "5"),
        ("/v1", "/v1/users/a%2Fb", "/v1/users", "a/b"),
        ("", "/users/5", "/users", "5"),
    ],
)
async def test_the_prefix_of_the_host_is_part_of_the_base_url(root: str, path: str, base: str, text: str) -> None:
    users = Router()
    users.get("/:id", lambda req, res: res.json([req.base_url, req.original_url, req.params["id"]]))
    answer = await ask(Router().use("/users", users), path, root_path=root)
    assert answer.json == [base, path, text]


@pytest.mark.parametrize(
    "path", ["/admin", "/%61dmin", "/admin/", "/x/../admin", "/admin;x=1", "/admin%3Bx", "//admin"]
)
async def test_a_guard_runs_exactly_when_what_it_guards_does(path: str) -> None:
    ran: list[str] = []
    app = Router()
    app.use("/admin", lambda req, res, next: (ran.append("guard"), next())[1])
    app.use("/admin", lambda req, res: (ran.append("admin"), res.send("x"))[1])
    await ask(app, path)
    assert ran in ([], ["guard", "admin"])
    assert bool(ran) == (path in ("/admin", "/admin/"))


@pytest.mark.parametrize("path", ["@evil", "evil", "", "*", "/a#b", "/\x7f", "?x"])
async def test_a_target_that_is_no_path_is_answered_without_a_crash(path: str) -> None:
    app = Express()
    app.get("/", lambda: "root")
    app.get("/:id", lambda: "id")
    answer = await ask(app, path, path=path.partition("?")[0])
    assert answer.status in (200, 400, 404)
    assert answer.complete


async def test_a_missing_or_lying_raw_path_never_changes_who_answers() -> None:
    app = Express()
    app.get("/admin", lambda: "admin")
    app.get("/public", lambda: "public")
    assert (await ask(app, "/public", raw_path=b"/admin")).text == "public"
    assert (await ask(app, "/public", raw_path=None)).text == "public"


# -- next_app


async def test_next_app_without_a_router_around_says_what_to_do() -> None:
    with pytest.raises(MisuseError, match="pass the app to wrap as its first argument"):
        await ask(next_app)


async def test_next_app_agrees_to_start_and_stop() -> None:
    events = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": next(events)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await next_app({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_next_app_goes_on_with_the_scope_that_the_middleware_gives() -> None:
    class Tag:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await next_app({**scope, "tag": "mine"}, receive, send)

    app = Router().use(Tag())
    app.get("/", lambda req, res: res.send(req.scope["tag"]))
    assert (await ask(app)).text == "mine"
