"""Keys for tokens: one algorithm each, nothing weak, nothing private, no public key for a secret."""

from __future__ import annotations

import datetime
import json
import sys
from base64 import b64encode
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_express.security import JWKS, JWTKey, JWTValidator
from tests.security.signing import ALGORITHMS, SECRET, jwk, pem, private_key, private_pem, rsa_key, signer

MESSAGE = b"header.payload"
PUBLIC = [algorithm for algorithm in ALGORITHMS if algorithm[:2] != "HS"]


def signature(algorithm: str) -> bytes:
    private = private_key(algorithm)
    made: bytes = signer(algorithm).sign(MESSAGE, private.encode() if isinstance(private, str) else private)
    return made


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_verifies_what_it_has_signed_in_every_form_that_it_comes_in(algorithm: str) -> None:
    private = private_key(algorithm)
    forms: list[Any] = [pem(private), pem(private).encode(), jwk(algorithm)]
    if not isinstance(private, str):
        forms.append(private.public_key())
    made = signature(algorithm)
    for form in forms:
        key = JWTKey(form, algorithm)
        assert key.verifies(MESSAGE, made)
        assert not key.verifies(MESSAGE + b"x", made)
        assert not key.verifies(MESSAGE, made + b"x")
        assert not key.verifies(MESSAGE, made[:-1])
        assert not key.verifies(MESSAGE, b"")
    assert repr(JWTKey(forms[0], algorithm, kid="a")) == f"<JWTKey {algorithm} 'a'>"


def certificate() -> x509.Certificate:
    private = private_key("ES256")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return x509.CertificateBuilder(name, name, private.public_key(), 1, day, day + datetime.timedelta(days=1)).sign(
        private, hashes.SHA256()
    )


