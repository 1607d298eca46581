"""The example does what a visitor asks of it: pages over real HTTP, with sessions and tokens."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest

from tests.test_examples import DOORS, example

SECRET = "a secret of many characters"


def token_of(page: httpx2.Response) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


async def sign_in(client: httpx2.AsyncClient, name: str = "Ada", **more: str) -> httpx2.Response:
    token = token_of(await client.get("/sign-in"))
    return await client.post("/sign-in", data={"csrf_token": token, "name": name, **more})


@DOORS
async def test_a_visitor_signs_in_writes_a_note_reads_it_and_signs_out(door: Any) -> None:
    async with door(example("actions.app").create_app(SECRET)) as client:
        home = await client.get("/")
        assert (home.status_code, "<title>A notebook</title>" in home.text) == (200, True)
        turned_away = await client.get("/notes/1?x=1")
        assert turned_away.status_code == 302
        assert turned_away.headers["location"] == "/sign-in?next=%2Fnotes%2F1%3Fx%3D1"

        entered = await sign_in(client, "<Ada>")
        assert (entered.status_code, entered.headers["location"]) == (302, "/notes")
        notes = await client.get("/notes")
        assert "Sign out &lt;Ada&gt;" in notes.text

        added = await client.post("/notes", data={"csrf_token": token_of(notes), "text": "Buy <milk>"})
        assert (added.status_code, added.headers["location"]) == (302, "/notes/1")
        assert "<p>Buy &lt;milk&gt;</p>" in (await client.get("/notes/1")).text
        assert (await client.get("/notes/1/")).headers["location"] == "/notes/1"

        left = await client.post("/sign-out", data={"csrf_token": token_of(notes)})
        assert (left.status_code, left.headers["location"]) == (302, "/")
        assert (await client.get("/notes")).status_code == 302


@DOORS
async def test_a_session_lasts_over_a_restart_and_a_forged_one_is_none(door: Any) -> None:
    async with door(example("actions.app").create_app(SECRET)) as client:
        await sign_in(client)
        cookie = client.cookies["notebook"]
    async with door(example("actions.app").create_app(SECRET)) as client:
        client.cookies.set("notebook", cookie)
        assert "Sign out Ada" in (await client.get("/")).text
        client.cookies.clear()
        client.cookies.set("notebook", cookie[:-4] + "AAAA")
        assert "Sign out" not in (await client.get("/")).text


@DOORS
async def test_what_is_wrong_is_told_on_the_page(door: Any) -> None:
    async with door(example("actions.app").create_app(SECRET)) as client:
        nameless = await sign_in(client, " ")
        assert (nameless.status_code, '<p role="alert">A name is needed</p>' in nameless.text) == (200, True)
        forged = await client.post("/sign-in", data={"csrf_token": "x", "name": "Eve"})
        assert '<p role="alert">csrf: invalid signature</p>' in forged.text
        assert "notebook" not in client.cookies

        assert (await sign_in(client, "Ada", next="//evil.example")).headers["location"] == "/"
        assert (await sign_in(client, "Ada", next="/notes/1")).headers["location"] == "/notes/1"
        token = token_of(await client.get("/notes"))
        empty = await client.post("/notes", data={"csrf_token": token, "text": " "})
        assert '<p role="alert">The note is empty</p>' in empty.text
        assert (await client.put("/notes")).status_code == 405
        untold = await client.post("/sign-out")
        assert (untold.status_code, "missing csrf token" in untold.text, "Sign out Ada" in untold.text) == (
            403,
            True,
            True,
        )
        for path in ("/notes/7", "/notes/" + "9" * 5000, "/notes/x", "/nowhere"):
            missing = await client.get(path)
            assert (missing.status_code, "There is no such page" in missing.text) == (404, True), path[:20]


@DOORS
async def test_the_api_is_included_with_its_filter(door: Any) -> None:
    async with door(example("actions.app").create_app(SECRET)) as client:
        refused = await client.get("/api/notes")
        assert (refused.status_code, refused.json()) == (401, {"errors": ["sign in first"]})
        await sign_in(client)
        added = await client.post("/api/notes", json={"text": "Call Grace"})
        assert (added.status_code, added.json()) == (201, {"text": "Call Grace"})
        for body in ({}, [1], {"text": ""}):
            assert (await client.post("/api/notes", json=body)).json() == {"errors": ["A text is needed"]}
        assert (await client.post("/api/notes", content="x")).json() == {"errors": ["A text is needed"]}
        assert (await client.get("/api/notes")).json() == ["Call Grace"]


def test_the_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "short")
    with pytest.raises(ValueError, match="16 characters"):
        example("actions.app")
    monkeypatch.setenv("SECRET", SECRET)
    assert example("actions.app").app.secret == SECRET
    monkeypatch.delenv("SECRET")
    assert len(example("actions.app").app.secret) > 40
