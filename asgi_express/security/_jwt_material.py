"""Key material, from the forms that it comes in to something that verifies. Needs PyJWT with cryptography."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeAlias

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate

__all__ = ["Verify", "algorithm_of_jwk", "verifier"]

Verify: TypeAlias = Callable[[bytes, bytes], bool]
"""A function of ``(signed, signature)``."""

# RFC 7518 section 3.2: a secret is as long as the hash, or longer.
_HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}
_MIN_SECRET = 12
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1", "ES256K": "secp256k1"}
# RFC 8037 has one name for both curves, RFC 9864 one for each.
_EDWARDS: dict[str, tuple[type[Any], ...]] = {
    "EdDSA": (Ed25519PublicKey, Ed448PublicKey),
    "Ed25519": (Ed25519PublicKey,),
    "Ed448": (Ed448PublicKey,),
}
_ALGORITHMS = (*_HMAC, *_RSA, *_CURVES, *_EDWARDS)
_OF_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "secp256k1": "ES256K"}

# NIST SP 800-131A; and what takes milliseconds to verify with is no key but an attack.
_RSA_BITS = (2048, 16384)
_RSA_MAX_EXPONENT = 2**32

# What PyJWT and cryptography raise for members that are absent, of other types, or no numbers.
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, OverflowError, UnsupportedAlgorithm)


def verifier(material: Any, algorithm: str) -> Verify:
    """Return what verifies signatures of one algorithm with one key.

    Args:
        material: a secret (text or bytes), a public key or a certificate in PEM, a JWK as a mapping, or a public key
            of ``cryptography``.
        algorithm: its name in RFC 7518, RFC 8037 or RFC 9864.

    Raises:
        ValueError: the material is not a key for verifying, is one of another algorithm, or is too weak.
    """
    if algorithm not in _ALGORITHMS:
        # A long one may be the secret, in the other's place.
        given = repr(algorithm) if len(str(algorithm)) < _MIN_SECRET else "what is given"
        _refuse(f"algorithm must be one of {', '.join(sorted(_ALGORITHMS))}, not {given}")
    implementation: Any = jwt.get_algorithm_by_name("EdDSA" if algorithm in _EDWARDS else algorithm)
    if algorithm in _HMAC:
        key: Any = _secret(material, algorithm, implementation)
    elif isinstance(material, Mapping):
        key = _from_jwk(material, implementation)
    else:
        key = _public_key(material)
    if algorithm not in _HMAC:
        _check_public(key, algorithm)

    if algorithm in _HMAC:
        # PyJWT begins with the secret again for each token: 2 us, which is 0.8 with a copy of what it began with.
        begun = hmac.new(key, digestmod=f"sha{algorithm[2:]}")

        def verify_secret(signed: bytes, signature: bytes) -> bool:
            mac = begun.copy()
            mac.update(signed)
            return hmac.compare_digest(mac.digest(), signature)

        return verify_secret

    def verify(signed: bytes, signature: bytes) -> bool:
        return implementation.verify(signed, key, signature) is True

    return verify


def algorithm_of_jwk(jwk: Mapping[str, Any], rsa_algorithm: str) -> str:
    """Return the algorithm of a JWK: what it names, else what its type and curve leave.

    Args:
        jwk: the key.
        rsa_algorithm: what RSA keys are for that name none.

    Raises:
        ValueError: it is not for verifying, or nothing says what algorithm it is for.
    """
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ("verify",)):
        _refuse("it is not for verifying signatures")
    named = jwk.get("alg")
    if named is not None:
        return str(named)
    kind = jwk.get("kty")
    found = {"RSA": rsa_algorithm, "OKP": "EdDSA", "EC": _OF_CURVE.get(str(jwk.get("crv")))}.get(str(kind))
    if found is None:
        _refuse(f"nothing says what algorithm a key of kty {kind!r} is for")
    return found


def _secret(material: Any, algorithm: str, implementation: Any) -> bytes:
    if isinstance(material, Mapping):
        secret: Any = _from_jwk(material, implementation)
    elif isinstance(material, str | bytes):
        # Refuses public keys in PEM, DER, SSH or JSON: anybody has those (CVE-2022-29217, CVE-2026-48526).
        try:
            secret = implementation.prepare_key(material)
        except jwt.InvalidKeyError as error:
            _refuse(str(error))
        if _is_published(secret):
            _refuse("the secret is a public key, or a set of them, which anybody has")
    else:
        _refuse(f"{algorithm} takes a secret, as text or bytes, not a {type(material).__name__}")
    if len(secret) < _HMAC[algorithm]:
        _refuse(f"a secret for {algorithm} needs {_HMAC[algorithm]} bytes or more (RFC 7518 3.2), not {len(secret)}")
    return bytes(secret)


def _is_published(secret: bytes) -> bool:
    """Tell whether a secret is a public key in a form that PyJWT 2.13 does not know: DER, Base64, a key set."""
    for decode in (bytes, b64decode):  # Keycloak shows what stands between the lines of a PEM
        for load in (load_der_public_key, load_der_x509_certificate):
            try:
                load(decode(secret))
            except (ValueError, UnsupportedAlgorithm):
                continue
            return True
    try:
        return isinstance(json.loads(secret), dict | list)
    except ValueError:
        return False
    except RecursionError:  # nobody's secret either
        return True


def _from_jwk(jwk: Mapping[str, Any], implementation: Any) -> Any:
    if "d" in jwk:
        _refuse("it is a private key: verifying takes the public one")
    try:
        return implementation.from_jwk(json.loads(json.dumps(dict(jwk))))
    except _UNREADABLE as error:
        _refuse(f"the JWK cannot be read: {error}")


def _public_key(material: Any) -> Any:
    if not isinstance(material, str | bytes):
        return material
    pem = material.encode() if isinstance(material, str) else material
    if b"PRIVATE KEY-----" in pem:
        _refuse("it is a private key: verifying takes the public one")
    try:
        if b"-----BEGIN CERTIFICATE-----" in pem:
            return load_pem_x509_certificate(pem).public_key()
        return load_pem_public_key(pem)
    except _UNREADABLE:
        _refuse("it is no public key, and no certificate, in PEM")


def _check_public(key: Any, algorithm: str) -> None:
    if algorithm in _RSA and isinstance(key, RSAPublicKey):
        if not _RSA_BITS[0] <= key.key_size <= _RSA_BITS[1]:
            _refuse(f"an RSA key has {_RSA_BITS[0]} to {_RSA_BITS[1]} bits, not {key.key_size}")
        if key.public_numbers().e > _RSA_MAX_EXPONENT:
            _refuse("the exponent of the RSA key is too large")
        return
    if algorithm in _CURVES and isinstance(key, EllipticCurvePublicKey) and key.curve.name == _CURVES[algorithm]:
        return
    if isinstance(key, _EDWARDS.get(algorithm, ())):
        return
    _refuse(f"{algorithm} takes another kind of key than a {type(key).__name__}")


def _refuse(words: str) -> NoReturn:
    raise ValueError(words)
