"""What the tests of the parsers share: an application that shows what a parser made of a request."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asgi_express import Express
from tests.asgi import Answer, Client, ask

FACTS = ("limit", "length", "expected", "received", "charset", "encoding", "code", "field", "filename")

FORM = "multipart/form-data; boundary=X"
END = b"--X--\r\n"


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def shown_file(file: Any) -> dict[str, Any]:
    content = await file.read()
    return {
        "name": file.name,
        "filename": file.filename,
        "encoding": file.encoding,
        "type": file.content_type,
        "size": file.size,
        "content": b64(content),
    }


async def show(req: Any, res: Any) -> None:
    """Answer with the body, and the files."""
    shown: dict[str, Any] = {"bytes": b64(req.body)} if isinstance(req.body, bytes) else {"body": req.body}
    file, files = req.__dict__.get("file"), req.__dict__.get("files")
    if file is not None:
        shown["file"] = await shown_file(file)
    if isinstance(files, list):
        shown["files"] = [await shown_file(each) for each in files]
    elif files is not None:
        shown["files"] = {name: [await shown_file(each) for each in some] for name, some in files.items()}
    res.json(shown)


def show_error(error: Any, req: Any, res: Any, next: Any) -> None:
    facts = {name: getattr(error, name) for name in FACTS if hasattr(error, name)}
    status = getattr(error, "status", 500)
    kind = getattr(error, "type", None)
    res.status(status).json({"error": {"status": status, "type": kind, "message": str(error), **facts}})


def application(*handlers: Any) -> Express:
    """Return an application that parses, and shows what came of it."""
    app = Express()
    app.use(list(handlers))
    app.use(show)
    app.use(show_error)
    return app


async def post(
    app: Any,
    body: bytes | Sequence[bytes] = b"",
    kind: str | None = None,
    *,
    chunked: bool = False,
    client: Client | None = None,
    **headers: str,
) -> Answer:
    """Post a body, with its length unless it is chunked."""
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind is not None:
        found["content-type"] = kind
    if chunked:
        found["transfer-encoding"] = "chunked"
    else:
        found.setdefault("content-length", str(len(body if isinstance(body, bytes) else b"".join(body))))
    return await ask(app, "/", "POST", headers=found, body=body, client=client)


def part(disposition: str, content: bytes = b"1", *more: str) -> bytes:
    lines = "\r\n".join(("--X", f"Content-Disposition: {disposition}", *more))
    return lines.encode() + b"\r\n\r\n" + content + b"\r\n"


def field(name: str, content: bytes = b"1") -> bytes:
    return part(f'form-data; name="{name}"', content)


def file(name: str, filename: str, content: bytes = b"1") -> bytes:
    return part(f'form-data; name="{name}"; filename="{filename}"', content, "Content-Type: text/plain")


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]
