"""The options of middleware: each of Wippy's does what it says, in every spelling; each of ours is read."""

from __future__ import annotations

import inspect
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from asgi_express import load, middleware
from asgi_express.errors import MisuseError
from asgi_express.gateway import _middleware, check, register
from asgi_express.gateway._middleware import Spec, builtin
from asgi_express.gateway._problems import Wrong
from asgi_express.gateway._types import (
    Anything,
    Boolean,
    Choice,
    Duration,
    Either,
    Integer,
    ListOf,
    Number,
    Reference,
    Size,
    Text,
    Type,
)
from asgi_express.gateway._types import Mapping as Facts
from asgi_express.gateway._yaml import Node
from asgi_express.security import Actor
from asgi_express.types import ASGIApp, Receive, Scope, Send
from tests.asgi import Answer, ask
from tests.gateway.serving import entries, project, route, serving
from tests.stores.redis_server import RedisServer

ORIGIN = {"Origin": "https://app.example.com"}
PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "PUT"}
CODE = """
    def it(req, res):
        res.set("X-Client", req.scope["client"][0]).send("x" * 2000)

    def short(req, res):
        res.send("x" * 600)

    def who(req, res):
        actor = req.scope.get("asgi_express.actor")
        res.json(actor and actor.id)

    def guarded(req, res):
        res.send(req.scope["asgi_express.verdict"].action)

    def page(req, res):
        res.set("X-Total-Count", "7").send("page")
"""
ENTRIES = """\
- {name: memory, kind: store.memory}
- {name: tokens, kind: security.token_store, store: memory}
- name: readers
  kind: security.policy
  groups: readers
  policy: {actions: [access, read], resources: [app:get_who, app:get_guarded, reports], effect: allow}
- name: api
  kind: http.router
  meta: {server: gateway}
  prefix: /api
"""


def gateway(tmp_path: Path, options: Mapping[str, Any], pre: list[str], post: list[str] | None = None) -> Any:
    """Return a gateway with middleware; an option that begins with a name of ``post`` is a post option."""
    after = {key: value for key, value in options.items() if key.startswith(tuple(post or ["\0"]))}
    before = {key: value for key, value in options.items() if key not in after}
    lines = f"  middleware: {json.dumps(pre)}\n  options: {json.dumps(before)}\n"
    if post:
        lines += f"  post_middleware: {json.dumps(post)}\n  post_options: {json.dumps(after)}\n"
    routes = [route("GET", f"/{name}", name) for name in ("it", "short", "who", "guarded", "page")]
    return load(project(tmp_path, ENTRIES + lines, *routes, handlers=CODE))


class Case(NamedTuple):
    """An option, a request, and what shows that the option works.

    Attributes:
        option: the option, as Wippy spells it.
        value: what the file says; ``...`` for the default.
        request: the path, and headers.
        expected: what the answer has: ``status``, ``text``, headers.
        more: other options of the file.
    """

    option: str
    value: Any
    request: tuple[str, Mapping[str, str]]
    expected: Mapping[str, Any]
    more: Mapping[str, Any] = {}
    method: str = "GET"


COMPRESSED = {"Accept-Encoding": "gzip"}
ALLOWED = "access-control-allow-"
PROXY = {"X-Forwarded-For": "192.0.2.7"}

