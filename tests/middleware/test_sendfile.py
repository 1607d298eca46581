"""Files that an app names in a header: what goes out, what stays, and what is never sent."""

from __future__ import annotations

import errno
import logging
import os
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI, Response

from asgi_express import Express
from asgi_express._sendfile import SMALL
from asgi_express.middleware import Compress, Sendfile
from tests.asgi import Answer, ask
from tests.cases.files import write

LONG = "0123456789" * 20_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "pubx", {"secret.txt": "secret"})
    tree = {"a.txt": "some text", "empty": "", "data/b.pdf": "%PDF", "long.bin": LONG, ".env": "secret"}
    write(
        tmp_path / "pub",
        {**tree, ".git/config": "secret", "отчёт №1.csv": "1,2", "100%.txt": "all", "café.txt": "au lait"},
    )
    (tmp_path / "pub" / "out").symlink_to(tmp_path / "pubx")
    (tmp_path / "pub" / "link.txt").symlink_to(tmp_path / "pubx" / "secret.txt")
    os.mkfifo(tmp_path / "pub" / "fifo")
    return tmp_path / "pub"


def naming(path: str | bytes, *more: tuple[str, str], status: int = 200, body: bytes = b"of the app") -> Any:
    """Return an app that names a file."""
    value = path if isinstance(path, bytes) else path.encode()
    pairs = [(b"X-Sendfile", value), *((name.encode(), text.encode("latin-1")) for name, text in more)]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": pairs, "trailers": True})
        for piece in (body, b" and more"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]})

    return app


async def sent(root: Path, path: str | bytes, *more: tuple[str, str], status: int = 200, **request: Any) -> Answer:
    return await ask(Sendfile(naming(path, *more, status=status), fs=root), **request)


# -- what goes out


async def test_the_file_goes_out_in_the_place_of_the_body(root: Path) -> None:
    answer = await sent(root, "a.txt", ("X-Other", "1"))
    assert (answer.status, answer.text, answer.complete) == (200, "some text", True)
    tag = answer.headers["etag"]
    assert answer.headers == {
        "x-other": "1",
        "content-type": "text/plain; charset=utf-8",
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "last-modified": answer.headers["last-modified"],
        "etag": tag,
        "content-length": "9",
    }
    assert tag.startswith('W/"')


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/a.txt", "some text"),
        ("data/b.pdf", "%PDF"),
        ("data//b.pdf", "%PDF"),
        ("./data/b.pdf", "%PDF"),
        (quote("отчёт №1.csv"), "1,2"),
        ("отчёт №1.csv", "1,2"),
        ("100%25.txt", "all"),
        ("café.txt".encode("latin-1"), "au lait"),
        ("empty", ""),
        ("long.bin", LONG),
    ],
)
async def test_a_path_begins_at_the_directory_and_is_percent_encoded(root: Path, path: str | bytes, text: str) -> None:
    answer = await sent(root, path)
    assert (answer.status, answer.text, answer.complete) == (200, text, True)
    assert answer.headers["content-length"] == str(len(text.encode()))


async def test_a_large_file_goes_out_in_pieces(root: Path) -> None:
    (root / "huge").write_bytes(b"x" * (3 * 256 * 1024 + 1))
    answer = await sent(root, "huge")
    assert [len(chunk) for chunk in answer.chunks] == [256 * 1024] * 3 + [1]
    assert answer.complete


@pytest.mark.parametrize(
    ("headers", "status", "expected"),
    [
        ({"Range": "bytes=0-3"}, 206, ("some", "bytes 0-3/9")),
        ({"Range": "bytes=-4"}, 206, ("text", "bytes 5-8/9")),
        ({"Range": "bytes=9-"}, 416, ("Range Not Satisfiable\n", "bytes */9")),
        ({"Range": "bytes=0-1,4-5"}, 200, ("some text", None)),
        ({"If-None-Match": "*"}, 304, ("", None)),
        ({"If-Match": '"other"'}, 412, ("Precondition Failed\n", None)),
        ({"If-Range": '"other"', "Range": "bytes=0-3"}, 200, ("some text", None)),
        ({"If-None-Match": "*", "Cache-Control": "no-cache"}, 200, ("some text", None)),
    ],
)
async def test_conditions_and_ranges_are_answered(
    root: Path, headers: dict[str, str], status: int, expected: tuple[str, str | None]
) -> None:
    answer = await sent(root, "a.txt", headers=headers)
    assert (answer.status, (answer.text, answer.headers.get("content-range"))) == (status, expected)


async def test_what_the_client_has_is_not_sent_again(root: Path) -> None:
    tag = (await sent(root, "a.txt")).headers["etag"]
    answer = await sent(root, "a.txt", headers=[("If-None-Match", '"other"'), ("If-None-Match", tag)])
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    assert "content-type" not in answer.headers


