"""Express's examples "multi-router", "params", "resource", "route-map" and "vhost": who answers which path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.routing import Host
from starlette.routing import Router as Hosts

from asgi_express import Express, HTTPError, Router
from tests.asgi import ask

# -- multi-router


def versioned() -> Express:
    app = Express().get("/", lambda req, res: res.send("Hello from root route."))
    for version in ("v1", "v2"):
        router = Router()
        router.get("/", lambda req, res, version=version: res.send(f"Hello from API{version} root route."))
        router.get("/users", lambda req, res, version=version: res.send(f"List of API{version} users."))
        app.use(f"/api/{version}", router)
    return app


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/", "Hello from root route."),
        ("/api/v1/", "Hello from APIv1 root route."),
        ("/api/v1/users", "List of APIv1 users."),
        ("/api/v2/", "Hello from APIv2 root route."),
        ("/api/v2/users", "List of APIv2 users."),
    ],
)
async def test_every_version_has_a_router_of_its_own(target: str, text: str) -> None:
    answer = await ask(versioned(), target)
    assert (answer.status, answer.text) == (200, text)


# -- params

NAMES = ["tj", "tobi", "loki", "jane", "bandit"]


def with_params() -> Express:
    app = Express(env="test")

    @app.param("from")
    @app.param("to")
    def number(req: Any, res: Any, next: Any, value: str, name: str) -> None:
        try:
            req.params[name] = int(value)
        except ValueError:
            next(HTTPError(400, f"failed to parseInt {value}"))
        else:
            next()

    @app.param("user")
    def user(req: Any, res: Any, next: Any, value: str, name: str) -> None:
        if int(value) < len(NAMES):
            req.state.user = NAMES[int(value)]
            next()
        else:
            next(HTTPError(404, "failed to find user"))

    app.get("/", lambda req, res: res.send("Visit /user/0 or /users/0-2"))
    app.get("/user/:user", lambda req, res: res.send(f"user {req.state.user}"))

    @app.get("/users/:from-:to")
    def users(req: Any, res: Any) -> None:
        res.send("users " + ", ".join(NAMES[req.params["from"] : req.params["to"] + 1]))

    return app.use(lambda err, req, res, next: res.status(err.status).send(str(err)))


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/", 200, "Visit /user/0 or /users/0-2"),
        ("/user/0", 200, "user tj"),
        ("/user/9", 404, "failed to find user"),
        ("/users/0-2", 200, "users tj, tobi, loki"),
        ("/users/foo-bar", 400, "failed to parseInt foo"),
    ],
)
async def test_parameters_are_looked_up_before_their_route(target: str, status: int, text: str) -> None:
    answer = await ask(with_params(), target)
    assert (answer.status, answer.text) == (status, text)


# -- resource


class Users:
    """A resource: what can be done with the users of a list."""

    def __init__(self) -> None:
        names = ["tj", "ciaran", "aaron", "guillermo", "simon", "tobi"]
        self.users: list[dict[str, str] | None] = [{"name": name} for name in names]

    def index(self, _req: Any, res: Any) -> None:
        res.send(self.users)

    def show(self, req: Any, res: Any) -> None:
        number = int(req.params["id"])
        found = self.users[number] if number < len(self.users) else None
        res.send(found or {"error": "Cannot find user"})

    def destroy(self, req: Any, res: Any) -> None:
        number = int(req.params["id"])
        destroyed = number < len(self.users)
        if destroyed:
            self.users[number] = None
        res.send("destroyed" if destroyed else "Cannot find user")

    def range(self, req: Any, res: Any) -> None:
        some = self.users[int(req.params["a"]) : int(req.params["b"]) + 1]
        if req.params.get("format") == "json":
            res.send(some)
        else:
            res.send("<ul>" + "\n".join(f"<li>{user['name']}</li>" for user in some if user) + "</ul>")


def resource(app: Express, path: str, users: Users) -> None:
    app.get(path, users.index)
    app.get(f"{path}/:a..:b{{.:format}}", users.range)
    app.get(f"{path}/:id", users.show)
    app.delete(f"{path}/:id", users.destroy)


async def test_a_resource_is_listed_shown_and_destroyed() -> None:
    app = Express().get("/", lambda req, res: res.send("<h1>Examples:</h1>"))
    resource(app, "/users", Users())

    async def text(target: str, method: str = "GET") -> str:
        return (await ask(app, target, method)).text

    assert await text("/") == "<h1>Examples:</h1>"
    assert (await text("/users")).startswith('[{"name":"tj"},{"name":"ciaran"},')
    assert await text("/users/1") == '{"name":"ciaran"}'
    assert await text("/users/9") == '{"error":"Cannot find user"}'
    assert await text("/users/1..3") == "<ul><li>ciaran</li>\n<li>aaron</li>\n<li>guillermo</li></ul>"
    assert await text("/users/1", "DELETE") == "destroyed"
    assert await text("/users/9", "DELETE") == "Cannot find user"
    assert await text("/users/1..3.json") == '[null,{"name":"aaron"},{"name":"guillermo"}]'


# -- route-map


def register(app: Express, table: dict[str, Any], path: str = "") -> None:
    """Register a tree of paths, with a handler for each method at its leaves."""
    for key, value in table.items():
        if isinstance(value, dict):
            register(app, value, path + key)
        else:
            getattr(app, key)(path, value)


def says(text: str) -> Callable[[Any, Any], None]:
    return lambda req, res: res.send(text.format(**req.params))


TABLE = {
    "/users": {
        "get": says("user list"),
        "delete": says("delete users"),
        "/:uid": {
            "get": says("user {uid}"),
            "/pets": {"get": says("user {uid}'s pets"), "/:pid": {"delete": says("delete {uid}'s pet {pid}")}},
        },
    }
}


@pytest.mark.parametrize(
    ("method", "target", "text"),
    [
        ("GET", "/users", "user list"),
        ("DELETE", "/users", "delete users"),
        ("GET", "/users/12", "user 12"),
        ("GET", "/users/12/pets", "user 12's pets"),
        ("DELETE", "/users/12/pets/2", "delete 12's pet 2"),
    ],
)
async def test_routes_are_made_from_a_tree(method: str, target: str, text: str) -> None:
    app = Express()
    register(app, TABLE)
    answer = await ask(app, target, method)
    assert (answer.status, answer.text) == (200, text)


# -- vhost: the host chooses, as hosts do


def hosts() -> Hosts:
    main, redirect = Express(), Express()
    main.get("/", lambda req, res: res.send("Hello from main app!"))
    main.get("/:sub", lambda req, res: res.send(f"requested {req.params['sub']}"))
    redirect.use(lambda req, res: res.redirect(f"http://example.com:3000/{req.subdomains[0]}"))
    return Hosts([Host("example.com", main), Host("{sub}.example.com", redirect)])


@pytest.mark.parametrize(
    ("host", "target", "status", "text"),
    [
        ("example.com", "/", 200, "Hello from main app!"),
        ("example.com", "/foo", 200, "requested foo"),
        ("foo.example.com", "/", 302, "Found. Redirecting to http://example.com:3000/foo"),
        ("bar.example.com", "/", 302, "Found. Redirecting to http://example.com:3000/bar"),
    ],
)
async def test_every_host_has_an_application_of_its_own(host: str, target: str, status: int, text: str) -> None:
    answer = await ask(hosts(), target, headers={"host": host})
    assert (answer.status, answer.text) == (status, text)
