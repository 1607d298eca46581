"""Express's examples "hello-world", "downloads", "ejs" and "markdown": text, files and views."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from asgi_express import Express, HTTPError
from tests.asgi import ask

# -- hello-world


async def test_hello_world_is_said_and_nothing_else() -> None:
    app = Express().get("/", lambda req, res: res.send("Hello World"))
    answer = await ask(app)
    assert (answer.status, answer.text) == (200, "Hello World")
    assert (await ask(app, "/missing")).status == 404


# -- downloads


@pytest.fixture
def downloads(tmp_path: Path) -> Express:
    files = tmp_path / "files"
    (files / "notes").mkdir(parents=True)
    (files / "notes" / "groceries.txt").write_text("milk")
    (files / "amazing.txt").write_text("what an amazing download")
    (tmp_path / "index.py").write_text("secret")
    app = Express()
    app.get("/", lambda req, res: res.send('<a href="/files/amazing.txt">amazing.txt</a>'))

    @app.get("/files/*file")
    async def download(req: Any, res: Any) -> None:
        try:
            await res.download("/".join(req.params["file"]), root=files)
        except HTTPError as err:
            if err.status != 404:
                raise
            res.status(404).send("Cant find that file, sorry!")

    return app


async def test_the_downloads_are_linked(downloads: Express) -> None:
    assert 'href="/files/amazing.txt"' in (await ask(downloads)).text


@pytest.mark.parametrize("path", ["notes/groceries.txt", "amazing.txt"])
async def test_a_file_is_downloaded_under_its_name(downloads: Express, path: str) -> None:
    answer = await ask(downloads, f"/files/{path}")
    assert answer.status == 200
    assert answer.headers["content-disposition"] == f"attachment; filename={Path(path).name}"


async def test_a_file_that_is_missing_is_told_in_the_programs_own_words(downloads: Express) -> None:
    answer = await ask(downloads, "/files/missing.txt")
    assert (answer.status, answer.text) == (404, "Cant find that file, sorry!")


async def test_no_file_outside_is_downloaded(downloads: Express) -> None:
    answer = await ask(downloads, "/files/../index.py")
    assert answer.status == 403
    assert "secret" not in answer.text


# -- ejs: here with Jinja2


async def test_a_list_is_rendered_escaped(tmp_path: Path) -> None:
    (tmp_path / "users.html").write_text(
        "<ul>{% for user in users %}<li>{{ user.name }} &lt;{{ user.email }}&gt;</li>{% endfor %}</ul>"
    )
    users = [{"name": "tobi", "email": "tobi@learnboost.com"}, {"name": "<b>", "email": "a&b"}]
    app = Express(views=tmp_path, view_engine="html")
    app.get("/", lambda req, res: res.render("users", {"users": users}))
    answer = await ask(app)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text == "<ul><li>tobi &lt;tobi@learnboost.com&gt;</li><li>&lt;b&gt; &lt;a&amp;b&gt;</li></ul>"


# -- markdown


def markdown(path: str, options: dict[str, Any]) -> str:
    """An engine of one's own: headings, and ``{name}``."""
    text = re.sub(r"^# (.*)$", r"<h1>\1</h1>", Path(path).read_text(), flags=re.MULTILINE)
    return re.sub(r"\{(\w+)\}", lambda match: html.escape(options.get(match[1], "")), text)


async def test_an_engine_of_ones_own_renders_markdown(tmp_path: Path) -> None:
    (tmp_path / "index.md").write_text("# {title}\n")
    app = Express(views=tmp_path, view_engine="md", env="test").engine("md", markdown)
    app.get("/", lambda req, res: res.render("index", {"title": "Markdown Example"}))
    app.get("/fail", lambda req, res: res.render("missing", {"title": "Markdown Example"}))
    answer = await ask(app)
    assert (answer.status, answer.text) == (200, "<h1>Markdown Example</h1>\n")
    assert (await ask(app, "/fail")).status == 500
