"""The whole application is an Express app; a Starlette application is mounted inside it.

python examples/starlette/app.py
uvicorn --app-dir examples/starlette app:app
"""

from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from asgi_express import Express, HTTPError, Request, Response
from asgi_express.types import Next


async def read_page(request: StarletteRequest) -> JSONResponse:
    """Answer as Starlette does; `url_for` knows the prefix that the application is mounted under."""
    slug = request.path_params["slug"]
    return JSONResponse({"slug": slug, "url": request.url_for("page", slug=slug).path})


pages = Starlette(routes=[Route("/{slug}", read_page, name="page")])

app = Express()


@app.get("/")
def home() -> str:
    """A returned value is sent."""
    return "Hello from Express"


async def only_json(req: Request, res: Response, next: Next) -> None:
    """Refuse a body of any other type; awaited, `next` returns when the rest has run."""
    if not (req.get("Content-Type") or "").startswith("application/json"):
        raise HTTPError(415, "Send application/json")
    await next()
    print(f"{req.method} {req.original_url} was answered {res.status_code}")  # noqa: T201


async def add_up(req: Request) -> dict[str, float]:
    """Add the numbers of a JSON list."""
    numbers = await req.json()
    if not isinstance(numbers, list) or not all(isinstance(n, int | float) for n in numbers):
        raise HTTPError(422, "Send a list of numbers")
    return {"sum": sum(numbers)}


app.post("/sum", only_json, add_up)
app.mount("/pages", pages)


def answer_error(err: Exception, _req: Request, res: Response, next: Next) -> None:
    """Four parameters make an error handler."""
    if isinstance(err, HTTPError) and err.expose:
        res.status(err.status).json({"error": err.message})
    else:
        next(err)


app.use(answer_error)

if __name__ == "__main__":
    app.listen(3000)
