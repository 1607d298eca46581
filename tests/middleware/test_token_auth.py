"""TokenAuth: find the token, say whom it stands for, never refuse."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from asgi_express import Express
from asgi_express.middleware.token_auth import TokenAuth
from asgi_express.security import Actor, Challenge, Grant, Policies, Policy, Scope, TokenStore, can, current_actor
from asgi_express.stores import MemoryStore, StoreUnavailable
from tests.asgi import Socket, ask

SCOPE = Scope([Policy("read", "read", "*")])


class Known:
    """Validates by looking into a dict, and counts."""

    def __init__(self, **actors: str) -> None:
        self.actors = actors
        self.asked: list[str] = []

    async def validate(self, token: str) -> Grant | None:
        self.asked.append(token)
        actor = self.actors.get(token)
        return None if actor is None else Grant(Actor(actor), SCOPE, 0.0)


class Away:
    async def validate(self, token: str) -> Grant | None:
        raise StoreUnavailable("away")


class Seen:
    """The app inside: keeps what it was given."""

    def __init__(self, *, subprotocol: str | None = None) -> None:
        self.scope: dict[str, Any] = {}
        self.can = False
        self.subprotocol = subprotocol

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        self.can = can("read", "article:1")
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept", "subprotocol": self.subprotocol})
            await send({"type": "websocket.close"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    @property
    def outcome(self) -> str | None:
        """The actor, or what is wrong with the token."""
        actor: Actor | None = self.scope["asgi_express.actor"]
        challenge: Challenge = self.scope["asgi_express.challenge"]
        return challenge.error if actor is None else actor.id


async def outcome(target: str = "/", headers: Any = (), **options: Any) -> str | None:
    seen = Seen()
    answer = await ask(TokenAuth(seen, store=Known(t="ada", u="eve"), **options), target, headers=headers)
    assert answer.status == 200, "it never refuses"
    assert seen.can is (seen.scope["asgi_express.actor"] is not None)
    return seen.outcome


AUTHORIZATION: list[tuple[str, str | None]] = [
    ("Bearer t", "ada"),
    ("bearer t", "ada"),
    ("BEARER t", "ada"),
    ("Bearer x", "invalid_token"),
    ("Bearer", None),
    ("Bearert", None),
    ("Bearer ", "invalid_token"),
    ("Bearer  t", "invalid_token"),
    ("Bearer t ", "invalid_token"),
    ("Bearer\tt", None),
    ("Bearer t, Bearer t", "invalid_token"),
    ("Bearer t t", "invalid_token"),
    ("Bearer \xfc", "invalid_token"),
    ("Bearer t\x00", "invalid_token"),
    ("Bearer " + "t" * 8193, "invalid_token"),
    ("Basic t", None),
    ("Basic Bearer t", None),
    ("t", None),
    ("", None),
]


@pytest.mark.parametrize(("value", "expected"), AUTHORIZATION, ids=[value[:20] for value, _ in AUTHORIZATION])
async def test_the_header_is_one_scheme_one_space_and_one_token(value: str, expected: str | None) -> None:
    assert await outcome(headers=[("authorization", value)]) == expected


PLACES: list[tuple[str, list[tuple[str, str]], dict[str, Any], str | None]] = [
    ("/", [], {}, None),
    ("/", [("cookie", "a=1; x-auth-token=t")], {}, "ada"),
    ("/", [("cookie", "a=1"), ("cookie", "x-auth-token=t")], {}, "ada"),
    ("/", [("cookie", "x-auth-token=")], {}, "invalid_token"),
    ("/", [("cookie", "x-auth-token=t")], {"cookie_name": None}, None),
    ("/", [("cookie", "id=t")], {"cookie_name": "id"}, "ada"),
    ("/?x-auth-token=t", [], {}, None),
    ("/?token=t", [], {"query_param": "token"}, "ada"),
    ("/?token=t&token=t", [], {"query_param": "token"}, "invalid_request"),
    ("/?token=", [], {"query_param": "token"}, "invalid_token"),
    ("/?other=t", [], {"query_param": "token"}, None),
    ("/?token=t", [("authorization", "Bearer t")], {"query_param": "token"}, "invalid_request"),
    ("/", [("authorization", "Bearer t"), ("authorization", "Bearer t")], {}, "invalid_request"),
    ("/", [("authorization", "Bearer t"), ("authorization", "Basic u")], {}, "invalid_request"),
    ("/", [("authorization", "Bearer t"), ("cookie", "x-auth-token=u")], {}, "ada"),
    ("/", [("authorization", "Basic x"), ("cookie", "x-auth-token=u")], {}, "eve"),
    ("/", [("authorization", "Bearer x"), ("cookie", "x-auth-token=u")], {}, "invalid_token"),
    ("/", [("x-api-key", "t")], {"header_name": "X-API-Key", "header_prefix": ""}, "ada"),
    ("/", [("authorization", "t.k t")], {"header_prefix": "t.k "}, "ada"),
    ("/", [("authorization", "tok t")], {"header_prefix": "t.k "}, None),
]


@pytest.mark.parametrize(("target", "headers", "options", "expected"), PLACES)
async def test_a_token_is_found_in_its_places(target: str, headers: Any, options: Any, expected: str | None) -> None:
    assert await outcome(target, headers, **options) == expected


async def test_what_cannot_be_a_token_never_reaches_the_store() -> None:
    store = Known()
    for value in ("Bearer ", "Bearer a b", "Bearer " + "." * 1_000_000, "Bearer \xff"):
        await ask(TokenAuth(Seen(), store=store), headers={"authorization": value})
    assert store.asked == []


async def test_the_policies_of_the_token_are_in_the_scope() -> None:
    seen = Seen()
    app = TokenAuth(seen, store=Known(t="ada"), realm="articles", resource_metadata="https://a.example/meta")
    await ask(app, headers={"authorization": "Bearer t"})
    assert seen.scope["asgi_express.security_scope"] is SCOPE
    assert seen.scope["asgi_express.challenge"] == Challenge("Bearer", "articles", None, "https://a.example/meta")
    await ask(app)
    assert seen.scope["asgi_express.security_scope"] is None
    assert current_actor() is None


async def test_a_store_that_is_away_refuses_nobody_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()
    with caplog.at_level(logging.ERROR):
        await ask(TokenAuth(seen, store=Away()), headers={"authorization": "Bearer t"})
    assert (seen.outcome, caplog.messages) == ("unavailable", ["a token cannot be checked: away"])


async def test_the_actor_of_an_outer_one_stays() -> None:
    seen, inner = Seen(), Known(t="eve")
    app = TokenAuth(TokenAuth(seen, store=inner), store=Known(t="ada"))
    await ask(app, headers={"authorization": "Bearer t"})
    assert (seen.outcome, inner.asked) == ("ada", [])


async def test_where_the_outer_one_finds_nobody_the_inner_one_looks() -> None:
    seen = Seen()
    app = TokenAuth(TokenAuth(seen, store=Known(k="svc"), header_name="x-key", header_prefix=""), store=Known())
    await ask(app, headers={"x-key": "k"})
    assert seen.outcome == "svc"


async def test_what_looks_like_an_actor_is_not_one() -> None:
    seen = Seen()
    scope: dict[str, Any] = {"asgi_express.actor": "root"}
    await ask(TokenAuth(seen, store=Known()), **scope)
    assert seen.outcome is None


SUBPROTOCOLS: list[tuple[list[str], str | None, str | None, list[str], str | None]] = [
    # offered, what the app selects, the actor or the problem, what the app sees, what is selected
    (["bearer", "t"], None, "ada", [], "bearer"),
    (["bearer", "t", "chat"], "chat", "ada", ["chat"], "chat"),
    (["chat", "bearer", "t"], None, "ada", ["chat"], "bearer"),
    (["bearer"], None, "invalid_token", [], "bearer"),
    (["bearer", "x", "chat"], "chat", "invalid_token", ["chat"], "chat"),
    (["chat"], None, None, ["chat"], None),
    ([], None, None, [], None),
]


@pytest.mark.parametrize(("offered", "selects", "who", "left", "selected"), SUBPROTOCOLS)
async def test_a_browser_gives_its_token_as_a_subprotocol(
    offered: list[str], selects: str | None, who: str | None, left: list[str], selected: str | None
) -> None:
    seen = Seen(subprotocol=selects)
    auth = TokenAuth(seen, store=Known(t="ada"))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["subprotocols"] = offered
        await auth(scope, receive, send)

    socket = await Socket().connect(app)
    assert (seen.outcome, seen.scope["subprotocols"]) == (who, left)
    assert socket.sent == [{"type": "websocket.accept", "subprotocol": selected}, {"type": "websocket.close"}]


async def test_subprotocols_can_be_left_alone() -> None:
    seen = Seen()
    auth = TokenAuth(seen, store=Known(t="ada"), subprotocol=None)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["subprotocols"] = ["bearer", "t"]
        await auth(scope, receive, send)

    await Socket().connect(app)
    assert (seen.outcome, seen.scope["subprotocols"]) == (None, ["bearer", "t"])


async def test_requests_at_once_do_not_see_one_another() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
            actor = current_actor()
            assert actor is not None
            assert scope["headers"][0][1] == b"Bearer " + actor.id.encode()
        scope["state"]["passed"] += 1

    state = {"passed": 0}
    store = Known(**{f"t{number}": f"t{number}" for number in range(50)})
    auth = TokenAuth(app, store=store)
    await asyncio.gather(
        *(ask(auth, headers={"authorization": f"Bearer t{number}"}, state=state) for number in range(50))
    )
    assert state["passed"] == 50


async def test_what_a_server_does_for_the_next_request_of_a_connection_is_done_without_the_actor() -> None:
    """As uvicorn, which begins it where the answer ends, and goes on reading where the app reads."""
    actors: list[Any] = []

    async def later() -> None:
        actors.append(current_actor())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.create_task(send({"type": "http.response.body", "body": b""}))
        assert current_actor() == Actor("ada")
        await asyncio.create_task(later())

    async def server(scope: Any, receive: Any, send: Any) -> None:
        async def reading() -> Any:
            await asyncio.create_task(later())
            return await receive()

        async def sending(message: Any) -> None:
            await asyncio.create_task(later())
            await send(message)

        await auth(scope, reading, sending)

    auth = TokenAuth(app, store=Known(t="ada"))
    await ask(server, headers={"authorization": "Bearer t"})
    assert actors == [None, None, None, Actor("ada")]


async def test_in_a_router_with_a_store_of_tokens() -> None:
    policies = Policies([Policy("read", "read", "*", groups="users")])
    tokens = TokenStore(MemoryStore(), policies=policies)
    app = Express().use(TokenAuth(store=tokens))
    app.get("/", lambda req, res: res.json({"may": can("read", "x"), "who": getattr(current_actor(), "id", None)}))
    token = await tokens.create(Actor("ada"), "users")
    headers = {"authorization": f"Bearer {token}"}
    assert (await ask(app, headers=headers)).json == {"may": True, "who": "ada"}
    await tokens.revoke(token)
    assert (await ask(app, headers=headers)).json == {"may": False, "who": None}


@pytest.mark.parametrize(
    "options",
    [
        {"store": MemoryStore()},
        {"store": None},
        {"header_name": "a b"},
        {"header_prefix": "a b "},
        {"header_prefix": "Bearer"},
        {"header_prefix": None},
        {"cookie_name": ""},
        {"cookie_name": ["a"]},
        {"query_param": ""},
        {"subprotocol": ""},
        {"realm": 'a"b'},
        {"resource_metadata": "https://a.example/\n"},
        {"resource_metadata": "/.well-known/oauth-protected-resource"},
    ],
)
def test_an_option_that_cannot_be_is_refused(options: Any) -> None:
    with pytest.raises(ValueError, match=r"must|token"):
        TokenAuth(**{"store": Known(), **options})
