"""Routing: a gate for the whole site, several handlers for one route, a router with a prefix, an error handler.

uvicorn --app-dir examples/express_lua routing:app
"""

import itertools
import logging
import time

from asgi_express import Express, HTTPError, Request, Response, Router
from asgi_express.types import Next

log = logging.getLogger("routing")

app = Express()
prefixed = Router()
faults = itertools.count()


def only_in_even_seconds(_req: Request, res: Response, next: Next) -> None:
    """Let in whoever comes in an even second; what it notes, the handlers after it find."""
    if int(time.time()) % 2:
        res.status(403).send("Access to the site is only allowed during even-numbered seconds")
        return
    res.locals["wish"] = "Have a nice day"
    next()


def first(_req: Request, res: Response, next: Next) -> None:
    res.set("X-First", "was here")
    next()


def second(_req: Request, res: Response, next: Next) -> None:
    res.set("X-Second", "too")
    next()


@prefixed.get("/param/:any")
def show_param(req: Request, res: Response) -> None:
    res.send(f"Hello from GET {req.base_url}/param/{req.params['any']}")


@prefixed.get("/info")
def show_info(req: Request, res: Response) -> None:
    names = ("method", "url", "base_url", "original_url", "path", "params", "ip", "cookies")
    res.json({name: getattr(req, name) for name in names} | {"query": dict(req.query), "sent": res.headers_sent})


@prefixed.get("/error")
def fail(_req: Request, _res: Response, next: Next) -> None:
    match next_fault := next_number():
        case 0:
            next(HTTPError(403, "error text 1", headers={"X-Some-Header": "foo bar"}))
        case 1:
            raise ValueError("error text 2")
        case _:
            raise TypeError(f"string plus number {next_fault}")


def next_number() -> int:
    """Return 0, 1, 2, and then again."""
    return next(faults) % 3


def note(err: Exception, _req: Request, _res: Response, next: Next) -> None:
    """Four parameters: an error handler. It notes the error, and leaves the answer to the last one."""
    log.warning("an error: %s", err)
    next(err)


app.use(only_in_even_seconds)
app.get("/", lambda req, res: res.send(f"Hello from GET /. {res.locals['wish']}"))
app.get("/multiple", first, second, lambda req, res: res.send("Hello from GET /multiple"))
app.use("/prefixed/route", prefixed)
app.use(note)
