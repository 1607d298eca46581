"""JSON Web Tokens from a file of entries: whose they are, what they are signed with, what they grant."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from asgi_express import load
from asgi_express.gateway import Gateway, check
from asgi_express.gateway._kinds import ALGORITHMS
from asgi_express.security import JWKS, JWTValidator
from asgi_express.security._jwt_material import _ALGORITHMS
from tests.asgi import ask
from tests.gateway.certificates import Authority
from tests.gateway.serving import ROUTER, entries, project, route
from tests.security.issuer import issuing
from tests.security.signing import AUDIENCE, ISSUER, SECRET, jwk, pem, private_key, sign

OURS = f"issuer: {ISSUER}\n  audience: {AUDIENCE}"
KEY = '- {algorithm: HS256, material: "${env:JWT_SECRET}"}'
POLICY = """\
- name: staff
  kind: security.policy
  groups: staff
  policy: {actions: access, resources: "*", effect: allow}
"""
CODE = """
    from asgi_express.gateway import resource
    from asgi_express.security import Actor, Scope

    def who(req): return [req.actor.id, sorted(req.actor.meta)]

    async def to_actor(claims):
        if await resource("app:ended").get(claims["jti"]) is not None:
            return None
        return Actor("user " + claims["sub"], {"named": True})

    def to_scope(claims): return Scope([resource("app:staff")] if claims.get("admin") else [])