@pytest.mark.parametrize(("method", "status"), [("POST", 200), ("GET", 404), ("GET", 403)])
async def test_with_another_method_or_status_the_file_is_sent_whole(root: Path, method: str, status: int) -> None:
    conditions = {"Range": "bytes=0-3", "If-None-Match": "*", "If-Match": '"other"'}
    answer = await sent(root, "a.txt", status=status, method=method, headers=conditions)
    assert (answer.status, answer.text) == (status, "some text")


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_content_becomes_200(root: Path, status: int) -> None:
    answer = await sent(root, "a.txt", status=status)
    assert (answer.status, answer.text) == (200, "some text")


@pytest.mark.parametrize("path", ["a.txt", "long.bin"])
async def test_head_has_the_headers_and_no_body(root: Path, path: str) -> None:
    answer = await sent(root, path, method="HEAD")
    assert (answer.status, answer.body, answer.complete) == (200, b"", True)
    assert int(answer.headers["content-length"]) == (root / path).stat().st_size


# -- what of the app stays


async def test_the_headers_of_the_app_stay_but_for_those_of_its_body(root: Path) -> None:
    own = [
        ("Content-Type", "text/x-own"),
        ("Cache-Control", "public, max-age=60"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("Content-Length", "19"),
        ("Content-Encoding", "gzip"),
        ("ETag", '"of the empty body"'),
        ("Content-Digest", "sha-256=:x:"),
        ("Trailer", "x-sum"),
    ]
    answer = await sent(root, "a.txt", *own)
    headers = answer.headers
    assert [value for name, value in answer.raw_headers if name == b"set-cookie"] == [b"a=1", b"b=2"]
    assert (headers["content-type"], headers["cache-control"]) == ("text/x-own", "public, max-age=60")
    assert headers["last-modified"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert (headers["content-length"], headers["etag"][:3]) == ("9", 'W/"')
    assert {"content-encoding", "content-digest", "trailer"}.isdisjoint(headers)
    assert "trailers" not in answer.messages[0]
    assert {message["type"] for message in answer.messages} == {"http.response.start", "http.response.body"}


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("march.pdf", "attachment; filename=march.pdf"),
        ('a "b".pdf', 'attachment; filename="a \\"b\\".pdf"'),
        ("%D1%8F.pdf", "attachment; filename=\"?.pdf\"; filename*=UTF-8''%D1%8F.pdf"),
        ("100%.pdf", "attachment; filename=100%.pdf"),
        ("../../etc/passwd", "attachment; filename=passwd"),
    ],
)
async def test_the_name_to_save_under_is_the_apps(root: Path, name: str, disposition: str) -> None:
    answer = await sent(root, "data/b.pdf", ("X-File-Name", name), ("Content-Disposition", "inline"))
    assert (answer.text, answer.headers["content-disposition"]) == ("%PDF", disposition)


async def test_an_empty_name_is_none(root: Path) -> None:
    answer = await sent(root, "data/b.pdf", ("X-File-Name", ""), ("Content-Disposition", "inline"))
    assert answer.headers["content-disposition"] == "inline"


@pytest.mark.parametrize(
    ("path", "name", "media_type"),
    [
        ("data/b.pdf", "b.txt", "application/pdf"),
        ("empty", "b.pdf", "application/pdf"),
        ("empty", "b", "application/octet-stream"),
    ],
)
async def test_the_type_is_that_of_the_file_or_else_of_the_name(
    root: Path, path: str, name: str, media_type: str
) -> None:
    assert (await sent(root, path, ("X-File-Name", name))).headers["content-type"] == media_type


