"""What is put in comes back; what is ended is gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from asgi_express.middleware import Session
from asgi_express.middleware._session_data import dump
from asgi_express.middleware._session_homes import Record, decode
from asgi_express.middleware.session import SessionData
from tests.asgi import ask
from tests.middleware.browsing import SECRET, Clock, FaultyStore, put
from tests.middleware.session.homes import DAY, ENDINGS, HOMES, in_cookie, in_store

# -- what is kept

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@HOMES
@given(values=st.dictionaries(st.text(max_size=10), VALUES, max_size=4))
async def test_what_is_put_in_comes_back(home: Any, values: dict[str, Any]) -> None:
    browser = home(Clock())
    await browser.visit(lambda session: session.update(values))
    assert await browser.read() == values


@HOMES
async def test_a_session_that_stays_empty_is_neither_sent_nor_stored(home: Any) -> None:
    store = FaultyStore()
    browser = home(Clock(), **({"store": store} if home is in_store else {}))
    for program in (dict, lambda session: session.pop("a", None), SessionData.destroy, SessionData.regenerate):
        answer = await browser.visit(program)
        assert "set-cookie" not in answer.headers
    assert store.calls == []


CHANGES: dict[str, Callable[[SessionData], Any]] = {
    "an item is set": lambda session: session.__setitem__("b", 1),
    "an item is deleted": lambda session: session.__delitem__("a"),
    "something is popped": lambda session: session.pop("a"),
    "a default is set": lambda session: session.setdefault("new", []),
    "it is updated": lambda session: session.update(b=2),
    "a list inside grows": lambda session: session["a"]["list"].append(1),
    "a dictionary inside changes": lambda session: session["a"].update(deep={"x": 1}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@HOMES
async def test_every_change_is_found_and_kept(home: Any, change: Any) -> None:
    browser = home(Clock())
    await browser.visit(put(a={"list": []}, z=0))
    wanted: dict[str, Any] = {"a": {"list": []}, "z": 0}
    change(wanted)
    flags: list[bool] = []

    def program(session: SessionData) -> None:
        flags.append(session.modified)
        change(session)
        flags.append(session.modified)

    await browser.visit(program)
    assert flags == [False, True]
    assert await browser.read() == wanted


@HOMES
async def test_what_is_changed_back_was_not_changed(home: Any) -> None:
    browser = home(Clock())
    await browser.visit(put(a=1))

    def program(session: SessionData) -> None:
        session["a"] = 2
        session["a"] = 1
        assert session.modified is False

    await browser.visit(program)
    assert browser.set_cookie is None


USES: dict[str, Callable[[SessionData], Any]] = {
    "getitem": lambda session: session["a"],
    "get": lambda session: session.get("no"),
    "contains": lambda session: "no" in session,
    "len": len,
    "bool": bool,
    "iter": list,
    "keys": lambda session: list(session.keys()),
    "values": lambda session: list(session.values()),
    "items": lambda session: list(session.items()),
    "equality": lambda session: session == {},
    "repr": repr,
    "new": lambda session: session.new,
    "setitem": lambda session: session.__setitem__("b", 1),
    "pop": lambda session: session.pop("no", None),
    "clear": SessionData.clear,
    "destroy": SessionData.destroy,
    "regenerate": SessionData.regenerate,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_every_use_makes_the_answer_vary_by_cookie(use: Any) -> None:
    browser = in_cookie(Clock())
    await browser.visit(put(a=1))
    answer = await browser.visit(use)
    assert answer.headers["vary"] == "Cookie"


async def test_an_answer_that_does_not_use_the_session_is_left_alone() -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store)
    await browser.visit(put(a=1))
    store.calls.clear()
    answer = await browser.visit(lambda session: session.modified or session.accessed)
    assert browser.inner.seen is False
    assert answer.headers == {}
    assert store.calls == ["get"]


@HOMES
async def test_new_tells_whether_the_client_had_a_session(home: Any) -> None:
    browser = home(Clock())
    flags: list[bool] = []

    def program(session: SessionData) -> None:
        flags.append(session.new)
        session["a"] = 1

    await browser.visit(program)
    await browser.visit(program)
    assert flags == [True, False]


def test_its_repr_names_keys_and_tells_no_values() -> None:
    assert repr(SessionData({"user": "Ada", "a\nb": 1})) == r"<session: 'user', 'a\nb'>"
    assert repr(SessionData()) == "<session: empty>"


def test_its_keys_are_text() -> None:
    session: Any = SessionData()
    with pytest.raises(TypeError, match="the keys of a session are text, not 1"):
        session[1] = 2


@pytest.mark.parametrize(
    "value", [float("nan"), object(), {1, 2}, b"bytes", 10**5000], ids=["nan", "object", "set", "bytes", "digits"]
)
@HOMES
async def test_what_json_cannot_hold_is_an_error_and_the_old_session_stays(
    home: Any, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    browser = home(Clock())
    await browser.visit(put(a=1))
    with pytest.raises((TypeError, ValueError)):
        await browser.visit(put(a=value))
    assert await browser.read() == {"a": 1}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["a"] = value
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        except (TypeError, ValueError):
            await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    answer = await ask(Session(app, secret=SECRET))
    assert (answer.status, answer.headers) == (500, {"vary": "Cookie", "cache-control": "private"})
    assert "<session: 'a'> was changed and not saved" in caplog.text


# -- what was read is not written once more, and what was not touched is not compared

TIMES = st.integers(0, 2**40)


@given(TIMES, TIMES, st.dictionaries(st.text(max_size=10) | st.sampled_from(["d", '"d":']), VALUES, max_size=4))
def test_a_record_comes_back_with_the_json_of_its_data(created: int, used: int, data: dict[str, Any]) -> None:
    text = json.dumps(data, separators=(",", ":"))
    record = Record(created, used, data, text)
    assert record.encode() == json.dumps({"c": created, "u": used, "d": data}, separators=(",", ":")).encode()
    assert decode(record.encode()) == record
    stranger: dict[str, Any] = {"d": data, "u": used, "c": created}
    for written in (json.dumps(stranger), json.dumps(stranger, indent=1, ensure_ascii=False) + "\n"):
        try:
            read = decode(written.encode())
        except UnicodeEncodeError:  # a lone surrogate, as it is
            continue
        assert read == record


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b'{"c":1,"u":2,"d":{"a": 1}}', '{"a": 1}'),
        (b'{"c":1,"u":2,"d":{"a": 1}}\n', '{"a":1}'),
        (b'{"c":1,"u":2,"d":{"a": 1} }', '{"a":1}'),
        (b'{"c":1,"u":2,"d":{"a":1},"x":{}}', '{"a":1}'),
        (b'{"c":1,"u":2,"d":{"b":1},"d":{"a":1}}', '{"a":1}'),
        (b'{"c":1,"u":2,"d":{},"u":2,"d":{"a":1}}', '{"a":1}'),
    ],
)
def test_a_record_that_somebody_else_has_written_has_json_too(written: bytes, text: str) -> None:
    assert decode(written) == Record(1, 2, {"a": 1}, text)


class Told(RuleBasedStateMachine):
    """A session, and the same without anything that spares work: compared with its JSON, each time."""

    @initialize(data=st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3))
    def begin(self, data: dict[str, Any]) -> None:
        self.saved = dump(data)
        self.session = SessionData(json.loads(self.saved), self.saved)
        self.held: Any = None
        self.renewed = self.used = False

    @rule(key=st.sampled_from("abc"), value=VALUES)
    def write(self, key: str, value: Any) -> None:
        self.session[key] = value
        self.used = True

    @rule(key=st.sampled_from("abc"))
    def read(self, key: str) -> None:
        self.held = self.session.get(key)
        self.used = True

    @rule()
    def change_what_was_read(self) -> None:
        if isinstance(self.held, list):
            self.held.append(1)
        elif isinstance(self.held, dict):
            self.held["deep"] = not self.held.get("deep", False)

    @rule(key=st.sampled_from("abc"))
    def delete(self, key: str) -> None:
        self.session.pop(key, None)
        self.used = True

    @rule(keep=st.booleans())
    def regenerate(self, keep: bool) -> None:
        self.session.regenerate(keep=keep)
        self.used = self.renewed = True

    @rule()
    def settle(self) -> None:
        if not self.used:
            return  # nobody asks an unused one to be saved
        now = dump(self.session._data)
        expected = self.renewed or now != self.saved
        assert self.session.settle() == (self.session._data, now, expected)
        self.saved, self.renewed = now, False

    @invariant()
    def what_is_modified_is_told(self) -> None:
        expected = self.used and (self.renewed or dump(self.session._data) != self.saved)
        assert self.session.modified is expected


test_a_session_tells_of_every_change = Told.TestCase

# -- ending, and beginning again


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
@HOMES
async def test_a_session_that_is_ended_is_gone_here_and_there(home: Any, end: Any) -> None:
    store = FaultyStore()
    browser = home(Clock(), **({"store": store} if home is in_store else {}))
    await browser.visit(put(a=1))
    await browser.visit(end)
    assert browser.cookies == {}
    assert store.keys == []
    assert await browser.read() == {}
    assert browser.set_cookie is None


async def test_a_copy_of_the_cookie_is_worth_nothing_after_the_end() -> None:
    browser = in_store(Clock())
    await browser.visit(put(user="Ada"))
    stolen = dict(browser.cookies)
    await browser.visit(SessionData.destroy)
    browser.cookies = stolen
    assert await browser.read() == {}


async def test_regenerate_gives_a_new_id_and_deletes_the_old_one() -> None:
    store = FaultyStore()
    browser = in_store(Clock(), store=store)
    await browser.visit(put(cart=[1]))
    before, key = dict(browser.cookies), store.keys

    def login(session: SessionData) -> None:
        session.regenerate()
        session["user"] = "Ada"

    await browser.visit(login)
    assert browser.cookies != before
    assert len(store.keys) == 1
    assert store.keys != key
    assert await browser.read() == {"user": "Ada"}
    browser.cookies = before
    assert await browser.read() == {}


@HOMES
async def test_regenerate_can_keep_the_data_and_starts_the_lifetime_again(home: Any) -> None:
    clock = Clock()
    browser = home(clock, idle=None, lifetime="1d")
    await browser.visit(put(cart=[1]))
    clock.now += 0.9 * DAY
    await browser.visit(lambda session: session.regenerate(keep=True))
    assert browser.set_cookie is not None
    clock.now += 0.9 * DAY
    assert await browser.read() == {"cart": [1]}


async def test_what_is_written_after_the_end_is_a_session_of_its_own() -> None:
    browser = in_store(Clock())
    await browser.visit(put(a=1))
    before = dict(browser.cookies)

    def program(session: SessionData) -> None:
        session.destroy()
        session["flash"] = "bye"

    await browser.visit(program)
    assert browser.cookies != before
    assert await browser.read() == {"flash": "bye"}
