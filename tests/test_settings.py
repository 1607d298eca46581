"""The settings of an application, and what they change."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_express import Express, Router
from asgi_express._settings import Settings
from tests.asgi import ask


@pytest.mark.parametrize(
    ("variable", "env"),
    [(None, "production"), ("", "production"), ("debug", "development"), ("development", "development"), ("x", "x")],
)
def test_the_environment_is_production_unless_a_variable_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, env: str
) -> None:
    monkeypatch.delenv("ASGI_EXPRESS_ENV", raising=False)
    if variable is not None:
        monkeypatch.setenv("ASGI_EXPRESS_ENV", variable)
    assert Express().get_setting("env") == env


def test_debug_is_another_word_for_development() -> None:
    assert Express(env="debug").get_setting("env") == "development"


def test_settings_read_like_a_mapping() -> None:
    settings = Settings()
    settings.set("mine", 1)
    assert settings["trust proxy"] is False
    assert settings["mine"] == 1
    assert settings.get("yours") is None
    assert "yours" not in settings
    with pytest.raises(KeyError, match="yours"):
        _ = settings["yours"]
    assert set(settings) >= {"mine", "etag", "env", "query parser", "x-powered-by"}
    assert len(settings) == len(set(settings))


def test_a_mounted_application_inherits_live_what_it_has_not_set() -> None:
    parent, child, grandchild = Express(), Express(), Express()
    parent.use(child.use(grandchild))
    parent.set("title", "parent").set("trust proxy", True)
    assert (grandchild.get_setting("title"), grandchild.enabled("trust proxy")) == ("parent", True)
    child.set("title", "child")
    assert [app.get_setting("title") for app in (parent, child, grandchild)] == ["parent", "child", "child"]
    assert set(grandchild.settings) >= {"title", "etag"}
    assert len(grandchild.settings) == len(set(grandchild.settings))


@pytest.mark.parametrize(
    ("name", "value"), [("etag", False), ("query parser", "extended"), ("x-powered-by", False), ("env", "test")]
)
def test_what_an_application_is_born_with_is_not_inherited(name: str, value: Any) -> None:
    parent, child = Express(), Express()
    parent.set(name, value)
    parent.use(child)
    assert child.get_setting(name) == Express().get_setting(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("etag", "stong"),
        ("etag", 0),
        ("etag", 1),
        ("etag", 5),
        ("etag", None),
        ("etag", []),
        ("etag", {}),
        ("query parser", "qs"),
        ("query parser", 1),
    ],
)
def test_a_value_that_a_setting_does_not_know_is_an_error_with_words(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"set\('{name}'\): unknown value .* it takes .*, or a function"):
        Express().set(name, value)


@pytest.mark.parametrize(
    ("etag", "sent"),
    [
        (True, 'W/"2-witfkXg0JglCjW9RssWvTAveakI"'),
        ("weak", 'W/"2-witfkXg0JglCjW9RssWvTAveakI"'),
        ("strong", '"2-witfkXg0JglCjW9RssWvTAveakI"'),
        (False, None),
        (lambda content: f'"{content.decode()}!"', '"hi!"'),
        (lambda content: None, None),
    ],
)
async def test_the_entity_tag_is_made_by_the_setting(etag: Any, sent: str | None) -> None:
    app = Express(etag=etag)
    app.get("/", lambda req, res: res.send(b"hi"))
    assert (await ask(app)).headers.get("etag") == sent


@pytest.mark.parametrize(
    ("parser", "target", "query"),
    [
        ("simple", "/?a[b]=1&c=2&c=3", {"a[b]": "1", "c": ["2", "3"]}),
        (True, "/?a[b]=1", {"a[b]": "1"}),
        ("extended", "/?a[b]=1", {"a": {"b": "1"}}),
        (False, "/?a=1", {}),
        (lambda text: {"raw": text}, "/?a=%20", {"raw": "a=%20"}),
        (lambda text: {"raw": text}, "/", {"raw": None}),
    ],
)
async def test_the_query_is_read_by_the_setting(parser: Any, target: str, query: Any) -> None:
    app = Express(query_parser=parser)
    app.get("/", lambda req, res: res.json(req.query))
    assert (await ask(app, target)).json == query


@pytest.mark.parametrize(("setting", "sent"), [({}, "Express"), ({"x_powered_by": False}, None)])
async def test_an_application_says_what_it_is_powered_by_unless_told_not_to(
    setting: dict[str, Any], sent: str | None
) -> None:
    app = Express(**setting)
    app.get("/", lambda req, res: res.send("x"))
    assert (await ask(app)).headers.get("x-powered-by") == sent


async def test_json_settings_are_inherited_and_overridden_one_by_one() -> None:
    parent, child = Express(json_spaces=1, json_escape=True), Express(json_spaces=0)
    child.get("/", lambda req, res: res.json({"a": "<"}))
    parent.use("/child", child)
    parent.get("/", lambda req, res: res.json({"a": "<"}))
    assert (await ask(parent, "/")).text == '{\n "a": "\\u003c"\n}'
    assert (await ask(parent, "/child")).text == '{"a":"\\u003c"}'


async def test_a_bare_router_has_the_settings_of_a_new_application() -> None:
    router = Router()
    router.get("/", lambda req, res: res.json(req.query))
    answer = await ask(router, "/?a=1")
    assert answer.json == {"a": "1"}
    assert "x-powered-by" not in answer.headers


def test_a_long_chain_of_applications_reads_its_settings() -> None:
    first = last = Express().set("title", "first")
    for _ in range(2000):
        child = Express()
        child.settings.parent = last.settings
        last = child
    assert last.get_setting("title") == first.get_setting("title")
    assert last.get_setting("none") is None