async def test_the_two_headers_never_reach_the_client(root: Path) -> None:
    for path, status in (("a.txt", 200), ("gone.txt", 404)):
        answer = await sent(root, path, ("X-FILE-NAME", "a.txt"))
        assert answer.status == status
        assert not {"x-sendfile", "x-file-name"} & answer.headers.keys()

    async def only_the_name(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-file-name", b"a"), (b"x-b", b"1")]})
        await send({"type": "http.response.body", "body": b"own"})

    answer = await ask(Sendfile(only_the_name, fs=root))
    assert (answer.text, answer.headers) == ("own", {"x-b": "1"})


async def test_a_client_cannot_name_a_file(root: Path) -> None:
    app = Express()
    app.use(Sendfile(fs=root))
    app.get("/", lambda req, res: res.send("own"))
    headers = {"X-Sendfile": "a.txt", "X-Sendfile-Type": "X-Sendfile", "X-Accel-Mapping": "/=/", "X-File-Name": "a"}
    assert (await ask(app, headers=headers)).text == "own"


# -- what is never sent

NEVER = [
    "../pubx/secret.txt",
    "/../pubx/secret.txt",
    "data/../a.txt",
    "%2e%2e/pubx/secret.txt",
    "data%2f..%2f..%2fpubx%2fsecret.txt",
    "data%2fb.pdf",
    "data\\b.pdf",
    "..\\pubx\\secret.txt",
    "%00",
    "a.txt%00",
    "100%.txt",
    "%ff",
    ".env",
    ".git/config",
    "%2egit/config",
    "out/secret.txt",
    "link.txt",
    "fifo",
    "data",
    "data/",
    "a.txt/",
    "",
    "gone.txt",
    "/etc/passwd",
    "x" * 5000,
]


@pytest.mark.parametrize("path", NEVER)
async def test_what_cannot_be_sent_is_404_whatever_the_reason(
    root: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await sent(root, path, ("Set-Cookie", "a=1"), ("Cache-Control", "public"))
    assert (answer.status, answer.text) == (404, "Not Found\n")
    assert answer.headers == {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "no-store",
        "content-length": "10",
    }
    assert [(record.name, record.levelno) for record in caplog.records] == [("asgi_express.sendfile", logging.ERROR)]
    assert "cannot be sent: " in caplog.text


async def test_the_log_says_why(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("../x", ".env", "data", "gone.txt", "link.txt"):
        await sent(root, path)
    words = [record.getMessage().partition("cannot be sent: ")[2] for record in caplog.records]
    assert (
        words[0]
        == words[1]
        == "a path has no segment that begins with a dot, no hidden separator, no NUL and no broken escape"
    )
    assert words[2] == "it is a directory"
    assert words[3].startswith("[Errno 2]")
    assert words[4] == "it is no file inside of the directory"


@pytest.mark.parametrize(("number", "status"), [(errno.EACCES, 404), (errno.EIO, 500)])
async def test_what_the_system_refuses_is_404_and_what_it_cannot_is_500(
    root: Path, number: int, status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: str, flags: int) -> int:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("asgi_express._sendfile.files.os.open", refuse)
    answer = await sent(root, "a.txt")
    assert (answer.status, str(root) in answer.text) == (status, False)
    assert os.strerror(number) in caplog.text


async def test_two_files_at_once_are_an_error_of_the_app(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    answer = await sent(root, "a.txt", ("x-sendfile", "data/b.pdf"))
    assert (answer.status, answer.text) == (500, "Internal Server Error\n")
    assert "the header is there twice" in caplog.text


async def test_links_may_lead_out_where_that_is_allowed(root: Path) -> None:
    app = Sendfile(naming("link.txt"), fs=root, follow_symlinks=True)
    assert (await ask(app)).text == "secret"
    assert (await ask(Sendfile(naming("../pubx/secret.txt"), fs=root, follow_symlinks=True))).status == 404


async def test_an_app_of_yours_may_answer_instead(root: Path) -> None:
    async def gone(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 410, "headers": []})
        await send({"type": "http.response.body", "body": b"it was here"})

    answer = await ask(Sendfile(naming("gone.txt"), fs=root, on_missing=gone))
    assert (answer.status, answer.text) == (410, "it was here")


async def test_a_file_that_becomes_shorter_cuts_the_answer_off(root: Path) -> None:
    answer = Answer()
    path = root / "long.bin"
    assert path.stat().st_size > SMALL

    app = Sendfile(naming("long.bin"), fs=root)

    async def around(scope: Any, receive: Any, send: Any) -> None:
        async def truncate(message: Any) -> None:
            if message["type"] == "http.response.start":
                path.write_bytes(b"short")
            await send(message)

        await app(scope, receive, truncate)

    with pytest.raises(Exception, match="the file became shorter"):
        await ask(around, answer=answer)
    assert not answer.complete


async def test_a_client_that_leaves_closes_the_file(root: Path) -> None:
    async def leave(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError("gone")

    async def receive() -> Any: ...

    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        with pytest.raises(OSError, match="gone"):
            await Sendfile(naming("long.bin"), fs=root)(
                {"type": "http", "method": "GET", "path": "/", "headers": []}, receive, leave
            )
    assert len(os.listdir("/proc/self/fd")) == before


# -- among others


async def test_in_fastapi_a_response_without_content_keeps_the_type_of_the_file(root: Path) -> None:
    app = FastAPI()
    app.add_middleware(Sendfile, fs=root)

    @app.get("/report")
    async def report() -> Response:
        return Response(headers={"X-Sendfile": quote("отчёт №1.csv"), "X-File-Name": quote("март.csv")})

    answer = await ask(app, "/report")
    assert (answer.text, answer.headers["content-type"]) == ("1,2", "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''%D0%BC%D0%B0%D1%80%D1%82.csv")


async def test_what_is_around_it_sees_an_ordinary_answer(root: Path) -> None:
    app = Express()
    app.use(Compress(min_length=1))
    app.use(Sendfile(fs=root))
    app.get("/", lambda req, res: res.set("X-Sendfile", "long.txt").end())
    write(root, {"long.txt": LONG})
    answer = await ask(app, headers={"Accept-Encoding": "gzip"})
    assert (answer.headers["content-encoding"], answer.headers["content-type"]) == ("gzip", "text/plain; charset=utf-8")
    assert zlib.decompress(answer.body, 31).decode() == LONG


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fs": "no/such/directory"}, "fs must be the path of a directory that is there, not 'no/such/directory'"),
        ({"fs": __file__}, "fs must be the path of a directory"),
        ({"fs": 7}, "fs must be the path of a directory that is there, not 7"),
        ({"fs": ""}, "fs must be the path of a directory"),
        ({"fs": ".", "follow_symlinks": "yes"}, "follow_symlinks must be True or False"),
        ({"fs": ".", "on_missing": 404}, "on_missing must be an ASGI app, not 404"),
    ],
)
def test_options_are_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Sendfile(**options)
