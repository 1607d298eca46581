"""The middleware, and what decides who may do what."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from asgi_express.security import Actor, Condition, Policies, Policy, Scope, current_actor
from tests.docstrings.scene import Ask, Hook, Matched, Names, Scene
from tests.docstrings.scenes.state import USERS, with_redis

LONG = "hello " * 1000
HTTPS = {"scheme": "https"}
SECRETS = {
    "SECRET": "sixteen characters or more",
    "OLD_SECRET": "as long, and out of use",
    "TOKEN_KEY": "a key of tokens, long enough",
}
JOBS = Policies([Policy("jobs", "*", "*", groups="jobs")])


def serving(text: str = "served", path: str = "/{*rest}") -> Any:
    """Return what registers a handler behind the middleware of an example."""
    return lambda names: names["app"].get(path, lambda req, res: res.send(text))


def naming(names: Names) -> None:
    names["app"].get("/:name", lambda req, res: res.set("X-Sendfile", req.params["name"]).end())


async def not_here(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 410, "headers": []})
    await send({"type": "http.response.body", "body": b"gone"})


def failing(names: Names) -> None:
    def fail() -> None:
        raise ValueError("no database")

    names["app"].get("/", lambda req: fail())


def failing_in_a_host(names: Names) -> None:
    async def fail(request: Any) -> None:
        raise ValueError("no database")

    names["app"].add_route("/", fail)


def reporting(reports: list[Exception]) -> Names:
    return {"FastAPI": FastAPI, "report": reports.append, "reports": reports}


def guarded(names: Names) -> None:
    names["app"].get("/admin", lambda req, res: res.send("served"))
    names["app"].get("/health", lambda req, res: res.send("served"), meta={"public": True})


def telling_the_client(names: Names) -> None:
    names["app"].get("/", lambda req: {"client": req.scope["client"][0], "host": req.get("Host")})


def telling_why(names: Names) -> None:
    names["app"].get("/", lambda req: {"policy": req.scope["asgi_express.verdict"].policy})


def keeping_visits(names: Names) -> None:
    def count(req: Any) -> dict[str, int]:
        req.session["visits"] = req.session.get("visits", 0) + 1
        return {"visits": req.session["visits"]}

    names["app"].get("/", count)


def with_a_token(header: str, before: str) -> Hook:
    """Return what serves who acts, and asks with a token."""

    async def ask_with_it(names: Names) -> None:
        names["app"].get("/", lambda req: {"actor": getattr(current_actor(), "id", None)})
        token = await names["tokens"].create(Actor("ada"))
        await Ask(text='{"actor":"ada"}', headers={header: before + token}).put(names["app"], names)

    return ask_with_it


def logged_in(names: Names) -> None:
    def log_in(req: Any, res: Any, next: Any) -> None:
        req.scope["asgi_express.actor"] = Actor("ada")
        next()

    names["app"].use(log_in)


def counted(names: Names) -> None:
    """Note how many requests there were before."""

    def orders() -> float:
        labels = {"method": "GET", "route": "/{*rest}", "status": "2xx", "region": "eu"}
        return REGISTRY.get_sample_value("shop_http_requests_total", labels) or 0

    names |= {"orders": orders, "before": orders()}


def traced(names: Names) -> None:
    """Set OpenTelemetry up, for this test alone."""
    names["spans"] = spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    names["world"].patch.setattr(trace, "get_tracer_provider", lambda: provider)


def allows(conditions: list[Condition], role: str) -> str:
    return Scope([Policy("p", "*", "*", conditions=conditions)]).evaluate(Actor("ada", {"role": role}), "read", "it")


def decides(expression: str, answer: Any) -> Scene:
    return Scene(gives={expression: answer})


def cors(origin: str, target: str = "/", **sends: str) -> Ask:
    expected = {f"access-control-{name.replace('_', '-')}": value for name, value in sends.items()}
    return Ask(f"GET {target}", headers={"origin": origin}, sends=expected)


SCENES: dict[str, Scene] = {
    "middleware.compress.Compress#1": Scene(
        then=serving(LONG), asks=[Ask(headers={"accept-encoding": "gzip"}, sends={"content-encoding": "gzip"})]
    ),
    "middleware.compress.Compress#2": Scene(
        then=serving(LONG),
        asks=[
            Ask(headers={"accept-encoding": "gzip, br, zstd"}, sends={"content-encoding": "br"}),
            Ask(headers={"accept-encoding": "zstd"}, text=LONG),
        ],
    ),
    "middleware.cors.CORS#1": Scene(
        then=serving(), asks=[cors("https://app.example.com", allow_origin="https://app.example.com")]
    ),
    "middleware.cors.CORS#2": Scene(
        then=serving(),
        asks=[
            cors("http://localhost:5173", allow_origin="http://localhost:5173", allow_credentials="true"),
            cors("https://a.example.com", allow_origin="https://a.example.com", expose_headers="X-Total-Count"),
            cors("https://elsewhere.example", "/public", allow_origin="*"),
        ],
    ),
    "middleware.endpoint_firewall.EndpointFirewall#1": Scene(
        then=guarded, asks=[Ask("GET /admin", status=401), Ask("GET /health", "served")]
    ),
    "middleware.endpoint_firewall.EndpointFirewall#2": Scene(
        then=guarded,
        asks=[Ask("GET /admin", "served")],
        gives={"out.startswith('Verdict(')": True, "'allowed=False' in out": True},
    ),
    "middleware.error_handler.ErrorHandler#1": Scene(
        then=failing, asks=[Ask(status=500, sends={"content-type": "application/problem+json"})]
    ),
    "middleware.error_handler.ErrorHandler#2": Scene(
        names=lambda: reporting([]),
        then=failing_in_a_host,
        asks=[Ask(status=500)],
        gives={"[str(error) for error in reports]": ["no database"], "'no database' in answer.text": True},
    ),
    "middleware.metrics.Metrics#1": Scene(
        then=serving(), asks=[Ask("GET /metrics", sends={"content-type": "text/plain; version=0.0.4; charset=utf-8"})]
    ),
    "middleware.metrics.Metrics#2": Scene(
        first=counted,
        then=serving(),
        asks=[Ask("GET /x"), Ask("GET /health"), Ask("GET /internal/x")],
        gives={"orders() - before": 1.0},
    ),
    "middleware.metrics.metrics_app": Scene(
        env={"METRICS_TOKEN": "t0ken"},
        asks=[
            Ask("GET /metrics", status=401),
            Ask("GET /metrics", headers={"authorization": "Bearer t0ken"}),
        ],
    ),
    "middleware.otel.OTel#1": Scene(
        first=traced,
        then=serving(),
        asks=[Ask("GET /x")],
        gives={"[span.name for span in spans.get_finished_spans()]": ["GET /{*rest}"]},
    ),
    "middleware.otel.OTel#2": Scene(
        first=traced,
        then=serving(),
        asks=[Ask("GET /health"), Ask("GET /x?invite=abc", headers={"x-request-id": "r"})],
        gives={
            "[span.attributes['url.query'] for span in spans.get_finished_spans()]": ["invite=REDACTED"],
            "spans.get_finished_spans()[0].attributes['http.request.header.x-request-id']": ("r",),
        },
    ),
    "middleware.ratelimit.RateLimit#1": Scene(
        then=serving(), asks=[Ask(text="served")], gives={"'x-ratelimit-remaining' in answer.headers": True}
    ),
    "middleware.ratelimit.RateLimit#2": with_redis(
        swap={"redis://localhost": "$REDIS"},
        then=serving(),
        asks=[Ask(text="served", headers={"x-api-key": "a key"})],
        gives={"'\"second\";r=9' in answer.headers['ratelimit']": True},
    ),
    "middleware.real_ip.RealIP#1": Scene(
        then=telling_the_client,
        asks=[Ask(text='{"client":"192.0.2.7","host":"a"}', headers={"host": "a", "x-forwarded-for": "192.0.2.7"})],
    ),
    "middleware.real_ip.RealIP#2": Scene(
        then=telling_the_client,
        asks=[
            Ask(
                text='{"client":"192.0.2.7","host":"b.example"}',
                headers={"host": "a", "forwarded": "for=192.0.2.7;host=b.example"},
                more={"client": ("203.0.113.9", 1)},
            )
        ],
    ),
    "middleware.resource_firewall.ResourceFirewall#1": Scene(first=logged_in, then=serving(), asks=[Ask(status=403)]),
    "middleware.resource_firewall.ResourceFirewall#2": Scene(
        first=logged_in, then=telling_why, asks=[Ask(text='{"policy":"everybody"}')]
    ),
    "middleware.endpoint_firewall.EndpointFirewall.uncovered": Scene(asks=[Ask("GET /users", "[]")]),
    "middleware._firewall.Firewall.explain": Matched(),
    "middleware.sendfile.Sendfile#1": Scene(
        files={"reports/7.txt": "a report"}, then=naming, asks=[Ask("GET /7.txt", "a report")]
    ),
    "middleware.sendfile.Sendfile#2": Scene(
        names=lambda: {"not_here": not_here},
        files={"reports/7.txt": "a report"},
        swap={"/srv/reports": "$FOLDER/reports"},
        then=naming,
        asks=[Ask("GET /7.txt", "a report"), Ask("GET /8.txt", "gone", 410)],
    ),
    "middleware.session.Session#1": Scene(
        env=SECRETS,
        then=keeping_visits,
        asks=[Ask(text='{"visits":1}')],
        gives={"'set-cookie' in answer.headers": True},
    ),
    "middleware.session.Session#2": with_redis(
        env=SECRETS,
        swap={"redis://localhost": "$REDIS"},
        then=keeping_visits,
        asks=[Ask(text='{"visits":1}', more=HTTPS)],
        gives={
            "answer.headers['set-cookie'].startswith('__Host-id=')": True,
            "'SameSite=Strict' in answer.headers['set-cookie']": True,
        },
    ),
    "session": Scene(
        then=keeping_visits, asks=[Ask(text='{"visits":1}')], gives={"'set-cookie' in answer.headers": True}
    ),
    "middleware.token_auth.TokenAuth#1": Scene(
        then=with_a_token("authorization", "Bearer "), asks=[Ask(text='{"actor":null}')]
    ),
    "middleware.token_auth.TokenAuth#2": Scene(
        env=SECRETS, then=with_a_token("cookie", "__Host-token="), asks=[Ask(text='{"actor":null}')]
    ),
    "security._conditions.Condition#1": Scene(
        names=lambda: {"allows": allows},
        gives={"allows(values, 'editor')": "allow", "allows(values, 'guest')": "undefined"},
    ),
    "security._conditions.Condition#2": decides("values[0].value_from", "actor.id"),
    "security.actor.Actor#1": decides("values[0].id", "ada"),
    "security.actor.Actor#2": decides("dict(values[0].meta)['role']", "editor"),
    "security.context.acting": Scene(names=lambda: {"policies": JOBS}),
    "security.marks.public": Scene(then=lambda names: names["health"](None)),
    "security.policy.Policy#1": decides("Scope(values).evaluate(Actor('ada'), 'read', 'article:7')", "allow"),
    "security.policy.Policy#2": decides(
        "Scope(values).decide(Actor('ada'), 'list', 'article:7', {'state': 'draft'})", ("deny", "no drafts")
    ),
    "security.scope.Scope#1": decides("values[0].evaluate(Actor('ada'), 'read', 'article:7')", "allow"),
    "security.scope.Scope#2": Scene(
        names=lambda: {"policies": USERS}, gives={"values[0].evaluate(Actor('ada'), 'read', 'draft:7')": "deny"}
    ),
    "security.scope.Policies": decides("values[0] == Scope([policies['readers']])", True),
}
