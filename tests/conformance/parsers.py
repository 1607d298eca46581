"""The middleware that a program can name, ``{"parser": kind}``; ``record/lib/parsers.mjs`` is the twin."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from asgi_express.cookies import cookie_parser
from tests.conformance.bodies import plain
from tests.conformance.tree import placed
from tests.conformance.values import options, snake_case


def parser(node: dict[str, Any]) -> Any:
    """Return the middleware."""
    kind = node["parser"]
    if kind == "cookies":
        return cookie_parser(node["secrets"]) if "secrets" in node else _go_on
    if kind == "static":
        from asgi_express.static import static

        return static(placed(node["root"]), **options(node.get("options")))
    if kind == "upload":
        return _upload(node)
    from asgi_express import body

    return getattr(body, kind)(**options(node.get("options")))


def _go_on(_req: Any, _res: Any, next: Any) -> None:
    """``req.cookies`` needs no middleware here."""
    next()


def _upload(node: dict[str, Any]) -> Any:
    from asgi_express.body import multipart

    how, *args = node["take"]
    given = options(node.get("options"))
    if "limits" in given:
        given["limits"] = {_LIMITS.get(name, snake_case(name)): value for name, value in given["limits"].items()}
    if how == "single":
        given["single"] = args[0]
    elif how == "array":
        given["array"] = args[0] if len(args) == 1 else (args[0], args[1])
    elif how == "fields":
        given["fields"] = {field["name"]: field.get("maxCount") for field in args[0]}
    elif how == "none":
        given["fields"] = {}
    return multipart(**given)


_LIMITS = {"fieldArrayIndexLimit": "field_array_index"}


def describe_upload(req: Any) -> Any:
    """Return the fields and files of an upload."""
    one, several = getattr(req, "file", None), getattr(req, "files", None)
    files = (
        [one]
        if one
        else [file for group in several.values() for file in group]
        if isinstance(several, dict)
        else several
    )
    return {"body": req.body, "files": [_describe_file(file) for file in files or ()]}


def _describe_file(file: Any) -> Any:
    return {
        "field": file.name,
        "name": file.filename,
        "type": file.content_type,
        "size": file.size,
        "content": plain(_at_once(file.read())),
    }


def _at_once(reading: Coroutine[Any, Any, bytes]) -> bytes:
    """Return what a coroutine returns that has nothing to wait for, such as the content of a file in memory."""
    try:
        reading.send(None)
    except StopIteration as end:
        content: bytes = end.value
        return content
    raise AssertionError("a file in memory had to be waited for")


def describe_upload_error(err: Any) -> Any:
    """Return the code of an error; what is malformed has none in multer."""
    code = getattr(err, "type", None) or ""
    return {"code": code if code.isupper() else "<malformed>", "field": getattr(err, "field", None)}
