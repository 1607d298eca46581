"""Users in SQLite. Some handlers take (req, res), the others are written as in Wippy."""

import hashlib
import hmac
import os
import secrets
import sqlite3
from pathlib import Path
from typing import Any

from asgi_express import Request, Response, blocking
from asgi_express.gateway import http, resource
from asgi_express.security import Actor

PATH = os.environ.get("USERS_DB", str(Path(__file__).parents[1] / "users.db"))


# -- the database


def connect() -> sqlite3.Connection:
    """Open the database; the first time, make it, with one user."""
    connection = sqlite3.connect(PATH)
    connection.row_factory = sqlite3.Row
    connection.execute(
        "CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, name TEXT NOT NULL, "
        '"group" TEXT NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL)'
    )
    if connection.execute("SELECT count(*) FROM users").fetchone()[0] == 0:
        insert(connection, "ada", "Ada", "admins", "enchantress")
    return connection


def insert(connection: sqlite3.Connection, user_id: str, name: str, group: str, password: str) -> None:
    salt = secrets.token_bytes(16)
    with connection:
        row = (user_id, name, group, salt, hashed(password, salt))
        connection.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?)", row)


def hashed(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


@blocking
def check(user_id: str, password: str) -> sqlite3.Row | None:
    """Return the user of a name and a password; it takes as long where there is no such user."""
    row: sqlite3.Row | None = connect().execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
    expected = row["hash"] if row else b""
    right = hmac.compare_digest(hashed(password, row["salt"] if row else b"salt"), expected)
    return row if right else None


@blocking
def add(user_id: str, name: str, password: str) -> None:
    insert(connect(), user_id, name, "readers", password)


async def texts_of(req: http.Request, *names: str) -> tuple[Any, ...] | None:
    """Return the texts of a JSON body, ``None`` if one is missing."""
    body: Any = await req.body_json()
    texts = tuple(body.get(name) for name in names) if isinstance(body, dict) else ()
    return texts if texts and all(isinstance(text, str) and text for text in texts) else None


# -- sessions


async def login() -> None:
    req, res = http.request(), http.response()
    texts = await texts_of(req, "id", "password")
    user = await check(*texts) if texts else None
    if user is None:
        res.set_status(401)
        res.write_json({"error": "the name or the password is wrong"})
        return
    token = await resource("app:tokens").create(Actor(user["id"], {"name": user["name"]}), user["group"])
    res.set_status(201)
    res.set_header("Cache-Control", "no-store")
    res.write_json({"token": token, "name": user["name"]})


async def logout(req: Request, res: Response) -> None:
    await resource("app:tokens").revoke((req.get("Authorization") or "").partition(" ")[2])
    res.status(204).end()


# -- users


@blocking
def list(req: Request, res: Response) -> None:  # noqa: A001 - its name in Wippy's example
    rows = connect().execute('SELECT id, name, "group" FROM users ORDER BY id')
    res.json([{**row} for row in rows])


@blocking
def show(req: Request, res: Response) -> None:
    row = connect().execute('SELECT id, name, "group" FROM users WHERE id = ?', (req.params["id"],)).fetchone()
    if row is None:
        res.status(404).json({"error": f"there is no user {req.params['id']!r}"})
    else:
        res.json({**row})


async def create() -> None:
    req, res = http.request(), http.response()
    texts = await texts_of(req, "id", "name", "password")
    if texts is None:
        res.set_status(422)
        res.write_json({"error": "a user has an id, a name and a password"})
        return
    try:
        await add(*texts)
    except sqlite3.IntegrityError:
        res.set_status(409)
        res.write_json({"error": f"there is a user {texts[0]!r} already"})
        return
    res.set_status(201)
    res.set_header("Location", f"/api/v1/users/{texts[0]}")
    res.write_json({"id": texts[0], "name": texts[1], "group": "readers"})


@blocking
def delete() -> None:
    req, res = http.request(), http.response()
    with connect() as connection:
        count = connection.execute("DELETE FROM users WHERE id = ?", (req.param("id"),)).rowcount
    res.set_status(204 if count else 404)