CASES = [
    Case("cors.allow.origins", ..., ("/it", ORIGIN), {f"{ALLOWED}origin": "*"}),
    Case(
        "cors.allow.origins",
        "https://a.example,https://app.example.com",
        ("/it", ORIGIN),
        {f"{ALLOWED}origin": ORIGIN["Origin"]},
    ),
    Case("cors.allow.origins", ["https://a.example"], ("/it", ORIGIN), {f"{ALLOWED}origin": None}),
    Case("cors.allow.origins", "*.example.com", ("/it", ORIGIN), {f"{ALLOWED}origin": ORIGIN["Origin"]}),
    Case(
        "cors.allow.methods",
        ...,
        ("/it", PREFLIGHT),
        {f"{ALLOWED}methods": "GET, POST, PUT, DELETE, OPTIONS, PATCH"},
        {},
        "OPTIONS",
    ),
    Case("cors.allow.methods", "GET,PUT", ("/it", PREFLIGHT), {f"{ALLOWED}methods": "GET, PUT"}, {}, "OPTIONS"),
    Case(
        "cors.allow.headers",
        ...,
        ("/it", PREFLIGHT),
        {f"{ALLOWED}headers": "Origin, Content-Type, Accept, Authorization, X-Requested-With"},
        {},
        "OPTIONS",
    ),
    Case("cors.allow.headers", "X-One", ("/it", PREFLIGHT), {f"{ALLOWED}headers": "X-One"}, {}, "OPTIONS"),
    Case("cors.expose.headers", "X-Total-Count", ("/page", ORIGIN), {"access-control-expose-headers": "X-Total-Count"}),
    Case("cors.expose.headers", ..., ("/page", ORIGIN), {"access-control-expose-headers": None}),
    Case("cors.allow.credentials", ..., ("/it", ORIGIN), {f"{ALLOWED}credentials": None}),
    Case(
        "cors.allow.credentials",
        "true",
        ("/it", ORIGIN),
        {f"{ALLOWED}credentials": "true"},
        {"cors.allow.origins": ORIGIN["Origin"]},
    ),
    Case("cors.max.age", ..., ("/it", PREFLIGHT), {"access-control-max-age": "86400"}, {}, "OPTIONS"),
    Case("cors.max.age", "600", ("/it", PREFLIGHT), {"access-control-max-age": "600"}, {}, "OPTIONS"),
    Case(
        "cors.allow.private.network",
        ...,
        ("/it", {**PREFLIGHT, "Access-Control-Request-Private-Network": "true"}),
        {f"{ALLOWED}private-network": None},
        {},
        "OPTIONS",
    ),
    Case(
        "cors.allow.private.network",
        True,
        ("/it", {**PREFLIGHT, "Access-Control-Request-Private-Network": "true"}),
        {f"{ALLOWED}private-network": "true"},
        {"cors.allow.origins": ORIGIN["Origin"]},
        "OPTIONS",
    ),
    Case("ratelimit.requests", ..., ("/it", {}), {"x-ratelimit-limit": "100"}),
    Case("ratelimit.requests", "7", ("/it", {}), {"x-ratelimit-limit": "7"}),
    Case("ratelimit.window", ..., ("/it", {}), {"x-ratelimit-window": "60"}),
    Case("ratelimit.window", "10s", ("/it", {}), {"x-ratelimit-window": "10"}),
    Case("ratelimit.burst", ..., ("/it", {}), {"x-ratelimit-remaining": "19"}),
    Case("ratelimit.burst", 5, ("/it", {}), {"x-ratelimit-remaining": "4"}),
    Case("ratelimit.key", ..., ("/it", {"X-API-Key": "a"}), {"x-ratelimit-remaining": "19"}),
    Case("ratelimit.key", "header:X-API-Key", ("/it", {"X-API-Key": "a"}), {"x-ratelimit-remaining": "19"}),
    Case("ratelimit.key", "query:api_key", ("/it?api_key=a", {}), {"x-ratelimit-remaining": "19"}),
    Case("ratelimit.cleanup_interval", "5m", ("/it", {}), {"x-ratelimit-limit": "100"}),
    Case("ratelimit.entry_ttl", "10m", ("/it", {}), {"x-ratelimit-limit": "100"}),
    Case("ratelimit.max_entries", ..., ("/it", {}), {"status": 200}),
    Case("ratelimit.max_entries", "1000", ("/it", {}), {"status": 200}),
    Case("compress.level", ..., ("/it", COMPRESSED), {"content-encoding": "gzip"}),
    Case("compress.level", "fastest", ("/it", COMPRESSED), {"content-encoding": "gzip"}),
    Case("compress.level", "best", ("/it", COMPRESSED), {"content-encoding": "gzip"}),
    Case("compress.min.length", ..., ("/short", COMPRESSED), {"content-encoding": None}),
    Case("compress.min.length", 512, ("/short", COMPRESSED), {"content-encoding": "gzip"}),
    Case("compress.min.length", "4kb", ("/it", COMPRESSED), {"content-encoding": None}),
    Case("real_ip.trusted.subnets", ..., ("/it", PROXY), {"x-client": "192.0.2.7"}),
    Case("real_ip.trusted.subnets", "10.0.0.0/8", ("/it", PROXY), {"x-client": "127.0.0.1"}),
    Case("real_ip.trusted.subnets", ["127.0.0.0/8"], ("/it", PROXY), {"x-client": "192.0.2.7"}),
    Case("real_ip.header", ..., ("/it", {"X-Real-IP": "192.0.2.7"}), {"x-client": "127.0.0.1"}),
    Case(
        "real_ip.header",
        "X-Real-IP",
        ("/it", {"X-Real-IP": "192.0.2.7", "X-Forwarded-For": "192.0.2.8"}),
        {"x-client": "192.0.2.7"},
    ),
    Case("real_ip.trust_all", ..., ("/it", {"X-Forwarded-For": "192.0.2.7, 192.0.2.8"}), {"x-client": "192.0.2.8"}),
    Case(
        "real_ip.trust_all",
        "true",
        ("/it", PROXY),
        {"x-client": "192.0.2.7"},
        {"real_ip.trusted.subnets": "10.0.0.0/8"},
    ),
    Case("token_auth.store", "tokens", ("/who", {"Authorization": "Bearer TOKEN"}), {"text": '"ada"'}),
    Case("token_auth.header.name", ..., ("/who", {"X-Token": "Bearer TOKEN"}), {"text": "null"}),
    Case("token_auth.header.name", "X-Token", ("/who", {"X-Token": "Bearer TOKEN"}), {"text": '"ada"'}),
    Case("token_auth.header.prefix", ..., ("/who", {"Authorization": "TOKEN"}), {"text": "null"}),
    Case("token_auth.header.prefix", "Token ", ("/who", {"Authorization": "Token TOKEN"}), {"text": '"ada"'}),
    Case("token_auth.query.param", ..., ("/who?x-auth-token=TOKEN", {}), {"text": '"ada"'}),
    Case("token_auth.query.param", "t", ("/who?t=TOKEN", {}), {"text": '"ada"'}),
    Case("token_auth.query.param", None, ("/who?x-auth-token=TOKEN", {}), {"text": "null"}),
    Case("token_auth.cookie.name", ..., ("/who", {"Cookie": "x-auth-token=TOKEN"}), {"text": '"ada"'}),
    Case("token_auth.cookie.name", "t", ("/who", {"Cookie": "t=TOKEN"}), {"text": '"ada"'}),
    Case("endpoint_firewall.action", ..., ("/guarded", {"Authorization": "Bearer TOKEN"}), {"text": "access"}),
    Case("endpoint_firewall.action", "read", ("/guarded", {"Authorization": "Bearer TOKEN"}), {"text": "read"}),
    Case("endpoint_firewall.action", "write", ("/guarded", {"Authorization": "Bearer TOKEN"}), {"status": 403}),
    Case("endpoint_firewall.default_policy", ..., ("/it", {"Authorization": "Bearer TOKEN"}), {"status": 403}),
    Case("endpoint_firewall.default_policy", "deny", ("/it", {}), {"status": 401}),
    Case("endpoint_firewall.default_policy", "allow", ("/it", {"Authorization": "Bearer TOKEN"}), {"status": 200}),
    Case("resource_firewall.target", "reports", ("/it", {"Authorization": "Bearer TOKEN"}), {"status": 200}),
    Case("resource_firewall.target", "salaries", ("/it", {"Authorization": "Bearer TOKEN"}), {"status": 403}),
    Case("resource_firewall.target", "reports", ("/it", {}), {"status": 401}),
    Case(
        "resource_firewall.action",
        ...,
        ("/guarded", {"Authorization": "Bearer TOKEN"}),
        {"text": "access"},
        {"resource_firewall.target": "reports"},
    ),
    Case(
        "resource_firewall.action",
        "write",
        ("/it", {"Authorization": "Bearer TOKEN"}),
        {"status": 403},
        {"resource_firewall.target": "reports"},
    ),
]


