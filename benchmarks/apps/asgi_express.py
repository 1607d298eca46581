"""asgi-express."""

from typing import Any

from asgi_express import Express, Request, Response

DISTRIBUTION = "asgi-express"


def _user(req: Request, res: Response) -> None:
    res.json({"id": req.params["id"]})


def few() -> Any:
    app = Express()

    @app.get("/")
    def hello(_req: Request, res: Response) -> None:
        res.type("text/plain").send("Hello, world")

    @app.post("/echo")
    async def echo(req: Request, res: Response) -> None:
        res.json(await req.json())

    app.get("/users/:id", _user)
    return app


def many(count: int) -> Any:
    app = Express()
    for number in range(count):
        app.get(f"/section{number}/items/:id", _user)
    return app
