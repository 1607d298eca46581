"""A Starlette application with an Express router mounted at /api: notes, kept in memory.

uvicorn --app-dir examples/starlette mounted:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_express import HTTPError, Request, Response, Router
from asgi_express.types import Next


def notes_of_a_user(notes: dict[str, list[str]]) -> Router:
    """Return a router for `/users/:user/notes`; `merge_params` lets it see `:user`."""
    router = Router(merge_params=True)

    def number_in(req: Request) -> int:
        """Return the position that the path gives, counted from 1."""
        number = int(req.params["number"])
        if not 1 <= number <= len(notes[req.params["user"]]):
            raise HTTPError(404, f"No note {number}")
        return number

    def list_notes(req: Request, res: Response) -> None:
        res.json(notes[req.params["user"]])

    async def add_note(req: Request, res: Response) -> None:
        note = (await req.text()).strip()
        if not note:
            raise HTTPError(422, "The note is empty")
        notes[req.params["user"]].append(note)
        res.status(201).set("Location", f"{req.base_url}/{len(notes[req.params['user']])}").send(note)

    def read_note(req: Request, res: Response) -> None:
        res.type("text").send(notes[req.params["user"]][number_in(req) - 1])

    def delete_note(req: Request, res: Response) -> None:
        del notes[req.params["user"]][number_in(req) - 1]
        res.status(204).end()

    router.route("/").get(list_notes).post(add_note)
    router.route("/{number:int}").get(read_note).delete(delete_note)
    return router


def api_router() -> Router:
    """Return the router that is mounted in the host."""
    notes: dict[str, list[str]] = {"ada": ["Buy milk"], "grace": []}
    router = Router()

    def known_user(_req: Request, _res: Response, next: Next, user: str, _name: str) -> None:
        """Run once for each value of `:user`, before the handlers that see it."""
        if user not in notes:
            raise HTTPError(404, f"No user {user}")
        next()

    def answer_error(err: Exception, _req: Request, res: Response, next: Next) -> None:
        """Answer what the client may know as JSON; pass on what it may not."""
        if isinstance(err, HTTPError) and err.expose:
            res.status(err.status).json({"error": err.message})
        else:
            next(err)

    router.param("user", known_user)
    router.use("/users/:user/notes", notes_of_a_user(notes))
    router.use(answer_error)
    return router


async def home(_request: StarletteRequest) -> PlainTextResponse:
    """Answer for Starlette itself."""
    return PlainTextResponse("Starlette with an Express router at /api")


def create_app() -> Starlette:
    """Return the host. Starlette runs no lifespan of what it mounts, so the router's is entered here."""
    router = api_router()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with router.lifespan_context(app):
            yield

    return Starlette(routes=[Route("/", home), Mount("/api", app=router)], lifespan=lifespan)


app = create_app()