async def answer_of(case: Case, tmp_path: Path, spell: Any = str) -> Answer:
    """Ask with the option of a case in one of its spellings."""
    name = case.option.partition(".")[0]
    is_post = name.endswith("_firewall")
    options = dict(case.more)
    if case.value is not ...:
        options[case.option] = case.value
    needs_tokens = is_post or name == "token_auth"
    if needs_tokens and "token_auth.store" not in options:
        options["token_auth.store"] = "app:tokens"
    pre = ["token_auth"] if needs_tokens else [name]
    spelt = {spell(key): value for key, value in options.items()}
    app = gateway(tmp_path, spelt, pre, [name] if is_post else None)
    token = await app.token_stores["app:tokens"].create(Actor("ada"), "readers")
    path, headers = case.request
    headers = {key: value.replace("TOKEN", token) for key, value in headers.items()}
    return await ask(app, "/api" + path.replace("TOKEN", token), case.method, headers=headers)


def as_written(case: Case) -> str:
    return f"{case.option}={'default' if case.value is ... else case.value}"


@pytest.mark.parametrize("case", CASES, ids=as_written)
async def test_an_option_of_wippy_does_what_it_says(tmp_path: Path, case: Case) -> None:
    answer = await answer_of(case, tmp_path)
    for name, expected in case.expected.items():
        found = getattr(answer, name) if name in ("status", "text") else answer.headers.get(name)
        assert found == expected, name


