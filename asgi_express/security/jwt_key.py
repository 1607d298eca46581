"""One key that JSON Web Tokens are signed with, and the one algorithm that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["JWTKey"]


class JWTKey:
    """A key to verify tokens with. The algorithm belongs to the key: what a token says can only agree with it.

    So a token that is signed with the text of a public key as if that were a secret (CVE-2022-29217, CVE-2026-48526),
    or not at all (``none``), fits no key. A public key is not accepted as a secret either.

    Args:
        material: for ``HS256``, ``HS384`` and ``HS512`` the secret, as long as the hash (32, 48, 64 bytes) or longer.
            For ``RS``, ``PS`` and ``ES`` with ``256``, ``384`` or ``512``, ``ES256K``, ``EdDSA``, ``Ed25519`` and
            ``Ed448`` the public key: PEM, a certificate in PEM, or an object of ``cryptography``. A JWK as a mapping
            for any of them.
        algorithm: the one that it is for.
        kid: its name; tokens that name another key are not tried with it. ``None``: tried with all.

    Attributes:
        algorithm: as given.
        kid: as given.

    Raises:
        ImportError: PyJWT or cryptography is not installed.
        TypeError: ``kid`` is not text.
        ValueError: the material does not fit the algorithm, is private, or is too weak.

    Examples::

        JWTKey("at least 32 bytes that nobody knows", "HS256")

        JWTKey(public_key_in_pem, "ES256", kid="2026-11")

    Sources: RFC 7517, RFC 7518, RFC 8725 section 3.1.
    """

    __slots__ = ("_verify", "algorithm", "kid")

    def __init__(self, material: Any, algorithm: str, *, kid: str | None = None) -> None:
        try:
            from asgi_express.security import _jwt_material
        except ImportError as error:
            msg = "JWTKey needs PyJWT and cryptography: pip install 'asgi-express[jwt]'"
            raise ImportError(msg) from error
        if kid is not None and not isinstance(kid, str):
            msg = f"JWTKey: kid must be text, not {kid!r}"
            raise TypeError(msg)
        try:
            self._verify = _jwt_material.verifier(material, algorithm)
        except ValueError as error:
            msg = f"JWTKey: {error}"
            raise ValueError(msg) from None
        self.algorithm = algorithm
        self.kid = kid

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any], *, rsa_algorithm: str = "RS256") -> JWTKey:
        """Make a key of a JWK, with the algorithm and the name that it has.

        Args:
            jwk: the key, as JSON has it.
            rsa_algorithm: what RSA keys are for that name no algorithm, as those of Microsoft. Other keys need no name
                for it: it follows from the curve.

        Raises:
            ImportError: PyJWT or cryptography is not installed.
            TypeError: ``kid`` is not text.
            ValueError: it is not a public key for signatures, is too weak, or nothing says what it is for.

        Example::

            JWTKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
        """
        try:
            from asgi_express.security import _jwt_material
        except ImportError as error:
            msg = "JWTKey needs PyJWT and cryptography: pip install 'asgi-express[jwt]'"
            raise ImportError(msg) from error
        try:
            algorithm = _jwt_material.algorithm_of_jwk(jwk, rsa_algorithm)
        except ValueError as error:
            msg = f"JWTKey: {error}"
            raise ValueError(msg) from None
        return cls(jwk, algorithm, kid=jwk.get("kid"))

    def __repr__(self) -> str:
        return f"<JWTKey {self.algorithm} {self.kid!r}>"

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Tell whether a signature is this key's.

        Args:
            signed: the header and the payload of a token, in Base64, with the dot.
            signature: the bytes of the signature.

        Example::

            key.verifies(b"eyJhbGciOiJIUzI1NiJ9.e30", signature)
        """
        return self._verify(signed, signature)
