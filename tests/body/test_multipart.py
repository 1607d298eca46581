"""Uploads: which files are taken, how much of everything, and where they are."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express
from asgi_express.body import multipart
from asgi_express.body.multipart._names import append_field, highest_index
from asgi_express.body.multipart._spool import Spool, in_thread
from asgi_express.errors import MisuseError
from tests.asgi import Client
from tests.body.driver import END, FORM, application, field, file, files_below, part, post

STORAGES: Any = ("memory", "disk")


async def upload(content: bytes | list[bytes], kind: Any = FORM, **options: Any) -> Any:
    return (await post(application(multipart(**options)), content, kind)).json


@pytest.mark.parametrize("storage", STORAGES)
async def test_fields_and_files_are_told_apart(storage: str) -> None:
    shown = await upload(field("a[b]", "é".encode()) + file("f", "x.txt", b"hello") + END, storage=storage)
    assert shown["body"] == {"a": {"b": "é"}}
    (found,) = shown["files"]
    assert found == {
        "name": "f",
        "filename": "x.txt",
        "encoding": "7bit",
        "type": "text/plain",
        "size": 5,
        "content": "aGVsbG8=",
    }


async def test_what_is_no_upload_is_passed_on() -> None:
    seen: list[Any] = []

    def look(req: Any, res: Any) -> None:
        seen.append((req.body, req.file, req.parts))
        res.end()

    app = Express()
    app.use(multipart(single="f"), look)
    await post(app, b"{}", "application/json")
    assert seen == [(None, None, None)]


async def test_one_file_that_is_not_there_is_none() -> None:
    assert await upload(field("a") + END, single="f") == {"body": {"a": "1"}}


async def test_an_upload_in_memory_can_be_read_again() -> None:
    async def again(req: Any, res: Any) -> None:
        res.end(await req.read())

    app = Express()
    app.post("/", multipart(), again)
    content = field("a") + END
    assert (await post(app, content, FORM)).body == content


async def test_an_upload_that_was_read_before_is_taken() -> None:
    async def first(req: Any, res: Any, next: Any) -> None:
        await req.read()
        next()

    for storage in STORAGES:
        app = application(first, multipart(storage=storage))
        assert (await post(app, field("a") + END, FORM)).json["body"] == {"a": "1"}


async def test_an_upload_may_come_in_any_pieces() -> None:
    content = b"preamble\r\n" + field("a", b"\r\n--X-\r\n") + file("f", "x.txt", b"\r\n\r") + END + b"epilogue"
    want = await upload(content)
    assert want["body"] == {"a": "\r\n--X-\r\n"}
    for size in (1, 2, 3, 7, 31):
        pieces = [content[start : start + size] for start in range(0, len(content), size)]
        for storage in STORAGES:
            assert await upload(pieces, storage=storage) == want


BROKEN: dict[str, tuple[bytes, str, tuple[int, str]]] = {
    "no boundary": (b"", "multipart/form-data", (400, "multipart.boundary.missing")),
    "long boundary": (b"", "multipart/form-data; boundary=" + "x" * 257, (400, "multipart.boundary.invalid")),
    "other type": (b"", "multipart/mixed; boundary=X", (415, "content-type.unsupported")),
    "empty": (b"", FORM, (400, "multipart.unexpected.end")),
    "only text": (b"hello", FORM, (400, "multipart.unexpected.end")),
    "long preamble": (b"x" * 70_000, FORM, (400, "multipart.parse.failed")),
    "no end": (field("a"), FORM, (400, "multipart.unexpected.end")),
    "half an end": (field("a") + b"--X-", FORM, (400, "multipart.unexpected.end")),
    "no headers": (b"--X\r\n\r\nv\r\n" + END, FORM, (400, "multipart.parse.failed")),
    "a header without colon": (b"--X\r\nabc\r\n\r\nv\r\n" + END, FORM, (400, "multipart.parse.failed")),
    "a header that begins with a space": (b"--X\r\n A: b\r\n\r\n" + END, FORM, (400, "multipart.parse.failed")),
    "9 headers": (part('form-data; name="a"', b"1", *["A: b"] * 8) + END, FORM, (400, "multipart.parse.failed")),
    "a long header": (
        part('form-data; name="a"', b"1", "A: " + "b" * 5000) + END,
        FORM,
        (400, "multipart.parse.failed"),
    ),
    "a boundary that goes on": (b"--Xyz\r\n" + field("a") + END, FORM, (400, "multipart.parse.failed")),
    "bytes outside the charset": (field("a", b"\xff") + END, FORM, (400, "entity.parse.failed")),
    "an unknown charset": (
        part('form-data; name="a"', b"1", "Content-Type: text/plain; charset=bogus") + END,
        FORM,
        (415, "charset.unsupported"),
    ),
}


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("content", "kind", "want"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_upload_is_refused(storage: str, content: bytes, kind: str, want: Any) -> None:
    error = (await upload(content, kind, storage=storage))["error"]
    assert (error["status"], error["type"]) == want


async def test_an_upload_with_a_content_coding_is_unsupported() -> None:
    answer = await post(application(multipart()), END, FORM, content_encoding="gzip")
    assert (answer.status, answer.json["error"]["type"]) == (415, "encoding.unsupported")


FIELDS_1000 = b"".join(field(f"k{number}") for number in range(1000))
LIMITS: dict[str, tuple[dict[str, Any], bytes, bytes, tuple[int, str]]] = {
    "fields": ({"fields": 2}, field("a") * 2, field("a"), (413, "LIMIT_FIELD_COUNT")),
    "fields by default": ({}, FIELDS_1000, field("a"), (413, "LIMIT_FIELD_COUNT")),
    "files": ({"files": 2}, file("f", "a") * 2, file("f", "a"), (413, "LIMIT_FILE_COUNT")),
    "files by default": ({}, file("f", "a") * 100, file("f", "a"), (413, "LIMIT_FILE_COUNT")),
    "parts": ({"parts": 2}, field("a") + file("f", "a"), field("a"), (413, "LIMIT_PART_COUNT")),
    "skipped parts": ({"parts": 2}, part("x") * 2, part("x"), (413, "LIMIT_PART_COUNT")),
    "file_size": ({"file_size": 3}, file("f", "a", b"123"), file("f", "a", b"1234"), (413, "LIMIT_FILE_SIZE")),
    "file_size in words": ({"file_size": "1kb"}, b"", file("f", "a", b"x" * 1025), (413, "LIMIT_FILE_SIZE")),
    "field_size": ({"field_size": 3}, field("a", b"123"), field("a", b"1234"), (413, "LIMIT_FIELD_VALUE")),
    "field_total_size": ({"field_total_size": 3}, field("a", b"12"), field("b", b"12"), (413, "LIMIT_FIELD_VALUE")),
    "field_name_size": ({"field_name_size": 3}, field("abc"), field("abcd"), (400, "LIMIT_FIELD_KEY")),
    "name of a file": ({"field_name_size": 3}, file("abc", "x"), file("abcd", "x"), (400, "LIMIT_FIELD_KEY")),
    "nesting": ({}, field("a" + "[b]" * 32), field("a" + "[b]" * 33), (400, "LIMIT_FIELD_NESTING")),
    "index": ({}, field("a[100]"), field("a[101]"), (400, "LIMIT_FIELD_ARRAY_INDEX")),
    "index with zeros": ({}, b"", field("a[" + "0" * 30 + "999999999]"), (400, "LIMIT_FIELD_ARRAY_INDEX")),
    "a large index": ({}, b"", field("a[4294967294]"), (400, "LIMIT_FIELD_ARRAY_INDEX")),
    "no name": ({}, b"", part("form-data"), (400, "MISSING_FIELD_NAME")),
    "no name of a file": ({}, b"", part('form-data; filename="a"'), (400, "MISSING_FIELD_NAME")),
    "headers": ({"header_pairs": 1}, field("a"), file("f", "a"), (400, "multipart.parse.failed")),
}


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("limits", "inside", "beyond", "want"), LIMITS.values(), ids=LIMITS.keys())
async def test_a_limit_is_the_most_that_is_allowed(
    storage: str, limits: dict[str, Any], inside: bytes, beyond: bytes, want: Any
) -> None:
    assert "error" not in await upload(inside + END, storage=storage, limits=limits)
    error = (await upload(inside + beyond + END, storage=storage, limits=limits))["error"]
    assert (error["status"], error["type"]) == want
    assert error.get("code", error["type"]) == error["type"]


@pytest.mark.parametrize("storage", [*STORAGES, "stream"])
async def test_the_whole_body_is_limited(storage: Any) -> None:
    async def consume(req: Any, res: Any, next: Any) -> None:
        if req.parts is not None:
            async for _ in req.parts:
                pass
        next()

    app = application(multipart(storage=storage, limit=200), consume)
    assert (await post(app, field("a", b"x" * 100) + END, FORM)).status == 200
    for chunked in (False, True):
        answer = await post(app, field("a", b"x" * 200) + END, FORM, chunked=chunked)
        assert (answer.status, answer.json["error"]["type"]) == (413, "entity.too.large")


async def test_a_file_that_is_not_expected_is_named() -> None:
    error = (await upload(file("g", "../evil.txt") + END, fields={"f": None}))["error"]
    assert (error["status"], error["type"]) == (400, "LIMIT_UNEXPECTED_FILE")
    assert (error["field"], error["filename"]) == ("g", "evil.txt")


NAMES = {
    "x.txt": "x.txt",
    "../../etc/passwd": "passwd",
    "..\\\\..\\\\boot.ini": "boot.ini",
    "/etc/passwd": "passwd",
    "C:\\x\\y.txt": "y.txt",
    "a%0Ab%0d.txt": "ab.txt",
    "a%22b.txt": 'a"b.txt',
    "50%.txt": "50%.txt",
    ".htaccess": ".htaccess",
    "naïve 😀.txt": "naïve 😀.txt",
    "a;b.txt": "a;b.txt",
}


@pytest.mark.parametrize(("given", "want"), NAMES.items())
async def test_a_filename_is_the_last_part_of_what_the_client_said(given: str, want: str) -> None:
    seen: list[Any] = []

    def look(req: Any, res: Any) -> None:
        seen.append(req.file)
        res.end()

    app = Express()
    app.use(multipart(single="f"), look)
    await post(app, file("f", given) + END, FORM)
    assert seen[0].filename == want
    assert seen[0].raw_filename.replace("\n", "%0A").replace("\r", "%0d").replace('"', "%22") in (
        given,
        given.replace("\\\\", "\\"),
    )
    assert repr(seen[0]) == f"UploadedFile(name='f', filename={want!r}, size=1)"


@pytest.mark.parametrize(
    ("disposition", "want"),
    [
        ("form-data; name=f; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
        ("form-data; name=f; filename=a.txt; filename*=UTF-8''b.txt", "b.txt"),
        ("form-data; name=f; filename*=UTF-8''..%2f..%2fb.txt", "b.txt"),
        ("form-data; name=f; filename*=UTF-8''a%00b.txt", "ab.txt"),
        ("form-data; name=f; filename=a.txt; filename*=UTF-8''%ff", "a.txt"),
        ("form-data; name=f; filename=a.txt; filename*=bogus''b", "a.txt"),
        ("form-data; name=f; filename=a.txt; filename*=nonsense", "a.txt"),
        ("form-data; name=f; name*=UTF-8''g; filename=a.txt", "a.txt"),
    ],
)
async def test_a_filename_may_be_in_the_notation_of_rfc_8187(disposition: str, want: str) -> None:
    (found,) = (await upload(part(disposition) + END))["files"]
    assert (found["name"], found["filename"]) == ("f", want)


async def test_a_header_that_is_not_utf_8_is_latin_1() -> None:
    content = part('form-data; name="f"; filename="@.txt"').replace(b"@", b"\xe9")
    assert (await upload(content + END))["files"][0]["filename"] == "é.txt"


@pytest.mark.parametrize("storage", STORAGES)
async def test_a_file_may_be_empty(storage: str) -> None:
    (found,) = (await upload(file("f", "x", b"") + END, storage=storage))["files"]
    assert (found["size"], found["content"]) == (0, "")


@pytest.mark.parametrize("later", [False, True])
async def test_a_filter_decides_before_a_place_is_used_up(later: bool) -> None:
    def wanted(req: Any, part: Any) -> Any:
        async def answer() -> bool:
            return bool(part.content_type == "text/plain" and part.filename != "no.txt")

        return answer() if later else part.filename != "no.txt"

    content = file("f", "no.txt") * 3 + file("f", "yes.txt") + END
    choices: list[dict[str, Any]] = [{"single": "f"}, {"array": ("f", 1)}, {}]
    for options in choices:
        shown = await upload(content, file_filter=wanted, **options)
        files = shown["files"] if "files" in shown else [shown["file"]]
        assert [each["filename"] for each in files] == ["yes.txt"]


async def test_what_a_filter_raises_is_the_error() -> None:
    def refuse(req: Any, part: Any) -> bool:
        msg = "not this"
        raise RuntimeError(msg)

    assert (await upload(file("f", "a") + END, file_filter=refuse))["error"]["message"] == "not this"


def test_a_list_with_holes_has_none_there() -> None:
    fields: dict[str, Any] = {}
    for name, value in (("a[2]", "x"), ("a[0]", "y"), ("b[1][c]", "z"), ("b[1]", "w"), ("d[0]", "1"), ("d[k]", "2")):
        append_field(fields, name, value)
    assert fields == {"a": ["y", None, "x"], "b": [None, {"c": "z", "": "w"}], "d": {"0": "1", "k": "2"}}
    assert (highest_index("a[7][3]"), highest_index("a[b]"), highest_index("[7]"), highest_index("a")) == (
        7,
        -1,
        -1,
        -1,
    )


# -- on disk


async def test_files_on_disk_are_private_and_gone_with_the_request(tmp_path: Path) -> None:
    seen: list[Path] = []

    def look(req: Any, res: Any) -> None:
        for each in req.files:
            assert each.path.stat().st_size == each.size
            seen.append(each.path)
        res.end()

    app = Express()
    app.use(multipart(storage="disk", directory=tmp_path), look)
    await post(app, file("f", "../../x.txt") + file("f", "y") + END, FORM)
    assert len({path.parent for path in seen}) == 1
    assert seen[0].parent.parent == tmp_path.resolve()
    assert all(len(path.name) == 32 and "x" not in path.name for path in seen)
    assert list(tmp_path.iterdir()) == []


async def test_the_directory_of_a_request_is_for_nobody_else(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    path = await spool.create()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    await spool.remove()


ENDINGS = {
    "cut off": file("f", "a", b"x" * 1000)[:-10],
    "too large": file("f", "a", b"x" * 100_000) + END,
    "too many": file("f", "a") * 101 + END,
    "broken": file("f", "a") + b"--X\r\nnonsense\r\n\r\n",
}


@pytest.mark.parametrize("content", ENDINGS.values(), ids=ENDINGS.keys())
async def test_files_are_gone_after_an_error(content: bytes, tmp_path: Path) -> None:
    options: Any = {"storage": "disk", "directory": tmp_path, "limits": {"file_size": 5000}}
    assert "error" in await upload(content, **options)
    assert list(tmp_path.iterdir()) == []


async def test_files_are_gone_after_a_handler_failed(tmp_path: Path) -> None:
    def fail(req: Any, res: Any) -> None:
        assert files_below(tmp_path)
        msg = "boom"
        raise RuntimeError(msg)

    app = Express()
    app.set("env", "test")
    app.use(multipart(storage="disk", directory=tmp_path), fail)
    assert (await post(app, file("f", "a") + END, FORM)).status == 500
    assert list(tmp_path.iterdir()) == []


async def test_files_are_gone_when_the_client_leaves_at_any_place(tmp_path: Path) -> None:
    content = field("a") + file("f", "a", b"x" * 200) + file("f", "b", b"y" * 200) + END
    for end in range(0, len(content), 97):
        client = Client([content[:end]], leaves=True)
        options: Any = {"storage": "disk", "directory": tmp_path}
        answer = await post(
            application(multipart(**options)), client=client, kind=FORM, content_length=str(len(content))
        )
        assert answer.json["error"]["type"] == "request.aborted"
        assert list(tmp_path.iterdir()) == []


async def test_files_are_gone_when_the_task_is_cancelled(tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def wait(req: Any, res: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    app = Express()
    app.use(multipart(storage="disk", directory=tmp_path), wait)
    task = asyncio.ensure_future(post(app, file("f", "a") + END, FORM))
    await reached.wait()
    assert files_below(tmp_path)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(tmp_path.iterdir()) == []


async def test_a_write_that_comes_after_the_end_does_nothing(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    path = await spool.create()
    await spool.write(path, b"x")
    await spool.remove()
    with pytest.raises(MisuseError, match="the request is over"):
        await spool.write(path, b"y")
    assert list(tmp_path.iterdir()) == []


async def test_a_removal_goes_on_when_its_task_is_cancelled(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    await spool.create()
    with spool._lock:
        task = asyncio.ensure_future(spool.remove())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.get_running_loop().shutdown_default_executor()
    assert list(tmp_path.iterdir()) == []


def test_files_are_gone_even_when_the_loop_takes_no_more_work(tmp_path: Path) -> None:
    async def end() -> None:
        spool = Spool(str(tmp_path))
        await spool.create()
        await asyncio.get_running_loop().shutdown_default_executor()
        await spool.remove()

    asyncio.run(end())
    assert list(tmp_path.iterdir()) == []


async def test_work_in_a_thread_ends_before_a_cancelled_task_does() -> None:
    import threading

    begun, go, ended = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        go.wait(10)
        ended.append(True)

    task = asyncio.ensure_future(in_thread(work))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


@pytest.mark.parametrize("storage", STORAGES)
async def test_a_file_is_read_in_pieces_and_kept_by_saving_it(storage: Any, tmp_path: Path) -> None:
    content = bytes(range(256)) * 2000

    async def use(req: Any, res: Any) -> None:
        found = req.file
        assert (found.path is None) == (storage == "memory")
        assert await found.read() == content
        pieces = [piece async for piece in found.chunks(100_000)]
        assert b"".join(pieces) == content
        assert max(map(len, pieces)) == 100_000
        await found.save(tmp_path / "kept")
        await found.save(str(tmp_path / "again"))
        assert await found.read() == content
        with pytest.raises(ValueError, match="the size must be positive"):
            await anext(found.chunks(0))
        with pytest.raises(OSError, match="kept"):
            await found.save(tmp_path / "kept" / "below")
        res.end()

    app = Express()
    app.use(multipart(storage=storage, single="f"), use)
    assert (await post(app, file("f", "a", content) + END, FORM)).status == 200
    assert (tmp_path / "kept").read_bytes() == (tmp_path / "again").read_bytes() == content


@pytest.mark.parametrize(("number", "kept"), [(errno.EXDEV, True), (errno.EACCES, False)])
async def test_a_file_is_copied_to_another_file_system(
    number: int, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", refuse)

    async def save(req: Any, res: Any) -> None:
        await req.file.save(tmp_path / "kept")
        assert req.file.path.parent != tmp_path
        res.end()

    app = Express()
    app.set("env", "test")
    app.use(multipart(storage="disk", single="f"), save)
    assert (await post(app, file("f", "a") + END, FORM)).status == (200 if kept else 500)
    assert (tmp_path / "kept").exists() == kept


# -- as a stream


async def stream(content: bytes | list[bytes], handler: Any, *, client: Client | None = None, **options: Any) -> Any:
    async def handle(req: Any, res: Any) -> None:
        res.json(await handler(req))

    app = Express()
    app.use(multipart(storage="stream", **options), handle)

    def failed(error: Any, req: Any, res: Any, next: Any) -> None:
        res.json([getattr(error, "type", None), str(error)])

    app.use(failed)
    return (await post(app, content, FORM, client=client, chunked=True)).json


UPLOAD = field("a", b"1") + file("f", "x.txt", b"hello") + field("b", b"2") + file("g", "y.txt", b"world!") + END


async def test_the_parts_of_a_stream_come_one_after_the_other() -> None:
    async def read(req: Any) -> Any:
        seen = []
        async for each in req.parts:
            content = (await each.read()).decode()
            seen.append([each.name, each.is_file, each.value, each.filename, content, each.size, dict(req.body)])
        assert [each async for each in req.parts] == []
        return seen

    want = [
        ["a", False, "1", None, "1", 0, {"a": "1"}],
        ["f", True, None, "x.txt", "hello", 5, {"a": "1"}],
        ["b", False, "2", None, "2", 0, {"a": "1", "b": "2"}],
        ["g", True, None, "y.txt", "world!", 6, {"a": "1", "b": "2"}],
    ]
    assert await stream(UPLOAD, read) == want
    assert await stream([UPLOAD[i : i + 1] for i in range(len(UPLOAD))], read) == want


async def test_what_of_a_file_was_not_read_is_passed_over() -> None:
    async def names(req: Any) -> Any:
        seen = []
        async for each in req.parts:
            seen.append(each.name)
            if each.name == "g":
                assert await anext(each.chunks()) == b"world!"
        return seen

    assert await stream(UPLOAD, names) == ["a", "f", "b", "g"]


async def test_a_file_cannot_be_read_any_more_once_the_next_part_has_come() -> None:
    async def late(req: Any) -> Any:
        files = [each async for each in req.parts if each.is_file]
        return (await files[0].read()).decode()

    assert await stream(UPLOAD, late) == [
        None,
        "the file 'f' cannot be read any more: the upload has gone on to the next part",
    ]


async def test_a_file_that_was_read_is_empty_when_it_is_read_again() -> None:
    async def twice(req: Any) -> Any:
        part = await anext(each async for each in req.parts if each.is_file)
        return [len(await part.read()), len(await part.read())]

    assert await stream(UPLOAD, twice) == [5, 0]


async def test_reading_a_file_into_memory_has_a_limit() -> None:
    async def read(req: Any) -> Any:
        async for each in req.parts:
            if each.is_file:
                assert await each.read(limit=None) == b"hello"
                return (await (await anext(req.parts)).read()).decode()
        return None

    assert await stream(UPLOAD, read) == "2"

    async def too_much(req: Any) -> Any:
        async for each in req.parts:
            await each.read(limit=4)

    assert (await stream(UPLOAD, too_much))[0] == "entity.too.large"


@pytest.mark.parametrize("reads", [True, False])
async def test_a_stream_has_the_same_limits(reads: bool) -> None:
    async def count(req: Any) -> Any:
        async for each in req.parts:
            if reads:
                async for _ in each.chunks():
                    pass

    assert (await stream(UPLOAD, count, limits={"file_size": 5}))[0] == "LIMIT_FILE_SIZE"
    assert (await stream(UPLOAD, count, limits={"parts": 3}))[0] == "LIMIT_PART_COUNT"
    assert (await stream(UPLOAD, count, fields={"f": 1}))[0] == "LIMIT_UNEXPECTED_FILE"
    assert (await stream(UPLOAD[:-20], count))[0] == "multipart.unexpected.end"


async def test_a_file_of_a_stream_is_written_where_the_handler_says(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000

    async def save(req: Any) -> Any:
        async for each in req.parts:
            await each.save(tmp_path / "kept")

    assert await stream(file("f", "a", content) + END, save) is None
    assert (tmp_path / "kept").read_bytes() == content


async def test_a_file_that_was_not_written_to_its_end_is_removed(tmp_path: Path) -> None:
    async def save(req: Any) -> Any:
        async for each in req.parts:
            await each.save(tmp_path / "kept")

    answer = await stream(b"", save, client=Client([file("f", "a", b"x" * 1000)], leaves=True))
    assert answer[0] == "request.aborted"
    assert list(tmp_path.iterdir()) == []
