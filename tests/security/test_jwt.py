"""JSON Web Tokens: what is valid, and everything that is not."""

from __future__ import annotations

import json
import logging
import math
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_express.security import Actor, JWTKey, JWTValidator, Policies, Policy
from asgi_express.stores import MemoryStore, StoreUnavailable
from tests.security.signing import (
    ALGORITHMS,
    AUDIENCE,
    CLAIMS,
    ISSUER,
    NOW,
    SECRET,
    encode,
    jwk,
    pem,
    private_key,
    sign,
)

POLICIES = Policies([Policy("read", "read", "*", groups="users"), Policy("burn", "burn", "*", groups="staff")])


def validator(*keys: JWTKey, **options: Any) -> JWTValidator:
    given_keys = list(keys) or JWTKey(SECRET, "HS256")
    return JWTValidator(
        **{"keys": given_keys, "issuer": ISSUER, "audience": AUDIENCE, "clock": lambda: float(NOW), **options}
    )


async def outcome(token: str, *keys: JWTKey, **options: Any) -> str | None:
    """Return the id of the actor, ``None`` for a token that is not valid."""
    grant = await validator(*keys, **options).validate(token)
    return None if grant is None else grant.actor.id


def test_issuer_and_audience_are_asked_for() -> None:
    options: dict[str, Any] = {"keys": JWTKey(SECRET, "HS256")}
    with pytest.raises(TypeError, match="'issuer' and 'audience'"):
        JWTValidator(**options)


async def test_a_token_stands_for_its_subject_with_all_that_it_says() -> None:
    grant = await validator().validate(sign(roles=["editor"]))
    assert grant is not None
    assert grant.actor == Actor("ada", {**CLAIMS, "roles": ["editor"]})
    assert (grant.scope, grant.expires) == (None, NOW + 60.0)


# -- algorithms and keys


@pytest.mark.parametrize("signed_with", ALGORITHMS)
async def test_a_token_is_valid_with_the_key_of_its_own_algorithm_alone(signed_with: str) -> None:
    token = sign(signed_with)
    for algorithm in ALGORITHMS:
        key = JWTKey(pem(private_key(algorithm)), algorithm)
        assert await outcome(token, key) == ("ada" if algorithm == signed_with else None), algorithm


@pytest.mark.parametrize("algorithm", [each for each in ALGORITHMS if each[:2] != "HS"])
@pytest.mark.parametrize("hashed", ["HS256", "HS384", "HS512"])
async def test_what_is_signed_with_a_public_key_as_the_secret_is_not_valid(algorithm: str, hashed: str) -> None:
    public = pem(private_key(algorithm))
    key = JWTKey(public, algorithm)
    for secret in (public, public.strip(), public.replace("\n", ""), str(jwk(algorithm))):
        assert await outcome(sign(hashed, key=secret), key) is None
        assert await outcome(sign(hashed, key=secret, header={"alg": algorithm}), key) is None


UNSIGNED: list[Any] = ["none", "None", "NONE", "nOnE", "", "hs256", "HS257", "HS256 ", ["HS256"], {"a": 1}, 7, True]


@pytest.mark.parametrize("algorithm", UNSIGNED)
async def test_no_algorithm_but_that_of_the_key_is_one(algorithm: Any) -> None:
    token = sign(header={"alg": algorithm})
    assert await outcome(token) is None
    unsigned = token.rpartition(".")[0]
    for each in (unsigned, unsigned + ".", unsigned + ".AA"):
        assert await outcome(each) is None
    assert await outcome(sign(header={"alg": None})) is None


FORGED_HEADERS: list[dict[str, Any]] = [
    {"jwk": jwk("HS256", 1)},
    {"jku": "https://evil.example/jwks.json"},
    {"x5u": "https://evil.example/cert.pem"},
    {"x5c": ["AAAA"]},
    {"kid": "../../../dev/null"},
    {"kid": "' OR 1=1 --"},
    {"kid": "x" * 3000},
    {"kid": ""},
]


@pytest.mark.parametrize("header", FORGED_HEADERS)
async def test_a_key_that_a_token_brings_or_names_is_none(header: dict[str, Any]) -> None:
    assert await outcome(sign(number=1, header=header)) is None
    # A key without a name is tried for every name.
    assert await outcome(sign(header=header)) == "ada"


