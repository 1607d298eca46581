"""A gateway under uvicorn, with real clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import httpx2

from asgi_express.server import Server
from asgi_express.types import ASGIApp

HERE = Path(__file__).parent
HEAD = 'version: "1.0"\nnamespace: app\nentries:\n'
SERVICE = """\
- name: gateway
  kind: http.service
  addr: "127.0.0.1:8080"
"""


@asynccontextmanager
async def serving(app: ASGIApp, **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve an app on a port that the system picks; yield a client of it."""
    async with (
        Server(app, port=0, host="127.0.0.1", **options) as server,
        httpx2.AsyncClient(base_url=server.url) as client,
    ):
        yield client


def entries(*parts: str, service: str = SERVICE) -> str:
    """Return the text of a file with a service and these entries."""
    return HEAD + "".join(indent(dedent(part), "  ") for part in (service, *parts))


def project(tmp_path: Path, *parts: str, service: str = SERVICE, **modules: str) -> Path:
    """Write a file of entries, and modules beside it; return the path of the file."""
    for name, code in modules.items():
        (tmp_path / f"{name}.py").write_text(dedent(code))
    path = tmp_path / "app.yaml"
    path.write_text(entries(*parts, service=service))
    return path


ROUTER = """\
- name: api
  kind: http.router
  meta: {server: gateway}
  prefix: /api
"""


def route(method: str, path: str, function: str, *, router: str = "api", source: str = "file://handlers.py") -> str:
    """Return an endpoint and its function."""
    name = f"{method}_{function}".lower()
    return f"""\
- name: {name}
  kind: http.endpoint
  meta: {{router: {router}}}
  method: {method}
  path: {path}
  func: {function}_function
- name: {function}_function
  kind: function.python
  source: {source}
  method: {function}
"""
