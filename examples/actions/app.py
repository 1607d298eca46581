"""A notebook in the style of Lapis: pages, forms, a session, tokens against forgery, and an API beside them.

SECRET=... uvicorn --app-dir examples/actions app:app
"""

import os
import secrets
from pathlib import Path
from typing import Any

from asgi_express.actions import (
    ActionRequest,
    Actions,
    Flow,
    assert_error,
    capture_errors,
    capture_errors_json,
    csrf,
    json_params,
    respond_to,
)

Notes = dict[str, list[str]]


def text_of(params: Any, name: str) -> str:
    """Return a parameter as text, empty if it is absent or anything else."""
    value = params.get(name) if isinstance(params, dict) else None
    return value.strip() if isinstance(value, str) else ""


class Accounts(Flow):
    """Who is signed in; a flow, because pages and the API ask for it alike."""

    def user(self) -> str | None:
        """Return the name of the user, if somebody is signed in."""
        name: str | None = self.session.get("user")
        return name

    def sign_in(self) -> None:
        """Begin a session; the one before, which somebody else may know, ends."""
        name = assert_error(text_of(self.params, "name"), "A name is needed")
        self.session.regenerate()
        self.session["user"] = name


def api(notes: Notes) -> Actions:
    """Return the actions that are included under `/api`."""
    app = Actions()

    @app.before_filter
    def check(self: ActionRequest) -> None:
        if self.flow("accounts").user() is None:
            self.write({"status": 401, "json": {"errors": ["sign in first"]}})

    @app.get("notes", "/notes")
    def list_notes(self: ActionRequest) -> Any:
        return {"json": notes[self.flow("accounts").user()]}

    @app.post("notes", "/notes")
    @capture_errors_json
    @json_params
    def add(self: ActionRequest) -> Any:
        # A page of another site cannot send this type without asking first (CORS), so it takes no token.
        text = assert_error(text_of(self.json, "text"), "A text is needed")
        notes[self.flow("accounts").user()].append(text)
        return {"status": 201, "json": {"text": text}}

    return app


def signing(app: Actions) -> None:
    """Add the actions to sign in and out."""

    def do_sign_in(self: ActionRequest) -> Any:
        csrf.assert_token(self)
        self.flow("accounts").sign_in()
        self.res.safe_redirect(self.params.get("next") or self.url_for("notes"))
        return {"skip_render": True}

    app.match(
        "sign_in",
        "/sign-in",
        respond_to(GET=lambda self: {"render": True}, POST=do_sign_in, on_error=lambda self: {"render": True}),
    )

    @app.post("sign_out", "/sign-out")
    @capture_errors(on_error=lambda self: {"status": 403, "render": "home"})
    def sign_out(self: ActionRequest) -> Any:
        csrf.assert_token(self)
        self.session.destroy()
        return {"redirect_to": self.url_for("home")}


def create_app(secret: str) -> Actions:
    """Return the application; its notes are kept in memory."""
    notes: Notes = {}
    app = Actions(
        secret=secret,
        session_name="notebook",
        views=Path(__file__).parent / "views",
        layout="layout",
        flows={"accounts": Accounts},
    )

    @app.before_filter
    def find_user(self: Any) -> None:
        self.user = self.flow("accounts").user()
        if self.user is not None:
            notes.setdefault(self.user, [])
        elif (self.route_pattern or "").startswith("/notes"):
            self.write({"redirect_to": self.url_for("sign_in", query={"next": self.req.cmd_url})})

    @app.match("home", "/")
    def home(self: ActionRequest) -> Any:
        return {"render": True}

    @app.get("notes", "/notes")
    def list_notes(self: Any) -> Any:
        self.notes = notes[self.user]
        return {"render": True}

    @app.post("notes", "/notes")
    @capture_errors(on_error=list_notes)
    def add_note(self: Any) -> Any:
        csrf.assert_token(self)
        text = self.params.get("text")
        notes[self.user].append(assert_error((isinstance(text, str) and text.strip()) or None, "The note is empty"))
        return {"redirect_to": self.url_for("note", number=len(notes[self.user]))}

    @app.get("note", "/notes/:number[%d]")
    def show_note(self: Any) -> Any:
        number = int(self.params["number"][:9])
        if not 1 <= number <= len(notes[self.user]):
            return self.app.handle_404(self)
        self.note = notes[self.user][number - 1]
        return {"render": True}

    def handle_404(self: ActionRequest) -> Any:
        return {"status": 404, "render": "missing"}

    app.handle_404 = handle_404
    signing(app)
    return app.include(api(notes), path="/api", name="api_")


app = create_app(os.environ.get("SECRET") or secrets.token_urlsafe(32))
