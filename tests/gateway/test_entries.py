"""What entries do: routers and paths, files, policies, tokens, stores, variables."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

import pytest

from asgi_express import load
from asgi_express.gateway import GatewayError, check
from asgi_express.security import OPERATORS, Actor
from tests.asgi import ask
from tests.gateway.serving import HEAD, ROUTER, entries, project, route, serving

# -- routers and paths

ROUTES = [
    ("/items/me", "me", {}),
    ("/items/7", "show", {"id": "7"}),
    ("/items/2024-01-01", "show", {"id": "2024-01-01"}),
    ("/items/7/parts/3", "part", {"id": "7", "part": "3"}),
    ("/items/7/parts/3/more", "rest", {"path": "7/parts/3/more"}),
    ("/ITEMS/ME/", "me", {}),
    ("/items/caf%C3%A9", "show", {"id": "café"}),
    ("/items/a%2Fb", "show", {"id": "a/b"}),
    ("/items", "list", {}),
    ("/", "root", {}),
]
PATHS = {
    "rest": "/items/{path...}",
    "part": "/items/{id}/parts/{part}",
    "show": "/items/{id}",
    "me": "/items/me",
    "list": "/items",
    "root": "/",
}


@pytest.mark.parametrize(("path", "name", "params"), ROUTES, ids=[case[0] for case in ROUTES])
async def test_the_most_specific_path_answers_whatever_the_order(
    tmp_path: Path, path: str, name: str, params: dict[str, str]
) -> None:
    code = "\n".join(f"def {each}(req): return ['{each}', req.params]" for each in PATHS)
    parts = [route("GET", f"'{each}'", function) for function, each in PATHS.items()]
    async with serving(load(project(tmp_path, ROUTER, *parts, handlers=code))) as client:
        answer = await client.get("/api" + path)
        assert (answer.status_code, answer.json()) == (200, [name, params])


METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"]


async def test_an_endpoint_answers_its_method_and_no_other(tmp_path: Path) -> None:
    parts = [route(method, f"/{method.lower()}", f"on_{method.lower()}") for method in METHODS]
    parts.append(route("GET", "/head", "get_head"))
    code = "\n".join(f"def on_{each.lower()}(req, res): res.set('X-On', '{each}').end()" for each in METHODS)
    gateway = load(project(tmp_path, ROUTER, *parts, handlers=code + "\ndef get_head(req, res): res.end()"))
    async with serving(gateway) as client:
        for method in METHODS:
            answer = await client.request(method, f"/api/{method.lower()}")
            assert (answer.status_code, answer.headers.get("x-on")) == (200, method)
        assert (await client.request("POST", "/api/put")).status_code == 404
        assert (await client.request("OPTIONS", "/api/put")).headers["allow"] == "PUT"
        assert (await client.head("/api/get")).headers["x-on"] == "GET"


async def test_the_longest_prefix_gets_the_request_and_nobody_else_does(tmp_path: Path) -> None:
    parts = [
        "- {name: all, kind: http.router, meta: {server: gateway}}\n",
        "- {name: v1, kind: http.router, meta: {server: gateway}, prefix: /api/v1}\n",
        "- {name: tenant, kind: http.router, meta: {server: gateway}, prefix: '/tenants/{tenant}'}\n",
        ROUTER,
        route("GET", "/{rest...}", "everything", router="all"),
        route("GET", "/users", "old"),
        route("GET", "/users", "new", router="v1"),
        route("GET", "/{id}", "tenant", router="tenant"),
    ]
    code = "\n".join(
        f"def {name}(req): return ['{name}', req.params]" for name in ("everything", "old", "new", "tenant")
    )
    gateway = load(project(tmp_path, *parts, handlers=code))
    for path, expected in {
        "/api/users": ["old", {}],
        "/api/v1/users": ["new", {}],
        "/apiary": ["everything", {"rest": "apiary"}],
        "/tenants/acme/7": ["tenant", {"tenant": "acme", "id": "7"}],
    }.items():
        assert (await ask(gateway, path)).json == expected
    for path in ("/api/nothing", "/api/v1/nothing", "/api/v1", "/tenants/acme/7/8"):
        assert (await ask(gateway, path)).status == 404
        assert (await gateway.router_of("app:gateway").explain("GET", path)).status == 404


async def test_the_metadata_of_an_endpoint_is_there_for_policies(tmp_path: Path) -> None:
    meta = "{router: api, public: true, team: [a]}"
    more = f"- {{name: open, kind: http.endpoint, meta: {meta}, method: GET, path: /open, func: it}}\n"
    more += "- {name: it, kind: function.python, source: 'file://handlers.py', method: it}\n"
    router = ROUTER + "  post_middleware: endpoint_firewall\n"
    code = "def it(req): return [req.route.name, dict(req.route.meta)]"
    gateway = load(project(tmp_path, router, more, route("GET", "/closed", "it"), handlers=code))
    answer = await ask(gateway, "/api/open")
    assert answer.json == ["app:open", {"router": "api", "public": True, "team": ["a"]}]
    assert (await ask(gateway, "/api/closed")).status == 401


# -- functions


async def test_functions_of_one_file_share_its_module_and_two_gateways_do_not(tmp_path: Path) -> None:
    code = """
    from dataclasses import dataclass
    from typing import ClassVar

    @dataclass
    class Count:
        kinds: ClassVar[int] = 1
        number: int = 0

    count = Count()

    def up(req):
        count.number += 1
        return count.number

    def down(req):
        count.number -= 1
        return count.number
    """
    path = project(tmp_path, ROUTER, route("GET", "/up", "up"), route("GET", "/down", "down"), handlers=code)
    one, two = load(path), load(path)
    assert [(await ask(one, "/api/up")).json for _ in range(2)] == [1, 2]
    assert (await ask(one, "/api/down")).json == 1
    assert (await ask(two, "/api/up")).json == 1


async def test_a_function_may_be_of_a_module_that_python_finds(tmp_path: Path) -> None:
    path = project(tmp_path, ROUTER, route("GET", "/it", "python_version", source="module:platform"))
    assert (await ask(load(path), "/api/it")).text == platform.python_version()


def test_advice_about_a_function_names_those_of_the_file(tmp_path: Path) -> None:
    code = "from os.path import join\nclass _Hidden: ...\ndef first(): ...\ndef second(): ..."
    (problem,) = check(project(tmp_path, ROUTER, route("GET", "/x", "zzz"), handlers=code))
    assert (problem.code, problem.suggestion) == ("missing-function", "there are first, second")


# -- files


def site(tmp_path: Path, options: str = "", *more: str, files: dict[str, str] | None = None) -> Any:
    for name, text in (files or {"index.html": "index", "app.js": "app", "docs/index.html": "docs"}).items():
        path = tmp_path / "public" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    parts = [
        "- {name: public, kind: fs.directory, directory: public}\n",
        "- name: site\n  kind: http.static\n  meta: {server: gateway}\n  path: /site\n  fs: public\n" + options,
        *more,
    ]
    return load(project(tmp_path, *parts))


async def test_files_are_served_below_a_path(tmp_path: Path) -> None:
    async with serving(site(tmp_path)) as client:
        for path, text in {"/site/": "index", "/site/app.js": "app", "/site/docs/": "docs"}.items():
            assert (await client.get(path)).text == text
        assert (await client.get("/site")).headers["location"] == "/site/"
        assert (await client.get("/site/nothing", headers={"Accept": "text/html"})).status_code == 404
        assert (await client.get("/site/../app.yaml")).status_code == 404
        assert (await client.get("/site/app.js")).headers["cache-control"] == "public, max-age=0"


async def test_another_index_and_a_cache_value(tmp_path: Path) -> None:
    options = "  static_options: {index: app.js, cache: 'private, max-age=60'}\n"
    gateway = site(tmp_path, options)
    answer = await ask(gateway, "/site/")
    assert (answer.text, answer.headers["cache-control"]) == ("app", "private, max-age=60")


async def test_the_page_of_an_application_answers_navigations_and_is_asked_for_anew(tmp_path: Path) -> None:
    gateway = site(tmp_path, "  static_options: {spa: true, index: index.html, cache: 'max-age=60'}\n")
    for path in ("/site/", "/site/any/where"):
        answer = await ask(gateway, path, headers={"Accept": "text/html"})
        assert (answer.text, answer.headers["cache-control"]) == ("index", "public, max-age=0")
    assert (await ask(gateway, "/site/app.js")).headers["cache-control"] == "max-age=60"
    assert (await ask(gateway, "/site/any/where")).status == 404


async def test_files_have_middleware_and_give_way_to_a_router_of_their_path(tmp_path: Path) -> None:
    more = [
        "- {name: api, kind: http.router, meta: {server: gateway}, prefix: /site}\n",
        "- {name: it, kind: http.endpoint, meta: {router: api}, method: GET, path: /app.js, func: function}\n",
        "- {name: function, kind: function.python, source: 'module:os', method: getpid}\n",
    ]
    gateway = site(tmp_path, "  middleware: [cors]\n  options: {cors.allow.origins: 'https://a.example'}\n", *more)
    assert (await ask(gateway, "/site/app.js")).json == os.getpid()
    answer = await ask(gateway, "/site/docs/", headers={"Origin": "https://a.example"})
    assert (answer.text, answer.headers["access-control-allow-origin"]) == ("docs", "https://a.example")


# -- policies

FACTS = {"role": "editor", "age": 40, "teams": ["a", "b"], "home": {"city": "Turin"}}
CONDITIONS = [
    ("actor.id", "eq", "ada", True),
    ("actor.id", "ne", "ada", False),
    ("actor.meta.age", "lt", 41, True),
    ("actor.meta.age", "gt", 41, False),
    ("actor.meta.age", "lte", 40, True),
    ("actor.meta.age", "gte", 40, True),
    ("actor.meta.role", "in", ["editor", "admin"], True),
    ("actor.meta.role", "nin", ["editor"], False),
    ("actor.meta.home.city", "exists", None, True),
    ("actor.meta.home.street", "nexists", None, True),
    ("actor.meta.teams", "contains", "a", True),
    ("actor.meta.teams", "ncontains", "a", False),
    ("resource", "matches", "app:get_*", True),
    ("action", "nmatches", "acc*", False),
    ("meta.method", "eq", "GET", True),
    ("meta.params.id", "eq", "ada", True),
]


def guarded(tmp_path: Path, policy: str) -> Any:
    router = (
        ROUTER
        + "  middleware: token_auth\n  options: {token_auth.store: tokens}\n  post_middleware: endpoint_firewall\n"
    )
    parts = [
        "- {name: memory, kind: store.memory}\n- {name: tokens, kind: security.token_store, store: memory}\n",
        policy,
        router,
        route("GET", "/users/{id}", "it"),
    ]
    return load(project(tmp_path, *parts, handlers="def it(): return 'it'"))


async def status(gateway: Any, group: str = "users", path: str = "/api/users/ada") -> int:
    token = await gateway.token_stores["app:tokens"].create(Actor("ada", FACTS), group)
    return (await ask(gateway, path, headers={"Authorization": f"Bearer {token}"})).status


def policy(more: str, kind: str = "security.policy", *, name: str = "p", rest: str = "groups: users") -> str:
    return f"- name: {name}\n  kind: {kind}\n  {rest}\n  policy:\n    {more}\n"


ALLOW = 'actions: access\n    resources: "*"\n    effect: allow'


def test_every_operator_is_in_the_table() -> None:
    assert {operator for _, operator, _, _ in CONDITIONS} == OPERATORS


@pytest.mark.parametrize(
    ("field", "operator", "value", "holds"), CONDITIONS, ids=[f"{c[0]} {c[1]}" for c in CONDITIONS]
)
async def test_a_condition_of_a_policy(tmp_path: Path, field: str, operator: str, value: Any, holds: bool) -> None:
    given = "" if value is None else f", value: {value if not isinstance(value, str) else repr(value)}"
    text = policy(f"{ALLOW}\n    conditions: [{{field: {field}, operator: {operator}{given}}}]")
    assert await status(guarded(tmp_path, text)) == (200 if holds else 403)


POLICIES = [
    ("actions: access\n    resources: app:get_it\n    effect: allow", 200),
    ("actions: [read, access]\n    resources: [app:x, 'app:*_it']\n    effect: allow", 200),
    ("actions: write\n    resources: '*'\n    effect: allow", 403),
    ("actions: '*'\n    resources: app:other\n    effect: allow", 403),
    (f"{ALLOW}\n    conditions:\n      field: meta.params.id\n      operator: eq\n      value_from: actor.id", 200),
    (
        f"{ALLOW}\n    conditions:\n      - {{field: actor.id, operator: eq, value: ada}}\n"
        "      - {field: actor.id, operator: eq, value: eve}",
        403,
    ),
]


@pytest.mark.parametrize(("text", "expected"), POLICIES, ids=[text for text, _ in POLICIES])
async def test_a_policy_of_a_group_decides(tmp_path: Path, text: str, expected: int) -> None:
    assert await status(guarded(tmp_path, policy(text))) == expected


async def test_a_policy_that_denies_wins_and_one_outside_of_the_group_does_not_count(tmp_path: Path) -> None:
    deny = policy(ALLOW.replace("allow", "deny"), name="no", rest="groups: [careful, others]")
    gateway = guarded(tmp_path, policy(ALLOW, rest="groups: [users, careful]") + deny)
    assert (await status(gateway, "users"), await status(gateway, "careful")) == (200, 403)


EXPRESSIONS = [
    ('actor.meta.role == "editor" && meta.method in ["GET", "HEAD"]', 200),
    ("actor.meta.age > 50 || meta.params.id == actor.id", 200),
    ('!(actor.id == "ada")', 403),
]


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
async def test_a_policy_with_an_expression_decides(tmp_path: Path, expression: str, expected: int) -> None:
    text = policy(f"{ALLOW}\n    expression: '{expression}'", "security.policy.expr")
    assert await status(guarded(tmp_path, text)) == expected


# -- tokens and stores


def stores(text: str, environment: dict[str, str] | None = None) -> Any:
    return load(entries(text), environment=environment or {})


async def test_a_token_has_its_length_signature_and_end() -> None:
    text = """\
