"""The example over real HTTP: users, sessions, policies, limits, CORS, the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from asgi_express import load
from asgi_express.gateway import Gateway, check
from tests.gateway.serving import serving

EXAMPLE = Path(__file__).parents[2] / "examples" / "gateway"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setenv("USERS_DB", str(tmp_path / "users.db"))
    return load(EXAMPLE / "app.yaml")


@asynccontextmanager
async def logged_in(client: httpx2.AsyncClient, name: str, password: str) -> AsyncIterator[httpx2.AsyncClient]:
    answer = await client.post("/api/v1/session", json={"id": name, "password": password})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    async with httpx2.AsyncClient(base_url=client.base_url, headers=headers) as own:
        yield own


def test_nothing_is_wrong_with_the_example() -> None:
    assert check(EXAMPLE / "app.yaml") == []
    assert check(EXAMPLE) == []


async def test_without_a_token_and_with_a_wrong_one_the_users_are_not_shown(gateway: Gateway) -> None:
    async with serving(gateway) as client:
        answer = await client.get("/api/v1/users")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        wrong = await client.get("/api/v1/users", headers={"Authorization": "Bearer made.up"})
        assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
        in_url = await client.get("/api/v1/users?x-auth-token=made.up")
        assert in_url.headers["www-authenticate"] == "Bearer"
        for password in ("wrong", "", None):
            answer = await client.post("/api/v1/session", json={"id": "ada", "password": password})
            assert (answer.status_code, answer.json()) == (401, {"error": "the name or the password is wrong"})
        assert (await client.post("/api/v1/session", json={"id": "eve", "password": "x"})).status_code == 401


async def test_an_admin_may_do_everything_but_delete_themselves(gateway: Gateway) -> None:
    async with serving(gateway) as client, logged_in(client, "ada", "enchantress") as ada:
        assert (await ada.get("/api/v1/users")).json() == [{"id": "ada", "name": "Ada", "group": "admins"}]
        grace = {"id": "grace", "name": "Grace", "password": "nanosecond"}
        made = await ada.post("/api/v1/users", json=grace)
        assert (made.status_code, made.headers["location"]) == (201, "/api/v1/users/grace")
        assert (await ada.get("/api/v1/users/grace")).json() == {"id": "grace", "name": "Grace", "group": "readers"}
        assert (await ada.post("/api/v1/users", json=grace)).status_code == 409
        assert (await ada.post("/api/v1/users", json={"id": "x"})).status_code == 422
        assert (await ada.get("/api/v1/users/nobody")).json() == {"error": "there is no user 'nobody'"}
        assert (await ada.delete("/api/v1/users/ada")).status_code == 403
        assert (await ada.delete("/api/v1/users/grace")).status_code == 204
        assert (await ada.delete("/api/v1/users/grace")).status_code == 404


async def test_a_reader_sees_the_list_and_their_own_record_until_they_log_out(gateway: Gateway) -> None:
    async with serving(gateway) as client:
        async with logged_in(client, "ada", "enchantress") as ada:
            await ada.post("/api/v1/users", json={"id": "grace", "name": "Grace", "password": "nanosecond"})
        async with logged_in(client, "grace", "nanosecond") as grace:
            assert [user["id"] for user in (await grace.get("/api/v1/users")).json()] == ["ada", "grace"]
            assert (await grace.get("/api/v1/users/grace")).status_code == 200
            assert (await grace.get("/api/v1/users/ada")).status_code == 403
            assert (await grace.post("/api/v1/users", json={})).status_code == 403
            assert (await grace.delete("/api/v1/session")).status_code == 204
            assert (await grace.get("/api/v1/users")).status_code == 401


async def test_pages_of_the_allowed_origin_may_ask_and_others_may_not(gateway: Gateway) -> None:
    async with serving(gateway) as client:
        wanted = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
        allowed = await client.options("/api/v1/users/7", headers={"Origin": "https://app.example.com", **wanted})
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
        refused = await client.options("/api/v1/users/7", headers={"Origin": "https://evil.example", **wanted})
        assert refused.status_code == 403
        error = await client.get("/api/v1/users", headers={"Origin": "https://app.example.com"})
        assert error.headers["access-control-allow-origin"] == "https://app.example.com"


async def test_passwords_can_be_tried_ten_times_a_minute(gateway: Gateway) -> None:
    async with serving(gateway) as client:
        statuses = [
            (await client.post("/api/v1/session", json={"id": "ada", "password": "guess"})).status_code
            for _ in range(11)
        ]
        assert statuses == [401] * 10 + [429]
        assert (await client.get("/api/v1/users")).status_code == 401  # its limit is another one


async def test_the_page_answers_everything_that_is_no_api(gateway: Gateway) -> None:
    async with serving(gateway) as client:
        for path in ("/", "/users/ada"):
            page = await client.get(path, headers=PAGE)
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert "<title>Users</title>" in page.text
            assert page.headers["cache-control"] == "public, max-age=0"
        script = await client.get("/app.js")
        assert script.headers["cache-control"] == "public, max-age=3600"
        assert (await client.get("/nothing.js", headers=PAGE)).status_code == 404
        assert (await client.get("/api/v1/nothing", headers=PAGE)).status_code == 404
        assert (await client.get("/../app.yaml")).status_code == 404
