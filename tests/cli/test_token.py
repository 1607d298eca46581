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
from tests.security.signing import SECRET, sign
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
    assert (
        result.stderr
        == "error: expected the files of a gateway or a TokenStore or a JWTValidator, not a builtins.type\n"
    )


def test_a_store_is_named_of_a_gateway_only(vault: list[str]) -> None:
    result = command("token", "inspect", "x", "--store", "app:tokens", *vault)
    assert (result.exit_code, result.stderr) == (3, "error: --store is for a gateway: this is a token store itself\n")


JWT = f"""\
- name: signed
  kind: security.token_store.jwt
  keys: {{algorithm: HS256, material: "{SECRET}"}}
  issuer: null
  audience: null
  groups_claim: groups
  to_actor: to_actor
- {{name: to_actor, kind: function.python, source: "file://actors.py", method: to_actor}}
- {{name: ended, kind: store.memory}}
"""


def signed(here: Path, *more: str) -> str:
    """Write the files of a gateway that only checks tokens, and more entries; return a token."""
    write(here / "actors.py", """
        from asgi_express.gateway import resource
        from asgi_express.security import Actor

        async def to_actor(claims):
            assert await resource("app:ended").get(claims["sub"]) is None
            return Actor(claims["sub"], {})
    """)  # fmt: skip
    (here / "app.yaml").write_text(entries(JWT, POLICY, *more))
    return sign(exp=2_000_000_000, iat=None, groups=["users"])


def test_a_json_web_token_is_looked_at_but_neither_made_nor_ended(here: Path) -> None:
    token = signed(here)
    seen = command("token", "inspect", "--json", "-", given=token)
    assert json.loads(seen.stdout) == {
        "valid": True,
        "actor": "ada",
        "meta": {},
        "policies": ["app:staff"],
        "expires": "2033-05-18T03:33:20+00:00",
    }
    assert command("token", "inspect", "-", given=token[:-1]).exit_code == 1
    for arguments in (("create", "ada"), ("revoke", token), ("create", "ada", "--store", "app:signed")):
        refused = command("token", *arguments)
        assert (refused.exit_code, refused.stderr) == (
            3,
            "error: app:signed only checks tokens (security.token_store.jwt): who issues them makes and ends them\n",
        )


def test_beside_a_store_that_makes_tokens_one_that_checks_them_is_named(here: Path, redis_url: str) -> None:
    token = signed(here, f"- name: kept\n  kind: store.redis\n  url: {redis_url}\n", tokens("kept"))
    assert command("token", "create", "ada").exit_code == 0
    which = command("token", "inspect", "-", given=token)
    assert (which.exit_code, which.stderr) == (
        3,
        "error: which token store? There are app:tokens, app:signed (--store)\n",
    )
    assert command("token", "inspect", "-", "--store", "app:signed", given=token).exit_code == 0
    refused = command("token", "create", "ada", "--store", "app:signed")
    assert "app:signed only checks tokens" in refused.stderr


def test_a_validator_of_a_module_looks_at_tokens(here: Path) -> None:
    write(here / "checking.py", f"""
        from asgi_express.security import JWTKey, JWTValidator
        tokens = JWTValidator(keys=JWTKey("{SECRET}", "HS256"), issuer=None, audience=None)
    """)  # fmt: skip
    token = sign(exp=2_000_000_000, iat=None)
    assert command("token", "inspect", "-", "-a", "checking:tokens", given=token).exit_code == 0
    refused = command("token", "create", "ada", "-a", "checking:tokens")
    assert refused.stderr.startswith("error: expected the files of a gateway or a TokenStore, not a asgi_express")
    sys.modules.pop("checking", None)
