"""The middleware ``sendfile`` in a file: its directory is an entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from asgi_express import load
from asgi_express.gateway import check
from tests.gateway.serving import project, route, serving

FILES = """\
- {name: files, kind: fs.directory, directory: ./files}
- name: api
  kind: http.router
  meta: {server: gateway}
  prefix: /api
  middleware: [sendfile]
  options: {sendfile.fs: files}
"""

CODE = """
    from asgi_express.gateway import http, resource

    def report():
        res = http.response()
        res.set_header("X-Sendfile", "/" + http.request().query("name"))
        res.set_header("X-File-Name", "march.csv")

    def where(req, res):
        res.json(resource("app:files").name)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.csv").write_text("1,2")
    endpoints = [route("GET", "/report", "report"), route("GET", "/where", "where")]
    return project(tmp_path, FILES, *endpoints, handlers=CODE)


async def test_a_handler_names_a_file_of_the_directory(path: Path) -> None:
    async with serving(load(path)) as client:
        answer = await client.get("/api/report", params={"name": "a.csv"}, headers={"Range": "bytes=0-0"})
        assert (answer.status_code, answer.text, answer.headers["content-range"]) == (206, "1", "bytes 0-0/3")
        assert answer.headers["content-disposition"] == "attachment; filename=march.csv"
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert (await client.get("/api/report", params={"name": "../app.yaml"})).status_code == 404
        assert (await client.get("/api/where")).json() == "files"


def test_its_directory_must_be_an_entry_that_is_a_directory(path: Path) -> None:
    text = path.read_text()
    path.write_text(text.replace("sendfile.fs: files", "sendfile.fs: gateway"))
    problem = check(path)[0]
    assert (problem.code, problem.message) == ("wrong-reference", "'app:gateway' is of the kind http.service")
    path.write_text(text.replace("options: {sendfile.fs: files}", "options: {}"))
    (problem,) = check(path)
    assert "sendfile needs the option 'sendfile.fs', the ID of a fs.directory" in problem.message
