"""Directories of files: what Express answers, what it lets through and we do not, and what we add."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import re
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express
from asgi_express._sendfile.options import file_options
from asgi_express._sendfile.paths import Missing, locate
from asgi_express.static import static
from tests.asgi import PATIENCE, ask
from tests.cases.files import answers, check, recorded_app, write

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Express:
    return recorded_app(tmp_path_factory.mktemp("tree"))


@pytest.fixture
def pub(tmp_path: Path) -> Path:
    write(tmp_path / "pubx", {"secret": "secret"})
    return write(
        tmp_path / "pub",
        {"index.html": "<p>home</p>", "a.txt": "text", "dir/index.html": "<p>dir</p>", "dir/b.txt": "b", ".env": "e"},
    )


def serving(root: Path, path: str = "/", **options: Any) -> Express:
    """Return an app that serves a directory and tells what it fell through to."""
    app = Express()
    app.use(path, static(root, **options))
    app.use(lambda req, res: res.status(404).send("fell through"))
    return app


def rewriting(url: str) -> Any:
    def rewrite(req: Any, res: Any, next: Any) -> None:
        req.url = url
        next()

    return rewrite


# -- as Express


@pytest.mark.parametrize(("request_", "expected"), answers(r"/(?:c\d|file)"))
async def test_an_answer_is_that_of_express(recorded: Express, request_: list[Any], expected: list[Any]) -> None:
    method, target, headers = request_
    headers = {name: value.strip() for name, value in headers.items()}
    check(await ask(recorded, target, method, headers=headers), request_, expected)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"root": ""}, TypeError, "root path required"),
        ({"root": 7}, TypeError, "os.PathLike"),
        ({"set_headers": 7}, TypeError, "set_headers must be a function"),
        ({"dotfiles": "maybe"}, ValueError, 'must be "allow", "deny", or "ignore"'),
        ({"index": [1]}, TypeError, "index option must be a name"),
        ({"extensions": [None]}, TypeError, "extensions option must be a name"),
        ({"max_age": "soon"}, ValueError, "invalid duration"),
        ({"start": "1"}, TypeError, "start option must be an integer"),
        ({"end": True}, TypeError, "end option must be an integer"),
        ({"end": -1}, ValueError, "end option must not be negative"),
        ({"precompressed": ["lzma"]}, ValueError, "unknown coding 'lzma'"),
        ({"spa": "../x"}, ValueError, "spa option"),
    ],
)
def test_a_wrong_option_is_an_error_where_it_is_written(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        static(**{"root": "public", **options})


@pytest.mark.parametrize(
    ("max_age", "seconds"),
    [("15m", 900), (0.9, 0), (-5, 0), ("2y", 31_536_000), (1e300, 31_536_000), (math.inf, 31_536_000)],
)
async def test_max_age_is_whole_seconds_up_to_a_year(pub: Path, max_age: Any, seconds: int) -> None:
    answer = await ask(serving(pub, max_age=max_age), "/a.txt")
    assert answer.headers["cache-control"] == f"public, max-age={seconds}"


async def test_a_relative_root_is_resolved_once(pub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pub.parent)
    app = serving(Path("pub"))
    monkeypatch.chdir(pub / "dir")
    assert (await ask(app, "/a.txt")).text == "text"


async def test_set_headers_gets_the_path_and_the_stat_and_may_be_async(pub: Path) -> None:
    seen: list[Any] = []

    async def set_headers(res: Any, path: str, stat: os.stat_result) -> None:
        await asyncio.sleep(0)
        seen.append((path, stat.st_size))
        res.set("X-Size", stat.st_size)

    app = serving(pub, set_headers=set_headers)
    assert (await ask(app, "/a.txt")).headers["x-size"] == "4"
    assert seen == [(str(pub / "a.txt"), 4)]
    assert (await ask(app, "/none.txt")).text == "fell through"
    assert len(seen) == 1


async def test_an_error_in_set_headers_is_an_error(pub: Path, caplog: pytest.LogCaptureFixture) -> None:
    def set_headers(res: Any, path: str, stat: os.stat_result) -> None:
        raise RuntimeError(path)

    assert (await ask(serving(pub, set_headers=set_headers), "/a.txt")).status == 500
    assert "RuntimeError" in caplog.text


async def test_a_root_named_slash_serves_the_whole_file_system(pub: Path) -> None:
    app = serving(Path("/"), dotfiles="allow")
    assert (await ask(app, f"{pub}/a.txt")).text == "text"
    assert (await ask(serving(Path("/"), "/m"), "/m")).headers["location"] == "/m/"
    assert (await ask(app, "/")).text == "fell through"


async def test_files_are_looked_for_and_read_in_other_threads(pub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pub / "big").write_bytes(bytes(600_000))
    threads: dict[str, set[int]] = {"stat": set(), "open": set(), "read": set()}

    def spied(real: Any, seen: set[int]) -> Any:
        def spy(*args: Any, **more: Any) -> Any:
            seen.add(threading.get_ident())
            return real(*args, **more)

        return spy

    for name, seen in threads.items():
        monkeypatch.setattr(os, name, spied(getattr(os, name), seen))
    app = serving(pub)
    assert (await ask(app, "/a.txt")).text == "text"
    assert len((await ask(app, "/big")).body) == 600_000
    assert all(seen and threading.get_ident() not in seen for seen in threads.values())


# -- refused


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/dir/../a.txt", 403),  # Express serves it; a guard on a path would not see where it leads
        ("/dir/%2e%2e/a.txt", 403),
        ("/../pubx/secret", 403),
        ("/%2e%2e/pubx/secret", 403),
        ("/..%2fpubx/secret", 403),
        ("/..%5cpubx%5csecret", 403),
        ("/dir/..", 403),
        ("/....//a.txt", 404),
        ("/dir%2Fb.txt", 404),  # Express serves it
        ("/dir%5cb.txt", 404),
        ("/dir\\b.txt", 404),
        ("/%2fetc%2fpasswd", 404),
        ("//etc/passwd", 404),
        ("/c:/windows", 404),
        ("/%5c%5chost%5cshare", 404),
        ("/a%00.txt", 400),
        ("/%zz", 400),
        ("/%c0%ae%c0%ae/x", 400),
        ("/%ed%a0%80", 400),
        ("/.env", 404),
        ("/CON", 404),
        ("/nul.txt", 404),
        ("/a.txt/", 404),
        ("/" + "n" * 5000, 404),
        ("/" + "d/" * 5000, 404),
    ],
)
async def test_a_path_is_refused(pub: Path, target: str, status: int) -> None:
    answer = await ask(serving(pub, fallthrough=False), target)
    assert answer.status == status
    assert str(pub) not in answer.text
    assert "secret" not in answer.text.replace("pubx/secret", "")
    assert (await ask(serving(pub), target)).text == "fell through"


@pytest.mark.parametrize(
    "name",
    ["CON", "nul.txt", "dir/COM1", "LPT\u00b9", "AUX .", "prn.", "c:", "a.txt:stream", "conin$", "com1 .x", "x "],
)
def test_what_windows_takes_for_a_device_or_a_stream_is_refused_there(name: str) -> None:
    options = file_options("/root")
    with pytest.raises(Missing):
        locate(name, options, windows=True)
    assert locate(name, options, windows=False).path == f"/root/{name}"


@pytest.mark.parametrize("name", ["console.txt", "com10", "nullable", "aux-in.js", "lpt", "a.b"])
def test_names_that_only_look_like_devices_are_not_refused(name: str) -> None:
    assert locate(name, file_options("/root"), windows=True).path == f"/root/{name}"


@pytest.mark.parametrize(
    ("link", "to", "target", "inside"),
    [
        ("l.txt", "a.txt", "/l.txt", True),
        ("l.txt", "../pub/dir/b.txt", "/l.txt", True),
        ("l", "dir", "/l/b.txt", True),
        ("dir/up", "..", "/dir/up/a.txt", True),
        ("l.txt", "../pubx/secret", "/l.txt", False),
        ("l", "../pubx", "/l/secret", False),
        ("l", "../pubx", "/l", False),
        ("l", "../pubx", "/l/", False),
        ("dir/l", "../..", "/dir/l/pubx/secret", False),
    ],
)
async def test_a_link_is_followed_inside_the_root(pub: Path, link: str, to: str, target: str, inside: bool) -> None:
    (pub.parent / "pubx" / "index.html").write_text("outside")
    os.symlink(to, pub / link)
    assert (await ask(serving(pub), target)).status == (200 if inside else 404)
    assert (await ask(serving(pub, follow_symlinks=True), target)).status in (200, 301)


async def test_a_root_may_be_a_link_that_is_changed_while_serving(pub: Path) -> None:
    current = pub.parent / "current"
    os.symlink("pub", current)
    os.symlink("a.txt", pub / "l.txt")
    app = serving(current)
    assert [(await ask(app, target)).text for target in ("/a.txt", "/l.txt")] == ["text", "text"]
    current.unlink()
    os.symlink("pubx", current)
    assert (await ask(app, "/secret")).text == "secret"


@pytest.mark.parametrize("follow", [False, True])
async def test_what_is_no_file_is_not_there(pub: Path, follow: bool) -> None:
    os.mkfifo(pub / "fifo")
    os.mkfifo(pub / "dir" / "x.html")
    os.symlink("/dev/zero", pub / "device")
    os.symlink("loop", pub / "loop")
    app = serving(pub, fallthrough=False, follow_symlinks=follow, index="x.html")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(pub / "socket"))
        for target in ("/fifo", "/device", "/loop", "/loop/x", "/socket", "/dir/"):
            assert (await ask(app, target)).status == 404


async def test_a_fifo_that_takes_the_place_of_a_file_does_not_block(pub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = os.open

    def replaced(path: Any, *args: Any) -> int:
        os.unlink(path)
        os.mkfifo(path)
        return real_open(path, *args)

    monkeypatch.setattr(os, "open", replaced)
    assert (await ask(serving(pub), "/a.txt")).text == "fell through"


@pytest.mark.parametrize(
    ("code", "status", "falls"),
    [(errno.EACCES, 403, True), (errno.EPERM, 403, True), (errno.ELOOP, 404, True), (errno.EIO, 500, False)],
)
async def test_what_the_file_system_refuses_is_no_fault_of_ours_unless_it_is(
    pub: Path, monkeypatch: pytest.MonkeyPatch, code: int, status: int, falls: bool
) -> None:
    def refuse(path: Any, *args: Any) -> int:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr(os, "open", refuse)
    answer = await ask(serving(pub, fallthrough=False), "/a.txt")
    assert answer.status == status
    assert str(pub) not in answer.text
    assert (await ask(serving(pub), "/a.txt")).status == (404 if falls else 500)


async def test_a_name_that_the_file_system_cannot_spell_is_not_there(pub: Path) -> None:
    app = Express()
    app.use(rewriting("/\ud800.txt"))
    app.use(static(pub, fallthrough=False))
    assert (await ask(app)).status == 404


# -- redirects


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Any] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, attrs))


@pytest.mark.parametrize(
    ("mount", "target", "location"),
    [
        ("/", "/dir", "/dir/"),
        ("/", "//dir", "/dir/"),
        ("/", "///dir?x=1", "/dir/?x=1"),
        ("/s", "/s", "/s/"),
        ("/s", "/s//dir", "/s//dir/"),
        ("/:any", "//evil.com", None),
        ("/:any", "/\\evil.com", "/%5Cevil.com/"),
        ("/:any", "/%5cevil.com", "/%5cevil.com/"),
        ("/", "/dir?a=<b>\"'&c", "/dir/?a=%3Cb%3E%22'&c"),
        ("/", "http://evil.com/dir?x", "/dir/?x"),
        ("/s", "http://evil.com/s", "/s/"),
        ("/", "/dir#evil", "/dir/"),
    ],
)
async def test_a_directory_is_redirected_on_this_host(pub: Path, mount: str, target: str, location: str | None) -> None:
    (pub / "evil.com").mkdir()
    answer = await ask(serving(pub, mount), target)
    assert answer.headers.get("location") == location
    if location:
        assert answer.status == 301
        elements = _Elements()
        elements.feed(answer.text)
        assert elements.found == [
            ("html", [("lang", "en")]), ("head", []), ("meta", [("charset", "utf-8")]), ("title", []), ("body", []),
            ("pre", []),
        ]  # fmt: skip


async def test_a_rewritten_address_never_becomes_two_slashes(pub: Path) -> None:
    app = Express()
    app.use(rewriting("/dir"))
    app.use(static(pub))
    assert (await ask(app, "/")).headers["location"] == "/"


# -- precompressed siblings

CODED = {"br": "BROTLI", "zst": "ZSTANDARD", "gz": "GZIP"}


@pytest.fixture
def coded(pub: Path) -> Path:
    return write(pub, {"js/app.js": "plain", **{f"js/app.js.{suffix}": text for suffix, text in CODED.items()}})


@pytest.mark.parametrize(
    ("accept", "precompressed", "coding", "text"),
    [
        (None, True, None, "plain"),
        ("", True, None, "plain"),
        ("gzip", True, "gzip", "GZIP"),
        ("gzip, deflate, br, zstd", True, "br", "BROTLI"),
        ("gzip, zstd", True, "zstd", "ZSTANDARD"),
        ("br;q=0.5, gzip;q=0.8", True, "gzip", "GZIP"),
        ("gzip;q=0", True, None, "plain"),
        ("gzip;q=0.5, identity", True, None, "plain"),
        ("*", True, "br", "BROTLI"),
        ("identity;q=0, gzip", True, "gzip", "GZIP"),
        ("identity;q=0", True, None, "plain"),
        ("x-gzipped", True, None, "plain"),
        ("gzip, br", ["gzip"], "gzip", "GZIP"),
        ("gzip, br", [".gz", ".br"], "gzip", "GZIP"),
        ("gzip, br", ".zst", None, "plain"),
        ("gzip, br", False, None, "plain"),
    ],
)
async def test_the_sibling_is_sent_that_the_client_likes_best(
    coded: Path, accept: str | None, precompressed: Any, coding: str | None, text: str
) -> None:
    headers = {} if accept is None else {"Accept-Encoding": accept}
    answer = await ask(serving(coded, precompressed=precompressed), "/js/app.js", headers=headers)
    assert (answer.text, answer.headers.get("content-encoding")) == (text, coding)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["content-length"] == str(len(text))
    assert answer.headers.get("vary") == ("Accept-Encoding" if precompressed else None)


async def test_what_varies_already_is_still_said_beside_the_coding(coded: Path) -> None:
    app = Express()

    @app.use()
    def vary(req: Any, res: Any, next: Any) -> None:
        res.append("Vary", "Origin").append("Vary", "Accept-Language")
        next()

    app.use(serving(coded, precompressed=True))
    assert (await ask(app, "/js/app.js")).headers["vary"] == "Origin, Accept-Language, Accept-Encoding"


async def test_every_sibling_has_a_tag_of_its_own(coded: Path) -> None:
    app = serving(coded, precompressed=True)
    tags: dict[str, str] = {}
    for coding in ("identity", "br", "zstd", "gzip"):
        answer = await ask(app, "/js/app.js", headers={"Accept-Encoding": coding})
        tags[coding] = answer.headers["etag"]
    assert len(set(tags.values())) == 4
    for coding, tag in tags.items():
        answer = await ask(app, "/js/app.js", headers={"Accept-Encoding": coding, "If-None-Match": tag})
        assert (answer.status, answer.body, answer.headers["vary"]) == (304, b"", "Accept-Encoding")
    answer = await ask(app, "/js/app.js", headers={"Accept-Encoding": "br", "If-None-Match": tags["gzip"]})
    assert answer.text == "BROTLI"


async def test_a_sibling_has_ranges(coded: Path) -> None:
    headers = {"Accept-Encoding": "br", "Range": "bytes=1-2"}
    answer = await ask(serving(coded, precompressed=True), "/js/app.js", headers=headers)
    assert (answer.status, answer.text, answer.headers["content-range"]) == (206, "RO", "bytes 1-2/6")


async def test_a_sibling_that_is_no_file_or_leads_out_is_passed_over(pub: Path) -> None:
    (pub / "a.txt.br").mkdir()
    os.symlink("../pubx/secret", pub / "a.txt.zst")
    (pub / "a.txt.gz").write_text("GZIP")
    headers = {"Accept-Encoding": "br, zstd, gzip"}
    assert (await ask(serving(pub, precompressed=True), "/a.txt", headers=headers)).text == "GZIP"


async def test_a_sibling_alone_is_no_file(coded: Path) -> None:
    (coded / "js/app.js").unlink()
    headers = {"Accept-Encoding": "br"}
    assert (await ask(serving(coded, precompressed=True), "/js/app.js", headers=headers)).text == "fell through"


# -- one page for all addresses


@pytest.mark.parametrize(
    ("method", "target", "headers", "text"),
    [
        ("GET", "/users/7", HTML, "<p>home</p>"),
        ("HEAD", "/users/7", HTML, ""),
        ("GET", "/users/7/", HTML, "<p>home</p>"),
        ("GET", "/users/7?tab=1.2", HTML, "<p>home</p>"),
        ("GET", "/john.doe/posts", HTML, "<p>home</p>"),
        ("GET", "/a.txt", HTML, "text"),
        ("GET", "/empty/", HTML, "<p>home</p>"),
        ("POST", "/users/7", HTML, "fell through"),
        ("GET", "/users/7", {"Accept": "*/*"}, "fell through"),
        ("GET", "/users/7", {}, "fell through"),
        ("GET", "/users/7", {"Accept": "text/html;q=0, */*"}, "fell through"),
        ("GET", "/app.8f3a.js", HTML, "fell through"),
        ("GET", "/.git/config", HTML, "fell through"),
        ("GET", "/x/../y", HTML, "fell through"),
        ("GET", "/x%2Fy", HTML, "fell through"),
        ("GET", "/%zz", HTML, "fell through"),
    ],
)
async def test_a_navigation_to_what_is_not_there_gets_the_page(
    pub: Path, method: str, target: str, headers: dict[str, str], text: str
) -> None:
    (pub / "empty").mkdir()
    answer = await ask(serving(pub, spa="index.html", max_age="1y", immutable=True), target, method, headers=headers)
    assert answer.text == text
    if text in ("<p>home</p>", ""):
        assert answer.status == 200
        assert answer.headers["vary"] == "Accept"
        assert answer.headers["cache-control"] == "public, max-age=0"


async def test_the_page_obeys_the_other_options(pub: Path) -> None:
    (pub / "index.html.gz").write_text("GZIP")
    app = serving(pub, spa="index.html", cache_control=False, precompressed=True, redirect=False, index=False)
    for target in ("/x", "/dir"):
        answer = await ask(app, target, headers={**HTML, "Accept-Encoding": "gzip"})
        assert answer.text == "GZIP"
        assert answer.headers["vary"] == "Accept, Accept-Encoding"
        assert "cache-control" not in answer.headers


@pytest.mark.parametrize("page", ["none.html", "dir"])
async def test_a_page_that_is_not_there_is_an_error_of_404(pub: Path, page: str) -> None:
    assert (await ask(serving(pub, spa=page, fallthrough=False), "/x", headers=HTML)).status == 404


# -- over real sockets


@asynccontextmanager
async def served(app: Express, http: str) -> AsyncIterator[int]:
    async with app.serve(port=0, http=http) as server:
        yield server.port


async def exchange(port: int, request: bytes) -> tuple[int, str, bytes]:
    """Send bytes to a server; return status, head and body of what comes back."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode("latin-1"), body


