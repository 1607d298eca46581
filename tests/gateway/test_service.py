"""``http.service``: the address, deadlines, TLS, the order of starting, the baseline actor."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import stat
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization

from asgi_express import load, next_app
from asgi_express.gateway import TLS, Gateway, Service, check
from asgi_express.security import Actor
from asgi_express.server import Server
from asgi_express.types import ASGIApp, Receive, Scope, Send
from tests.asgi import Client, Socket, ask
from tests.gateway.certificates import Authority
from tests.gateway.serving import ROUTER, entries, project, route, serving


def service(more: str = "", *, addr: str = ":8080", name: str = "gateway") -> str:
    return f"- name: {name}\n  kind: http.service\n  addr: '{addr}'\n{more}"


def only(text: str) -> Service:
    (found,) = load(entries(service=text)).services
    return found


@pytest.mark.parametrize(
    ("addr", "host", "port", "url"),
    [
        (":8080", "0.0.0.0", 8080, "http://127.0.0.1:8080"),
        ("127.0.0.1:9090", "127.0.0.1", 9090, "http://127.0.0.1:9090"),
        ("[::1]:80", "::1", 80, "http://[::1]:80"),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80, "http://[fe80::1%eth0]:80"),
        ("web_1.internal.:80", "web_1.internal.", 80, "http://web_1.internal.:80"),
        ("example.com:0", "example.com", 0, "http://example.com:0"),
    ],
)
def test_an_address_has_a_host_and_a_port(addr: str, host: str, port: int, url: str) -> None:
    found = only(service(addr=addr))
    assert (found.host, found.port, found.url) == (host, port, url)


def test_what_is_not_said_has_its_default() -> None:
    found = only(service())
    assert (found.auto_start, found.start_timeout, found.stop_timeout, found.depends_on) == (True, 10.0, 10.0, ())
    assert (found.read_timeout, found.write_timeout, found.idle_timeout, found.tls) == (None, None, None, None)
    assert (found.buffer_size, found.worker_count) == (1024, 1)
    assert found.uvicorn_options() == {
        "host": "0.0.0.0",
        "port": 8080,
        "timeout_graceful_shutdown": 10,
        "proxy_headers": False,
    }


def test_what_is_said_is_there_for_the_server() -> None:
    found = only(
        service(
            "  timeouts: {read: 5s, write: 1m, idle: 1500ms}\n"
            "  host: {buffer_size: 16, worker_count: 4}\n"
            "  lifecycle: {auto_start: false, start_timeout: 3s, stop_timeout: 2.5s}\n"
        )
    )
    assert (found.read_timeout, found.write_timeout, found.idle_timeout) == (5.0, 60.0, 1.5)
    assert (found.buffer_size, found.worker_count) == (16, 4)
    assert (found.auto_start, found.start_timeout, found.stop_timeout) == (False, 3.0, 2.5)
    options = found.uvicorn_options()
    assert (options["timeout_keep_alive"], options["timeout_graceful_shutdown"]) == (2, 3)


def test_a_number_of_workers_that_changes_nothing_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    only(service("  host: {worker_count: 1}\n"))
    assert not caplog.messages
    only(service("  host: {worker_count: 4}\n"))
    assert caplog.messages == [
        "app:gateway: host.worker_count changes nothing: nobody has to carry messages to an inbox"
    ]


# -- deadlines

ECHO = """
    async def echo(req, res):
        res.send(await req.text())

    async def slow(req, res):
        import asyncio
        await asyncio.Event().wait()

    async def stalled(req, res):
        import asyncio
        await res.write("begun")
        await asyncio.Event().wait()

    def fail(req, res):
        raise TimeoutError("of its own")
