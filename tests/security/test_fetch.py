"""Fetching one document: every way in which a server can be wrong, on real sockets."""

from __future__ import annotations

import asyncio
import datetime
import http.client
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from asgi_express.security import JWKS
from asgi_express.security._fetch import fetch
from tests.security.issuer import Issuer, answering, issuing
from tests.security.signing import private_key, private_pem

LIMIT = 1000


async def get(url: str, **options: Any) -> bytes:
    async with asyncio.timeout(10):
        return (await fetch(url, **{"max_size": LIMIT, "tls": None, "insecure": True, **options})).body


def saying(text: bytes, *, stays: bool = False, piece: int | None = None) -> Any:
    """Answer with bytes; then close, or stay until the client goes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(text), piece or len(text)):
            writer.write(text[start : start + (piece or len(text))])
            await writer.drain()
            await asyncio.sleep(0)
        if stays:
            await reader.read()

    return answer


OK = b"HTTP/1.1 200 OK\r\n"
GOOD: list[tuple[bytes, bool]] = [
    (OK + b"Content-Length: 2\r\n\r\n{}", False),
    (OK + b"Content-Length: 2\r\n\r\n{}", True),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", False),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", True),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n", False),
    (OK + b"\r\n{}", False),
    (b"HTTP/1.0 200 OK\r\n\r\n{}", False),
    (OK + b"Content-Encoding: identity\r\n\r\n{}", False),
]


@pytest.mark.parametrize(("text", "stays"), GOOD)
@pytest.mark.parametrize("piece", [None, 1, 7])
async def test_an_answer_is_read_whatever_its_pieces(text: bytes, stays: bool, piece: int | None) -> None:
    async with answering(saying(text, stays=stays, piece=piece)) as url:
        assert await get(url) == b"{}"


BAD: list[tuple[bytes, str]] = [
    (b"", "the answer ends within its head"),
    (b"nonsense\r\n\r\n", "BadStatusLine"),
    (b"HTTP/1.1 200 OK\r\nContent-Le", "the answer ends within its head"),
    (OK + b"Content-Length: 3\r\n\r\n{}", "IncompleteRead"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "IncompleteRead"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", "IncompleteRead"),
    (OK + b"X: " + b"x" * 100_000, "larger than 1000 bytes"),
    (OK + b"X: 1\r\n" * 200 + b"\r\n", "more than 100 headers"),
    (OK + b"\r\n" + b"x" * 1001, "larger than 1000 bytes"),
    (OK + b"\r\n" + b"x" * 1_000_000, "larger than 1000 bytes"),
    (OK + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1_000_000, "larger than 1000 bytes"),
    (OK + b"Content-Encoding: gzip\r\n\r\n{}", "it is compressed"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n{}", "the answer is 404 Not Found"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", "the answer is 204"),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", "the answer is 304"),
]


@pytest.mark.parametrize(("text", "words"), BAD, ids=range(len(BAD)))
async def test_an_answer_that_is_wrong_is_no_document(text: bytes, words: str) -> None:
    async with answering(saying(text)) as url:
        with pytest.raises((ValueError, OSError, http.client.HTTPException)) as caught:
            await get(url)
    assert any(each in repr(caught.value) for each in words.split("|")), repr(caught.value)


async def test_a_server_that_sends_a_byte_at_a_time_is_given_up_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with answering(drip) as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await get(url)


async def test_the_target_and_the_host_are_as_in_the_url() -> None:
    seen: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 2\r\n\r\n{}")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        await keep(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        await get(f"http://127.0.0.1:{port}?a=1")
        await get(f"http://127.0.0.1:{port}/keys?a=1&b=%20")
    finally:
        server.close()
        await server.wait_closed()
    assert [request.partition(b"\r\n")[0] for request in seen] == [
        b"GET /?a=1 HTTP/1.1",
        b"GET /keys?a=1&b=%20 HTTP/1.1",
    ]
    assert f"\r\nHost: 127.0.0.1:{port}\r\n".encode() in seen[0]


# -- redirects


def moved(place: bytes, status: int = 302) -> bytes:
    return b"HTTP/1.1 %d Moved\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (status, place)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_on_the_same_origin(status: int) -> None:
    answers = [moved(b"/b?c=1", status), moved(b"d", status), OK + b"Content-Length: 2\r\n\r\n{}"]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))

    async with answering(answer) as url:
        assert await get(url) == b"{}"
    assert answers == []


REDIRECTS: list[tuple[bytes, str]] = [
    (b"https://evil.example/jwks", "it redirects to another origin: 'https://evil.example/jwks'"),
    (b"//evil.example/jwks", "it redirects to another origin"),
    (b"http://127.0.0.1:1/jwks", "it redirects to another origin"),
    (b"http://localhost/jwks", "it redirects to another origin"),
    (b"http://user@127.0.0.1/jwks", "is not a URL of a host"),
    (b"file:///etc/passwd", "must begin with https://"),
    (b"/a b", "has a space"),
    (b"", "it redirects too often"),
    (b"/again", "it redirects too often"),
]


@pytest.mark.parametrize(("place", "words"), REDIRECTS)
async def test_other_redirects_are_not_followed(place: bytes, words: str) -> None:
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.write(moved(place))

    async with answering(answer) as url:
        with pytest.raises(ValueError, match=words):
            await get(url)
    assert asked == (4 if "often" in words else 1)


# -- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The files of a certificate for localhost, and of its key."""
    folder: Path = tmp_path_factory.mktemp("tls")
    private = private_key("ES256", 7)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        # What Python 3.13 asks of a certificate that vouches for itself.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, False, False, False), critical=True)
        .sign(private, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_text(private_pem(private))
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
async def secure(certificate: tuple[str, str]) -> AsyncIterator[Issuer]:
    async with issuing(files=certificate) as issuer:
        yield issuer


async def test_keys_come_over_tls(secure: Issuer, certificate: tuple[str, str]) -> None:
    tls = ssl.create_default_context(cafile=certificate[0])
    tls.verify_flags |= ssl.VERIFY_X509_STRICT
    keys = await JWKS(secure.jwks, tls=tls).find("k0", "ES256")
    assert [key.kid for key in keys] == ["k0"]


async def test_a_certificate_that_nobody_vouches_for_is_refused(secure: Issuer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await get(secure.jwks)
    assert secure.requests == []


async def test_a_certificate_of_another_host_is_refused(secure: Issuer, certificate: tuple[str, str]) -> None:
    tls = ssl.create_default_context(cafile=certificate[0])
    tls.verify_flags |= ssl.VERIFY_X509_STRICT
    with pytest.raises(ssl.SSLCertVerificationError, match=r"IP address mismatch|doesn't match"):
        await get(secure.jwks.replace("localhost", "127.0.0.1"), tls=tls)
