"""Body parsers, as Express's own suite asks for them."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from asgi_express import Express, body
from tests.body.driver import application, post

KINDS: dict[str, tuple[Any, str]] = {
    "json": (body.json, "application/json"),
    "urlencoded": (body.urlencoded, "application/x-www-form-urlencoded"),
    "text": (body.text, "text/plain"),
    "raw": (body.raw, "application/octet-stream"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_options_that_are_changed_later_change_nothing(kind: str) -> None:
    make, content_type = KINDS[kind]
    options = {"limit": "1kb"}
    app = application(make(**options))
    options["limit"] = "100kb"
    answer = await post(app, b'["' + b"." * 1025 + b'"]', content_type)
    assert (answer.status, answer.json["error"]["type"]) == (413, "entity.too.large")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_coded_body_that_is_cut_off_beyond_the_limit_is_too_large(kind: str, chunked: bool) -> None:
    make, content_type = KINDS[kind]
    cut = gzip.compress(b'["' + b"." * 5000 + b'"]')[:-1]
    answer = await post(application(make(limit="1kb")), cut, content_type, chunked=chunked, content_encoding="gzip")
    assert (answer.status, answer.json["error"]["type"]) == (413, "entity.too.large")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_of_many_chunks_beyond_the_limit_is_answered(kind: str) -> None:
    make, content_type = KINDS[kind]
    answer = await post(application(make(limit="8kb")), [b"." * 10240] * 3, content_type, chunked=True)
    assert (answer.status, answer.json["error"]["type"]) == (413, "entity.too.large")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_that_is_shorter_than_its_length_is_refused(kind: str) -> None:
    make, content_type = KINDS[kind]
    app = Express()

    def lies(req: Any, _res: Any, next: Any) -> None:
        req.headers["content-length"] = "20"
        next()

    app.use(lies)
    app.use(application(make()))
    answer = await post(app, b"stuff", content_type)
    assert answer.status == 400
    assert "size did not match content length" in answer.json["error"]["message"]


@pytest.mark.parametrize("extended", [False, True])
async def test_a_form_may_have_thousands_of_parameters_if_it_may_have_any_number(extended: bool) -> None:
    for limit, count in ((5000, 5000), (float("inf"), 10_000)):
        app = application(body.urlencoded(extended=extended, parameter_limit=limit))
        form = b"&".join(b"%x=%x" % (number, number) for number in range(count))
        answer = await post(app, form, "application/x-www-form-urlencoded")
        assert len(answer.json["body"]) == count


async def test_a_long_list_of_a_form_is_a_list() -> None:
    app = application(body.urlencoded(extended=True))
    form = b"&".join(b"f[%d]=%x" % (number, number) for number in range(500))
    answer = await post(app, form, "application/x-www-form-urlencoded")
    assert answer.json["body"] == {"f": [f"{number:x}" for number in range(500)]}


@pytest.mark.parametrize("kind", ["json", "urlencoded"])
async def test_the_error_of_a_refused_body_keeps_what_was_sent(kind: str) -> None:
    make, content_type = KINDS[kind]
    caught: list[Any] = []

    def refuse(*_facts: Any) -> None:
        raise ValueError("no")

    app = Express()
    app.use(make(verify=refuse))
    app.use(lambda err, req, res, next: (caught.append(err.body), res.send("x"))[1])
    await post(app, b'["tobi"]', content_type)
    assert caught in ([b'["tobi"]'], ['["tobi"]'])


async def test_text_that_names_no_charset_is_in_the_default_one() -> None:
    app = application(body.text(default_charset="koi8-r"))
    assert (await post(app, "name is нет".encode("koi8-r"), "text/plain")).json["body"] == "name is нет"
    assert (await post(app, "name is 论".encode(), "text/plain; charset=utf-8")).json["body"] == "name is 论"


async def test_the_page_of_development_tells_what_is_wrong_with_a_document() -> None:
    app = Express(env="development")
    app.use(body.json())
    for primitive, place in ((b"true", "char 0"), (b"    true", "char 4")):
        answer = await post(app, primitive, "application/json")
        assert answer.status == 400
        assert f"Expecting an object or a list: {place}" in answer.text
