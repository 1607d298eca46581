"""What each command writes, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express, Router
from asgi_express._outline import outline
from asgi_express.gateway import schema
from tests.cli.terminal import APP, command, write
from tests.gateway.serving import ROUTER, entries, route
from tests.gateway.test_broken import expected

BROKEN = Path(__file__).parent.parent / "gateway" / "broken"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with an application, the current one; what is imported from it is forgotten."""
    write(tmp_path / "shop.py", APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delenv("ASGI_EXPRESS_APP", raising=False)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def gateway(here: Path, *more: str) -> Path:
    write(here / "handlers.py", "def hello(req, res):\n    res.send('hi')\n")
    path = here / "app.yaml"
    path.write_text(entries(ROUTER, route("GET", "/hello/{name}", "hello"), *more))
    return path


# -- routes


def test_routes_are_a_table_in_the_order_in_which_a_request_meets_them() -> None:
    result = command("routes", "shop:app")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines == [
        ["METHODS", "PATH", "NAME", "HANDLERS"],
        ["GET", "/users/:id", "user", "shop.check", ">", "shop.show"],
        ["WEBSOCKET", "/chat", "shop.<lambda>"],
        ["GET", "/", "shop.show"],
        ["ANY", "/any", "shop.show"],
    ]
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


def test_a_table_of_everything_has_what_is_on_the_way_too() -> None:
    assert "middleware" not in command("routes", "shop:app").stdout
    told = command("routes", "shop:app", "--all").stdout
    assert "middleware" in told
    assert "endpoint_firewall.EndpointFirewall" in told


def test_routes_are_a_tree_of_routers() -> None:
    assert command("routes", "shop:app", "--format", "tree", "--all").stdout.splitlines()[:5] == [
        "shop:app (application.Express)",
        "├── middleware cors.CORS",
        "├── /users (router.Router)",
        "│   ├── guard endpoint_firewall.EndpointFirewall",
        "│   └── GET /users/:id (user)",
    ]
    assert "guard" not in command("routes", "shop:app", "--format", "tree").stdout


@pytest.mark.parametrize("options", [["--json"], ["--format", "json"]])
def test_routes_are_json_for_scripts(options: list[str]) -> None:
    found = json.loads(command("routes", "shop:app", *options).stdout)["shop:app"]
    assert found[0]["path"] == "/users/:id"
    assert found[0]["methods"] == ["GET"]
    assert found[0]["handlers"] == ["shop.check", "shop.show"]
    assert found[0]["source"].endswith("shop.py:8")


def test_routes_are_a_graph_in_mermaid_with_its_quotes_escaped(here: Path) -> None:
    write(here / "odd.py", """
        import re
        import asgi_express as express
        app = express.Express()
        app.use(lambda req, res, next: next())
        app.get(re.compile('/"<&>'), lambda: "x")
    """)  # fmt: skip
    assert command("routes", "odd:app", "--format", "mermaid").stdout.splitlines() == [
        "flowchart LR",
        '  n0[["odd:app"]]',
        "  n1[\"GET re.compile('/#quot;#lt;#amp;#gt;')\"]",
        "  n0 --> n1",
    ]
    assert 'n1["middleware odd.#lt;lambda#gt;"]' in command("routes", "odd:app", "--format", "mermaid", "--all").stdout


def test_routes_are_a_graph_in_dot() -> None:
    lines = command("routes", "shop:app", "--format", "dot").stdout.splitlines()
    assert lines == [
        "digraph routes {",
        "  rankdir=LR",
        "  node [shape=box]",
        '  n0 [label="shop:app", shape=folder]',
        *('  n1 [label="WEBSOCKET /chat"]', "  n0 -> n1"),
        *('  n2 [label="GET /"]', "  n0 -> n2"),
        *('  n3 [label="ANY /any"]', "  n0 -> n3"),
        *('  n4 [label="/users", shape=folder]', "  n0 -> n4"),
        *('  n5 [label="GET /users/:id"]', "  n4 -> n5"),
        "}",
    ]


def test_routes_of_a_gateway_are_those_of_its_services(here: Path) -> None:
    second = """\
    - name: admin
      kind: http.service
      addr: "127.0.0.1:9090"
    """
    gateway(here, second)
    told = command("routes").stdout
    assert "/api/hello/{name}" in told
    assert told.splitlines()[0] == "app:gateway"
    assert "app:admin" in told
    only = command("routes", "app.yaml", "--service", "app:admin").stdout
    assert only.splitlines() == ["METHODS  PATH  NAME  HANDLERS"]
    wrong = command("routes", "--service", "app:x")
    assert wrong.exit_code == 3
    assert wrong.stderr == "error: there is no service 'app:x'; there are app:gateway, app:admin\n"


def test_a_tree_that_has_no_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_express._outline._MAX_NODES", 3)
    app = Express()
    app.get("/a", lambda: 1)
    app.use("/b", Router().get("/c", lambda: 1).get("/d", lambda: 1))
    made = outline(app).to_dict()
    assert made["items"][1] == {
        "kind": "router", "name": "asgi_express.router.Router", "path": "/b", "cut": True,
        "items": [made["items"][1]["items"][0]],
    }  # fmt: skip
    assert made["cut"] is False
    sys.modules["cut_here"] = type(sys)("cut_here")
    sys.modules["cut_here"].__dict__["app"] = app
    try:
        assert "... and more" in command("routes", "cut_here:app", "--format", "tree").stdout
    finally:
        del sys.modules["cut_here"]


# -- which application


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nope:app", "there is no module 'nope' here or in the Python path"),
        ("nope.deep:app", "there is no module 'nope.deep' here or in the Python path"),
        ("shop:ap", "shop has no 'ap'; did you mean 'app'?"),
        ("shop:zzzzzz", "shop has no 'zzzzzz'"),
        ("shop", "expected module:app, such as main:app, or a YAML file, not 'shop'"),
        ("shop.py", "expected module:app, such as main:app, or a YAML file, not 'shop.py'"),
        ("shop:show", "shop:show is a builtins.function; expected an Express, a Router or a gateway"),
        ("fails:app", "fails cannot be imported: ZeroDivisionError: division by zero (fails.py, line 2)"),
        ("needs:app", "needs cannot be imported: ModuleNotFoundError: No module named 'not_there' (needs.py, line 1)"),
        ("leaves:app", "leaves cannot be imported: SystemExit: 5 (leaves.py, line 1)"),
        ("none.yaml", "there is no file none.yaml"),
    ],
)
def test_a_target_that_cannot_be_had_is_told_in_words_and_without_a_traceback(
    here: Path, target: str, words: str
) -> None:
    write(here / "fails.py", "x = 1\nx / 0\n")
    write(here / "needs.py", "import not_there\n")
    write(here / "leaves.py", "raise SystemExit(5)\n")
    result = command("routes", target)
    assert (result.exit_code, result.stdout, result.stderr) == (3, "", f"error: {words}\n")


