"""Disconnect handler: a request that is held until its client leaves.

uvicorn --app-dir examples/express_lua disconnect:app
"""

import logging

from asgi_express import ClientDisconnect, Express, Request, Response
from asgi_express.types import Next

log = logging.getLogger("disconnect")

app = Express()
app.locals["held"] = 0


@app.use()
def tell(req: Request, _res: Response, next: Next) -> None:
    req.on("aborted", lambda: log.warning("the client of %s has gone", req.url))
    next()


@app.get("/")
async def hold(_req: Request, res: Response) -> None:
    app.locals["held"] += 1
    try:
        await res.wait_finished()  # nobody will answer
    except ClientDisconnect:
        log.warning("nobody waits any more")
    finally:
        app.locals["held"] -= 1
