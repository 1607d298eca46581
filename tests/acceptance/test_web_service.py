"""Express's example "web-service": an interface in JSON, guarded by keys."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_express import Express, HTTPError
from tests.asgi import ask

KEYS = {"foo", "bar", "baz"}
REPOS = [
    {"name": "express", "url": "https://github.com/expressjs/express"},
    {"name": "stylus", "url": "https://github.com/learnboost/stylus"},
    {"name": "cluster", "url": "https://github.com/learnboost/cluster"},
]
USERS = {"tobi": REPOS[:2], "loki": REPOS[1:2], "jane": REPOS[2:]}


def guard(req: Any, _res: Any, next: Any) -> None:
    key = req.query.get("api-key")
    if not key:
        raise HTTPError(400, "api key required")
    if key not in KEYS:
        raise HTTPError(401, "invalid api key")
    next()


def repos_of(req: Any, res: Any, next: Any) -> None:
    repos = USERS.get(req.params["name"])
    if repos:
        res.send(repos)
    else:
        next()


def service() -> Express:
    app = Express(env="test")
    app.use("/api", guard)
    app.get("/api/users", lambda req, res: res.send([{"name": name} for name in USERS]))
    app.get("/api/repos", lambda req, res: res.send(REPOS))
    app.get("/api/user/:name/repos", repos_of)
    app.use(lambda err, req, res, next: res.status(err.status).send({"error": str(err)}))
    return app.use(lambda req, res: res.status(404).send({"error": "Sorry, can't find that"}))


@pytest.mark.parametrize("path", ["/api/users", "/api/repos", "/api/user/loki/repos"])
@pytest.mark.parametrize(
    ("query", "status", "words"), [("", 400, "api key required"), ("?api-key=rawr", 401, "invalid api key")]
)
async def test_without_a_key_nothing_is_told(path: str, query: str, status: int, words: str) -> None:
    answer = await ask(service(), path + query)
    assert (answer.status, answer.json) == (status, {"error": words})


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/users", [{"name": "tobi"}, {"name": "loki"}, {"name": "jane"}]),
        ("/api/repos", REPOS),
        ("/api/user/loki/repos", REPOS[1:2]),
    ],
)
async def test_with_a_key_all_is_told(path: str, told: list[Any]) -> None:
    answer = await ask(service(), f"{path}?api-key=foo")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert answer.json == told


@pytest.mark.parametrize("path", ["/api/user/bob/repos?api-key=foo", "/api/something?api-key=bar"])
async def test_what_is_not_there_is_told_in_json(path: str) -> None:
    answer = await ask(service(), path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.text == '{"error":"Sorry, can\'t find that"}'
