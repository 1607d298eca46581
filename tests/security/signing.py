"""An issuer of tokens: its keys, and what it signs; and forgers."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

NOW = 1_700_000_000
ISSUER, AUDIENCE = "https://login.example.com", "https://api.example.com"
SECRET = "a secret of thirty-two bytes at least, and sixty-four for HS512."

CURVES: dict[str, Any] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
    "ES256K": ec.SECP256K1(),
}
ALGORITHMS = [
    *("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *CURVES,
    *("EdDSA", "Ed25519", "Ed448"),
]


def private_key(algorithm: str, number: int = 0) -> Any:
    """Return a key to sign with; another one for another number."""
    return _private_key(algorithm, number)


@cache
def _private_key(algorithm: str, number: int) -> Any:
    if algorithm[:2] == "HS":
        return SECRET + str(number) * number
    if algorithm[:2] in ("RS", "PS"):
        return rsa_key(2048, number)
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm])
    return (ed448.Ed448PrivateKey if algorithm == "Ed448" else ed25519.Ed25519PrivateKey).generate()


@cache
def rsa_key(bits: int, number: int = 0) -> Any:
    """Return an RSA key; another one for another number."""
    return rsa.generate_private_key(65537, bits)


def pem(private: Any) -> str:
    """Return the public key, as text; of a secret, the secret."""
    if isinstance(private, str):
        return private
    text: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def private_pem(private: Any) -> str:
    text: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return text.decode()


def jwk(algorithm: str, number: int = 0, **members: Any) -> dict[str, Any]:
    """Return the public key as a JWK; a member that is ``None`` is left out."""
    private = private_key(algorithm, number)
    public = private if isinstance(private, str) else private.public_key()
    found = signer(algorithm).to_jwk(public, as_dict=True)
    return {name: value for name, value in {**found, "alg": algorithm, **members}.items() if value is not None}


def signer(algorithm: str) -> Any:
    return jwt.get_algorithm_by_name("EdDSA" if algorithm[:2] == "Ed" else algorithm)


def encode(data: Any) -> str:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return urlsafe_b64encode(text).decode().rstrip("=")


CLAIMS: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": NOW + 60, "iat": NOW - 60}


def sign(
    algorithm: str = "HS256", *, key: Any = None, header: Any = (), payload: Any = None, number: int = 0, **claims: Any
) -> str:
    """Return a token.

    Args:
        algorithm: to sign with.
        key: to sign with.
        header: members of the header; one that is ``None`` is left out. Bytes are the whole header.
        payload: instead of the claims.
        number: of the key.
        **claims: other values for the usual ones; one that is ``None`` is left out.
    """
    members = header if isinstance(header, bytes) else {"alg": algorithm, "typ": "JWT", **dict(header)}
    if isinstance(members, dict):
        members = {name: value for name, value in members.items() if value is not None}
    if payload is None:
        payload = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    signed = f"{encode(members)}.{encode(payload)}"
    private = private_key(algorithm, number) if key is None else key
    private = private.encode() if isinstance(private, str) else private
    return f"{signed}.{encode(signer(algorithm).sign(signed.encode(), private))}"
