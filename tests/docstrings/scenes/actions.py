"""Actions, named routes, and the list of routes."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from asgi_express import Router, actions
from asgi_express.actions import Actions, Flow, csrf
from tests.docstrings.examples import Example
from tests.docstrings.scene import Ask, Handled, Hook, Names, Scene

SECRET = "sixteen characters or more"
JSON = {"content-type": "application/json"}
EVERY = {name: getattr(actions, name) for name in actions.__all__}


class Accounts(Flow):
    def sign_in(self) -> str:
        return "signed in"


def show(self: Any) -> str:
    return "shown"


def refuse(self: Any) -> Any:
    actions.yield_error("no good")


def echo(self: Any) -> Any:
    return {"json": self.params}


@dataclass(frozen=True, kw_only=True)
class Acting(Handled):
    """The body of an action, whose request object is ``self``.

    Attributes:
        unmatched: whether it is that of ``default_route``.
        inside: expressions of its names, and the values that they have while it runs.
    """

    unmatched: bool = False
    inside: Mapping[str, Any] = field(default_factory=dict)

    async def _act(self, example: Example, names: Names) -> None:
        app = Actions(secret=SECRET, flows={"accounts": Accounts}, raise_errors=True)

        async def action(request: Any) -> None:
            names.update(EVERY, self=request, csrf=csrf)
            await self._run(example, names)
            for code, value in self.inside.items():
                assert eval(code, names) == value, code

        app.match("user", "/users/:id", action)
        app.default_route = action
        asked = self._asked(example)
        await (asked if asked != Ask() or self.unmatched else Ask("GET /users/7")).put(app, names)


def site(*before: Hook, **more: Any) -> Any:
    """Return what gives a module an ``app`` that is an ``Actions`` app."""

    def names() -> Names:
        return {**EVERY, "app": Actions(secret=SECRET), "show": show, **more}

    return names


def matching(path: str, action: Any) -> Hook:
    return lambda names: names["app"].match(path, action)


def signing_in(names: Names) -> None:
    names["app"].match("sign_in", "/sign-in", show)


def made(names: Names) -> None:
    names["app"] = names["Site"](secret=SECRET)


def marked(*asks: Ask) -> Scene:
    """Return the scene of a class that is a site."""
    return Scene(names=site(), then=made, asks=asks)


def setting_a_cookie(self: Any) -> str:
    self.cookies["a"] = "1"
    return ""


def fail(self: Any) -> Any:
    raise ValueError("no database")


def including() -> Names:
    users = Actions()
    users.get("show", "/:id", show)
    return {**site()(), "users": users}


def listening() -> Names:
    seen: list[Any] = []
    return {**site()(), "seen": seen, "log": SimpleNamespace(info=lambda *args: seen.append(args))}


def replacing(names: Names) -> None:
    names["app"].default_route = names["default_route"]


def captured(names: Names) -> None:
    names["app"].match("/", actions.capture_errors_json(names["sign_in"]))


def loading(names: Names) -> None:
    names["request"] = SimpleNamespace(params={"id": "7"})
    names["Accounts"](names["request"]).load()


async def loading_twice(names: Names) -> None:
    flow = names["Accounts"](SimpleNamespace(session={"user": "ada"}))
    assert [await flow.user(), await flow.user()] == ["ada", "ada"]


def counted() -> Names:
    calls: list[str] = []

    async def load_user(name: str) -> str:
        calls.append(name)
        return name

    return {**EVERY, "calls": calls, "load_user": load_user}


def with_a_token() -> Any:
    """Return a request with a token that is right."""
    key = "a key"
    app = Actions(secret=SECRET)
    token = csrf.generate_token(SimpleNamespace(app=app, cookies={"lapis_session_token": key}))
    return Ask("GET /users/7", headers={"cookie": f"lapis_session_token={key}", "x-csrf-token": token})


def named() -> Callable[[], list[Any]]:
    return lambda: [Router().get("/users/:id", lambda: "shown", name="user")]


SCENES: dict[str, Scene] = {
    "_routes.Routes.__call__": Scene(names=lambda: {"show": lambda: "shown"}),
    "router.Router.url_for": Scene(names=lambda: {"show": lambda: "shown"}),
    "router.Router.routes": Scene(
        first=lambda names: names["app"].get("/users/:id", lambda: "shown", name="user"),
        gives={"out": "GET /users/:id user\n"},
    ),
    "request.Request.url_for": Handled(through=named(), ask=Ask(status=302, sends={"location": "/users/7"})),
    "actions": Scene(
        env={"SECRET": SECRET},
        names=lambda: {"os": __import__("os")},
        files={"views/home.html": "home", "views/page.html": "({{ content_for('inner') }})"},
        asks=[Ask(text="(home)")],
    ),
    "actions._app.Actions": Scene(
        env={"SECRET": SECRET},
        names=lambda: {"escape": html.escape},
        asks=[Ask("GET /hello/%3CAda%3E", text="Hello, &lt;Ada&gt;")],
    ),
    "actions._app.Actions.before_filter": Scene(
        names=site(), first=signing_in, asks=[Ask(status=302, sends={"location": "/sign-in"})]
    ),
    "actions._app.Actions.engine": Scene(
        names=site(),
        first=matching("/:who", lambda self: {"render": "note.txt"}),
        files={"views/note.txt": "Hello {params[who]}"},
        asks=[Ask("GET /Ada", text="Hello Ada")],
    ),
    "actions._app.Actions.include": Scene(names=including, asks=[Ask("GET /users/7", text="shown")]),
    "actions._callbacks.cookie_attributes": Scene(
        names=site(),
        first=matching("/", setting_a_cookie),
        asks=[Ask()],
        gives={'"Max-Age=31536000" in answer.headers["set-cookie"]': True},
    ),
    "actions._callbacks.default_route": Scene(
        names=listening,
        then=replacing,
        asks=[Ask("GET /x/", status=301)],
        gives={"seen": [("nothing is at %s", "/x/")]},
    ),
    "actions._callbacks.handle_404": Scene(
        names=site(), files={"views/missing.html": "nothing here"}, asks=[Ask(status=404, text="nothing here")]
    ),
    "actions._callbacks.handle_error": Scene(
        names=site(),
        first=matching("/", fail),
        files={"views/error.html": "sorry"},
        asks=[Ask(status=500, text="sorry")],
    ),
    "actions._cookies.Cookies": Acting(
        ask=Ask("GET /users/7", sends={"set-cookie": "theme=dark; Path=/; HttpOnly"}),
    ),
    "actions._marks.match": marked(Ask("GET /users/7", text='{"id":"7"}')),
    "actions._marks.get": marked(Ask(text="Hello")),
    "actions._marks.post": marked(Ask("POST /notes", status=302, sends={"location": "/notes"})),
    "actions._marks.put": marked(Ask("PUT /notes/7", status=204)),
    "actions._marks.patch": marked(Ask("PATCH /notes/7", status=204)),
    "actions._marks.delete": marked(Ask("DELETE /notes/7", status=204)),
    "actions._marks.before_filter": marked(Ask(status=302, sends={"location": "/sign-in"})),
    "actions._raw.RawRequest.method": Acting(ask=Ask("POST /users/7")),
    "actions._raw.RawRequest.read_body_as_string": Acting(
        ask=Ask("POST /users/7", body=b"hello"), inside={"note": "hello"}
    ),
    "actions._raw.RawRequest.read_form": Acting(
        unmatched=True,
        ask=Ask("POST /", headers={"content-type": "application/x-www-form-urlencoded"}, body=b"a=1"),
        inside={"self.req.params_post": {"a": "1"}},
    ),
    "actions._request.ActionRequest.session": Acting(inside={'self.session["user"]': "ada"}),
    "actions._request.ActionRequest.write": Acting(ask=Ask("GET /users/7", status=201, text="Hello")),
    "actions._request.ActionRequest.content_for": Acting(inside={"self.content_for('title')": "All users"}),
    "actions._request.ActionRequest.url_for": Acting(),
    "actions._request.ActionRequest.build_url": Acting(ask=Ask("GET /users/7", headers={"host": "localhost"})),
    "actions._request.ActionRequest.flow": Acting(inside={"values": ["signed in"]}),
    "actions.csrf.generate_token": Acting(inside={"'.' in self.token": True}),
    "actions.csrf.token_problem": Acting(unreached=("Lambda in line 1",)),
    "actions.csrf.validate_token": Acting(),
    "actions.csrf.assert_token": Acting(ask=with_a_token()),
    "actions.errors.yield_error": Scene(
        names=site(), then=captured, asks=[Ask(text='{"errors":["The password is wrong"]}')]
    ),
    "actions.errors.assert_error": Acting(names=lambda: {"users": {"7": "Ada"}}),
    "actions.errors.capture_errors": Scene(
        names=site(sign_in=refuse),
        files={"views/sign_in.html": "{{ errors|join }}"},
        asks=[Ask("POST /sign-in", text="no good")],
    ),
    "actions.errors.capture_errors_json": Scene(
        names=site(add_user=refuse), asks=[Ask("POST /users", text='{"errors":["no good"]}')]
    ),
    "actions.flow.Flow": Scene(
        names=lambda: {**EVERY, "users": {"7": "Ada"}}, then=loading, gives={"request.user": "Ada"}
    ),
    "actions.flow.memo": Scene(names=counted, then=loading_twice, gives={"calls": ["ada"]}),
    "actions.respond.Responder.allowed": Scene(names=site()),
    "actions.respond.Responder.copy": Scene(
        names=lambda: {"responder": actions.respond_to(GET=show)},
        gives={"other.actions == responder.actions and other is not responder": True},
    ),
    "actions.respond.json_params": Scene(
        names=site(add_user=echo), asks=[Ask("POST /users", headers=JSON, body=b'{"a":1}', text='{"a":1}')]
    ),
    "actions.respond.respond_to": Scene(
        names=site(load_user=lambda self: None, update=echo),
        asks=[Ask("GET /users/7", text="shown"), Ask("POST /users/7", text='{"id":"7"}')],
    ),
}