def underscored(key: str) -> str:
    return key.replace(".", "_").replace("token_auth_", "token_")


SPELLED = [case for case in CASES if case.value is not ... and "_firewall" not in case.option]


@pytest.mark.parametrize("case", SPELLED, ids=as_written)
async def test_an_option_does_the_same_in_the_older_form_with_underscores(tmp_path: Path, case: Case) -> None:
    answer = await answer_of(case, tmp_path, underscored)
    for name, expected in case.expected.items():
        found = getattr(answer, name) if name in ("status", "text") else answer.headers.get(name)
        assert found == expected, name


async def test_limits_are_counted_by_what_key_names(tmp_path: Path) -> None:
    app = gateway(tmp_path, {"ratelimit.key": "header:X-API-Key", "ratelimit.burst": 1}, ["ratelimit"])
    statuses = [(await ask(app, "/api/it", headers={"X-API-Key": key})).status for key in "aabb"]
    assert statuses == [200, 429, 200, 429]


# -- every option of every class

EXAMPLES: dict[type, tuple[Any, Any]] = {
    Boolean: ("true", True),
    Integer: ("64", 64),
    Number: ("0.5", 0.5),
    Duration: ("45s", 45.0),
    Size: ("2kb", 2048),
    Text: ("word", "word"),
    Facts: ({}, {}),
    Anything: (None, None),
}
OPTIONS = [(spec, name) for spec in builtin().values() for name in spec.options]


class Here:
    """What a type may ask about its entry."""

    base = Path()

    def refer(self, node: Node, kinds: Sequence[str]) -> str:
        return f"{node.value} of {kinds[0]}"


def example(kind: Type) -> tuple[Any, Any]:
    """Return a value as a file has it, and what the class is to get."""
    if isinstance(kind, Choice):
        return kind.options[-1], kind.options[-1]
    if isinstance(kind, Either):
        return example(kind.types[-1])
    if isinstance(kind, ListOf):
        written, value = example(kind.item)
        return [Node(written, 1, str(written))], [value]
    if isinstance(kind, Reference):
        return "it", f"it of {kind.kinds[0]}"
    return EXAMPLES[type(kind)]


@pytest.mark.parametrize(("spec", "name"), OPTIONS, ids=[f"{spec.name}.{name}" for spec, name in OPTIONS])
def test_every_option_is_read_as_what_its_class_takes(spec: Spec, name: str) -> None:
    option = spec.options[name]
    written, expected = example(option.type)
    assert option.type.read(Node(written, 1, str(written)), Here()) == expected
    wrong = Node([Node({}, 1)], 1)
    if isinstance(getattr(option.type, "item", option.type), Anything):
        assert option.type.read(wrong, Here()) == [{}]
    else:
        with pytest.raises(Wrong, match="expected "):
            option.type.read(wrong, Here())
    parameter = inspect.signature(spec.cls).parameters[name]
    assert option.required == (parameter.default is parameter.empty)
    assert option.nullable == ("None" in str(parameter.annotation))