"""


def timed(tmp_path: Path, timeouts: str) -> Gateway:
    parts = [route("POST", "/echo", "echo"), route("GET", "/slow", "slow"), route("GET", "/stalled", "stalled")]
    parts.append(route("GET", "/fail", "fail"))
    return load(project(tmp_path, ROUTER, *parts, service=service(f"  timeouts: {timeouts}\n"), handlers=ECHO))


async def test_a_body_that_does_not_come_in_time_is_408(tmp_path: Path) -> None:
    gateway = timed(tmp_path, "{read: 50ms}")
    answer = await ask(gateway, "/api/echo", "POST", body=[b"a", b"b"])
    assert (answer.status, answer.text) == (200, "ab")
    slow = Client([b"begun"], leaves=True)
    slow._left.clear()
    answer = await ask(gateway, "/api/echo", "POST", client=slow)
    assert (answer.status, answer.headers["connection"]) == (408, "close")


async def test_a_body_that_does_not_come_in_time_over_http_is_408(tmp_path: Path) -> None:
    async with Server(timed(tmp_path, "{read: 100ms}"), port=0, host="127.0.0.1") as server:

        def send_half() -> int:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            connection.putrequest("POST", "/api/echo")
            connection.putheader("Content-Length", "10")
            connection.endheaders(b"half ")
            try:
                return connection.getresponse().status
            finally:
                connection.close()

        assert await asyncio.to_thread(send_half) == 408


async def test_an_answer_that_takes_too_long_is_503_or_cut_off(tmp_path: Path) -> None:
    gateway = timed(tmp_path, "{write: 100ms}")
    async with serving(gateway, log_level="critical") as client:
        late = await client.get("/api/slow")
        assert (late.status_code, late.text, late.headers["connection"]) == (503, "Service Unavailable", "close")
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get("/api/stalled")
        assert (await client.get("/api/fail")).status_code == 500


async def test_after_the_body_a_handler_may_wait_for_its_client(tmp_path: Path) -> None:
    code = """
    async def wait(req, res):
        await req.read()
        import asyncio
        while not await req.disconnected():
            await asyncio.sleep(0)
        res.send("gone")
    """
    parts = [ROUTER, route("POST", "/wait", "wait")]
    path = project(tmp_path, *parts, service=service("  timeouts: {read: 20ms}\n"), handlers=code)
    client = Client([b"body"])
    asyncio.get_running_loop().call_later(0.05, client.leave)
    assert (await ask(load(path), "/api/wait", "POST", client=client)).text == "gone"


async def test_deadlines_are_for_http_only(tmp_path: Path) -> None:
    socket = await Socket().connect(timed(tmp_path, "{read: 1s, write: 1s}"), "/api/echo")
    assert socket.types == ["websocket.close"]


# -- TLS


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path)
    made.certify("server")
    made.certify("client")
    return made


def secure(tmp_path: Path, *more: str) -> Path:
    lines = ["mode: manual", "cert: file://server.pem", "key: file://server.key", *more]
    text = service("  tls: {" + ", ".join(lines) + "}\n", addr="127.0.0.1:0")
    return project(tmp_path, ROUTER, route("GET", "/hello", "hello"), service=text, handlers="def hello(): return 'hi'")


async def hello(gateway: Gateway, tmp_path: Path, *, certificate: str = "") -> str:
    (found,) = gateway.services
    options = found.uvicorn_options(tmp_path)
    del options["host"], options["port"]
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    if certificate:
        trusting.load_cert_chain(tmp_path / f"{certificate}.pem", tmp_path / f"{certificate}.key")
    async with (
        Server(gateway, port=0, host="127.0.0.1", **options) as server,
        httpx2.AsyncClient(base_url=server.url, verify=trusting) as client,
    ):
        assert server.url.startswith("https://")
        return (await client.get("/api/hello")).text


async def test_a_service_with_tls_answers_over_it(tmp_path: Path, authority: Authority) -> None:
    gateway = load(secure(tmp_path))
    assert gateway.services[0].url.startswith("https://")
    assert await hello(gateway, tmp_path) == "hi"


@pytest.mark.parametrize("mode", ["require_and_verify", "require_any"])
async def test_a_client_without_a_certificate_is_refused_where_one_is_required(
    tmp_path: Path, authority: Authority, mode: str
) -> None:
    gateway = load(secure(tmp_path, "client_ca: file://ca.pem", f"client_auth: {mode}"))
    assert await hello(gateway, tmp_path, certificate="client") == "hi"
    with pytest.raises(httpx2.TransportError):
        await hello(gateway, tmp_path)


@pytest.mark.parametrize("mode", ["verify_if_given", "request"])
async def test_a_client_may_come_without_a_certificate_but_not_with_a_strange_one(
    tmp_path: Path, authority: Authority, mode: str
) -> None:
    gateway = load(secure(tmp_path, "client_ca: file://ca.pem", f"client_auth: {mode}"))
    assert await hello(gateway, tmp_path) == "hi"
    assert await hello(gateway, tmp_path, certificate="client") == "hi"
    (tmp_path / "elsewhere").mkdir()
    stranger = Authority(tmp_path / "elsewhere")
    stranger.certify("stranger")
    for end in ("pem", "key"):
        (tmp_path / f"stranger.{end}").write_bytes((tmp_path / "elsewhere" / f"stranger.{end}").read_bytes())
    with pytest.raises(httpx2.TransportError):
        await hello(gateway, tmp_path, certificate="stranger")


def test_a_key_comes_from_the_environment_or_inline_and_is_not_shown(tmp_path: Path, authority: Authority) -> None:
    pem, key = (tmp_path / "server.pem").read_text(), (tmp_path / "server.key").read_text()
    cert = "".join(f"      {line}\n" for line in pem.splitlines())
    text = entries(service=service(f"  tls:\n    mode: manual\n    key: ${{env:KEY}}\n    cert: |\n{cert}"))
    tls = load(text, environment={"KEY": key}).services[0].tls
    assert tls == TLS(pem, key)
    assert key not in repr(tls)


def test_tls_that_no_server_could_use_is_told_before_anything_starts(tmp_path: Path, authority: Authority) -> None:
    path = secure(tmp_path)
    key = serialization.load_pem_private_key((tmp_path / "server.key").read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"pass")
    )
    for content in ((tmp_path / "client.key").read_bytes(), locked):
        (tmp_path / "server.key").write_bytes(content)
        (problem,) = check(path)
        assert problem.message.startswith("tls.cert cannot be used: ")
        assert problem.suggestion == "give a certificate that openssl reads, and its own key, without a password"
    authority.certify("server")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n")
    (problem,) = check(secure(tmp_path, "client_ca: file://ca.pem", "client_auth: require_any"))
    assert problem.message.startswith("tls.client_ca cannot be used: ")


def test_a_directory_with_the_key_in_it_is_not_served(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "server.key").rename(tmp_path / "public" / "server.key")
    path = secure(tmp_path)
    files = "  - {name: public, kind: fs.directory, directory: public}\n"
    files += "  - {name: site, kind: http.static, meta: {server: gateway}, path: /, fs: public}\n"
    path.write_text(path.read_text().replace("file://server.key", "file://public/server.key") + files)
    (problem,) = check(path)
    assert problem.code == "unsafe"
    assert problem.message == "fs: public holds server.key, which everybody could read"


def test_the_files_of_tls_are_for_their_owner_only(tmp_path: Path, authority: Authority) -> None:
    tls = load(secure(tmp_path)).services[0].tls
    assert tls is not None
    (tmp_path / "run").mkdir()
    paths = tls.write(tmp_path / "run")
    assert sorted(paths) == ["cert", "key"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in paths.values())


def test_options_with_tls_need_a_directory(tmp_path: Path, authority: Authority) -> None:
    with pytest.raises(ValueError, match=r"app:gateway has TLS: uvicorn_options\(\) needs a directory"):
        load(secure(tmp_path)).services[0].uvicorn_options()


# -- several services


class Starts:
    """A middleware that notes what starts."""

    noted: list[str]

    def __init__(self, app: ASGIApp = next_app, *, name: str) -> None:
        self.app = app
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self.noted.append(f"start {self.name}")
        await self.app(scope, receive, send)
        if scope["type"] == "lifespan":
            self.noted.append(f"stop {self.name}")


def three(first: str, second: str) -> str:
    parts = []
    for name, port, needs in (("a", 1, first), ("b", 2, second), ("c", 3, "")):
        more = f"  lifecycle: {{depends_on: {needs}}}\n" if needs else ""
        parts.append(service(more, addr=f":{port}", name=name))
        parts.append(
            f"- {{name: r{name}, kind: http.router, meta: {{server: {name}}}, middleware: starts, "
            f"options: {{starts.name: {name}}}}}\n"
        )
    return entries(*parts, "- {name: memory, kind: store.memory}\n", service="")


@pytest.mark.parametrize(
    ("text", "order"),
    [(three("[b, c]", "c"), "cba"), (three("", "a"), "abc"), (three("[b, memory]", ""), "bac")],
)
async def test_services_start_after_what_they_depend_on_and_stop_before_it(text: str, order: str) -> None:
    Starts.noted = []
    gateway = load(text, middleware={"starts": Starts})
    assert [found.id for found in gateway.services] == [f"app:{name}" for name in order]
    async with gateway.lifespan_context():
        assert Starts.noted == [f"start {name}" for name in order]
    assert Starts.noted[3:] == [f"stop {name}" for name in reversed(order)]


async def test_services_of_one_file_are_served_side_by_side(tmp_path: Path) -> None:
    parts = [
        service(addr=":1", name="one"),
        service(addr=":2", name="two"),
        *("- {name: api1, kind: http.router, meta: {server: one}}\n", route("GET", "/who", "one", router="api1")),
        *("- {name: api2, kind: http.router, meta: {server: two}}\n", route("GET", "/who", "two", router="api2")),
    ]
    code = "def one(): return 'one'\ndef two(): return 'two'"
    gateway = load(project(tmp_path, *parts, service="", handlers=code))
    one, two = (found.app for found in gateway.services)
    async with gateway.lifespan_context(), serving(one) as first, serving(two) as second:
        assert ((await first.get("/who")).text, (await second.get("/who")).text) == ("one", "two")
    socket = await Socket().connect(gateway, "/who", server=("127.0.0.1", 3))
    assert socket.sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]
    with pytest.raises(LookupError, match="there is no service 'app:three'; there are app:one, app:two"):
        gateway.app_of("app:three")


async def test_a_stack_of_a_service_is_there_for_tools(tmp_path: Path) -> None:
    gateway = load(project(tmp_path, ROUTER, route("GET", "/who", "one"), handlers="def one(): return 1"))
    router = gateway.router_of("app:gateway").stack[0].router
    assert [layer.route.name for layer in router.stack] == ["app:get_one"]


# -- the baseline actor

GUARDED = """\
- name: api
  kind: http.router
  meta: {server: gateway}
  prefix: /api
  middleware: [token_auth]
  options: {token_auth.store: tokens}
  post_middleware: [endpoint_firewall]