def test_a_file_that_is_no_python_is_told_with_its_line(here: Path) -> None:
    write(here / "syntax.py", "x = 1\ndef f(:\n")
    result = command("routes", "syntax:app")
    assert result.exit_code == 3
    assert result.stderr.startswith("error: syntax cannot be imported: SyntaxError: ")
    assert result.stderr.endswith("(syntax.py, line 2)\n")
    assert result.stderr.count("syntax.py") == 1


@pytest.mark.parametrize("arguments", [("routes", "shop:app"), ("explain", "GET", "/", "-a", "shop:app")])
def test_a_service_is_asked_for_of_a_gateway_only(here: Path, arguments: tuple[str, ...]) -> None:
    result = command(*arguments, "--service", "app:gateway")
    words = "error: --service is for a gateway, and shop:app is none\n"
    assert (result.exit_code, result.stdout, result.stderr) == (3, "", words)


def test_without_a_target_the_usual_places_are_looked_at(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = command("routes")
    assert result.exit_code == 3
    assert result.stderr == (
        "error: which application? Name it as module:app or app.yaml, or set ASGI_EXPRESS_APP; "
        "here is none of app.yaml, app.yml, main.py, app.py\n"
    )
    monkeypatch.setenv("ASGI_EXPRESS_APP", "shop:app")
    assert "/users/:id" in command("routes").stdout


def test_main_py_is_one_of_the_usual_places(here: Path) -> None:
    write(here / "main.py", "from shop import app\n")
    assert "/users/:id" in command("routes").stdout


# -- explain


def test_explain_says_each_layer_and_how_it_ends() -> None:
    result = command("explain", "get", "/users/7", "-a", "shop:app")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "GET /users/7",
        "  router     asgi_express.application.Express at /: enters",
        "    middleware asgi_express.middleware.cors.CORS at /: may answer",
        "    router     asgi_express.router.Router at /users: enters",
        "      route      user [GET] at /users/:id: matches, id='7'",
        "      guard      asgi_express.middleware.endpoint_firewall.EndpointFirewall at /users/:id: "
        "refuses (no actor, access on user)",
        "asgi_express.middleware.endpoint_firewall.EndpointFirewall refuses: no actor, access on user",
    ]