async def test_a_token_that_names_its_key_is_tried_with_that_one() -> None:
    old, new = (JWTKey(private_key("HS256", number), "HS256", kid=f"k{number}") for number in (0, 1))
    assert await outcome(sign(number=0, header={"kid": "k0"}), old, new) == "ada"
    assert await outcome(sign(number=1, header={"kid": "k1"}), old, new) == "ada"
    assert await outcome(sign(number=1, header={"kid": "k0"}), old, new) is None
    assert await outcome(sign(number=1, header={"kid": "k2"}), old, new) is None
    assert await outcome(sign(number=1), old, new) == "ada"
    assert await outcome(sign(number=2), old, new) is None


async def test_keys_rotate() -> None:
    first, second, third = (sign("ES256", number=number) for number in range(3))
    keys = [JWTKey(pem(private_key("ES256", number)), "ES256") for number in range(3)]
    assert [await outcome(token, *keys[:2]) for token in (first, second, third)] == ["ada", "ada", None]
    assert [await outcome(token, *keys[1:]) for token in (first, second, third)] == [None, "ada", "ada"]


async def test_keys_may_come_from_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    class Vault:
        def __init__(self) -> None:
            self.asked: list[tuple[str | None, str]] = []

        async def find(self, kid: str | None, algorithm: str) -> list[JWTKey]:
            self.asked.append((kid, algorithm))
            return [JWTKey(SECRET, "HS256")]

    vault = Vault()
    assert await outcome(sign(header={"kid": "a"}), keys=vault) == "ada"
    assert await outcome(sign("HS512"), keys=vault) is None, "it has returned a key for something else"
    assert vault.asked == [("a", "HS256"), (None, "HS512")]


async def test_keys_that_cannot_be_had_are_said_not_to_be() -> None:
    class Away:
        async def find(self, kid: str | None, algorithm: str) -> list[JWTKey]:
            raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await outcome(sign(), keys=Away())


# -- the form

EXTENDED: list[dict[str, Any]] = [
    {"crit": ["x"], "x": 1},
    {"crit": []},
    {"crit": ["exp"], "exp": NOW + 60},
    {"crit": None, "b64": False},
    {"crit": ["b64"], "b64": True},
    {"b64": True},
    {"zip": "DEF"},
    {"enc": "A256GCM"},
    {"kid": 7},
    {"kid": ["a"]},
    {"typ": 7},
]


@pytest.mark.parametrize("header", EXTENDED)
async def test_what_changes_how_a_token_is_read_is_refused(header: dict[str, Any]) -> None:
    assert await outcome(sign(header=header)) is None


def malformed() -> dict[str, str]:
    head, payload, signature = sign().split(".")
    return {
        "nothing": "",
        "one part": head,
        "two parts": f"{head}.{payload}",
        "no signature": f"{head}.{payload}.",
        "four parts": f"{head}.{payload}.{signature}.x",
        "five parts": f"{head}.{payload}.{signature}.x.y",
        "no payload": f"{head}..{signature}",
        "a million dots": "." * 1_000_000,
        "dots": "." * 8000,
        "padding": f"{head}.{payload}.{signature}=",
        "a space": f" {head}.{payload}.{signature}",
        "a line": f"{head}.{payload}.{signature}\n",
        "a line inside": f"{head[:3]}\n{head[3:]}.{payload}.{signature}",
        "a null": f"{head}.{payload}.{signature}\0",
        "another alphabet": f"{head}.{payload}.{signature[:-1]}+",
        "not ASCII": f"{head}.{payload}.{signature[:-1]}\xfc",
        "an impossible length": f"{head}.{payload}.AAAAA",
        "ten megabytes": f"{head}.{payload}." + "A" * 10_000_000,
        "too long": sign(more="x" * 8192),
        "scheme": f"Bearer {head}.{payload}.{signature}",
    }


@pytest.mark.parametrize("token", malformed().values(), ids=malformed())
async def test_what_is_no_token_is_refused_at_once(token: str) -> None:
    start = time.perf_counter()
    assert await outcome(token) is None
    assert time.perf_counter() - start < 0.5