- {name: memory, kind: store.memory}
- {name: tokens, kind: security.token_store, store: memory}
- name: visitors
  kind: security.policy
  groups: visitors
  policy: {actions: access, resources: app:get_who, effect: allow}
- name: only_here
  kind: security.policy
  policy:
    actions: access
    resources: app:get_here
    effect: allow
    conditions: [{field: actor.meta.kind, operator: eq, value: visitor}]
"""
WHO = """
    from asgi_express.security import can, current_actor

    def who(req, res):
        res.json([req.scope["asgi_express.actor"].id, current_actor().id, can("access", "app:get_who")])

    here = there = who
"""


def baseline(tmp_path: Path, security: str) -> Gateway:
    parts = [GUARDED, *(route("GET", f"/{name}", name) for name in ("who", "here", "there"))]
    text = service(f"  lifecycle: {{security: {security}}}\n")
    return load(project(tmp_path, *parts, service=text, handlers=WHO))


async def test_the_baseline_actor_acts_where_no_token_says_who_does(tmp_path: Path) -> None:
    security = "{actor: {id: visitor, meta: {kind: visitor}}, groups: [visitors], policies: [only_here]}"
    gateway = baseline(tmp_path, security)
    assert (await ask(gateway, "/api/who")).json == ["visitor", "visitor", True]
    assert (await ask(gateway, "/api/here")).status == 200
    assert (await ask(gateway, "/api/there")).status == 403


async def test_a_token_is_stronger_than_the_baseline_and_a_wrong_one_does_not_become_it(tmp_path: Path) -> None:
    gateway = baseline(tmp_path, "{actor: {id: visitor}, groups: visitors}")
    async with gateway.lifespan_context():
        token = await gateway.token_stores["app:tokens"].create(Actor("ada"), "visitors")
        right = await ask(gateway, "/api/who", headers={"Authorization": f"Bearer {token}"})
        assert right.json[0] == "ada"
        wrong = await ask(gateway, "/api/who", headers={"Authorization": "Bearer wrong"})
        assert wrong.status == 401


async def test_without_a_baseline_nobody_acts(tmp_path: Path) -> None:
    parts = [GUARDED, route("GET", "/who", "who")]
    gateway = load(project(tmp_path, *parts, handlers=WHO))
    assert (await ask(gateway, "/api/who")).status == 401
    assert gateway.policies.groups == ("visitors",)
    assert "visitors" in repr(gateway.policies.scope("visitors"))


def test_a_reference_may_be_to_any_entry_but_not_to_none(tmp_path: Path) -> None:
    more = "  lifecycle: {depends_on: [memory, nothing]}\n"
    problems = check(entries("- {name: memory, kind: store.memory}\n", service=service(more)))
    assert [(problem.code, problem.suggestion) for problem in problems] == [
        ("unknown-reference", "there are gateway, memory")
    ]