# -- middleware of others


class Tagged:
    """A middleware of somebody else: the app first, options without annotations."""

    def __init__(self, app, *, tag="none", loud=False):  # type: ignore[no-untyped-def]
        self.app = app
        self.tag = f"{tag}{'!' if loud else ''}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tagging(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-tag", self.tag.encode())]}
            await send(message)

        await self.app(scope, receive, tagging)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_middleware, "_registered", {})


async def test_a_registered_middleware_stands_before_or_after_the_match(tmp_path: Path, registered: None) -> None:
    register("tagged", Tagged)
    register("tagged", Tagged)
    app = gateway(tmp_path, {"tagged.tag": "a", "tagged_loud": True}, ["tagged"])
    assert (await ask(app, "/api/it")).headers["x-tag"] == "a!"
    assert (await ask(app, "/api/nowhere")).headers["x-tag"] == "a!"
    after = gateway(tmp_path, {"tagged.tag": "b"}, [], ["tagged"])
    assert (await ask(after, "/api/it")).headers["x-tag"] == "b"
    assert "x-tag" not in (await ask(after, "/api/nowhere")).headers


def test_a_name_is_registered_once_and_for_a_class(registered: None) -> None:
    register("tagged", Tagged)
    with pytest.raises(MisuseError, match=r"register\('tagged'\): there is a middleware of this name already"):
        register("tagged", dict)
    with pytest.raises(MisuseError, match=r"register\('cors'\)"):
        register("cors", Tagged)
    with pytest.raises(TypeError, match="expected a middleware class, got 7"):
        register("seven", 7)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def points(*values: tuple[str, str]) -> Any:
    """Return what ``importlib.metadata.entry_points`` returns for packages with these."""
    made = [EntryPoint(name, value, _middleware.GROUP) for name, value in values]
    return lambda group, name=None: [each for each in made if each.group == group and name in (None, each.name)]


async def test_a_middleware_of_an_installed_package_is_imported_when_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = points(("tagged", f"{__name__}:Tagged"), ("broken", "no.such.module:Class"))
    monkeypatch.setattr(_middleware, "entry_points", found)
    app = gateway(tmp_path, {"tagged.tag": "p"}, ["tagged"])
    assert (await ask(app, "/api/it")).headers["x-tag"] == "p"
    lines = "  middleware: [broken]\n  options: {broken.any: 1, cors.allow.origins: '*'}\n"
    problems = check(project(tmp_path, ENTRIES + lines, handlers=CODE))
    assert [(problem.code, problem.message) for problem in problems] == [
        (
            "unknown-middleware",
            "middleware 'broken' cannot be imported: ModuleNotFoundError(\"No module named 'no'\")",
        )
    ]


if TYPE_CHECKING:
    _ForCheckersOnly = dict[str, Any]


class Various:
    """A middleware of somebody else, with every sort of option."""

    given: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        app: ASGIApp,
        ratio: float = 0.5,
        *args: Any,
        numbers: list[int] | None = None,
        names: Sequence[str] = (),
        hook: Callable[[int], int] | None = None,
        unknown: _ForCheckersOnly | None = None,
        odd: type[int] = int,
        pair: type[str] | None = None,
        **more: Any,
    ) -> None:
        self.app = app
        self.given.update(ratio=ratio, numbers=numbers, names=names, hook=hook, unknown=unknown, pair=pair, more=more)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def various(tmp_path: Path, options: str) -> Path:
    router = f"- {{name: api, kind: http.router, meta: {{server: gateway}}, middleware: various, options: {options}}}\n"
    function = "- {name: fn, kind: function.python, source: 'module:math', method: floor}\n"
    return project(tmp_path, router, function)


def test_the_annotations_of_a_class_say_what_its_options_hold(tmp_path: Path) -> None:
    options = "{various.ratio: '1.5', various.numbers: [1, '2'], various.names: 'a, b', various.hook: fn, "
    options += "various.unknown: {any: thing}, various.pair: [1]}"
    load(various(tmp_path, options), middleware={"various": Various})
    assert Various.given == {
        "ratio": 1.5,
        "numbers": [1, 2],
        "names": ["a", "b"],
        "hook": math.floor,
        "unknown": {"any": "thing"},
        "pair": [1],
        "more": {},
    }
    load(various(tmp_path, "null"), middleware={"various": Various})
    assert Various.given["ratio"] == 0.5