async def test_the_longest_token_can_be_chosen() -> None:
    token = sign()
    assert await outcome(token, max_size=len(token)) == "ada"
    assert await outcome(token, max_size=len(token) - 1) is None


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "PS256", "ES256", "EdDSA"])
async def test_one_signature_has_one_text(algorithm: str) -> None:
    key = JWTKey(pem(private_key(algorithm)), algorithm)
    token = sign(algorithm)
    assert await outcome(token, key) == "ada"
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for letter in letters.replace(token[-1], ""):
        assert await outcome(token[:-1] + letter, key) is None


@settings(deadline=None)
@given(st.data())
def test_a_token_that_is_changed_anywhere_is_not_valid(data: st.DataObject) -> None:
    import asyncio

    token = sign()
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(codec="utf-8").filter(lambda letter: letter != token[place]))
    assert asyncio.run(outcome(token[:place] + letter + token[place + 1 :])) is None


HEADERS: list[bytes] = [
    b"{}",
    b"[]",
    b"null",
    b'"HS256"',
    b"{",
    b"\xff",
    b'{"alg":"none","alg":"HS256"}',
    b'{"alg":"HS256","alg":"HS256"}',
    b'{"alg":"HS256","x":NaN}',
    b'{"alg":"HS256","x":' + b"[" * 3000 + b"]" * 3000 + b"}",
    b'{"alg":"HS256","x":' + b"9" * 5000 + b"}",
    b"\xef\xbb\xbf" + b'{"alg":"HS256"}',
    '{"alg":"HS256"}'.encode("utf-16"),
]


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
async def test_a_header_is_an_object_in_which_nothing_stands_twice(header: bytes) -> None:
    assert await outcome(sign(header=header)) is None