- {name: memory, kind: store.memory, max_entries: 2}
- {name: plain, kind: security.token_store, store: memory}
- name: signed
  kind: security.token_store
  store: memory
  token_length: 16
  default_expiration: 2h
  token_key: "${env:KEY}"
"""
    found = stores(text, {"KEY": "a secret of the environment"}).token_stores
    plain, signed = await found["app:plain"].create(Actor("ada")), await found["app:signed"].create(Actor("ada"))
    assert (len(plain), "." in plain) == (43, False)
    assert [len(part) for part in signed.split(".")] == [22, 43]
    now = time.time()
    for store, token, lifetime in (("app:plain", plain, 24 * 3600), ("app:signed", signed, 2 * 3600)):
        grant = await found[store].validate(token)
        assert abs(grant.expires - now - lifetime) < 60
    with pytest.raises(Exception, match="MemoryStore is full: 2 entries"):
        await found["app:plain"].create(Actor("eve"))


async def test_a_store_that_evicts_makes_room() -> None:
    gateway = stores("- {name: memory, kind: store.memory, max_entries: 1, full: evict}\n")
    store = gateway._current.made.objects.stores["app:memory"]
    for key in "ab":
        await store.set(key, b"", ttl=60)
    assert (await store.get("a"), await store.get("b")) == (None, b"")


# -- variables

VARIABLES = """\
- {name: os, kind: env.storage.os}
- {name: port, kind: env.variable, variable: PORT, storage: os, default: "9090"}
- {name: HOST, kind: env.variable}
"""
PLACEHOLDERS = [
    ("127.0.0.1:${env:X}", {"X": "81"}, 81),
    ("127.0.0.1:${env:X|82}", {}, 82),
    ("127.0.0.1:${env:X|82}", {"X": "81"}, 81),
    ("127.0.0.1:8${env: X |}3", {}, 83),
    ("${env:HOST}:${env:port}", {"HOST": "127.0.0.1"}, 9090),
    ("${env:app:HOST}:${env:app:port}", {"HOST": "127.0.0.1", "PORT": "84"}, 84),
    ("127.0.0.1:${env:PORT}", {}, 9090),
]


@pytest.mark.parametrize(("addr", "environment", "port"), PLACEHOLDERS, ids=[case[0] for case in PLACEHOLDERS])
def test_a_placeholder_stands_for_a_variable(addr: str, environment: dict[str, str], port: int) -> None:
    service = f"- {{name: gateway, kind: http.service, addr: '{addr}'}}\n"
    (found,) = load(entries(VARIABLES, service=service), environment=environment).services
    assert (found.host, found.port) == ("127.0.0.1", port)


def test_variables_are_those_of_the_process_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TEST_PORT", "4321")
    text = entries(service="- {name: gateway, kind: http.service, addr: ':${env:GATEWAY_TEST_PORT}'}\n")
    assert load(text).services[0].port == 4321


def test_what_a_placeholder_stands_for_is_neither_shown_nor_looked_through() -> None:
    text = entries("- {name: p, kind: store.redis, url: '${env:URL}', max_connections: '${env:N}'}\n")
    problems = check(text, environment={"URL": "http://user:secret@host", "N": "many"})
    assert [problem.message for problem in problems] == [
        "url: expected a URL of Redis, not '${env:URL}'",
        "max_connections: expected an integer of 1 or more, not '${env:N}'",
    ]
    again = entries("- {name: p, kind: store.redis, url: 'redis://host', prefix: '${env:A}'}\n")
    store = load(again, environment={"A": "${env:B}", "B": "secret"})
    assert store.registry.entries["app:p"].values["prefix"] == "${env:B}"


def test_words_of_others_about_a_value_do_not_show_what_came_from_the_environment() -> None:
    url = entries("- {name: p, kind: store.redis, url: '${env:URL}'}\n")
    (problem,) = check(url, environment={"URL": "redis://user:pass#word@host:port"})
    assert problem.message == "url: this is no URL that redis-py can read"
    key = ROUTER + "  middleware: ratelimit\n  options: {ratelimit.key: '${env:K}'}\n"
    (problem,) = check(entries(key), environment={"K": "a secret"})
    assert problem.message.endswith("not '${env:K}'")


def test_numbers_and_flags_may_come_from_the_environment() -> None:
    more = "host: {buffer_size: '${env:N}'}, lifecycle: {auto_start: '${env:B}'}"
    service = f"- {{name: gateway, kind: http.service, addr: ':1', {more}}}\n"
    (found,) = load(entries(service=service), environment={"N": "32", "B": "false"}).services
    assert (found.buffer_size, found.auto_start) == (32, False)


def test_a_placeholder_without_a_name_is_a_problem() -> None:
    (problem,) = check(entries("- {name: p, kind: store.redis, url: 'redis://${env:}'}\n"), environment={})
    assert (problem.message, problem.suggestion) == (
        "'${env:}' names no variable",
        "set it, or write a default: ${env:NAME|...}",
    )


# -- files of entries


def test_entries_of_other_namespaces_are_named_with_them(tmp_path: Path) -> None:
    (tmp_path / "handlers.py").write_text("def it(): return 1")
    (tmp_path / "web.yaml").write_text(entries("- {name: api, kind: http.router, meta: {server: gateway}}\n"))
    (tmp_path / "users.yml").write_text(
        HEAD.replace("namespace: app", "namespace: app.users")
        + "  - {name: one, kind: http.endpoint, meta: {router: 'app:api'}, method: GET, path: /, func: it}\n"
        + "  - {name: it, kind: function.python, source: 'file://handlers.py', method: it}\n"
    )
    assert sorted(load(tmp_path).registry.endpoints) == ["app.users:one"]
    problems = check(tmp_path / "users.yml")
    assert [problem.code for problem in problems] == ["unknown-reference"]


def test_duplicates_of_two_files_name_the_other_file(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(entries())
    (problem,) = check(tmp_path)
    assert problem.file == str(tmp_path / "b.yaml")
    assert problem.message == f"there is an entry of this ID already, in {tmp_path / 'a.yaml'}, line 4"


def test_the_same_file_twice_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(entries())
    assert check(tmp_path, tmp_path / "a.yaml", str(tmp_path / "." / "a.yaml")) == []


SOURCES = [
    ("nothing.yaml", "missing-file", "there is no such file or directory", "did you mean 'nothings.yaml'?"),
    (
        "no/such/place.yaml",
        "missing-file",
        "there is no such file or directory",
        "name the directory, or the files, of the entries",
    ),
    (
        "empty",
        "missing-file",
        "there is no .yaml or .yml file in the directory",
        "name the directory, or the files, of the entries",
    ),
    ("latin.yaml", "yaml", "the file is not UTF-8", "save it as UTF-8"),
    ("large.yaml", "yaml", "the file is larger than 1024 KiB", "share the entries out among several files"),
    ("control.yaml", "yaml", "this is not YAML: ", "look at the brackets, quotes and indentation up to there"),
]


@pytest.mark.parametrize(("name", "code", "message", "advice"), SOURCES, ids=[case[0] for case in SOURCES])
def test_a_source_that_cannot_be_read_is_a_problem(
    tmp_path: Path, name: str, code: str, message: str, advice: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothings.yaml").touch()
    (tmp_path / "latin.yaml").write_bytes(b"version: 1\nname: caf\xe9\n")
    (tmp_path / "large.yaml").write_text("# " + "x" * 2**20)
    (tmp_path / "control.yaml").write_bytes(b"version: \x01\n")
    (problem,) = check(tmp_path / name)
    assert (problem.code, problem.suggestion) == (code, advice)
    assert problem.message.startswith(message)
    assert problem.line == (2 if name == "latin.yaml" else 1)


def test_a_directory_with_too_many_files_is_no_directory_of_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_express.gateway._sources._MAX_FILES", 1)
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(entries())
    assert check(tmp_path)[0].message == "there are over 1 files in the directory"


def test_a_file_that_cannot_be_opened_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(entries())

    whole = Path.open

    def refuse(self: Path, *args: Any, **options: Any) -> Any:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return whole(self, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    (problem,) = check(path)
    assert (problem.message, problem.suggestion) == (
        "the file cannot be read: Permission denied",
        "look at its permissions",
    )


def test_nothing_to_load_is_an_error_of_the_program() -> None:
    with pytest.raises(TypeError, match=r"load\(\) needs a file, a directory, or the text of a file"):
        load()


def test_text_is_a_source_and_the_empty_text_too() -> None:
    assert check(entries()) == []
    assert check("")[0].message == "expected a mapping of version, namespace, entries, not nothing"
    with pytest.raises(GatewayError, match="1 problem in the gateway's files"):
        load("")