def test_editors_take_a_number_as_one_or_as_text() -> None:
    assert Number().schema == {"anyOf": [{"type": "number"}, {"type": "string"}]}


NO_VALUES = [
    ("ratio: many", "expected a number, not 'many'"),
    ("ratio: true", "expected a number, not true"),
    ("ratio: .inf", "expected a number, not '.inf'"),
    ("numbers: 7", "expected a list of an integer of 0 or more, not 7"),
    ("hook: [fn]", "expected the ID of a function.python, not a list"),
]


@pytest.mark.parametrize(("option", "words"), NO_VALUES, ids=[option for option, _ in NO_VALUES])
def test_what_an_annotation_does_not_allow_is_a_problem(tmp_path: Path, option: str, words: str) -> None:
    (problem,) = check(various(tmp_path, f"{{various.{option}}}"), middleware={"various": Various})
    assert problem.message == f"various: {option.partition(':')[0]}: {words}"


async def test_a_store_that_cannot_be_made_is_one_problem_whatever_is_kept_in_it(tmp_path: Path) -> None:
    text = """\
- {name: redis, kind: store.redis, url: "redis://host:port"}
- {name: tokens, kind: security.token_store, store: redis}
- name: api
  kind: http.router
  meta: {server: gateway}
  middleware: [ratelimit, token_auth]
  options: {ratelimit.store: redis, token_auth.store: tokens}
"""
    assert [problem.entry for problem in check(project(tmp_path, text))] == ["app:redis"]


class Strict:
    """A middleware that refuses its option."""

    def __init__(self, app: ASGIApp, *, level: int = 1) -> None:
        msg = f"the level is {level}"
        raise ValueError(msg)


def test_what_a_class_of_others_says_about_its_options_is_a_problem() -> None:
    text = entries(
        "- {name: api, kind: http.router, meta: {server: gateway}, middleware: strict, options: {strict.level: 3}}\n"
    )
    (problem,) = check(text, middleware={"strict": Strict})
    assert (problem.message, problem.suggestion) == ("strict: the level is 3", "it is what the class says")
    assert problem.file == "<text>"


def test_a_middleware_that_cannot_be_put_after_the_match_is_a_problem() -> None:
    class NoMiddleware:
        def __init__(self, app: ASGIApp) -> None: ...

    text = entries("- {name: api, kind: http.router, meta: {server: gateway}, post_middleware: no}\n")
    (problem,) = check(text, middleware={"no": NoMiddleware})
    assert problem.message.startswith("no: post_match(): a handler must be a function")


async def test_what_cannot_be_made_is_told_once_and_not_again_by_what_names_it(tmp_path: Path) -> None:
    lines = "  middleware: [token_auth]\n  options: {token_auth.store: keyless}\n"
    more = "- {name: keyless, kind: security.token_store, store: memory, token_key: short}\n"
    problems = check(project(tmp_path, ENTRIES + lines, more))
    assert [problem.entry for problem in problems] == ["app:keyless"]


# -- what names what

FUNCTIONS = """
    noted = []

    def note(verdict):
        noted.append(verdict.reason)

    async def sorry(scope, receive, send):
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": noted[-1].encode()})

    def it(req, res):
        res.send("it")
"""


async def test_options_name_functions_and_policies(tmp_path: Path) -> None:
    text = f"""\
- name: everyone
  kind: security.policy
  policy: {{actions: "*", resources: app:get_it, effect: allow}}
- name: note
  kind: function.python
  source: file://handlers.py
  method: note
- name: sorry
  kind: function.python
  source: file://handlers.py
  method: sorry
{ENTRIES}  middleware: token_auth
  options: {{token_auth.store: tokens}}
  post_middleware: endpoint_firewall
  post_options:
    endpoint_firewall.policies: everyone
    endpoint_firewall.audit: note
    endpoint_firewall.on.refused: sorry
"""
    post = "- {name: post, kind: http.endpoint, meta: {router: api}, method: POST, path: /it, func: it_function}\n"
    app = load(project(tmp_path, text, route("GET", "/it", "it"), post, handlers=FUNCTIONS))
    refused = await ask(app, "/api/it")
    assert (refused.status, refused.text) == (418, "no actor")
    token = await app.token_stores["app:tokens"].create(Actor("ada"))
    headers = {"Authorization": f"Bearer {token}"}
    assert (await ask(app, "/api/it", headers=headers)).text == "it"
    refused = await ask(app, "/api/it", "POST", headers=headers)
    assert (refused.status, refused.text) == (418, "default")


