"""One app's actions in another."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from asgi_express import MisuseError, PathError
from asgi_express.actions import Actions
from tests.asgi import ask


def says(text: str) -> Any:
    return lambda self: text


def users() -> Actions:
    app = Actions(layout=says("not carried"))
    app.get("index", "/", lambda self: self.url_for("user_show", id=7))
    app.get("show", "/:id", lambda self: f"{self.route_name} {type(self.app).__name__} {self.params['id']}")
    app.match("/plain", says("plain"))
    app.before_filter(lambda self: self.write("filtered") if "stop" in self.params else None)
    return app


async def test_actions_are_included_with_prefixes_of_path_and_name_and_their_filters() -> None:
    class Site(Actions):
        pass

    app = Site()
    assert app.include(users(), path="/users", name="user_") is app
    app.match("home", "/", says("home"))
    assert (await ask(app, "/users/")).text == "/users/7"
    assert (await ask(app, "/users/7")).text == "user_show Site 7"
    assert (await ask(app, "/users/plain")).text == "plain"
    assert (await ask(app, "/users/7?stop")).text == "filtered"
    assert (await ask(app, "/?stop")).text == "home"


async def test_filters_of_the_app_around_come_first() -> None:
    seen: list[str] = []

    def note(name: str, self: Any) -> None:
        seen.append(name)

    inner, middle, outer = Actions(), Actions(), Actions()
    for app, name in ((inner, "inner"), (middle, "middle"), (outer, "outer")):
        app.before_filter(partial(note, name))
    inner.match("/x", says("x"))
    outer.include(middle.include(inner, path="/a"), path="/b")
    assert (await ask(outer, "/b/a/x")).text == "x"
    assert seen == ["outer", "middle", "inner"]


class Notes(Actions):
    path = "/notes"
    name = "notes_"

    def __init__(self) -> None:
        super().__init__()
        self.match("list", "/all", says("all notes"))


app = Actions()
app.match("/module", says("from a module"))


async def test_a_class_and_a_module_can_be_included_and_a_class_says_its_prefixes() -> None:
    site = Actions().include(Notes).include(__name__).include(f"{__name__}:Notes", path="/again", name="again_")
    assert [(await ask(site, path)).text for path in ("/notes/all", "/module", "/again/all")] == [
        "all notes", "from a module", "all notes",
    ]  # fmt: skip
    assert site.url_for("notes_list") == "/notes/all"


async def test_what_is_registered_afterwards_is_not_included_and_changes_nothing() -> None:
    inner = Actions()
    inner.get("x", "/x", says("got"))
    first, second = Actions().include(inner, name="a_"), Actions().include(inner, name="b_")
    inner.post("x", "/x", says("posted"))
    inner.match("/later", says("later"))
    for site in (first, second):
        assert [(await ask(site, path, method)).status for path, method in (("/x", "POST"), ("/later", "GET"))] == [
            405,
            404,
        ]
    assert (first.url_for("a_x"), second.url_for("b_x"), inner.url_for("x")) == ("/x", "/x", "/x")


@pytest.mark.parametrize("prefix", ["users", "/users/", "/"])
def test_a_prefix_begins_with_a_slash_and_does_not_end_with_one(prefix: str) -> None:
    with pytest.raises(PathError, match="begins with a slash and does not end with one"):
        Actions().include(users(), path=prefix)


def test_names_that_collide_are_refused() -> None:
    site = Actions()
    site.match("index", "/", says("home"))
    with pytest.raises(MisuseError, match="the name 'index' is taken"):
        site.include(users(), path="/users")


@pytest.mark.parametrize("other", [7, dict, f"{__name__}:users"])
def test_other_things_are_refused_with_words(other: Any) -> None:
    with pytest.raises(TypeError, match="include: expected another Actions app"):
        Actions().include(other)
    site = Actions()
    with pytest.raises(TypeError, match="include: expected another Actions app"):
        site.include(site)