def test_a_certificate_is_a_public_key() -> None:
    assert JWTKey(certificate().public_bytes(Encoding.PEM), "ES256").verifies(MESSAGE, signature("ES256"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("other", ALGORITHMS)
def test_a_key_of_one_family_is_none_of_another(algorithm: str, other: str) -> None:
    families = [{"RS", "PS"}, {"HS"}, {"Ed"}]
    related = algorithm == other or any({algorithm[:2], other[:2]} <= family for family in families)
    if related:
        return
    for form in (pem(private_key(other)), {**jwk(other), "alg": algorithm}):
        with pytest.raises(ValueError, match="JWTKey: "):
            JWTKey(form, algorithm)


@pytest.mark.parametrize(("algorithm", "other"), [("Ed25519", "Ed448"), ("Ed448", "Ed25519"), ("ES256", "ES256K")])
def test_a_curve_is_part_of_the_algorithm(algorithm: str, other: str) -> None:
    with pytest.raises(ValueError, match=f"{algorithm} takes another kind of key"):
        JWTKey(pem(private_key(other)), algorithm)


def der(algorithm: str) -> bytes:
    made: bytes = private_key(algorithm).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return made


def ssh(algorithm: str) -> bytes:
    made: bytes = private_key(algorithm).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return made


EVERYBODY_HAS: dict[str, Any] = {
    "PEM": pem(private_key("RS256")),
    "PEM of a curve": pem(private_key("ES256")).encode(),
    "DER": der("RS256"),
    "DER of a curve": der("ES256"),
    "Base64 of DER": b64encode(der("RS256")),
    "OpenSSH": ssh("RS256"),
    "certificate": certificate().public_bytes(Encoding.PEM),
    "certificate in DER": certificate().public_bytes(Encoding.DER),
    "Base64 of a certificate": b64encode(certificate().public_bytes(Encoding.DER)),
    "too deep for JSON": "[" * 100_000,
    "JWK": json.dumps(jwk("RS256")),
    "JWKS": json.dumps({"keys": [jwk("RS256")]}),
    "JWK of a secret": json.dumps(jwk("HS256")),
}


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("material", EVERYBODY_HAS.values(), ids=EVERYBODY_HAS)
def test_what_everybody_has_is_no_secret(material: Any, algorithm: str) -> None:
    with pytest.raises(ValueError, match=r"JWTKey: .*(asymmetric|JWK|public key)"):
        JWTKey(material, algorithm)


@pytest.mark.parametrize("secret", ["7" * 32, "null" + " " * 28, '"' + "x" * 30 + '"', "{" + "x" * 31, b"\xff" * 32])
def test_what_nobody_publishes_is_a_secret(secret: Any) -> None:
    assert JWTKey(secret, "HS256").algorithm == "HS256"


def test_the_words_of_an_error_have_no_secret_in_them() -> None:
    secret = "hunter2" * 6
    swapped, bare = lambda: JWTKey("HS256", secret), lambda: JWTValidator(keys=wrong, issuer=None, audience=None)
    wrong: Any = secret
    for make in (swapped, bare):
        with pytest.raises(ValueError, match="must be") as refused:
            make()
        assert "hunter2" not in str(refused.value)


REFUSED: list[tuple[Any, Any, str]] = [
    (SECRET, "none", "algorithm must be one of ES256, .*, not 'none'"),
    (SECRET, "None", "algorithm must be one of"),
    (SECRET, "hs256", "algorithm must be one of"),
    (SECRET, "", "algorithm must be one of"),
    (SECRET, "ES521", "algorithm must be one of"),
    (SECRET, None, "algorithm must be one of"),
    ("x" * 31, "HS256", "a secret for HS256 needs 32 bytes or more .*, not 31"),
    ("x" * 47, "HS384", "48 bytes"),
    ("x" * 63, "HS512", "64 bytes"),
    ("", "HS256", "empty"),
    (json.dumps({"client_secret": "x" * 32}), "HS256", "anybody has"),
    (7, "HS256", "HS256 takes a secret, as text or bytes, not a int"),
    (private_key("RS256"), "HS256", "takes a secret"),
    ({"kty": "oct", "k": "c2hvcnQ"}, "HS256", "32 bytes or more"),
    (pem(rsa_key(1024)), "RS256", "an RSA key has 2048 to 16384 bits, not 1024"),
    (rsa_key(1024).public_key(), "PS256", "2048"),
    ({"kty": "RSA", "n": jwk("RS256")["n"], "e": "AQAAAAE"}, "RS256", "exponent .* too large|cannot be read"),
    (private_pem(private_key("RS256")), "RS256", "it is a private key"),
    (private_key("RS256"), "RS256", "takes another kind of key"),
    ({**jwk("RS256"), "d": "AQAB"}, "RS256", "it is a private key"),
    ({"kty": "RSA"}, "RS256", "the JWK cannot be read"),
    ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "ES256", "the JWK cannot be read"),
    ({"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}, "ES256", "the JWK cannot be read"),
    ({"kty": "RSA", "n": 7, "e": 7}, "RS256", "the JWK cannot be read"),
    ("nonsense", "RS256", "no public key"),
    (b"\xff", "RS256", "no public key"),
    ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "RS256", "no public key"),
    ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "RS256", "no public key"),
    (None, "RS256", "RS256 takes another kind of key than a NoneType"),
]


@pytest.mark.parametrize(
    ("material", "algorithm", "words"), REFUSED, ids=[f"{number}" for number in range(len(REFUSED))]
)
def test_a_key_that_cannot_be_is_refused_with_words(material: Any, algorithm: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"JWTKey: .*({words})"):
        JWTKey(material, algorithm)


def test_a_name_is_text() -> None:
    kid: Any = 7
    with pytest.raises(TypeError, match="kid must be text, not 7"):
        JWTKey(SECRET, "HS256", kid=kid)


OF_JWK: list[tuple[dict[str, Any], str]] = [
    (jwk("RS256", alg=None), "RS256"),
    (jwk("PS512"), "PS512"),
    *((jwk(algorithm, alg=None), algorithm) for algorithm in ("ES256", "ES384", "ES512", "ES256K", "EdDSA")),
    (jwk("Ed448", alg=None), "EdDSA"),
    (jwk("Ed25519"), "Ed25519"),
    (jwk("HS256"), "HS256"),
    (jwk("ES256", use="sig", key_ops=["verify"], kid="a"), "ES256"),
]


@pytest.mark.parametrize(("given_jwk", "algorithm"), OF_JWK)
def test_a_jwk_says_what_it_is_for_or_its_curve_does(given_jwk: dict[str, Any], algorithm: str) -> None:
    key = JWTKey.from_jwk(given_jwk)
    assert (key.algorithm, key.kid) == (algorithm, given_jwk.get("kid"))


def test_what_rsa_keys_are_for_that_do_not_say_can_be_said() -> None:
    assert JWTKey.from_jwk(jwk("RS256", alg=None), rsa_algorithm="PS256").algorithm == "PS256"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"use": "enc"}, "not for verifying"),
        ({"key_ops": ["encrypt"]}, "not for verifying"),
        ({"alg": "RSA-OAEP"}, "algorithm must be one of"),
        ({"alg": "none"}, "algorithm must be one of"),
        ({"alg": "HS256"}, "cannot be read"),
        ({"alg": None, "kty": "oct"}, "nothing says what algorithm a key of kty 'oct' is for"),
        ({"alg": None, "kty": "EC", "crv": "P-224"}, "nothing says"),
        ({"alg": None, "kty": None}, "nothing says"),
    ],
)
def test_a_jwk_for_something_else_is_refused(members: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        JWTKey.from_jwk(jwk("RS256", **members))


NESTED = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=50)
    | st.sampled_from(["AQAB", "A" * 43]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"kty": st.sampled_from(["RSA", "EC", "OKP", "oct"])},
        optional={
            "alg": st.sampled_from(ALGORITHMS),
            "crv": st.sampled_from(["P-256", "P-521", "Ed25519"]) | NESTED,
            **dict.fromkeys(("n", "e", "x", "y", "k"), NESTED),
        },
    )
)
def test_whatever_a_jwk_holds_it_is_a_key_or_a_value_error(given_jwk: dict[str, Any]) -> None:
    try:
        key = JWTKey.from_jwk(given_jwk)
    except ValueError:
        return
    assert key.verifies(MESSAGE, b"x" * 64) is False


MAKERS: list[Any] = [lambda: JWTKey(SECRET, "HS256"), lambda: JWTKey.from_jwk({}), lambda: JWKS("https://a.example")]


@pytest.mark.parametrize("make", MAKERS)
def test_without_pyjwt_the_error_names_the_way_to_install_it(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "asgi_express.security._jwt_material", raising=False)
    monkeypatch.delattr("asgi_express.security._jwt_material", raising=False)
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ImportError, match=r"needs PyJWT and cryptography: pip install 'asgi-express\[jwt\]'"):
        make()