HOSTILE_TARGETS = [
    (b"/s/a.txt", {200}),
    (b"/s/../x", {403}),
    (b"/s/%2e%2e/x", {403}),
    (b"/s/..%2fx", {403}),
    (b"/s/..%5cx", {403}),
    (b"/s/....//x", {404}),
    (b"/s/../pubx/secret", {403}),
    (b"/s/%2e%2e%2fpubx%2fsecret", {403}),
    (b"/s//etc/passwd", {404}),
    (b"/s/%2fetc%2fpasswd", {404}),
    (b"/s/c:/windows", {404}),
    (b"/s/%5c%5chost%5cshare", {404}),
    (b"/s/a%00.txt", {400}),
    (b"/s/.env", {404}),
    (b"/s/.git/config", {404}),
    (b"/s/x/.ssh/id", {404}),
    (b"/s/CON", {404}),
    (b"/s/nul.txt", {404}),
    (b"/s/dir/COM1", {404}),
    (b"/s/LPT%C2%B9", {404}),
    (b"/s/AUX%20.", {404}),
    (b"/s/out", {404}),
    (b"/s/out/secret", {404}),
    (b"/s/fifo", {404}),
    (b"/s/noindex/", {404}),
    (b"/s/" + b"n" * 5000, {404}),
    (b"/s/%ed%a0%80", {400}),
    (b"/s/loop", {404}),
    (b"//evil.com/%2e%2e", {404}),
    (b"/\\evil.com/", {400, 404}),
    (b"/s//evil", {404}),
    (b"/s/a.txt/", {404}),
    (b"/s/%F0%9F%92%A9", {404}),
]


