"""A FastAPI application with an Express router mounted at /api: users, kept in memory.

uvicorn --app-dir examples/fastapi mounted:app
"""

from fastapi import FastAPI

from asgi_express import HTTPError, Request, Response, Router
from asgi_express.types import Next


async def name_in(req: Request) -> str:
    """Return the name that the body gives."""
    body = await req.json()
    name = body.get("name") if isinstance(body, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise HTTPError(422, "name must be a text that is not empty")
    return name.strip()


class Users:
    """Handlers that share a dictionary; a method is a handler like any function."""

    def __init__(self) -> None:
        self.by_id = {"1": {"id": "1", "name": "Ada"}}

    def load(self, _req: Request, res: Response, next: Next, user_id: str, _name: str) -> None:
        """Find the user once, before any handler of a route with `:id`."""
        if user_id not in self.by_id:
            raise HTTPError(404, f"No user {user_id}")
        res.locals["user"] = self.by_id[user_id]
        next()

    def list(self, _req: Request, res: Response) -> None:
        """GET /users."""
        res.json([*self.by_id.values()])

    async def create(self, req: Request, res: Response) -> None:
        """POST /users."""
        name = await name_in(req)
        user_id = str(max(map(int, self.by_id), default=0) + 1)
        self.by_id[user_id] = {"id": user_id, "name": name}
        res.status(201).set("Location", f"{req.base_url}/users/{user_id}")
        res.json(self.by_id[user_id])

    def read(self, _req: Request, res: Response) -> None:
        """GET /users/:id."""
        res.json(res.locals["user"])

    async def rename(self, req: Request, res: Response) -> None:
        """PUT /users/:id."""
        res.locals["user"]["name"] = await name_in(req)
        res.json(res.locals["user"])

    def delete(self, req: Request, res: Response) -> None:
        """DELETE /users/:id."""
        del self.by_id[req.params["id"]]
        res.status(204).end()


def stamp(_req: Request, res: Response, next: Next) -> None:
    """Mark every answer of the router."""
    res.set("X-Answered-By", "asgi-express")
    next()


def answer_error(err: Exception, _req: Request, res: Response, next: Next) -> None:
    """Answer what the client may know as JSON; pass on what it may not."""
    if isinstance(err, HTTPError) and err.expose:
        res.status(err.status).json({"error": err.message})
    else:
        next(err)


def users_router() -> Router:
    """Return a router that lists, reads, creates, renames and deletes users."""
    users = Users()
    router = Router()
    router.use(stamp)
    router.param("id", users.load)
    router.route("/users").get(users.list).post(users.create)
    router.route("/users/:id").get(users.read).put(users.rename).delete(users.delete)
    router.use(answer_error)
    return router


def create_app() -> FastAPI:
    """Return the host; what FastAPI serves itself stays FastAPI's."""
    router = users_router()
    app = FastAPI(title="FastAPI with an Express router", lifespan=router.lifespan_context)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    app.mount("/api", router)
    return app


app = create_app()
