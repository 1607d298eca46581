"""Puts a recorded request to an ASGI application, in process, and compares the answer with the recorded one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

from tests.conformance.bodies import JSON, to_bytes
from tests.conformance.interpreter import NOTES, Notes

PATIENCE = 5.0
"""Seconds until a request that is not answered counts as hanging."""

# The page of Express's final handler; the recordings have only the text inside.
_PAGE = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n'
    "</head>\n<body>\n<pre>{}</pre>\n</body>\n</html>\n"
)


@dataclass(slots=True)
class Answer:
    """What an application answered, in the form of the recordings."""

    status: int = 0
    headers: dict[str, JSON] = field(default_factory=dict)
    body: bytes = b""
    trace: list[list[JSON]] | None = None


def recorded_answer(request: dict[str, JSON], header_sets: list[dict[str, JSON]]) -> Answer:
    """Return the recorded answer in full: the words of the header table are replaced by what they stand for."""
    given = request["body"]
    body = _PAGE.format(given["page"]).encode() if isinstance(given, dict) and "page" in given else to_bytes(given)
    headers = dict(header_sets[request["answer"]])
    if headers.get("content-length") == "<length>":
        headers["content-length"] = str(len(body))
    if headers.get("etag") == "<weak tag>":
        headers["etag"] = _weak_tag(body)
    return Answer(request["status"], headers, body, request["trace"])


def _weak_tag(content: bytes) -> str:
    digest = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
    return f'W/"{len(content):x}-{digest[:27]}"'


async def ask(app: Any, request: dict[str, JSON]) -> Answer:
    """Put one request to an application through its ASGI interface."""
    answer = Answer()
    notes = Notes(request["method"], request["target"])
    content: list[bytes] = []
    pieces = body_pieces(request)

    async def receive() -> dict[str, Any]:
        if not pieces:
            await asyncio.Event().wait()  # the client stays
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = header_table(message["headers"])
        elif message["type"] == "http.response.body":
            content.append(bytes(message.get("body", b"")))

    async with asyncio.timeout(PATIENCE):
        await app(_scope(request) | {NOTES: notes}, receive, send)
    # Servers drop the body of an answer to HEAD, and so does Node.
    answer.body = b"" if request["method"] == "HEAD" else b"".join(content)
    # Traces are compared as JSON.
    answer.trace = json.loads(json.dumps(notes.trace))
    return answer


def body_pieces(request: dict[str, JSON]) -> list[bytes]:
    """Return the body in the pieces that a server makes of the chunks that it was sent in."""
    content = to_bytes(request["sent"]) if "sent" in request else b""
    size = request.get("chunks") or len(content) or 1
    return [content[at : at + size] for at in range(0, len(content), size)] or [b""]


def header_lines(request: dict[str, JSON]) -> list[tuple[str, str]]:
    """Return the headers of a request, with those that its body needs."""
    fields = {"Host": "example.test", **request.get("headers", {})}
    if "chunks" in request:
        fields["Transfer-Encoding"] = "chunked"
    elif "sent" in request and "Content-Length" not in fields:
        fields["Content-Length"] = str(len(to_bytes(request["sent"])))
    return [
        (name, str(value))
        for name, values in fields.items()
        for value in (values if isinstance(values, list) else [values])
    ]


def _scope(request: dict[str, JSON]) -> dict[str, Any]:
    """Return the scope as a server gives it that passes on the request target as it was sent."""
    raw_path, _, query = request["target"].partition("?")
    # Servers take the white space around a value away.
    headers = [(name.lower(), value.strip(" \t")) for name, value in header_lines(request)]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request["method"],
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
    }


_OF_THE_SERVER = {"connection", "date", "keep-alive", "server", "transfer-encoding"}


def header_table(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, JSON]:
    """Return headers by lower-case name, repeated ones as lists, without those of the server."""
    table: dict[str, JSON] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in _OF_THE_SERVER:
            continue
        if name == "set-cookie":
            value = _without_clock(value)
        if name in table:
            before = table[name]
            table[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            table[name] = value
    return table


_MAX_AGE = re.compile(r"Max-Age=(-?\d+).*; Expires=([^;]+)")


def _without_clock(cookie: str) -> str:
    """Write ``<from now>`` where ``Expires`` is ``Max-Age`` from now, as the recordings do."""
    match = _MAX_AGE.search(cookie)
    if match is None:
        return cookie
    ahead = parsedate_to_datetime(match[2]).timestamp() - time.time()
    return cookie.replace(match[2], "<from now>") if abs(ahead - int(match[1])) < PATIENCE else cookie


def disagreements(expected: Answer, actual: Answer) -> list[str]:
    """Say in which respects two answers differ."""
    found = []
    if expected.status != actual.status:
        found.append(f"status   {expected.status}\n   is    {actual.status}")
    for name in sorted({*expected.headers, *actual.headers}):
        one, other = expected.headers.get(name), actual.headers.get(name)
        if one != other:
            found.append(f"{name}   {one!r}\n   is    {other!r}")
    if expected.body != actual.body:
        found.append(f"body     {expected.body!r}\n   is    {actual.body!r}")
    if actual.trace is not None and expected.trace != actual.trace:
        found.append(f"trace    {_lines(expected.trace)}\n   is    {_lines(actual.trace)}")
    return found


def _lines(trace: list[list[JSON]] | None) -> str:
    return "".join(f"\n           {json.dumps(line, ensure_ascii=False)}" for line in trace or []) or "nothing"
