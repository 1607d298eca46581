"""Applications written as classes."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_express import MisuseError
from asgi_express.actions import Actions, before_filter, delete, get, match, patch, post, put
from tests.asgi import ask


class Site(Actions):
    secret = "a secret of many characters"
    session_name = "site"

    @before_filter
    def check(self: Any) -> Any:
        if "stop" in self.params:
            self.write("stopped")

    @match("home", "/")
    def home(self: Any) -> str:
        self.session["seen"] = True
        return f"home {type(self).__name__}"

    @get("note", "/notes/:id")
    def show(self: Any) -> str:
        return f"note {self.params['id']}"

    @post("note", "/notes/:id")
    @put("note", "/notes/:id")
    async def change(self: Any) -> str:
        return f"changed by {self.req.method}"

    @patch("/patched")
    @delete("/deleted")
    @staticmethod
    def either(request: Any) -> str:
        return f"{request.req.method} {request.req.parsed_url.path}"

    def handle_404(self: Any) -> Any:
        return {"status": 404}, "nothing here"

    def cookie_attributes(self: Any, name: str, value: str) -> str:
        return "Path=/; Secure"

    def helper(self) -> str:
        return "no action"


async def test_functions_of_a_class_are_actions() -> None:
    site = Site()
    home = await ask(site, "/")
    assert (home.text, home.headers["set-cookie"].startswith("site=")) == ("home ActionRequest", True)
    asked = [
        ("/notes/7", "GET"),
        ("/notes/7", "POST"),
        ("/notes/7", "PUT"),
        ("/patched", "PATCH"),
        ("/deleted", "DELETE"),
    ]
    assert [(await ask(site, *each)).text for each in asked] == [
        "note 7", "changed by POST", "changed by PUT", "PATCH /patched", "DELETE /deleted",
    ]  # fmt: skip
    missing = await ask(site, "/missing")
    assert (missing.status, missing.text) == (404, "nothing here")
    assert (await ask(site, "/missing/")).status == 301
    assert (await ask(site, "/?stop")).text == "stopped"
    assert (site.url_for("note", id=7), site.helper()) == ("/notes/7", "no action")


class Shop(Site):
    # without decorators: the route of the base, another function
    def home(self: Any) -> str:
        return "the shop's home"

    # by name: another path
    @get("note", "/articles/:id")
    def article(self: Any) -> str:
        return "an article"

    # by path and method
    @delete("/deleted")
    def gone(self: Any) -> str:
        return "gone"

    # by path, without a name
    @match("/patched")
    def anything(self: Any) -> str:
        return "anything"

    # taken away
    check: Any = None

    def default_route(self: Any) -> Any:
        return f"instead of {Actions.default_route(self)!r}"


async def test_a_subclass_replaces_by_function_path_or_name() -> None:
    shop = Shop()
    asked = ["/?stop", "/articles/7", "/patched"]
    assert [(await ask(shop, path)).text for path in asked] == ["the shop's home", "an article", "anything"]
    assert (await ask(shop, "/deleted", "DELETE")).text == "gone"
    assert (await ask(shop, "/notes/7")).text.startswith("instead of ({'status': 404}")
    assert shop.url_for("note", id=7) == "/articles/7"


class More(Site):
    @get("/deleted")
    def show_deleted(self: Any) -> str:
        return "shown"


async def test_a_subclass_adds_a_method_to_a_path_of_the_base() -> None:
    more = More()
    assert [(await ask(more, "/deleted", method)).text for method in ("GET", "DELETE")] == ["shown", "DELETE /deleted"]


def test_two_functions_of_a_class_for_one_path_are_an_error() -> None:
    class Twice(Actions):
        @get("/x")
        def first(self: Any) -> str:
            return "first"

        @get("/x")
        def second(self: Any) -> str:
            return "second"

    with pytest.raises(MisuseError, match="GET '/x' is taken by"):
        Twice()


def test_a_decorator_takes_a_path_that_begins_with_a_slash() -> None:
    class Wrong(Actions):
        @get("x")
        def first(self: Any) -> str:
            return "first"

    with pytest.raises(TypeError, match="the path beginning with a slash"):
        Wrong()


async def test_decorators_of_an_app_work_on_an_instance_of_a_class_too() -> None:
    site = Site()

    @site.get("/decorated")
    def decorated(self: Any) -> str:
        return "decorated"

    assert (await ask(site, "/decorated")).text == "decorated"


def test_a_class_method_is_refused_as_an_action() -> None:
    class Site(Actions):
        @classmethod
        @get("/")
        def home(cls, request: Any) -> str:
            return ""

    with pytest.raises(TypeError, match=r"Site\.home: an action or a filter is a plain function or a staticmethod"):
        Site()
