"""ResourceFirewall: who may use one named resource, wherever it stands."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from asgi_express import Express, Router
from asgi_express.middleware.endpoint_firewall import Verdict
from asgi_express.middleware.resource_firewall import ResourceFirewall
from asgi_express.security import Actor, Condition, Decision, Policy, Scope
from tests.asgi import Socket, ask

WITH_ADA: dict[str, Any] = {"asgi_express.actor": Actor("ada")}
NOBODY: dict[str, Any] = {}
READ = Policy("readers", "read", "reports")


def ok(req: Any, res: Any) -> None:
    res.send("ok")


async def inner(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


DECISIONS: list[tuple[dict[str, Any], dict[str, Any], int, str]] = [
    ({}, {"policies": [READ]}, 401, "no actor"),
    (WITH_ADA, {}, 403, "default"),
    (WITH_ADA, {"default_policy": "allow"}, 200, "default"),
    (WITH_ADA, {"policies": [READ]}, 200, "policy"),
    (WITH_ADA, {"policies": [READ], "action": "write"}, 403, "default"),
    (WITH_ADA, {"policies": [READ], "target": "bills"}, 403, "default"),
    (WITH_ADA, {"policies": [READ, Policy("closed", "*", "*", "deny")]}, 403, "policy"),
    ({**WITH_ADA, "asgi_express.security_scope": Scope([READ])}, {}, 200, "policy"),
]


@pytest.mark.parametrize(("scope", "options", "status", "reason"), DECISIONS)
async def test_a_decision_around_any_app(scope: Any, options: Any, status: int, reason: str) -> None:
    told: list[Verdict] = []
    firewall = ResourceFirewall(inner, **{"target": "reports", "action": "read", "audit": told.append, **options})
    assert (await ask(firewall, "/any/path", **scope)).status == status
    assert [(verdict.reason, verdict.resource) for verdict in told] == [(reason, options.get("target", "reports"))]
    assert (told[0].method, told[0].allowed) == ("GET", status == 200)


@pytest.mark.parametrize("path", ["/reports/7", "/reports/%37", "/REPORTS/7/"])
async def test_the_path_does_not_change_the_resource(path: str) -> None:
    told: list[Verdict] = []
    app = Express().get("/reports/:id", ResourceFirewall(target="reports", audit=told.append), ok)
    assert (await ask(app, path, **WITH_ADA)).status == 403
    assert told[0].resource == "reports"


async def test_a_mark_on_the_route_does_not_open_the_resource() -> None:
    app = Express().get("/", ResourceFirewall(target="reports"), ok, meta={"public": True})
    assert (await ask(app)).status == 401


async def test_after_the_match_conditions_see_the_route() -> None:
    own = Policy("own", "access", "reports", conditions=[Condition("meta.params.id", "eq", value_from="actor.id")])
    app = Express().post_match(ResourceFirewall(target="reports", policies=[own])).get("/:id", ok)
    assert [(await ask(app, path, "HEAD", **WITH_ADA)).status for path in ("/ada", "/eve")] == [200, 403]


async def test_before_the_match_conditions_see_the_method() -> None:
    get = Policy("get", "access", "reports", conditions=[Condition("meta.method", "eq", "GET")])
    firewall = ResourceFirewall(inner, target="reports", policies=[get])
    assert [(await ask(firewall, "/", method, **WITH_ADA)).status for method in ("GET", "HEAD", "POST")] == [
        200,
        200,
        403,
    ]


async def test_a_websocket_is_refused() -> None:
    told: list[Verdict] = []
    firewall = ResourceFirewall(inner, target="reports", audit=told.append)
    assert (await Socket().connect(firewall)).sent == [{"type": "websocket.close", "code": 1008}]
    assert told[0].method == "WEBSOCKET"


async def test_a_lifespan_passes() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    firewall: Any = ResourceFirewall(app, target="reports")
    await firewall(scope, None, None)
    assert seen == [{"type": "lifespan"}]
    assert seen[0] is scope


async def test_in_fastapi_it_stands_around_the_host_or_a_mount() -> None:
    host, reports = FastAPI(), FastAPI()
    reports.add_api_route("/{number}", lambda number: {"number": number})
    host.add_api_route("/", lambda: {"ok": True})
    host.mount("/reports", ResourceFirewall(reports, target="reports", action="read", policies=[READ]))
    assert (await ask(host, "/")).status == 200
    assert [(await ask(host, "/reports/7", **scope)).status for scope in (NOBODY, WITH_ADA)] == [401, 200]
    whole = FastAPI()
    whole.add_middleware(ResourceFirewall, target="host")
    assert (await ask(whole, "/openapi.json")).status == 401


async def test_in_a_router_that_is_a_handler_conditions_see_the_route_around_it() -> None:
    no = Policy("no", "*", "*", "deny", [Condition("meta.params.id", "eq", "7")])
    firewall = ResourceFirewall(target="reports", action="read", policies=[READ, no])
    app = Express().all("/:id/x", Router().use(firewall).get("/:id/x", ok))
    assert [(await ask(app, path, **WITH_ADA)).status for path in ("/7/x", "/8/x")] == [403, 200]


@pytest.mark.parametrize("options", [{"target": ""}, {"target": 7}, {"target": "x", "action": ""}])
def test_an_option_that_cannot_be_is_refused(options: Any) -> None:
    with pytest.raises(ValueError, match="ResourceFirewall: "):
        ResourceFirewall(**options)


async def test_policies_of_a_class_of_somebody_s_own_are_asked_each_time() -> None:
    class Closing(Scope):
        """Policies that apply in office hours."""

        def decide(self, *asked: Any, **more: Any) -> Decision:
            return super().decide(*asked, **more) if answers == [] else Decision("deny", "closed")

    firewall = ResourceFirewall(inner, target="reports", action="read")
    scope = {**WITH_ADA, "asgi_express.security_scope": Closing([READ])}
    answers: list[int] = []
    for _ in range(2):
        answers.append((await ask(firewall, **scope)).status)
    assert answers == [200, 403]


async def test_no_decision_is_told_of_somebody_else_and_so_many_are_kept() -> None:
    told: list[Verdict] = []
    not_eve = Policy("not eve", "access", "reports", "deny", [Condition("actor.id", "eq", "eve")])
    reading = Policy("readers", "access", "reports")
    firewall = ResourceFirewall(inner, target="reports", policies=[reading, not_eve], audit=told.append)

    async def come(who: str, method: str = "GET") -> None:
        scope: dict[str, Any] = {"asgi_express.actor": Actor(who)}
        await ask(firewall, "/", method, **scope)

    for who, method in [("ada", "GET"), ("eve", "GET"), ("ada", "POST"), ("eve", "POST")] * 2:
        await come(who, method)
        decided = (told[-1].allowed, told[-1].policy, told[-1].actor, told[-1].method)
        assert decided == (who == "ada", "readers" if who == "ada" else "not eve", who, method)
    for number in range(1500):
        await come(f"user {number}")
        assert (told[-1].actor, told[-1].resource) == (f"user {number}", "reports")
    assert 0 < len(firewall._verdicts) <= 1024
    firewall._verdicts.clear()
    await come("x" * 300)
    assert (told[-1].actor, len(firewall._verdicts)) == ("x" * 300, 0)