"""


def entry(*lines: str) -> str:
    """Return the entry of a store of tokens, with lines of fields."""
    return "\n  ".join(("- name: tokens", "kind: security.token_store.jwt", *lines)) + "\n"


def gateway(tmp_path: Path, *lines: str, more: str = "") -> Gateway:
    """Return a gateway with a route that the staff may use."""
    router = (
        ROUTER
        + "  middleware: token_auth\n  options: {token_auth.store: tokens}\n  post_middleware: endpoint_firewall\n"
    )
    path = project(tmp_path, entry(*lines), POLICY, more, router, route("GET", "/who", "who"), handlers=CODE)
    return load(path, environment={"JWT_SECRET": SECRET})


def token(algorithm: str = "HS256", **claims: Any) -> str:
    return sign(algorithm, **{"exp": int(time.time()) + 60, "iat": None, "groups": ["staff"], **claims})


async def status(app: Gateway, text: str) -> int:
    return (await ask(app, "/api/who", headers={"Authorization": f"Bearer {text}"})).status


# -- what a token grants

GROUPS: list[tuple[str, dict[str, Any], int]] = [
    ("groups", {"groups": ["staff"]}, 200),
    ("groups", {"groups": ["others of the issuer", "staff", "staff"]}, 200),
    ("groups", {"groups": ["others of the issuer"]}, 403),
    ("groups", {"groups": []}, 403),
    ("groups", {"groups": None}, 403),
    ("groups", {"groups": "read staff"}, 200),
    ("groups", {"groups": 7}, 401),
    ("groups", {"groups": [{"name": "staff"}]}, 401),
    ("realm_access.roles", {"realm_access": {"roles": ["staff"]}}, 200),
    ("realm_access.roles", {"realm_access": "staff"}, 403),
    ("https://example.com/roles", {"https://example.com/roles": ["staff"]}, 200),
]


@pytest.mark.parametrize(("claim", "claims", "expected"), GROUPS, ids=[f"{c[0]} {c[1]}" for c in GROUPS])
async def test_a_claim_names_the_groups_whose_policies_apply(
    tmp_path: Path, claim: str, claims: dict[str, Any], expected: int
) -> None:
    app = gateway(tmp_path, "keys:", "  " + KEY, OURS, f"groups_claim: {claim}")
    assert await status(app, token(**claims)) == expected


async def test_without_a_claim_for_groups_no_policy_applies_and_the_actor_is_sub_with_all_claims(
    tmp_path: Path,
) -> None:
    app = gateway(tmp_path, "keys:", "  " + KEY, OURS)
    assert await status(app, token()) == 403
    grant = await app.token_validators["app:tokens"].validate(token(role="editor"))
    assert grant is not None
    assert (grant.actor.id, grant.actor.meta["role"], grant.scope) == ("ada", "editor", None)
    assert app.token_stores == {}


async def test_functions_make_the_actor_and_the_policies_and_look_up_what_was_revoked(tmp_path: Path) -> None:
    hooks = ("to_actor: to_actor", "to_scope: to_scope", "required: jti")
    functions = "".join(
        f"- {{name: {name}, kind: function.python, source: 'file://handlers.py', method: {name}}}\n"
        for name in ("to_actor", "to_scope")
    )
    app = gateway(tmp_path, "keys:", "  " + KEY, OURS, *hooks, more="- {name: ended, kind: store.memory}\n" + functions)
    answer = await ask(app, "/api/who", headers={"Authorization": f"Bearer {token(admin=True, jti='7')}"})
    assert (answer.status, answer.json) == (200, ["user ada", ["named"]])
    assert await status(app, token(jti="7")) == 403
    assert await status(app, token(admin=True)) == 401  # required
    await app._current.made.objects.stores["app:ended"].set("7", b"", ttl=60)
    assert await status(app, token(admin=True, jti="7")) == 401


# -- which tokens

CHECKS: list[tuple[str, str, dict[str, Any]]] = [
    (f"issuer: [{ISSUER}, https://old.example.com]", "audience: null", {"iss": "https://old.example.com"}),
    ("issuer: null", f"audience: [other, {AUDIENCE}]", {"aud": ["other"]}),
    (OURS, "leeway: 5m", {"exp": int(time.time()) - 60}),
    (OURS, "typ: logout+jwt", {"header": {"typ": "logout+jwt"}}),
]


@pytest.mark.parametrize(("one", "two", "claims"), CHECKS, ids=[f"{case[0]} {case[1]}" for case in CHECKS])
async def test_an_option_says_which_tokens_are_taken(
    tmp_path: Path, one: str, two: str, claims: dict[str, Any]
) -> None:
    fields = ("keys:", "  " + KEY, "groups_claim: groups")
    assert await status(gateway(tmp_path, *fields, one, two), token(**claims)) == 200
    assert await status(gateway(tmp_path, *fields, OURS), token(**claims)) == 401


async def test_a_longer_token_than_is_said_is_not_read(tmp_path: Path) -> None:
    app = gateway(tmp_path, "keys:", "  " + KEY, OURS, "groups_claim: groups", "max_size: 500")
    assert await status(app, token()) == 200
    assert await status(app, token(note="x" * 500)) == 401


# -- what they are signed with


def test_the_algorithms_are_those_that_a_key_can_have() -> None:
    assert sorted(ALGORITHMS) == sorted(_ALGORITHMS)


async def test_keys_are_secrets_public_keys_files_and_jwks_and_several_rotate(tmp_path: Path) -> None:
    (tmp_path / "es256.pem").write_text(pem(private_key("ES256")))
    inline = pem(private_key("RS256")).replace("\n", "\n        ")
    app = gateway(
        tmp_path,
        "keys:",
        "  " + KEY,
        "  - {algorithm: ES256, material: file://es256.pem}",
        "  - algorithm: RS256\n      material: |\n        " + inline.rstrip(),
        f"  - {{algorithm: Ed25519, kid: new, material: {json.dumps(jwk('Ed25519'))}}}",
        OURS,
        "groups_claim: groups",
    )
    for algorithm in ("HS256", "ES256", "RS256", "Ed25519"):
        assert await status(app, token(algorithm)) == 200
        assert await status(app, token(algorithm, number=1)) == 401
    assert await status(app, token("Ed25519", header={"kid": "new"})) == 200
    assert await status(app, token("Ed25519", header={"kid": "old"})) == 401
    assert await status(app, token("HS384")) == 401


async def test_one_key_needs_no_list(tmp_path: Path) -> None:
    app = gateway(tmp_path, "keys: " + KEY.removeprefix("- "), OURS, "groups_claim: groups")
    assert await status(app, token()) == 200


async def test_keys_are_fetched_over_tls_that_an_authority_of_its_own_certifies(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    authority.certify("issuer")
    async with issuing(files=(str(tmp_path / "issuer.pem"), str(tmp_path / "issuer.key"))) as issuer:
        url = issuer.jwks.replace("localhost", "127.0.0.1")
        jwks = ("jwks:", f"  url: {url}", "  ca: file://ca.pem")
        app = gateway(tmp_path, *jwks, OURS, "groups_claim: groups")
        assert issuer.requests == []
        assert await status(app, token("ES256", header={"kid": "k0"})) == 200
        assert await status(app, token("ES256", header={"kid": "k0"}, number=1)) == 401
        stranger = gateway(tmp_path, *jwks[:2], OURS, "groups_claim: groups")
        assert await status(stranger, token("ES256", header={"kid": "k0"})) == 503


async def test_the_issuer_says_where_its_keys_are(tmp_path: Path) -> None:
    async with issuing() as issuer:
        issuer.pages["/.well-known/openid-configuration"] = {"issuer": issuer.url, "jwks_uri": issuer.jwks}
        jwks = f"jwks: {{issuer: '{issuer.url}', insecure: true}}"
        app = gateway(tmp_path, jwks, OURS, "groups_claim: groups")
        assert await status(app, token("ES256", header={"kid": "k0"})) == 200
        assert issuer.requests == ["/.well-known/openid-configuration", "/jwks"]


JWKS_OPTIONS: list[tuple[str, Any, str, Any]] = [
    ("rsa_algorithm", "PS256", "_rsa_algorithm", "PS256"),
    ("ttl", "2m", "_ttl", 120),
    ("min_ttl", "30s", "_min_ttl", 30),
    ("max_ttl", "2h", "_max_ttl", 7200),
    ("max_stale", "0s", "_max_stale", 0),
    ("cooldown", "1m", "_cooldown", 60),
    ("timeout", "500ms", "_timeout", 0.5),
    ("max_size", "1mb", "_max_size", 2**20),
]


@pytest.mark.parametrize(("name", "value", "attribute", "expected"), JWKS_OPTIONS, ids=[c[0] for c in JWKS_OPTIONS])
def test_an_option_of_the_keys_that_are_fetched_is_handed_on(
    tmp_path: Path, name: str, value: str, attribute: str, expected: Any
) -> None:
    app = gateway(tmp_path, "jwks:", "  url: https://login.example.com/jwks", f"  {name}: {value}", OURS)
    validator: Any = app.token_validators["app:tokens"]
    assert isinstance(validator, JWTValidator)
    assert isinstance(validator._keys, JWKS)
    assert getattr(validator._keys, attribute) == expected


# -- what cannot be


def problems(*lines: str, environment: dict[str, str] | None = None) -> list[str]:
    found = check(entries(entry(*lines)), environment=environment or {})
    return [f"{each.line} {each.message}" for each in found]


def test_a_secret_is_not_shown_where_it_cannot_be_used() -> None:
    short = problems("keys:", "  " + KEY, OURS, environment={"JWT_SECRET": "a short one"})
    assert short == ["10 keys: a secret for HS256 needs 32 bytes or more (RFC 7518 3.2), not 11"]
    number = problems("keys: {algorithm: HS256, material: 123456789012345678901234567890123}", OURS)
    assert number == ["9 keys: expected a secret, a public key in PEM, file:// and the path of one, or a JWK"]


def test_a_function_that_cannot_be_had_is_one_problem() -> None:
    function = "- {name: f, kind: function.python, source: 'module:asgi_express.nowhere', method: f}\n"
    text = entries(entry("keys:", "  " + KEY, OURS, "to_actor: f"), function)
    assert [each.code for each in check(text, environment={"JWT_SECRET": SECRET})] == ["missing-function"]


def test_without_pyjwt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from asgi_express import security

    monkeypatch.delattr(security, "_jwt_material")
    monkeypatch.setitem(sys.modules, "asgi_express.security._jwt_material", None)
    (problem,) = problems("keys:", "  " + KEY, OURS, environment={"JWT_SECRET": SECRET})
    assert problem == "10 keys: JWTKey needs PyJWT and cryptography: pip install 'asgi-express[jwt]'"