def test_explain_can_ask_as_an_actor_and_answers_in_json() -> None:
    result = command("explain", "GET", "/users/7", "-a", "shop:app", "--actor", "ada", "--meta", "age=7", "--json")
    found = json.loads(result.stdout)
    assert found["end"] == "shop.show answers"
    guard = next(step for step in found["steps"] if step["kind"] == "guard")
    assert (guard["outcome"], guard["details"]["policy"]) == ("passes on", "staff")


def test_explain_takes_headers(here: Path) -> None:
    write(here / "asked.py", """
        import asgi_express as express
        from asgi_express.middleware import RealIP
        app = express.Express().use(RealIP(trusted_subnets="127.0.0.1"))
        app.get("/", lambda: "x")
    """)  # fmt: skip
    result = command("explain", "GET", "/", "-a", "asked:app", "-H", "X-Forwarded-For: 203.0.113.9")
    assert "passes on (the client is 203.0.113.9)" in result.stdout


def test_explain_of_a_gateway_takes_groups_of_policies(here: Path) -> None:
    gateway(
        here,
        """\
        - name: all
          kind: security.policy
          policy: {actions: "*", resources: "*", effect: allow}
          groups: [users]
        """,
    )
    result = command("explain", "GET", "/api/hello/you", "--actor", "ada", "--group", "users")
    assert result.exit_code == 0, result.output
    assert "route      app:get_hello [GET] at /api/hello/{name}: matches, name='you'" in result.stdout
    wrong = command("explain", "GET", "/", "--actor", "ada", "--group", "nobody")
    assert (wrong.exit_code, wrong.stderr) == (3, "error: Policies: no policy is in a group 'nobody'\n")


def test_explain_of_a_gateway_with_several_services_asks_which(here: Path) -> None:
    gateway(here, '- {name: admin, kind: http.service, addr: ":9090"}\n')
    result = command("explain", "GET", "/api/hello/x")
    assert result.exit_code == 3
    assert result.stderr == "error: which service? There are app:gateway, app:admin (--service)\n"
    assert command("explain", "GET", "/api/hello/x", "--service", "app:gateway").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["GET", "users"], "a path begins with / and is percent-encoded, such as /users/7?page=2, not 'users'"),
        (["G T", "/"], "expected a method such as GET, got 'G T'"),
        (["GET", "/", "-H", "X"], "expected 'Name: value', got 'X'"),
        (["GET", "/", "--group", "g"], "--meta and --group say something about --actor"),
        (["GET", "/", "--actor", "a", "--group", "g"], "--group is for the policies of a gateway"),
        (["GET", "/", "--actor", "a", "--meta", "x"], "expected name=value, got 'x'"),
    ],
)
def test_explain_refuses_what_cannot_be_asked(arguments: list[str], words: str) -> None:
    result = command("explain", *arguments, "-a", "shop:app")
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


# -- check


FILES = sorted(BROKEN.glob("*.yaml"))


def test_there_are_many_broken_files() -> None:
    assert len(FILES) >= 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_check_says_of_a_broken_file_what_it_says_of_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - {"PATH"}:
        monkeypatch.delenv(name)  # some files are broken because a variable is missing
    result = command("check", str(path))
    said = expected(path)
    assert (result.exit_code, result.stderr) == (1, f"{len(said)} problem{'s' if len(said) != 1 else ''}\n")
    for line, _, entry, message, _ in said:
        place = f"{path}:{line}:{f' {entry}:' if entry else ''} {message.removesuffix('...')}"
        assert place in result.stdout
    problems = json.loads(command("check", str(path), "--json").stdout)["problems"]
    assert [(problem["line"], problem["code"], problem["entry"]) for problem in problems] == [each[:3] for each in said]


def test_check_of_a_directory_takes_all_files_as_one_registry() -> None:
    result = command("check", str(BROKEN))
    assert result.exit_code == 1
    silent = [path.stem for path in FILES if f"{path}:" not in result.stdout]
    assert silent == ["no_service"]  # together with the others, it is not without one


def test_check_of_good_files_says_so(here: Path) -> None:
    gateway(here)
    result = command("check")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no problems\n")
    assert json.loads(command("check", "--json").stdout) == {"ok": True, "problems": []}


def test_check_counts_the_problems_and_says_where_each_is(here: Path) -> None:
    write(here / "app.yaml", entries("- name: api\n  kind: http.rooter\n"))
    result = command("check", "app.yaml")
    assert result.exit_code == 1
    assert "app.yaml:8: app:api:" in result.stdout
    assert "did you mean 'http.router'?" in result.stdout
    assert result.stderr == "1 problem\n"
    write(here / "app.yaml", entries("- name: api\n  kind: http.rooter\n", "- name: b\n  kind: x\n"))
    assert command("check", "app.yaml").stderr == "2 problems\n"
    refused = command("routes", "app.yaml")
    assert refused.exit_code == 3
    assert refused.stderr.startswith("error: 2 problems in the gateway's files:\n")


