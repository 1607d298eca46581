"""An application whose requests are counted, for servers with several processes."""

from __future__ import annotations

import os
from typing import Any

from asgi_express import Express
from asgi_express.middleware import Metrics

app = Express()
app.use(Metrics(path="/metrics"))
app.get("/", lambda req, res: res.send(str(os.getpid())))
app.get("/users/:id", lambda req, res: res.send("x" * 10))


@app.post("/hold")
async def hold(req: Any, res: Any) -> None:
    """Answer when all of the body has come."""
    await req.read()
    res.send("x")
