"""Express's example "mvc": controllers whose methods become routes, with views of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express, urlencoded
from tests.asgi import Answer, ask

VIEWS = {
    "user/list.html": (
        "<h1>Users</h1>{% for user in users %}<a href='/user/{{ user.id }}'>{{ user.name }}</a>{% endfor %}"
    ),
    "user/show.html": (
        '<h1>{{ user.name }} <a href="/user/{{ user.id }}/edit">edit</a></h1>'
        '{% for pet in user.pets %}<a href="/pet/{{ pet.id }}">{{ pet.name }}</a>{% endfor %}'
    ),
    "user/edit.html": '<form method="post"><input name="user[name]" value="{{ user.name }}"></form>',
    "pet/show.html": '<h1>{{ pet.name }} <a href="/pet/{{ pet.id }}/edit">edit</a></h1>',
    "pet/edit.html": '<form method="post"><input name="pet[name]" value="{{ pet.name }}"></form>',
    "404.html": "<h1>404: Not Found</h1>",
    "5xx.html": "<h1>500: Internal Server Error</h1>",
}
ROUTES = {
    "list": ("get", "/{kind}s"),
    "show": ("get", "/{kind}/:id"),
    "edit": ("get", "/{kind}/:id/edit"),
    "update": ("put", "/{kind}/:id"),
}


class Shop:
    """What the controllers share: users and their pets."""

    def __init__(self) -> None:
        self.pets: list[dict[str, Any]] = [
            {"id": number, "name": name} for number, name in enumerate(["Tobi", "Loki", "Jane", "Raul"])
        ]
        self.users: list[dict[str, Any]] = [
            {"id": 0, "name": "TJ", "pets": self.pets[:3]},
            {"id": 1, "name": "Guillermo", "pets": [self.pets[3]]},
            {"id": 2, "name": "Nathan", "pets": []},
        ]


class Controller:
    """Shows and changes the things of one kind; ``before`` finds them."""

    def __init__(self, kind: str, things: list[dict[str, Any]]) -> None:
        self.kind, self.things = kind, things

    def before(self, req: Any, res: Any, next: Any) -> None:
        number = int(req.params["id"])
        if number < len(self.things):
            res.locals[self.kind] = self.things[number]
            next()
        else:
            next("route")

    def show(self, req: Any, res: Any) -> None:
        res.render(f"{self.kind}/show")

    def edit(self, req: Any, res: Any) -> None:
        res.render(f"{self.kind}/edit")

    def update(self, req: Any, res: Any) -> None:
        res.locals[self.kind]["name"] = req.body[self.kind]["name"]
        res.redirect(f"/{self.kind}/{req.params['id']}")


class Users(Controller):
    def list(self, req: Any, res: Any) -> None:
        res.render("user/list", {"users": self.things})


def boot(app: Express, controller: Controller) -> None:
    """Make a route of every method that has a place among `ROUTES`."""
    for name, (verb, path) in ROUTES.items():
        if handler := getattr(controller, name, None):
            before = [controller.before] if ":id" in path else []
            getattr(app, verb)(path.format(kind=controller.kind), *before, handler)


@pytest.fixture
def app(tmp_path: Path) -> Express:
    for name, text in VIEWS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    shop = Shop()
    app = Express(views=tmp_path, view_engine="html", env="test")
    app.use(urlencoded(extended=True))
    app.get("/", lambda req, res: res.redirect("/users"))
    users = Users("user", shop.users)
    boot(app, users)
    boot(app, Controller("pet", shop.pets))

    def add_pet(req: Any, res: Any) -> None:
        pet = {"id": len(shop.pets), "name": req.body["pet"]["name"]}
        shop.pets.append(pet)
        res.locals["user"]["pets"].append(pet)
        res.redirect(f"/user/{req.params['id']}")

    app.post("/user/:id/pet", users.before, add_pet)
    app.use(lambda err, req, res, next: res.status(500).render("5xx"))
    return app.use(lambda req, res: res.status(404).render("404"))


async def sent(app: Express, method: str, target: str, body: bytes) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    return await ask(app, target, method, headers=headers, body=body)


async def test_the_first_page_is_the_list_of_users(app: Express) -> None:
    answer = await ask(app)
    assert (answer.status, answer.headers["location"]) == (302, "/users")
    users = (await ask(app, "/users")).text
    assert users.startswith("<h1>Users</h1>")
    assert all(f">{name}<" in users for name in ("TJ", "Guillermo", "Nathan"))


async def test_a_user_is_shown_with_the_pets(app: Express) -> None:
    answer = await ask(app, "/user/0")
    assert answer.status == 200
    assert '<h1>TJ <a href="/user/0/edit">edit' in answer.text
    assert all(f'/pet/{number}">{name}' in answer.text for number, name in enumerate(["Tobi", "Loki", "Jane"]))


async def test_who_is_not_there_is_not_found(app: Express) -> None:
    answer = await ask(app, "/user/123")
    assert (answer.status, answer.text) == (404, "<h1>404: Not Found</h1>")


@pytest.mark.parametrize(
    ("target", "name"), [("/pet/0", "Tobi"), ("/pet/0/edit", "Tobi"), ("/user/1/edit", "Guillermo")]
)
async def test_a_pet_and_the_forms_are_shown(app: Express, target: str, name: str) -> None:
    answer = await ask(app, target)
    assert answer.status == 200
    assert name in answer.text
    assert ("<form" in answer.text) is target.endswith("/edit")


@pytest.mark.parametrize(("target", "field", "name"), [("/pet/3", "pet", "Boots"), ("/user/1", "user", "Tobo")])
async def test_a_change_is_kept(app: Express, target: str, field: str, name: str) -> None:
    answer = await sent(app, "PUT", target, f"{field}[name]={name}".encode())
    assert (answer.status, answer.headers["location"]) == (302, target)
    assert name in (await ask(app, f"{target}/edit")).text


async def test_a_change_without_a_form_is_an_error(app: Express) -> None:
    answer = await ask(app, "/user/1", "PUT")
    assert (answer.status, answer.text) == (500, "<h1>500: Internal Server Error</h1>")


async def test_a_user_gets_a_pet(app: Express) -> None:
    answer = await sent(app, "POST", "/user/2/pet", b"pet[name]=Snickers")
    assert (answer.status, answer.headers["location"]) == (302, "/user/2")
    assert "Snickers" in (await ask(app, "/user/2")).text
