"""The handlers of Wippy's example, in both styles."""

from asgi_express import Request, Response
from asgi_express.gateway import http

users = {"1": {"id": "1", "name": "Ada"}}


def list(req: Request, res: Response) -> None:  # noqa: A001 - its name in the example
    res.json([*users.values()])


def show() -> None:
    req, res = http.request(), http.response()
    user = users.get(req.param("id") or "")
    res.set_status(200 if user else 404)
    res.write_json(user or {"error": "no such user"})


async def create() -> None:
    req, res = http.request(), http.response()
    user = {"id": str(len(users) + 1), "name": (await req.body_json())["name"]}
    users[user["id"]] = user
    res.set_status(201)
    res.set_header("Location", f"/api/v1/users/{user['id']}")
    res.write_json(user)
