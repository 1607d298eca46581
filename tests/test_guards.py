"""What a guard has not seen does not reach the files and the apps behind it, however the path is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

import asgi_express as express
from tests.asgi import ask

SECRET = "the secret"


def guarded(root: Path, **options: Any) -> express.Express:
    (root / "private").mkdir()
    (root / "private" / "s.txt").write_text(SECRET)
    (root / "open.txt").write_text("open")
    app = express.Express()
    app.use(["/private", "/admin", "/in/admin"], lambda req, res: res.status(401).send("no"))
    app.use(express.static(str(root), **options))
    inner = express.Router()
    inner.use("/deep", lambda req, res: res.status(401).send("no"))
    inner.mount("/", Starlette(routes=[Route("/in/{p:path}", lambda request: PlainTextResponse(SECRET))]))
    app.use("/in", inner)
    app.mount("/", Starlette(routes=[Route("/{p:path}", lambda request: PlainTextResponse(request.url.path))]))
    return app


@pytest.mark.parametrize(
    "target",
    [
        *("/private/s.txt", "/%70rivate/s.txt", "//private/s.txt", "///private/s.txt", "/./private/s.txt"),
        *("/PRIVATE/s.txt", "/priv%61te/s.txt", "/private%2Fs.txt", "http://h//private/s.txt", "/private//s.txt"),
        *("/admin/s", "/%61dmin/s", "/admin%2Fs", "/%41DMIN/s", "//admin/s", "/.//admin", "/admin%2f..%2fx"),
        *("/in/admin/x", "/in/%61dmin/x", "/in//admin/x", "/in/deep/x", "/in/%64eep/x", "/in//deep", "/i%6e/deep/x"),
    ],
)
async def test_a_path_that_could_be_read_as_a_guarded_one_is_refused(target: str, tmp_path: Path) -> None:
    answer = await ask(guarded(tmp_path), target)
    assert SECRET not in answer.text
    assert answer.status in (400, 401, 404)


@pytest.mark.parametrize("target", ["/open.txt", "/open%2Etxt", "//open.txt", "/x%2Fy", "/a%20b", "/%C3%A9", "/%zz"])
async def test_a_path_that_no_guard_is_for_goes_through_however_it_is_written(target: str, tmp_path: Path) -> None:
    assert (await ask(guarded(tmp_path), target)).status == 200


@pytest.mark.parametrize(
    "target",
    [
        *("/x/../private/s.txt", "/x/%2e%2e/private/s.txt", "/x/..%2fprivate/s.txt", "/../private/s.txt"),
        *("/x/./../private/s.txt", "/private/../x/../private/s.txt", "/x/y/../../private/s.txt"),
    ],
)
async def test_dots_lead_no_mounted_app_past_a_guard(target: str, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "s.txt").write_text(SECRET)
    app = express.Router()
    app.use("/private", lambda req, res: res.status(401).send("no"))
    app.mount("/", StaticFiles(directory=tmp_path))
    assert (await ask(app, target)).status in (400, 401)
    assert (await ask(app, "/x/../y")).status == 404


async def test_without_fallthrough_the_file_is_not_found(tmp_path: Path) -> None:
    assert (await ask(guarded(tmp_path, fallthrough=False), "/%70rivate/s.txt")).status == 404


async def test_a_guard_with_parameters_counts_too() -> None:
    app = express.Router()
    app.use("/:area/secret", lambda req, res: res.status(401).send("no"))
    app.mount("/", PlainTextResponse(SECRET))
    assert (await ask(app, "/x/%73ecret")).status == 400
    assert (await ask(app, "/x/%zz/secre%74")).status == 200
    assert (await ask(app, "/%ff/%73ecret")).status == 400


@pytest.mark.parametrize("target", ["/admin/s", "/%61dmin/s", "//admin/s", "/x/../admin/s", "/admin%2Fs"])
async def test_a_route_for_every_method_is_a_guard_too(target: str) -> None:
    app = express.Router()
    app.all("/admin/*rest", lambda req, res: res.status(401).send("no"))
    app.get("/open/*rest", lambda req, res, next: next())
    app.mount("/", PlainTextResponse(SECRET))
    assert (await ask(app, target)).status in (400, 401)
    assert (await ask(app, "/%6fpen/s")).status == 200


async def test_a_guard_that_could_not_read_the_path_has_not_guarded() -> None:
    app = express.Router()
    app.use("/:area", lambda req, res: res.status(401).send("no"))
    app.use(lambda err, req, res, next: next())
    app.mount("/", PlainTextResponse(SECRET))
    assert (await ask(app, "/%ff")).status == 400


async def test_a_route_that_passes_on_leaves_no_record_behind() -> None:
    seen: list[Any] = []
    app = express.Router()
    for path in ("/:id", "/:other"):
        app.get(path, lambda req, res, next: next("route") if req.query else next())
    app.use(lambda req, res: (seen.append({**req.scope}), res.send("x"))[1])
    for target in ("/7", "/7?a=1"):
        await ask(app, target)
    for scope in seen:
        assert [scope.get(key) for key in ("asgi_express.match", "route", "endpoint", "path_params")] == [
            *(None, None, None),
            {},
        ]


async def test_after_an_error_the_record_stays_until_the_request_goes_on() -> None:
    seen: list[bool] = []
    app = express.Router()
    app.get("/:id", lambda: 1 / 0)

    def look(err: Any, req: Any, res: Any, next: Any) -> None:
        seen.append("asgi_express.match" in req.scope)
        next()

    app.use(look)
    app.use(lambda req, res: (seen.append("asgi_express.match" in req.scope), res.send("x"))[1])
    await ask(app, "/7")
    assert seen == [True, False]
