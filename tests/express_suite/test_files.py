"""Static files, as Express's own suite asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from asgi_express import Express
from asgi_express.static import static
from tests.asgi import ask


@pytest.mark.parametrize(("fallthrough", "told"), [(True, "fell through"), (False, "saw 404")])
async def test_a_root_that_is_too_long_to_exist_is_not_there(tmp_path: Path, fallthrough: bool, told: str) -> None:
    app = Express()
    app.use(static(f"{tmp_path}{'/foobar' * 10_000}", fallthrough=fallthrough))
    app.use(lambda req, res: res.status(404).send("fell through"))
    app.use(lambda err, req, res, next: res.status(err.status).send(f"saw {err.status}"))
    answer = await ask(app, "/")
    assert (answer.status, answer.text) == (404, told)


async def test_a_target_that_looks_like_an_authority_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "todo.txt").write_text("- groceries")
    for path in ("/", "/static"):
        app = Express()
        app.use(path, static(tmp_path))
        assert (await ask(app, f"{path.rstrip('/')}/todo.txt")).status == 200
        assert (await ask(app, "//todo@txt")).status == 404


async def test_the_current_directory_is_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "todo.txt").write_text("- groceries")
    monkeypatch.chdir(tmp_path)
    app = Express()
    app.use(static("."))
    assert (await ask(app, "/sub/todo.txt")).text == "- groceries"


async def test_a_way_out_of_the_root_and_back_discloses_nothing(tmp_path: Path) -> None:
    root = tmp_path / "fixtures"
    (root / "users").mkdir(parents=True)
    (root / "todo.txt").write_text("- groceries")
    app = Express()
    app.use(static(root, fallthrough=False))
    assert (await ask(app, "/todo.txt")).status == 200
    for target in ("/users/../../fixtures/todo.txt", "/users/%2e%2e/%2e%2e/todo.txt"):
        assert (await ask(app, target)).status == 403


async def test_without_an_index_a_mount_point_is_redirected_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("home")
    app = Express()
    app.use("/static", static(tmp_path, index=False))
    answer = await ask(app, "/static")
    assert (answer.status, answer.headers["location"]) == (301, "/static/")
    assert (await ask(app, "/static/")).status == 404