@pytest.mark.parametrize("arguments", [["check"], ["routes"]])
def test_without_yaml_the_line_that_installs_it_is_told(
    here: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    gateway(here)
    monkeypatch.setitem(sys.modules, "yaml", None)
    result = command(*arguments)
    assert result.exit_code == 3
    assert "pip install 'asgi-express[gateway]'" in result.stderr


def test_check_of_a_file_that_is_not_there_cannot_be_done() -> None:
    result = command("check", "none.yaml")
    assert (result.exit_code, result.stderr) == (3, "error: there is no file none.yaml\n")


# -- schema


def test_the_schema_is_written_to_stdout_or_a_file(here: Path) -> None:
    assert json.loads(command("schema").stdout) == json.loads(json.dumps(schema()))
    result = command("schema", "-o", "deep/gateway.json")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "wrote deep/gateway.json\n")
    assert json.loads((here / "deep/gateway.json").read_text()) == json.loads(json.dumps(schema()))


def test_a_schema_that_cannot_be_written_is_told(here: Path) -> None:
    write(here / "file", "")
    result = command("schema", "-o", "file/gateway.json")
    assert result.exit_code == 3
    assert result.stderr.startswith("error: file/gateway.json cannot be written: ")


# -- the whole


def test_help_names_every_command_and_the_exit_codes() -> None:
    told = command("--help").stdout
    for name in ("serve", "run", "check", "routes", "explain", "token", "schema", "new"):
        assert f"\n  {name} " in told
    assert "Exit codes: 0 it is done; 1 what was asked about is not right" in told


def test_a_wrong_option_is_exit_code_2() -> None:
    assert command("routes", "--colour").exit_code == 2


def test_the_extra_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asgi_express.cli import main

    for name in list(sys.modules):
        if name.startswith("asgi_express.cli."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 3
    assert capsys.readouterr().err == "asgi-express needs click: pip install 'asgi-express[cli]'\n"


def test_another_import_that_fails_is_not_taken_for_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from asgi_express.cli import main

    for name in list(sys.modules):
        if name.startswith("asgi_express.cli."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asgi_express.cli._failure", None)
    with pytest.raises(ImportError):
        main()


def test_the_entry_point_runs_the_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from asgi_express.cli import main

    monkeypatch.setattr(sys, "argv", ["asgi-express", "--version"])
    for run in (main, lambda: runpy.run_module("asgi_express.cli", run_name="__main__")):
        with pytest.raises(SystemExit) as caught:
            run()
        assert caught.value.code == 0
        assert capsys.readouterr().out.startswith("asgi-express, version ")


def test_on_a_terminal_there_is_colour_and_a_sign_of_life(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from rich.text import Text

    from asgi_express.cli._output import show, working

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with working("Reading"):
        show(Text("red", style="red"))
    told = capsys.readouterr()
    assert told.out == "\x1b[31mred\x1b[0m\n"
    assert "Reading" in told.err


def test_routes_and_explain_of_a_gateway_name_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "v1.2").mkdir()
    write(tmp_path / "v1.2" / "handlers.py", "def hello(req, res):\n    res.end()\n")
    (tmp_path / "public").mkdir()
    write(tmp_path / "public" / "index.html", "a page")
    files = """\
    - {name: pages, kind: fs.directory, directory: public}
    - {name: site, kind: http.static, meta: {server: gateway}, path: /, fs: pages}
    """
    own = route("GET", "/hello", "hello", source="file://v1.2/handlers.py")
    there = route("GET", "/json", "dumps", source="module:json")
    path = tmp_path / "app.yaml"
    path.write_text(entries(ROUTER, own, there.replace("dumps", "loads"), files))
    table = command("routes", str(path)).stdout
    assert re.search(r"^GET +/api/hello +app:get_hello +v1\.2/handlers\.py:hello *$", table, re.M)
    assert re.search(r"^GET +/api/json +app:get_loads +json:loads *$", table, re.M)
    (listed, _) = json.loads(command("routes", "--json", str(path)).stdout)["app:gateway"]
    assert listed["source"] == f"{tmp_path / 'v1.2' / 'handlers.py'}:1"
    everything = command("routes", "--all", str(path)).stdout
    assert re.search(r"^middleware +/ +static\.static *$", everything, re.M)
    assert re.search(r"^middleware +/api +end of the prefix *$", everything, re.M)
    told = command("explain", "GET", "/api/hello", "-a", str(path)).stdout
    assert told.splitlines()[-1] == "v1.2/handlers.py:hello answers"
    told = command("explain", "GET", "/", "-a", str(path)).stdout
    assert told.splitlines()[-1] == "asgi_express.static.static answers: the file index.html"
