"""Flows: parts of a program that stand on a request."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from asgi_express import MisuseError
from asgi_express.actions import Actions, Flow, memo
from tests.asgi import ask


class Accounts(Flow):
    expose_assigns = ("user",)
    calls = 0

    def load(self) -> Any:
        self.user = f"user {self.params['id']}"
        self.note = "stays here"
        return self

    @memo
    def count(self, by: int = 1) -> int:
        type(self).calls += by
        return self.calls

    @memo
    async def later(self, by: int = 1) -> int:
        type(self).calls += by
        return self.calls


class Open(Flow):
    expose_assigns = True


class Closed(Flow):
    pass


def app_with(flows: Any, action: Any) -> Actions:
    app = Actions(flows=flows, raise_errors=True)
    app.match("page", "/:id", action)
    return app


async def test_a_flow_reads_the_request_and_shows_what_it_exposes() -> None:
    def show(self: Any) -> Any:
        flow = self.flow("accounts").load()
        assert flow is self.flow("accounts")
        assert flow._ is self
        assert flow.url_for("page", id=1) == "/1"
        return {"json": [self.user, flow.user, flow.note, hasattr(self, "note"), hasattr(flow, "__nothing__")]}

    app = app_with({"accounts": Accounts}, show)
    assert (await ask(app, "/7")).json == ["user 7", "user 7", "stays here", False, False]


async def test_what_is_set_on_a_flow_is_exposed_all_or_not_at_all() -> None:
    def show(self: Any) -> Any:
        self.flow("open").a = 1
        self.flow("closed").b = 2
        return {"json": [self.a, hasattr(self, "b"), self.flow("closed").b]}

    assert (await ask(app_with({"open": Open, "closed": Closed}, show), "/7")).json == [1, False, 2]


async def test_a_flow_of_a_flow_stands_on_the_same_request() -> None:
    def show(self: Any) -> str:
        assert Closed(self.flow("open"))._ is self
        return "checked"

    assert (await ask(app_with({"open": Open}, show), "/7")).text == "checked"


async def test_memo_remembers_the_first_result_whatever_comes_later() -> None:
    async def show(self: Any) -> Any:
        flow = self.flow("accounts")
        return {"json": [flow.count(), flow.count(5), await flow.later(10), await flow.later(), Accounts(self).count()]}

    Accounts.calls = 0
    assert (await ask(app_with({"accounts": Accounts}, show), "/7")).json == [1, 1, 11, 11, 12]
    assert Accounts.count.__name__ == "count"


class Slow(Flow):
    """A flow whose memo takes a turn of the loop."""

    runs = 0

    @memo
    async def load(self) -> int:
        await asyncio.sleep(0)
        Slow.runs += 1
        return Slow.runs


class Slower(Slow):
    @memo
    async def load(self) -> int:
        return 10 + await super().load()


async def test_a_memo_runs_once_for_those_who_ask_at_the_same_time_and_may_ask_that_of_its_base() -> None:
    async def show(self: Any) -> Any:
        flow = self.flow("slow")
        return {"json": await asyncio.gather(flow.load(), flow.load(), flow.load())}

    Slow.runs = 0
    assert (await ask(app_with({"slow": Slower}, show), "/7")).json == [11, 11, 11]


async def test_flows_may_be_the_modules_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_flows"
    package.mkdir()
    (package / "__init__.py").write_text("")
    source = (
        "from asgi_express.actions import Flow\nclass Greeting(Flow):\n    def greet(self): return self.params['id']\n"
    )
    (package / "greeting.py").write_text(source)
    (package / "empty.py").write_text("from asgi_express.actions import Flow\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("some_flows", "some_flows.greeting", "some_flows.empty"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    app = app_with("some_flows", lambda self: self.flow(self.params["id"]).greet())
    assert (await ask(app, "/greeting")).text == "greeting"
    with pytest.raises(MisuseError, match=r"expected one subclass of Flow in some_flows.empty, there are 0"):
        await ask(app, "/empty")


@pytest.mark.parametrize(("flows", "words"), [({"a": Open, "b": Open}, "there are 'a', 'b'"), (None, "there are none")])
async def test_a_flow_that_is_not_there_is_an_error(flows: Any, words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        await ask(app_with(flows, lambda self: self.flow("x")), "/7")
