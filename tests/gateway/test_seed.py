"""Wippy's complete example runs as it stands, but for the language of its functions."""

from __future__ import annotations

from asgi_express import load
from tests.gateway.serving import HERE, serving


async def test_the_complete_example_of_wippy_answers_over_http() -> None:
    async with serving(load(HERE / "seed")) as client:
        listed = await client.get("/api/v1/users", headers={"Origin": "https://app.example.com"})
        assert (listed.status_code, listed.json()) == (200, [{"id": "1", "name": "Ada"}])
        assert listed.headers["access-control-allow-origin"] == "https://app.example.com"
        assert (listed.headers["x-ratelimit-limit"], listed.headers["x-ratelimit-window"]) == ("100", "60")

        created = await client.post("/api/v1/users", json={"name": "Grace"})
        assert (created.status_code, created.headers["location"]) == (201, "/api/v1/users/2")
        shown = await client.get("/api/v1/users/2")
        assert (shown.status_code, shown.json()) == (200, {"id": "2", "name": "Grace"})
        assert (await client.get("/api/v1/users/9")).json() == {"error": "no such user"}


async def test_files_one_by_one_make_the_same_registry_as_their_directory() -> None:
    apart = load(HERE / "seed" / "functions.yaml", str(HERE / "seed" / "app.yaml"))
    together = load(HERE / "seed")
    assert sorted(apart.registry.entries) == sorted(together.registry.entries)
    assert sorted(apart.registry.endpoints) == ["app:create_user", "app:get_user", "app:list_users"]
    assert {path.name for path in apart.files} == {"app.yaml", "functions.yaml", "users.py"}
