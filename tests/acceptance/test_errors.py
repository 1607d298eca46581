"""Express's examples "content-negotiation", "error-pages" and "error": answers and errors in the form that is liked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express, HTTPError, Router
from tests.asgi import ask

USERS = [{"name": "Tobi"}, {"name": "Loki"}, {"name": "Jane"}]

# -- content-negotiation

NAMES = {
    "html": lambda: "<ul>" + "".join(f"<li>{user['name']}</li>" for user in USERS) + "</ul>",
    "text": lambda: "".join(f" - {user['name']}\n" for user in USERS),
    "json": lambda: USERS,
}


def negotiating() -> Express:
    users = Router().get("/", lambda req, res: res.format(NAMES))
    return Express().get("/", lambda req, res: res.format(NAMES)).use("/users", users)


@pytest.mark.parametrize("target", ["/", "/users"])
@pytest.mark.parametrize(
    ("accept", "text"),
    [
        (None, "<ul><li>Tobi</li><li>Loki</li><li>Jane</li></ul>"),
        ("text/plain", " - Tobi\n - Loki\n - Jane\n"),
        ("application/json", '[{"name":"Tobi"},{"name":"Loki"},{"name":"Jane"}]'),
    ],
)
async def test_users_are_listed_in_the_form_that_is_liked(target: str, accept: str | None, text: str) -> None:
    answer = await ask(negotiating(), target, headers={"accept": accept} if accept else {})
    assert (answer.status, answer.text) == (200, text)


# -- error-pages


def fail(_req: Any, _res: Any, next: Any) -> None:
    next(HTTPError(500, "keyboard cat!"))


def forbid(_req: Any, _res: Any, next: Any) -> None:
    next(HTTPError(403, "not allowed!"))


def not_found(req: Any, res: Any) -> None:
    res.status(404).format(
        {
            "html": lambda: res.render("404", {"url": req.url}),
            "json": lambda: res.json({"error": "Not found"}),
            "default": lambda: res.type("txt").send("Not found"),
        }
    )


def failed(err: Any, _req: Any, res: Any, _next: Any) -> None:
    res.status(err.status).render("500", {"error": err})


@pytest.fixture
def pages(tmp_path: Path) -> Express:
    for name, text in {
        "index": "<h2>Pages Example</h2>",
        "404": "<h2>Cannot find {{ url }}</h2>",
        "500": "<h2>Error: {{ error }}</h2>",
    }.items():
        (tmp_path / f"{name}.html").write_text(text)
    app = Express(views=tmp_path, view_engine="html", env="test")
    app.get("/", lambda req, res: res.render("index"))
    app.get("/404", lambda req, res, next: next())
    app.get("/403", forbid)
    app.get("/500", fail)
    return app.use(not_found, failed)


async def test_the_pages_are_listed(pages: Express) -> None:
    assert "Pages Example" in (await ask(pages)).text


@pytest.mark.parametrize(
    ("accept", "text"),
    [
        ("text/html", "<h2>Cannot find /404</h2>"),
        ("application/json", '{"error":"Not found"}'),
        ("text/plain", "Not found"),
    ],
)
async def test_what_is_not_found_is_told_in_the_form_that_is_liked(pages: Express, accept: str, text: str) -> None:
    answer = await ask(pages, "/404", headers={"accept": accept})
    assert (answer.status, answer.text) == (404, text)


@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain"])
@pytest.mark.parametrize(("status", "words"), [(403, "not allowed!"), (500, "keyboard cat!")])
async def test_an_error_has_a_page_with_its_status(pages: Express, accept: str, status: int, words: str) -> None:
    answer = await ask(pages, f"/{status}", headers={"accept": accept})
    assert (answer.status, answer.text) == (status, f"<h2>Error: {words}</h2>")


# -- error


def throwing() -> Express:
    app = Express(env="test")

    @app.get("/")
    def throw(req: Any, res: Any) -> None:
        raise LookupError("something broke!")

    @app.get("/next")
    async def later(req: Any, res: Any, next: Any) -> None:
        next(LookupError("oh no!"))

    return app.use(lambda err, req, res, next: res.status(500).send("Internal Server Error"))


@pytest.mark.parametrize(("target", "status"), [("/", 500), ("/next", 500), ("/missing", 404)])
async def test_an_error_that_is_thrown_or_handed_on_is_answered(target: str, status: int) -> None:
    answer = await ask(throwing(), target)
    assert answer.status == status
    assert (answer.text == "Internal Server Error") is (status == 500)