async def test_limits_and_tokens_are_kept_in_redis(tmp_path: Path, redis_server: RedisServer) -> None:
    text = f"""\
- name: redis
  kind: store.redis
  url: {redis_server.url}
  prefix: "gateway:"
  timeout: 2s
  max_connections: 3
- name: in_redis
  kind: security.token_store
  store: redis
  token_length: 16
  default_expiration: 1h
  token_key: "${{env:KEY|sixteen characters and more}}"
{ENTRIES}  middleware: [ratelimit, token_auth]
  options: {{ratelimit.store: redis, ratelimit.burst: 2, token_auth.store: in_redis}}
"""
    path = project(tmp_path, text, route("GET", "/who", "who"), handlers=CODE)
    one, other = load(path), load(path)
    async with one.lifespan_context(), other.lifespan_context():
        token = await one.token_stores["app:in_redis"].create(Actor("ada"))
        assert len(token.partition(".")[0]) == 22
        headers = {"Authorization": f"Bearer {token}"}
        answers = [await ask(app, "/api/who", headers=headers) for app in (one, other, one)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[1].json == "ada"


# -- what is watched


WATCHED = f"{ENTRIES}  middleware: [otel, metrics]\n"
USERS = route("GET", "/users/{id}", "it")


async def test_requests_are_counted_and_traced_by_the_paths_of_their_endpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    options = "  options: {metrics.path: /metrics, metrics.namespace: watched, metrics.labels: {region: eu}, "
    options += "metrics.token: '${env:TOKEN|t0ken}', metrics.skip: /page, otel.redact: invite}\n"
    pages = (USERS, route("GET", "/page", "page"))
    async with serving(load(project(tmp_path, WATCHED + options, *pages, handlers=CODE))) as client:
        for path in ("/api/users/7?invite=abc", "/api/users/8", "/api/page", "/api/nothing"):
            await client.get(path)
        assert (await client.get("/api/metrics")).status_code == 401
        assert (await client.get("/metrics")).status_code == 404
        page = await client.get("/api/metrics", headers={"Authorization": "Bearer t0ken"})
    found = {
        (sample.labels["route"], sample.labels["status"], sample.labels["region"]): sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
        if sample.name == "watched_http_requests_total"
    }
    assert found == {("/api/users/{id}", "200", "eu"): 2, ("unmatched", "404", "eu"): 1}
    names = [span.name for span in spans.get_finished_spans()]
    assert names[:4] == ["GET /api/users/{id}", "GET /api/users/{id}", "GET /api/page", "GET"]
    assert (spans.get_finished_spans()[0].attributes or {})["url.query"] == "invite=REDACTED"


async def test_nobody_reads_the_metrics_of_a_file_that_does_not_say_so(tmp_path: Path) -> None:
    app = load(project(tmp_path, WATCHED, USERS, handlers=CODE))
    assert [(await ask(app, path)).status for path in ("/api/users/7", "/api/metrics")] == [200, 404]


def test_an_extra_that_is_missing_is_a_problem_with_the_line_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "prometheus_client"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("_metric_families", "_metrics_page"):
        monkeypatch.delitem(sys.modules, f"asgi_express.middleware.{name}", raising=False)
    problems = check(project(tmp_path, WATCHED, USERS, handlers=CODE))
    assert [problem.message for problem in problems] == [
        'metrics: Metrics needs prometheus-client: pip install "asgi-express[metrics]"'
    ]


def test_every_middleware_of_the_package_has_a_name_in_files() -> None:
    assert set(builtin()) == {getattr(middleware, name).__module__.rpartition(".")[2] for name in middleware.__all__}