PAYLOADS: list[Any] = [
    b"",
    b"null",
    b"[]",
    b'"ada"',
    b"{",
    b"\xff",
    b"{}",
    b'{"sub":"eve","sub":"ada","exp":9999999999,"iss":"%s","aud":"%s"}' % (ISSUER.encode(), AUDIENCE.encode()),
    b'{"a":' + b"[" * 2500 + b"]" * 2500 + b"}",
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
async def test_a_payload_is_an_object_in_which_nothing_stands_twice(payload: bytes) -> None:
    assert await outcome(sign(payload=payload)) is None


# -- the claims

TIMES: list[tuple[dict[str, Any], str | None]] = [
    ({"exp": NOW + 1}, "ada"),
    ({"exp": NOW - 29}, "ada"),
    ({"exp": NOW - 30}, None),
    ({"exp": NOW - 3600}, None),
    ({"exp": NOW + 0.5}, "ada"),
    ({"exp": None}, None),
    ({"exp": str(NOW + 60)}, None),
    ({"exp": True}, None),
    ({"exp": -1}, None),
    ({"exp": [NOW + 60]}, None),
    ({"exp": 1e300}, None),
    ({"exp": 10**400}, None),
    ({"exp": math.inf}, None),
    ({"exp": math.nan}, None),
    ({"nbf": NOW + 30}, "ada"),
    ({"nbf": NOW + 31}, None),
    ({"nbf": str(NOW)}, None),
    ({"nbf": "soon"}, None),
    ({"iat": NOW + 30}, "ada"),
    ({"iat": NOW + 31}, None),
    ({"iat": None}, "ada"),
    ({"iat": {}}, None),
]


@pytest.mark.parametrize(("claims", "expected"), TIMES, ids=lambda each: str(each)[:40])
async def test_a_token_has_a_time(claims: dict[str, Any], expected: str | None) -> None:
    assert await outcome(sign(**claims)) == expected


async def test_the_leeway_can_be_chosen() -> None:
    assert await outcome(sign(exp=NOW), leeway=0) is None
    assert await outcome(sign(exp=NOW + 1), leeway=0) == "ada"
    assert await outcome(sign(exp=NOW - 299), leeway="5m") == "ada"
    assert await outcome(sign(nbf=NOW + 1), leeway=0) is None


ISSUERS: list[tuple[Any, Any, str | None]] = [
    (ISSUER, ISSUER, "ada"),
    (ISSUER + "/", ISSUER, None),
    (ISSUER[:-1], ISSUER, None),
    ("acb", "_acb_", None),
    ("_acb_", "acb", None),
    (ISSUER.upper(), ISSUER, None),
    (None, ISSUER, None),
    ("", ISSUER, None),
    ([ISSUER], ISSUER, None),
    ({ISSUER: 1}, ISSUER, None),
    ("https://b.example", [ISSUER, "https://b.example"], "ada"),
    ("https://c.example", [ISSUER, "https://b.example"], None),
    ("https://c.example", None, "ada"),
    (None, None, "ada"),
    (7, None, None),
]


@pytest.mark.parametrize(("claim", "expected", "result"), ISSUERS)
async def test_the_issuer_is_the_one_to_the_letter(claim: Any, expected: Any, result: str | None) -> None:
    assert await outcome(sign(iss=claim), issuer=expected) == result


AUDIENCES: list[tuple[Any, Any, str | None]] = [
    (AUDIENCE, AUDIENCE, "ada"),
    ([AUDIENCE], AUDIENCE, "ada"),
    (["other", AUDIENCE], AUDIENCE, "ada"),
    (["other", AUDIENCE], ["a", "other"], "ada"),
    (["other"], AUDIENCE, None),
    ([], AUDIENCE, None),
    ("", AUDIENCE, None),
    (None, AUDIENCE, None),
    (AUDIENCE + "x", AUDIENCE, None),
    (AUDIENCE[:-1], AUDIENCE, None),
    ([[AUDIENCE]], AUDIENCE, None),
    ([AUDIENCE, 7], AUDIENCE, None),
    ({AUDIENCE: 1}, AUDIENCE, None),
    ("other", None, "ada"),
    (None, None, "ada"),
]


@pytest.mark.parametrize(("claim", "expected", "result"), AUDIENCES)
async def test_the_audience_is_among_those_it_is_for(claim: Any, expected: Any, result: str | None) -> None:
    assert await outcome(sign(aud=claim), audience=expected) == result


async def test_claims_can_be_required() -> None:
    assert await outcome(sign(), required=["iat", "jti"]) is None
    assert await outcome(sign(jti="1"), required=["iat", "jti"]) == "ada"
    assert await outcome(sign(exp=None), required="iat") is None
    assert await outcome(sign(jti=7)) is None
    assert await outcome(sign(sub=None)) is None
    assert await outcome(sign(sub="")) is None
    assert await outcome(sign(sub=7)) is None


TYPES: list[tuple[str | None, str | None, str | None]] = [
    (None, None, "ada"),
    (None, "JWT", "ada"),
    (None, "jwt", "ada"),
    (None, "at+jwt", "ada"),
    (None, "application/at+jwt", "ada"),
    (None, "logout+jwt", None),
    (None, "dpop+jwt", None),
    (None, "JOSE", None),
    (None, "", None),
    ("at+jwt", "at+jwt", "ada"),
    ("at+jwt", "AT+JWT", "ada"),
    ("at+jwt", "application/at+jwt", "ada"),
    ("at+jwt", "JWT", None),
    ("at+jwt", None, None),
    ("application/logout+jwt", "logout+jwt", "ada"),
]


@pytest.mark.parametrize(("expected", "typ", "result"), TYPES)
async def test_a_token_for_another_purpose_is_refused(expected: Any, typ: Any, result: str | None) -> None:
    assert await outcome(sign(header={"typ": typ}), typ=expected) == result


# -- what it grants


async def test_a_function_makes_the_scope_of_the_claims() -> None:
    made = validator(to_scope=lambda claims: POLICIES.scope(*claims["groups"]))
    grant = await made.validate(sign(groups=["users", "staff"]))
    assert grant is not None
    assert grant.scope == POLICIES.scope("users", "staff")


async def test_functions_may_be_asynchronous_and_ask_a_store() -> None:
    revoked = MemoryStore()
    await revoked.set("jti:7", b"", ttl=60)

    async def to_actor(claims: Any) -> Actor | None:
        return None if await revoked.get(f"jti:{claims['jti']}") is not None else Actor(claims["client_id"])

    async def to_scope(claims: Any) -> Any:
        return POLICIES.scope("users")

    made = validator(to_actor=to_actor, to_scope=to_scope)
    assert await made.validate(sign(jti="7", client_id="app")) is None
    grant = await made.validate(sign(jti="8", client_id="app", sub=None))
    assert grant is not None
    assert (grant.actor, grant.scope) == (Actor("app"), POLICIES.scope("users"))


@pytest.mark.parametrize("groups", [None, "users", ["nobody"], 7])
async def test_claims_that_do_not_fit_are_no_valid_token(groups: Any, caplog: pytest.LogCaptureFixture) -> None:
    made = validator(to_scope=lambda claims: POLICIES.scope(*claims["groups"]))
    assert await made.validate(sign(groups=groups, sub="ada\n")) is None
    assert caplog.messages == ["a JWT of 'ada\\n' is refused: its claims do not fit"]
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize("depth", [10, 100, 300, 600, 900, 1200, 2000])
async def test_claims_of_any_depth_are_valid_or_not_but_no_error(depth: int) -> None:
    payload = b'%b,"deep":%b}' % (json.dumps(CLAIMS)[:-1].encode(), b"[" * depth + b"]" * depth)
    # Where it ends depends on how deep the stack is already.
    assert await outcome(sign(payload=payload)) in (("ada",) if depth <= 100 else ("ada", None))


async def test_other_errors_of_functions_are_raised() -> None:
    def fail(claims: Any) -> Any:
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await validator(to_actor=fail).validate(sign())
    for wrong in ({"to_actor": lambda claims: "ada"}, {"to_scope": lambda claims: ["users"]}):
        with pytest.raises(TypeError, match="must answer an Actor and a Scope"):
            await validator(**wrong).validate(sign())


# -- reasons

REASONS: list[tuple[str, str]] = [
    ("x", "it is not three parts in Base64"),
    (sign(exp=NOW - 99), "it has ended"),
    (sign(nbf=NOW + 99), "it has not begun"),
    (sign(iss="x\n"), "it is of the issuer 'x\\\\n'"),
    (sign(aud="x"), "it is for 'x'"),
    (sign(number=1), "no key for 'HS256', kid None, has signed it"),
    (sign("RS256", header={"kid": "a"}), "there is no key for 'RS256', kid 'a'"),
    (sign(header={"typ": "x"}), "it is a 'x'"),
    (sign(sub=None, exp=None), "it says nothing of exp, sub"),
    (sign(more="x" * 8192), "it is too long"),
    (sign(exp=NOW - 99, number=1), "no key for"),
]


@pytest.mark.parametrize(("token", "reason"), REASONS, ids=range(len(REASONS)))
async def test_the_reason_is_in_the_log_and_nowhere_else(
    token: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "asgi_express.security"):
        assert await outcome(token) is None
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("a JWT is refused: ")
    assert reason in caplog.messages[0]
    assert "\n" not in caplog.messages[0]
    assert len(caplog.messages[0]) < 700


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"keys": []}, "keys must be a JWTKey, some of them, or a JWKS"),
    ({"keys": SECRET}, "keys must be"),
    ({"keys": None}, "keys must be"),
    ({"keys": [SECRET]}, "keys must be"),
    ({"issuer": ""}, "issuer must be text"),
    ({"issuer": []}, "issuer must be text"),
    ({"audience": [7]}, "audience must be text"),
    ({"required": [""]}, "required must be text"),
    ({"typ": ""}, "typ must be text such as 'at\\+jwt'"),
    ({"typ": 7}, "typ must be text"),
    ({"leeway": -1}, "leeway must be 0 to 300 seconds"),
    ({"leeway": "6m"}, "leeway must be 0 to 300 seconds"),
    ({"max_size": "1z"}, "invalid size"),
    ({"to_actor": "sub"}, "to_actor must be a function"),
    ({"to_scope": "sub"}, "to_scope must be a function"),
]


@pytest.mark.parametrize(("options", "words"), WRONG)
def test_an_option_that_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        validator(**options)


def test_the_issuer_here_is_a_real_one() -> None:
    """The tokens of these tests are what PyJWT makes and reads, too."""
    import jwt

    options: Any = {"verify_exp": False}
    assert jwt.decode(sign(), SECRET, ["HS256"], issuer=ISSUER, audience=AUDIENCE, options=options) == CLAIMS
    assert encode(b"\xff") == "_w"
