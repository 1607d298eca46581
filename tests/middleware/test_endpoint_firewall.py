"""EndpointFirewall: who may use which route, decided on the route that then runs."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from asgi_express import Express, Router
from asgi_express.middleware.endpoint_firewall import EndpointFirewall, Verdict
from asgi_express.middleware.token_auth import TokenAuth
from asgi_express.security import Actor, Challenge, Condition, Grant, Policy, Scope
from asgi_express.stores import StoreUnavailable
from tests.asgi import Socket, ask
from tests.middleware.doors import Opaque

ADA = Actor("ada", {"role": "editor"})
WITH_ADA: dict[str, Any] = {"asgi_express.actor": ADA}


def ok(req: Any, res: Any) -> None:
    res.send("ok")


def guarded(*policies: Policy, **options: Any) -> Express:
    return Express().post_match(EndpointFirewall(policies=policies, **options))


def token(*policies: Policy) -> dict[str, Any]:
    return {**WITH_ADA, "asgi_express.security_scope": Scope(policies)}


ALLOW = Policy("users", "access", "/users/*")
DENY = Policy("no seven", "*", "/users/:id", "deny", [Condition("meta.params.id", "eq", "7")])

# -- the decision

DECISIONS: list[tuple[str, dict[str, Any], list[Policy], dict[str, Any], int, str, str | None]] = [
    # the case, the scope, policies of the firewall, its options, status, reason, the policy that decided
    ("nobody", {}, [ALLOW], {}, 401, "no actor", None),
    ("nobody, by default allowed", {}, [], {"default_policy": "allow"}, 401, "no actor", None),
    ("an actor that is none", {"asgi_express.actor": "root"}, [ALLOW], {}, 401, "no actor", None),
    ("no policy", WITH_ADA, [], {}, 403, "default", None),
    ("no policy, by default allowed", WITH_ADA, [], {"default_policy": "allow"}, 200, "default", None),
    ("one that allows", WITH_ADA, [ALLOW], {}, 200, "policy", "users"),
    ("one of the token", token(ALLOW), [], {}, 200, "policy", "users"),
    ("one that denies, too", WITH_ADA, [ALLOW, DENY], {}, 403, "policy", "no seven"),
    ("the token allows, the firewall denies", token(ALLOW), [DENY], {}, 403, "policy", "no seven"),
    ("the firewall allows, the token denies", token(DENY), [ALLOW], {}, 403, "policy", "no seven"),
    ("both allow", token(ALLOW), [Policy("all", "*", "*")], {}, 200, "policy", "users"),
    ("denied, by default allowed", token(DENY), [], {"default_policy": "allow"}, 403, "policy", "no seven"),
    ("another action", WITH_ADA, [ALLOW], {"action": "use"}, 403, "default", None),
    ("a policy for that action", WITH_ADA, [Policy("p", "use", "*")], {"action": "use"}, 200, "policy", "p"),
    ("a scope that is none", {**WITH_ADA, "asgi_express.security_scope": [ALLOW]}, [], {}, 403, "default", None),
]


@pytest.mark.parametrize(
    ("scope", "policies", "options", "status", "reason", "policy"),
    [row[1:] for row in DECISIONS],
    ids=[row[0] for row in DECISIONS],
)
async def test_a_decision(scope: Any, policies: Any, options: Any, status: int, reason: Any, policy: str) -> None:
    told: list[Verdict] = []
    app = guarded(*policies, audit=told.append, **options).get("/users/:id", ok)
    assert (await ask(app, "/users/7", **scope)).status == status
    actor = "ada" if "ada" in repr(scope) else None
    assert told == [
        Verdict(status == 200, reason, policy, actor, options.get("action", "access"), "/users/:id", "GET", True)
    ]


PUBLIC: list[tuple[Any, int]] = [(True, 200), (1, 401), ("true", 401), (False, 401), (None, 401)]


@pytest.mark.parametrize(("mark", "status"), PUBLIC)
async def test_a_route_is_public_only_if_it_says_true(mark: Any, status: int) -> None:
    told: list[Verdict] = []
    app = guarded(audit=told.append).get("/", ok, meta={"public": mark})
    assert (await ask(app)).status == status
    assert told[0].reason == ("public" if status == 200 else "no actor")


async def test_a_named_route_is_known_by_its_name() -> None:
    told: list[Verdict] = []
    app = guarded(Policy("p", "access", "user.show"), audit=told.append)
    app.get("/users/:id", ok, name="user.show").get("/files/*rest", ok)
    assert (await ask(app, "/users/1", **WITH_ADA)).status == 200
    assert (await ask(app, "/files/user.show", **WITH_ADA)).status == 403
    assert [verdict.resource for verdict in told] == ["user.show", "/files/*rest"]


async def test_the_path_of_a_resource_has_the_prefixes_of_mounts() -> None:
    told: list[Verdict] = []
    inner = Router().get("/:id", ok)
    app = guarded(Policy("p", "access", "/api/:version/users/:id"), audit=told.append)
    app.use("/api/:version", Router().use("/users", inner))
    assert (await ask(app, "/api/v1/users/7", **WITH_ADA)).status == 200


METHODS: list[tuple[str, str]] = [("GET", "GET"), ("HEAD", "GET"), ("get", "GET"), ("DELETE", "DELETE")]


@pytest.mark.parametrize(("method", "named"), METHODS)
async def test_conditions_see_the_method_whose_handlers_run(method: str, named: str) -> None:
    told: list[Verdict] = []
    deny = Policy("none of it", "*", "*", "deny", [Condition("meta.method", "eq", named)])
    app = guarded(Policy("all", "*", "*"), deny, audit=told.append).get("/", ok).delete("/", ok)
    assert (await ask(app, "/", method, **WITH_ADA)).status == 403
    assert told[0].method == named


async def test_a_head_with_handlers_of_its_own_is_a_head() -> None:
    told: list[Verdict] = []
    app = guarded(Policy("all", "*", "*"), audit=told.append)
    app.route("/").head(ok).get(ok)
    await ask(app, "/", "HEAD", **WITH_ADA)
    assert told[0].method == "HEAD"


async def test_conditions_see_parameters_and_the_metadata_of_the_route() -> None:
    own = Policy("own", "access", "*", conditions=[Condition("meta.params.id", "eq", value_from="actor.id")])
    paid = Policy("paid", "access", "*", "deny", [Condition("meta.route.plan", "eq", "paid")])
    app = guarded(own, paid).get("/users/:id", ok).get("/paid/:id", ok, meta={"plan": "paid"})
    statuses = [
        (await ask(app, path, **WITH_ADA)).status for path in ("/users/ada", "/users/%61da", "/users/eve", "/paid/ada")
    ]
    assert statuses == [200, 200, 403, 403]


async def test_what_no_route_matches_is_not_decided() -> None:
    told: list[Verdict] = []
    app = guarded(audit=told.append).get("/", ok)
    assert (await ask(app, "/nothing")).status == 404
    assert told == []


# -- the answer


async def test_a_refusal_without_an_actor_is_a_challenge() -> None:
    answer = await ask(guarded().get("/", ok))
    assert (answer.status, answer.text) == (401, "Unauthorized")
    assert answer.headers == {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "no-store",
        "www-authenticate": "Bearer",
        "content-length": "12",
        "x-powered-by": "Express",
    }


async def test_a_refusal_of_an_actor_that_has_no_token_is_no_challenge() -> None:
    answer = await ask(guarded().get("/", ok), **WITH_ADA)
    assert (answer.status, answer.text, "www-authenticate" in answer.headers) == (403, "Forbidden", False)


CHALLENGES: list[tuple[dict[str, Any], int, str | None]] = [
    ({"asgi_express.challenge": Challenge(realm="r")}, 401, 'Bearer realm="r"'),
    ({"asgi_express.challenge": Challenge(error="invalid_token")}, 401, 'Bearer error="invalid_token"'),
    ({"asgi_express.challenge": Challenge(error="invalid_request")}, 400, 'Bearer error="invalid_request"'),
    ({"asgi_express.challenge": Challenge(error="unavailable")}, 503, None),
    ({"asgi_express.challenge": "Basic"}, 401, "Bearer"),
    ({**WITH_ADA, "asgi_express.challenge": Challenge()}, 403, 'Bearer error="insufficient_scope"'),
    ({**WITH_ADA, "asgi_express.challenge": Challenge("ApiKey")}, 403, None),
]


@pytest.mark.parametrize(("scope", "status", "header"), CHALLENGES)
async def test_the_challenge_is_the_prepared_one(scope: Any, status: int, header: str | None) -> None:
    answer = await ask(guarded().get("/", ok), **scope)
    assert (answer.status, answer.headers.get("www-authenticate")) == (status, header)


class Store:
    async def validate(self, token: str) -> Grant | None:
        if token == "away":
            raise StoreUnavailable("away")
        return Grant(Actor(token), Scope([Policy("own", "access", "mine")]), 0.0) if token == "ada" else None


WITH_TOKENS = [
    ("/mine", "Bearer ada", 200),
    ("/other", "Bearer ada", 403),
    ("/mine", "Bearer eve", 401),
    ("/mine", "Bearer away", 503),
    ("/open", "Bearer away", 200),
    ("/open", "Bearer eve", 200),
    ("/mine", "Basic ada", 401),
]


@pytest.mark.parametrize(("path", "authorization", "status"), WITH_TOKENS)
async def test_with_tokens(path: str, authorization: str, status: int) -> None:
    app = guarded().use(TokenAuth(store=Store()))
    app.get("/mine", ok, name="mine").get("/other", ok).get("/open", ok, meta={"public": True})
    answer = await ask(app, path, headers={"authorization": authorization})
    assert answer.status == status
    assert ("retry-after" in answer.headers) is (status == 503)


async def test_another_app_can_refuse() -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        verdict = scope["asgi_express.verdict"]
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": verdict.reason.encode()})

    answer = await ask(guarded(on_refused=refuse).get("/", ok))
    assert (answer.status, answer.text) == (404, "no actor")


@pytest.mark.parametrize("denial", [True, False])
async def test_a_websocket_is_refused_before_it_is_accepted(denial: bool) -> None:
    ran: list[str] = []

    async def talk(ws: Any) -> None:
        ran.append("ran")
        await ws.accept()
        await ws.close()

    policy = Policy("sockets", "access", "/live", conditions=[Condition("meta.method", "eq", "WEBSOCKET")])
    app = guarded(policy).ws("/live", talk)
    socket = await Socket().connect(app, "/live", denial=denial)
    if denial:
        assert socket.types == ["websocket.http.response.start", "websocket.http.response.body"]
        assert socket.sent[0]["status"] == 401
    else:
        assert socket.sent == [{"type": "websocket.close", "code": 1008}]
    assert ran == []
    assert (await Socket().connect(app, "/live", **WITH_ADA)).types[0] == "websocket.accept"


# -- the record


async def test_audit_mode_decides_and_lets_pass() -> None:
    told: list[Verdict] = []
    app = guarded(enforce=False, audit=told.append).get("/", ok)
    assert (await ask(app)).text == "ok"
    assert [(verdict.allowed, verdict.enforced) for verdict in told] == [(False, False)]


async def test_a_decision_is_one_line_that_no_id_can_break(caplog: pytest.LogCaptureFixture) -> None:
    app = guarded(Policy("p", "*", "/ok")).get("/ok", ok).get("/", ok)
    eve = Actor("eve\n\u2028\u001b[31m{}")
    as_eve: dict[str, Any] = {"asgi_express.actor": eve}
    with caplog.at_level(logging.INFO, "asgi_express.firewall"):
        await ask(app, **as_eve)
        await ask(app, "/ok", **as_eve)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    for message in caplog.messages:
        assert message.isascii()
        assert message.isprintable()
        assert json.loads(message)["actor"] == eve.id
    with caplog.at_level(logging.ERROR, "asgi_express.firewall"):
        await ask(app)
    assert len(caplog.records) == 2


async def test_where_the_record_cannot_be_written_nothing_runs() -> None:
    ran: list[str] = []

    def full(verdict: Verdict) -> None:
        raise OSError("disk full")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ran.append("ran")

    with pytest.raises(OSError, match="disk full"):
        await ask(EndpointFirewall(app, audit=full, enforce=False))
    assert ran == []


async def test_explain_names_the_policy_and_refuses_nothing() -> None:
    told: list[Verdict] = []
    firewall = EndpointFirewall(policies=[ALLOW, DENY], audit=told.append)
    explained: list[Verdict] = []
    app = Express()
    app.get("/users/:id", lambda req, res: (explained.append(firewall.explain(req.scope)), res.send("ok")))
    for path in ("/users/7", "/users/8"):
        await ask(app, path, **WITH_ADA)
    assert [(verdict.allowed, verdict.policy) for verdict in explained] == [(False, "no seven"), (True, "users")]
    assert told == []


# -- where it stands


async def test_before_the_match_everything_is_refused_with_advice(caplog: pytest.LogCaptureFixture) -> None:
    app = Express().use(EndpointFirewall(policies=[Policy("all", "*", "*")])).get("/", ok, meta={"public": True})
    with caplog.at_level(logging.ERROR, "asgi_express.firewall"):
        assert (await ask(app)).status == 401
        assert (await ask(app, **WITH_ADA)).status == 403
    assert len(caplog.messages) == 1
    assert "router.post_match(EndpointFirewall(...))" in caplog.text


async def test_before_the_match_in_a_router_that_is_a_handler_the_route_around_it_does_not_count() -> None:
    inner = Router().use(EndpointFirewall(policies=[Policy("all", "*", "*")])).get("/in/secret", ok)
    app = Express().all("/in/*rest", inner, meta={"public": True})
    assert [(await ask(app, "/in/secret", **scope)).status for scope in ({}, WITH_ADA)] == [401, 403]
    inner = Router().post_match(EndpointFirewall(policies=[Policy("all", "*", "*")])).get("/in/secret", ok)
    app = Express().all("/in/*rest", inner, meta={"public": True})
    assert [(await ask(app, "/in/secret", **scope)).status for scope in ({}, WITH_ADA)] == [401, 200]


async def test_a_mounted_app_has_no_route_and_is_refused() -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    app = guarded(Policy("all", "*", "*")).mount("/inner", Opaque(inner))
    assert (await ask(app, "/inner/x", **WITH_ADA)).status == 403


async def passed(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_a_route_that_passes_on_does_not_open_a_mounted_app() -> None:
    app = guarded().get("/*any", lambda req, res, next: next(), meta={"public": True})
    app.mount("/inner", Opaque(passed))
    assert (await ask(app, "/inner/x")).status == 401


async def test_a_route_that_passes_on_does_not_open_what_is_used_after_it() -> None:
    app = Express().get("/*any", lambda req, res, next: next(), meta={"public": True})
    app.use(EndpointFirewall()).use(Opaque(passed))
    assert (await ask(app, "/x")).status == 401


# -- options


@pytest.mark.parametrize(
    "options",
    [
        {"action": ""},
        {"action": 7},
        {"default_policy": "undefined"},
        {"default_policy": True},
        {"enforce": "no"},
        {"audit": "log"},
        {"on_refused": 403},
        {"policies": [Policy("a", "x", "y"), Policy("a", "x", "z")]},
    ],
)
def test_an_option_that_cannot_be_is_refused(options: Any) -> None:
    with pytest.raises(ValueError, match=r"EndpointFirewall: |two different policies"):
        EndpointFirewall(**options)


def test_an_audit_function_is_not_async() -> None:
    async def audit(verdict: Verdict) -> None: ...

    with pytest.raises(ValueError, match="not async"):
        EndpointFirewall(audit=audit)
