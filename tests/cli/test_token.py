"""Tokens are made, looked at and ended, in stores that outlive the command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.terminal import command, write
from tests.gateway.serving import entries
from tests.stores.redis_server import running_redis

POLICY = """\
- name: staff
  kind: security.policy
  policy: {actions: "*", resources: "*", effect: allow}
  groups: [users]
"""


def tokens(store: str, name: str = "tokens") -> str:
    return f"- name: {name}\n  kind: security.token_store\n  store: {store}\n"


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with running_redis() as server:
        yield server.url


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


@pytest.fixture
def kept(here: Path, redis_url: str) -> None:
    """A gateway whose tokens are in Redis."""
    redis = f"- name: kept\n  kind: store.redis\n  url: {redis_url}\n"
    (here / "app.yaml").write_text(entries(redis, tokens("kept"), POLICY))


@pytest.fixture
def vault(here: Path) -> Iterator[list[str]]:
    """A module with a store of tokens; what names it on the command line."""
    write(here / "vault.py", """
        from asgi_express.security import Policies, Policy, TokenStore
        from asgi_express.stores import MemoryStore
        tokens = TokenStore(MemoryStore(), policies=Policies([Policy("staff", "*", "*", groups="users")]))
    """)  # fmt: skip
    yield ["-a", "vault:tokens"]
    sys.modules.pop("vault", None)


@pytest.mark.usefixtures("kept")
def test_a_token_in_redis_is_made_in_one_command_seen_in_the_next_and_ended_in_a_third() -> None:
    made = command("token", "create", "ada", "--group", "users", "--meta", "level=7", "--meta", "name=Ada")
    assert made.exit_code == 0, made.output
    token = made.stdout.strip()
    assert len(token) >= 43
    assert made.stderr.startswith("for ada, until 20")
    seen = command("token", "inspect", "--", token)
    assert seen.stdout.splitlines()[:3] == [
        "actor: ada",
        "meta: {'level': 7, 'name': 'Ada'}",
        "policies: ['app:staff']",
    ]
    assert (seen.exit_code, seen.stderr) == (0, "")
    ended = command("token", "revoke", "-", given=token + "\n")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "", "the token has ended\n")
    gone = command("token", "inspect", "-", given=token + "\n")
    assert (gone.exit_code, gone.stdout, gone.stderr) == (1, "", "the token is not valid\n")
    again = command("token", "revoke", "--", token)
    assert (again.exit_code, again.stderr) == (1, "the token was not valid\n")


def test_scripts_get_json(vault: list[str]) -> None:
    made = command("token", "create", "ada", "--expires", "2h", "--json", *vault)
    assert made.exit_code == 0, made.output
    facts = json.loads(made.stdout)
    assert (facts["actor"], facts["meta"], facts["policies"]) == ("ada", {}, [])
    left = datetime.fromisoformat(facts["expires"]) - datetime.now(UTC)
    assert timedelta(hours=1, minutes=59) < left <= timedelta(hours=2)
    token = facts.pop("token")
    assert json.loads(command("token", "inspect", "--json", *vault, "--", token).stdout) == {"valid": True, **facts}
    assert json.loads(command("token", "revoke", "--json", *vault, "--", token).stdout) == {"revoked": True}
    assert json.loads(command("token", "inspect", "--json", *vault, "--", token).stdout) == {"valid": False}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--group", "nobody"], "Policies: no policy is in a group 'nobody'"),
        (["--expires", "soon"], "soon"),
        (["--expires", "0s"], "TokenStore: expires must be above 0, not '0s'"),
    ],
)
def test_what_a_token_cannot_have_is_told_in_words(vault: list[str], arguments: list[str], words: str) -> None:
    result = command("token", "create", "ada", *arguments, *vault)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("error: ")
    assert words in result.stderr


@pytest.mark.parametrize("arguments", [["ada", "--meta", "x"], [""]])
def test_an_actor_that_cannot_be_is_a_wrong_command_line(vault: list[str], arguments: list[str]) -> None:
    result = command("token", "create", *arguments, *vault)
    assert result.exit_code == 2


def test_a_store_in_memory_is_refused_because_the_token_would_end_with_the_command(here: Path) -> None:
    (here / "app.yaml").write_text(entries("- {name: kept, kind: store.memory}\n", tokens("kept")))
    result = command("token", "create", "ada")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        "error: app:tokens is kept in memory (app:kept): "
        "a token made here would end with this command. Use store.redis\n"
    )


def test_a_redis_that_is_away_is_told(here: Path) -> None:
    redis = "- name: kept\n  kind: store.redis\n  url: redis://127.0.0.1:1/0\n"
    (here / "app.yaml").write_text(entries(redis, tokens("kept")))
    result = command("token", "create", "ada")
    assert result.exit_code == 3
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr


def test_of_several_stores_one_has_to_be_named(here: Path) -> None:
    memory = "- {name: kept, kind: store.memory}\n"
    (here / "app.yaml").write_text(entries(memory, tokens("kept"), tokens("kept", "others")))
    words = "error: which token store? There are app:tokens, app:others (--store)\n"
    assert command("token", "inspect", "x").stderr == words
    assert command("token", "inspect", "x", "--store", "app:x").stderr == words
    assert command("token", "inspect", "x", "--store", "app:others").stderr == "the token is not valid\n"


def test_without_a_store_there_are_no_tokens(here: Path) -> None:
    (here / "app.yaml").write_text(entries())
    result = command("token", "inspect", "x")
    assert result.exit_code == 3
    assert result.stderr == "error: there is no token store in the files (security.token_store)\n"
    named = command("token", "inspect", "x", "--store", "app:t")
    assert named.stderr == "error: there is no token store 'app:t' in the files (security.token_store)\n"


def test_an_application_is_no_store_of_tokens(vault: list[str]) -> None:
    result = command("token", "inspect", "x", "-a", "vault:Policy")
    assert result.exit_code == 3
    assert result.stderr == "error: expected the files of a gateway or a TokenStore, not a builtins.type\n"


def test_a_store_is_named_of_a_gateway_only(vault: list[str]) -> None:
    result = command("token", "inspect", "x", "--store", "app:tokens", *vault)
    assert (result.exit_code, result.stderr) == (3, "error: --store is for a gateway: this is a token store itself\n")
