"""TokenAuth with JSON Web Tokens: in every place of a token, with the keys of a real issuer, before a firewall."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import uvicorn
import websockets
from fastapi import FastAPI
from websockets.typing import Subprotocol

from asgi_express import Express
from asgi_express.middleware import EndpointFirewall, TokenAuth
from asgi_express.security import JWKS, JWTKey, JWTValidator, Policies, Policy, can, current_actor
from tests.asgi import Socket, ask
from tests.security.issuer import Clock, Issuer, issuing
from tests.security.signing import AUDIENCE, ISSUER, NOW, SECRET, jwk, pem, private_key, sign

METADATA = "https://api.example.com/.well-known/oauth-protected-resource"
POLICIES = Policies([Policy("users", "access", "*", groups="users"), Policy("staff", "*", "*", groups="staff")])


def validator(**options: Any) -> JWTValidator:
    return JWTValidator(
        **{
            "keys": JWTKey(SECRET, "HS256"),
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "to_scope": lambda claims: POLICIES.scope(*claims.get("groups", ())) if "groups" in claims else None,
            "clock": lambda: float(NOW),
            **options,
        }
    )


def guarded(**options: Any) -> Express:
    """An application with a public route and one for users."""
    app = Express()
    app.use(
        TokenAuth(
            **{
                "store": validator(),
                "query_param": "token",
                "realm": "articles",
                "resource_metadata": METADATA,
                **options,
            }
        )
    )
    app.post_match(EndpointFirewall())

    def me(req: Any, res: Any) -> None:
        actor = current_actor()
        res.json({"who": actor and actor.id, "may": can("access", "anything")})

    async def chat(ws: Any) -> None:
        await ws.accept()
        actor = current_actor()
        await ws.send_text(actor.id if actor else "nobody")
        await ws.close()

    app.get("/public", me, meta={"public": True})
    app.get("/me", me)
    app.ws("/chat", chat)
    return app


def in_header(token: str) -> tuple[str, dict[str, str]]:
    return "", {"authorization": f"Bearer {token}"}


def in_cookie(token: str) -> tuple[str, dict[str, str]]:
    return "", {"cookie": f"a=1; x-auth-token={token}"}


def in_query(token: str) -> tuple[str, dict[str, str]]:
    return f"?token={token}", {}


PLACES = pytest.mark.parametrize("place", [in_header, in_cookie, in_query])
INVALID: dict[str, str] = {
    "ended": sign(exp=NOW - 99, groups=["users"]),
    "of another key": sign(number=1, groups=["users"]),
    "of another issuer": sign(iss="https://evil.example", groups=["users"]),
    "for somebody else": sign(aud="https://other.example", groups=["users"]),
    "not signed": sign(header={"alg": "none"}, groups=["users"]),
    "of an unknown group": sign(groups=["nobody"]),
}


@PLACES
async def test_a_jwt_is_found_in_every_place(place: Any) -> None:
    query, headers = place(sign(groups=["users"]))
    answer = await ask(guarded(), f"/me{query}", headers=headers)
    assert (answer.status, answer.json) == (200, {"who": "ada", "may": True})


@PLACES
@pytest.mark.parametrize("token", INVALID.values(), ids=INVALID)
async def test_one_that_is_not_valid_is_nobody_and_the_challenge_says_so(place: Any, token: str) -> None:
    query, headers = place(token)
    public = await ask(guarded(), f"/public{query}", headers=headers)
    assert (public.status, public.json) == (200, {"who": None, "may": False})
    refused = await ask(guarded(), f"/me{query}", headers=headers)
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == (
        f'Bearer realm="articles", error="invalid_token", resource_metadata="{METADATA}"'
    )


CHALLENGES: list[tuple[dict[str, str], str, int, str | None]] = [
    ({}, "", 401, None),
    ({"authorization": "Basic YTpi"}, "", 401, None),
    ({"authorization": "Bearer x"}, "", 401, "invalid_token"),
    ({"authorization": f"Bearer {sign()}"}, f"?token={sign()}", 400, "invalid_request"),
    ({"authorization": f"Bearer {sign()}"}, "", 403, "insufficient_scope"),
]


@pytest.mark.parametrize(("headers", "query", "status", "error"), CHALLENGES)
async def test_a_refusal_says_what_is_wrong_and_where_tokens_are_to_be_had(
    headers: dict[str, str], query: str, status: int, error: str | None
) -> None:
    answer = await ask(guarded(), f"/me{query}", headers=headers)
    said = f'error="{error}", ' if error else ""
    assert answer.status == status
    assert answer.headers["www-authenticate"] == f'Bearer realm="articles", {said}resource_metadata="{METADATA}"'


async def test_two_issuers_are_two_of_them() -> None:
    keys = JWTKey(pem(private_key("ES256")), "ES256")
    other = validator(keys=keys, issuer="https://other.example")
    app = Express().use(TokenAuth(store=validator())).use(TokenAuth(store=other))
    app.get("/", lambda req, res: res.json(getattr(current_actor(), "id", None)))
    outcomes = []
    for token in (sign(sub="a"), sign("ES256", iss="https://other.example", sub="b"), sign("ES256", sub="c")):
        answer = await ask(app, headers={"authorization": f"Bearer {token}"})
        outcomes.append(answer.json)
    assert outcomes == ["a", "b", None]


# -- a WebSocket


@pytest.mark.parametrize(
    ("offered", "types", "text"),
    [
        (["bearer", sign(groups=["users"])], ["websocket.accept", "websocket.send", "websocket.close"], "ada"),
        (["chat", "bearer", sign(groups=["users"])], ["websocket.accept", "websocket.send", "websocket.close"], "ada"),
        (["bearer", INVALID["ended"]], ["websocket.close"], None),
        (["bearer"], ["websocket.close"], None),
        (["chat"], ["websocket.close"], None),
    ],
)
async def test_a_websocket_gives_it_as_a_subprotocol(offered: list[str], types: list[str], text: str | None) -> None:
    inner = guarded()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await inner({**scope, "subprotocols": offered}, receive, send)

    opened = await Socket().connect(app, "/chat")
    assert opened.types == types
    if text is not None:
        assert (opened.sent[0]["subprotocol"], opened.sent[1]["text"]) == ("bearer", text)


# -- real servers


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", ws="websockets-sansio"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            await task


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as served:
        yield served


async def test_over_real_connections_while_the_issuer_rotates_its_keys_and_goes_away(issuer: Issuer) -> None:
    clock = Clock()
    issuer.keys = [jwk("ES256", 0, kid="k0")]
    app = guarded(store=validator(keys=JWKS(issuer.jwks, insecure=True, clock=clock)))
    old = sign("ES256", header={"kid": "k0"}, groups=["users"])
    new = sign("ES256", number=1, header={"kid": "k1"}, groups=["users"])
    async with serving(app) as place, httpx2.AsyncClient(base_url=f"http://{place}") as client:

        async def status(token: str, path: str = "/me") -> int:
            answer = await client.get(path, headers={"authorization": f"Bearer {token}"})
            return int(answer.status_code)

        issuer.status = 503
        assert (await status(old), await status(old, "/public")) == (503, 200)
        issuer.status = 200
        clock.now += 1
        assert (await status(old), await status(new)) == (200, 401)
        issuer.keys.append(jwk("ES256", 1, kid="k1"))
        clock.now += 30
        assert (await status(old), await status(new)) == (200, 200)
        issuer.keys.pop(0)
        clock.now += 600
        assert (await status(old), await status(new)) == (401, 200)
        issuer.status = 500
        clock.now += 600
        assert (await status(new), await status(new, "/public")) == (200, 200)
        offered = [Subprotocol("bearer"), Subprotocol(new)]
        async with websockets.connect(f"ws://{place}/chat", subprotocols=offered) as connection:
            assert (connection.subprotocol, await connection.recv()) == ("bearer", "ada")
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"ws://{place}/chat")
        assert refused.value.response.status_code == 401
        clock.now += 4000
        assert (await status(new), await status(new, "/public"), await status("x")) == (503, 200, 401)


async def test_in_fastapi() -> None:
    app = FastAPI()
    app.add_middleware(TokenAuth, store=validator())
    app.get("/")(lambda: getattr(current_actor(), "id", None))
    assert (await ask(app, headers={"authorization": f"Bearer {sign()}"})).json == "ada"
    assert (await ask(app, headers={"authorization": f"Bearer {INVALID['ended']}"})).json is None
