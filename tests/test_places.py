"""What a walk tells those who watch a request: the app that has it, and the error that was answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express, HTTPError, Router, next_app, static
from asgi_express._scope import OBSERVED, Observed
from asgi_express.types import ASGIApp
from tests.asgi import ask
from tests.middleware.doors import Opaque


class Watching:
    """A middleware that watches."""

    def __init__(self, app: ASGIApp = next_app) -> None:
        self.app = app
        self.seen: list[Observed] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope[OBSERVED] = observed = Observed()
        self.seen.append(observed)
        await self.app(scope, receive, send)


async def answering(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})


@pytest.fixture
def watching() -> Watching:
    return Watching()


async def test_a_walk_tells_which_app_of_its_own_has_the_request(watching: Watching) -> None:
    app, router, mounted = Express(), Router(), Opaque(answering)
    router.mount(["/a/:one", "/b"], mounted)
    app.use(watching).use("/api/:tenant", router)
    await ask(app, "/api/acme/a/1/rest", root_path="")
    (observed,) = watching.seen
    assert observed.mount is not None
    assert (observed.mount.path, observed.mount.app) == ("/api/:tenant/a/:one|/b", mounted)
    assert observed.mount.scope["root_path"] == observed.mount.root_path == "/api/acme/a/1"
    assert observed.error is None


async def test_whom_nobody_watches_is_told_nothing(watching: Watching) -> None:
    scopes: list[Any] = []

    async def look(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await answering(scope, receive, send)

    await ask(Express().mount("/a", look), "/a")
    assert OBSERVED not in scopes[0]
    await ask(Watching(Express().mount("/a", look)), "/a")
    assert isinstance(scopes[1][OBSERVED], Observed)


async def test_what_has_no_app_of_its_own_has_none(watching: Watching, tmp_path: Path) -> None:
    app = Express().use(watching).use(static(tmp_path)).get("/x", lambda req, res: res.send("x"))
    await ask(app, "/x")
    await ask(app, "/none")
    assert [observed.mount for observed in watching.seen] == [None, None]


@pytest.mark.parametrize(("raised", "status"), [(LookupError("lost"), 500), (HTTPError(418), 418)])
async def test_a_walk_tells_of_the_error_that_it_has_answered(
    watching: Watching, raised: Exception, status: int
) -> None:
    def fail(req: Any, res: Any) -> None:
        raise raised

    app = Express().use(watching).get("/x", fail)
    assert (await ask(app, "/x")).status == status
    assert watching.seen[0].error is raised


async def test_an_error_that_a_handler_has_answered_is_none(watching: Watching) -> None:
    def fail(req: Any, res: Any) -> None:
        raise LookupError("lost")

    def mend(error: Any, req: Any, res: Any, next: Any) -> None:
        res.status(503).end()

    assert (await ask(Express().use(watching).get("/x", fail).use(mend), "/x")).status == 503
    assert watching.seen[0].error is None
