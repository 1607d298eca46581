"""No framework: the fewest steps that answer right. The floor that the others are compared with."""

import json
from typing import Any

DISTRIBUTION = None

_encode = json.JSONEncoder(separators=(",", ":")).encode


async def _send(send: Any, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_json(send: Any, value: object) -> None:
    await _send(send, 200, b"application/json", _encode(value).encode())


async def _few(scope: Any, receive: Any, send: Any) -> None:
    path: str = scope["path"]
    if path == "/":
        await _send(send, 200, b"text/plain; charset=utf-8", b"Hello, world")
    elif path == "/echo":
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        await _send_json(send, json.loads(body))
    elif path.startswith("/users/"):
        await _send_json(send, {"id": path[7:]})
    else:
        await _send(send, 404, b"text/plain; charset=utf-8", b"Not Found")


def few() -> Any:
    return _few


def many(count: int) -> Any:
    sections = {f"section{number}" for number in range(count)}

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        parts = scope["path"].split("/")
        if len(parts) == 4 and parts[1] in sections and parts[2] == "items":
            await _send_json(send, {"id": parts[3]})
        else:
            await _send(send, 404, b"text/plain; charset=utf-8", b"Not Found")

    return app
