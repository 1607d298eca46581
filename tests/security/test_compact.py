"""The compact form of a token: what is read by hand, against what reads it slowly."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express.security import JWTKey
from asgi_express.security._compact import _HEADERS, Refused, _decode, read_compact
from tests.security.signing import encode

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(st.one_of(st.text(ALPHABET, max_size=12), st.text("AQgwBxEIMUYcko-_", max_size=6)))
def test_base64_is_what_encodes_to_itself(text: str) -> None:
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        data = None
    if data is None or urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        with pytest.raises(Refused):
            _decode(text)
    else:
        assert _decode(text) == data


@pytest.mark.parametrize("length", [2, 3, 4])
def test_of_all_last_characters_those_are_read_that_say_nothing_that_is_lost(length: int) -> None:
    for last in ALPHABET:
        text = "A" * (length - 1) + last
        kept = urlsafe_b64encode(urlsafe_b64decode(text + "=" * (-length % 4))).rstrip(b"=").decode() == text
        try:
            _decode(text)
        except Refused:
            assert not kept
        else:
            assert kept


@pytest.mark.parametrize(("algorithm", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")])
@given(signed=st.binary(max_size=200))
def test_a_secret_verifies_what_hmac_says(algorithm: str, digest: str, signed: bytes) -> None:
    secret = "s" * 70
    signature = hmac.digest(secret.encode(), signed, digest)
    key = JWTKey(secret, algorithm)
    assert key.verifies(signed, signature)
    assert not key.verifies(signed, signature[:-1])
    assert not key.verifies(signed + b"x", signature)
    assert not key.verifies(signed, hashlib.new(digest, secret.encode() + signed).digest())


def test_what_is_remembered_of_headers_is_bounded_whatever_is_sent() -> None:
    for number in range(600):
        for _ in range(2):
            parts = read_compact(f"{encode({'alg': 'HS256', 'kid': str(number)})}.e30.AAAA")
            assert (parts.algorithm, parts.kid, parts.typ) == ("HS256", str(number), None)
        with pytest.raises(Refused):
            read_compact(f"{encode({'alg': number})}.e30.AAAA")
    assert 0 < len(_HEADERS) <= 256
    _HEADERS.clear()
    assert read_compact(f"{encode({'alg': 'HS256', 'kid': 'x' * 600})}.e30.AAAA").kid == "x" * 600
    assert not _HEADERS
