"""Express's example "route-separation": routes in one place, handlers by their subject, a method in the query."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asgi_express import Express, HTTPError, urlencoded
from tests.asgi import Answer, ask

VIEWS = {
    "index.html": "<h1>{{ title }}</h1>",
    "users/index.html": "{% for user in users %}<li>{{ user.name }}</li>{% endfor %}",
    "users/view.html": "<h1>Viewing user {{ user.name }}</h1><p>{{ user.email }}</p>",
    "users/edit.html": "<h1>Editing user {{ user.name }}</h1>",
    "posts/index.html": "<h1>{{ title }}</h1>",
}


class Users:
    """The handlers of users."""

    def __init__(self) -> None:
        self.users = [
            {"name": "TJ", "email": "tj@vision-media.ca"},
            {"name": "Tobi", "email": "tobi@vision-media.ca"},
        ]

    def list(self, _req: Any, res: Any) -> None:
        res.render("users", {"users": self.users})

    def load(self, req: Any, _res: Any, next: Any) -> None:
        number = int(req.params["id"])
        if number >= len(self.users):
            raise HTTPError(404, "cannot find user")
        req.state.user = self.users[number]
        next()

    def view(self, req: Any, res: Any) -> None:
        res.render("users/view", {"user": req.state.user})

    def edit(self, req: Any, res: Any) -> None:
        res.render("users/edit", {"user": req.state.user})

    def update(self, req: Any, res: Any) -> None:
        req.state.user.update(req.body["user"])
        res.redirect(req.get("Referrer") or "/")


def override_method(req: Any, _res: Any, next: Any) -> None:
    """Let forms of HTML, which know GET and POST only, say their method in the query."""
    if req.method == "POST" and "_method" in req.query:
        req.method = req.query["_method"].upper()
    next()


SITE = SimpleNamespace(index=lambda req, res: res.render("index", {"title": "Route Separation Example"}))
POSTS = SimpleNamespace(list=lambda req, res: res.render("posts", {"title": "Posts"}))


@pytest.fixture
def app(tmp_path: Path) -> Express:
    for name, text in VIEWS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    users = Users()
    app = Express(views=tmp_path, view_engine="html", env="test")
    app.use(override_method, urlencoded(extended=True))
    app.get("/", SITE.index)
    app.get("/users", users.list)
    app.all("/user/:id{/*op}", users.load)
    app.get("/user/:id", users.view)
    app.get("/user/:id/view", users.view)
    app.get("/user/:id/edit", users.edit)
    app.put("/user/:id/edit", users.update)
    app.get("/posts", POSTS.list)
    return app


async def sent(app: Express, method: str, target: str, body: bytes) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    return await ask(app, target, method, headers=headers, body=body)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/", "<h1>Route Separation Example</h1>"),
        ("/users", "<li>TJ</li><li>Tobi</li>"),
        ("/user/0", "<h1>Viewing user TJ</h1><p>tj@vision-media.ca</p>"),
        ("/user/0/view", "<h1>Viewing user TJ</h1><p>tj@vision-media.ca</p>"),
        ("/user/0/edit", "<h1>Editing user TJ</h1>"),
        ("/posts", "<h1>Posts</h1>"),
    ],
)
async def test_every_route_has_its_handler(app: Express, target: str, text: str) -> None:
    answer = await ask(app, target)
    assert (answer.status, answer.text) == (200, text)


@pytest.mark.parametrize("target", ["/user/10", "/user/10/view", "/user/10/edit"])
async def test_who_is_missing_is_not_found_by_any_route(app: Express, target: str) -> None:
    assert (await ask(app, target)).status == 404


@pytest.mark.parametrize(("method", "query", "number"), [("PUT", "", 0), ("POST", "?_method=PUT", 1)])
async def test_a_user_is_changed_whichever_way_the_method_is_said(
    app: Express, method: str, query: str, number: int
) -> None:
    body = b"user[name]=Ed&user[email]=ed@vision-media.ca"
    assert (await sent(app, method, f"/user/{number}/edit{query}", body)).status == 302
    assert (await ask(app, f"/user/{number}")).text == "<h1>Viewing user Ed</h1><p>ed@vision-media.ca</p>"