@pytest.mark.parametrize("http", ["h11", "httptools"])
async def test_hostile_paths_are_refused_over_real_sockets(pub: Path, http: str) -> None:
    os.symlink("../pubx", pub / "out")
    os.symlink("loop", pub / "loop")
    os.mkfifo(pub / "fifo")
    (pub / "noindex").mkdir()
    app = Express()
    app.use("/s", static(pub, fallthrough=False))
    async with served(app, http) as port:
        for target, statuses in HOSTILE_TARGETS:
            request = b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            status, head, body = await exchange(port, request)
            assert status in statuses, target
            assert str(pub).encode() not in body
            assert body.count(b"secret") == target.count(b"secret") * (b"Cannot" in body)
            assert "evil" not in head


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("name", ["a.txt", "big", "empty"])
async def test_the_head_of_get_and_head_is_the_same_over_real_sockets(pub: Path, http: str, name: str) -> None:
    (pub / "big").write_bytes(bytes(range(256)) * 4096)
    (pub / "empty").touch()
    async with served(serving(pub), http) as port:
        answers_ = [
            await exchange(port, f"{method} /{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            for method in ("GET", "HEAD")
        ]
    heads = [re.sub(r"date: .*\r\n", "", head) for _, head, _ in answers_]
    assert heads[0] == heads[1]
    assert [body for *_, body in answers_] == [(pub / name).read_bytes(), b""]
