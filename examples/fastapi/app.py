"""The whole application is an Express app; a FastAPI application is mounted inside it.

python examples/fastapi/app.py
uvicorn --app-dir examples/fastapi app:app
"""

from fastapi import FastAPI

from asgi_express import Express, HTTPError, Request, Response
from asgi_express.types import Next

catalogue = FastAPI(title="Catalogue")


@catalogue.get("/items/{item_id}")
async def read_item(item_id: int) -> dict[str, int | str]:
    """Answer as FastAPI does: the path parameter is checked, the value becomes JSON."""
    return {"id": item_id, "served_by": "FastAPI"}


app = Express()


def stamp(_req: Request, res: Response, next: Next) -> None:
    """Mark every answer, FastAPI's too: this stands before everything."""
    res.set("X-Answered-By", "asgi-express")
    next()


app.use(stamp)


@app.get("/")
def home() -> str:
    """A returned value is sent."""
    return "Hello from Express"


@app.get("/greet/:name")
def greet(req: Request, res: Response) -> None:
    """Parameters are decoded: /greet/Ad%C3%A8le says Adèle."""
    res.json({"hello": req.params["name"]})


app.mount("/catalogue", catalogue)


def nothing_here(req: Request, _res: Response, next: Next) -> None:
    """Reached by whatever nothing above answered."""
    next(HTTPError(404, f"Nothing at {req.path}"))


def answer_error(err: Exception, _req: Request, res: Response, next: Next) -> None:
    """Four parameters make an error handler."""
    if isinstance(err, HTTPError) and err.expose:
        res.status(err.status).json({"error": err.message})
    else:
        next(err)


app.use(nothing_here)
app.use(answer_error)

if __name__ == "__main__":
    app.listen(3000)
