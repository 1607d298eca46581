"""The actions of a program's handlers; ``perform`` in ``record/lib/build.mjs`` is the twin."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Generator, Iterable
from dataclasses import dataclass
from json import dumps
from typing import Any, TypeAlias

from asgi_express import Express, HeadersSentError
from tests.conformance.bodies import JSON, plain
from tests.conformance.parsers import describe_upload, describe_upload_error
from tests.conformance.tree import hide_root
from tests.conformance.values import UNDEFINED, options, revive, snake_case

Action: TypeAlias = list[JSON]
Handler: TypeAlias = Callable[..., Any]
Steps: TypeAlias = Generator[Awaitable[Any], None, tuple[Any, ...] | None]


class ProgramError(Exception):
    """The error that a program throws; ``more`` has its further properties (``status``, ``headers``)."""

    def __init__(self, text: str, more: dict[str, JSON] | None = None) -> None:
        super().__init__(text)
        for name, value in (more or {}).items():
            setattr(self, snake_case(name), value)


@dataclass(frozen=True, slots=True)
class Call:
    """What the actions of a handler are about."""

    req: Any
    res: Any
    err: Any
    value: Any
    app: Express

    def read(self, name: str) -> JSON:
        """Return what an action calls by Express's name."""
        if name.startswith("param:"):
            return self.req.params.get(name[6:])
        if name == "value":
            return self.value
        if name == "headersSent":
            return self.res.headers_sent
        return getattr(self.req, snake_case(name), None)


# The methods of `res` that end an answer, and those that only decide about it.
_FINISHERS = {"download", "end", "json", "jsonp", "redirect", "render", "send", "sendFile", "sendStatus", "write"}
_SETTERS = {"append", "attachment", "clearCookie", "cookie", "links", "location", "removeHeader", "set", "status"}
_SETTERS |= {"type", "vary"}

# Those that take options, and how many arguments are before them at least.
_WITH_OPTIONS = {"clearCookie": 1, "cookie": 2, "download": 1, "sendFile": 1}


def given(args: Iterable[JSON]) -> list[Any]:
    """Return arguments as they are given in Python, where nothing is undefined."""
    found: list[Any] = revive(list(args))
    while found and found[-1] is UNDEFINED:
        found.pop()
    return found


def _call(res: Any, name: str, args: list[JSON]) -> Any:
    """Call a method of the response; options are keyword arguments."""
    method = getattr(res, snake_case(name))
    keywords: dict[str, Any] = {}
    if len(args) > _WITH_OPTIONS.get(name, len(args)) and isinstance(args[-1], dict):
        keywords = options(args[-1])
        args = args[:-1]
    return method(*given(args), **keywords)


def perform(actions: Iterable[Action], call: Call) -> Steps:
    """Perform actions up to one that ends the handler.

    Yields:
        the response, after every action that can be awaited.

    Returns:
        what ``next`` is to be called with, or None if it is not to be called.
    """
    req, res = call.req, call.res
    for name, *args in actions:
        if name in _FINISHERS:
            yield _call(res, name, args)
        elif name in _SETTERS:
            _call(res, name, args)
        elif name in _REPORTS:
            yield res.json(_REPORTS[name](call, args))
        elif name == "showError":
            if res.headers_sent:
                raise call.err
            yield res.status(getattr(call.err, "status", 500)).json(_describe_fields(call.err, args))
        elif name == "showUploadError":
            yield res.status(400).json(describe_upload_error(call.err))
        elif name == "format":
            going_on: list[tuple[Any, ...]] = []
            yield res.format({key: _answer(then, call, going_on) for key, then in args[0].items()})
            if going_on:
                return going_on[0]
        elif name == "local":
            res.locals[args[0]] = args[1]
        elif name == "next":
            return tuple(args)
        elif name == "nextErr":
            return (ProgramError(*args),)
        elif name == "forward":
            return (call.err,)
        elif name == "throw":
            raise ProgramError(*args)
        elif name == "rewriteUrl":
            req.url = args[0]
        elif name == "rewriteMethod":
            req.method = args[0]
        elif name == "setParam":
            req.params[args[0]] = args[1]
        elif name == "if":
            wanted = call.read(args[0]) == args[1]
            return (yield from perform(args[2] if wanted else args[3] if len(args) > 3 else [], call))
        else:
            raise AssertionError(f"unknown action {name}")
    return None


def _answer(actions: list[Action], call: Call, going_on: list[tuple[Any, ...]]) -> Handler:
    """Return one of the functions of ``res.format``; what it calls ``next`` with goes into a list."""

    def answer() -> None:
        steps = perform(actions, call)
        while True:
            try:
                steps.send(None)
            except StopIteration as end:
                going_on.extend([] if end.value is None else [end.value])
                return

    return answer


def _show(call: Call, fields: list[JSON]) -> JSON:
    return {name: in_javascript_order(plain(call.read(name))) for name in fields}


def _ask(call: Call, questions: list[JSON]) -> JSON:
    """Call methods of the request."""
    return [_ask_one(call.req, *question) for question in questions]


def _ask_one(req: Any, method: str, *args: JSON) -> JSON:
    keywords: dict[str, Any] = {}
    if args and isinstance(args[-1], dict) and not args[-1].keys() & {"$undefined"}:
        keywords = args[-1]
        args = args[:-1]
    # `is` is a keyword of Python.
    result = getattr(req, "is_" if method == "is" else snake_case(method))(*given(args), **keywords)
    if hasattr(result, "type"):  # ranges
        return {"type": result.type, "ranges": [{"start": each.start, "end": each.end} for each in result]}
    return result


_REPORTS: dict[str, Callable[[Call, list[JSON]], JSON]] = {
    "show": _show,
    "ask": _ask,
    "showSize": lambda call, names: len(dumps(plain(call.read(names[0])), ensure_ascii=False, separators=(",", ":"))),
    "showUpload": lambda call, _: in_javascript_order(describe_upload(call.req)),
    "showHeaders": lambda call, names: {name: call.res.get(name) for name in names},
    "setting": lambda call, names: {names[0]: call.app.get_setting(names[0])},
}


def words_of(err: Any) -> str:
    """Return the words of an error.

    Those of the parsers of JSON and of the decompressors are V8's and zlib's, those of a programmer's mistake name
    things of JavaScript: no other language has the same.
    """
    if getattr(err, "type", None) in ("entity.parse.failed", "encoding.invalid"):
        return "<its own words>"
    if isinstance(err, TypeError | ValueError):
        return "<its own words>"
    return hide_root(str(err))


def _describe_fields(err: Any, fields: list[JSON]) -> JSON:
    """Return what an error says of itself."""
    found = {name: plain(getattr(err, snake_case(name), None)) for name in fields}
    # body-parser gives the errors of decompressors no type.
    if found.get("type") == "encoding.invalid":
        found["type"] = None
    return found | ({"message": words_of(err)} if "message" in fields else {})


def in_javascript_order(value: JSON) -> JSON:
    """Return a value whose JSON text is that of JavaScript: there, keys that are array indexes come first, in order."""
    if isinstance(value, list):
        return [in_javascript_order(item) for item in value]
    if not isinstance(value, dict):
        return value
    indexes = sorted((name for name in value if re.fullmatch("0|[1-9][0-9]*", name)), key=int)
    return {
        name: in_javascript_order(value[name]) for name in [*indexes, *(name for name in value if name not in indexes)]
    }


def describe_error(err: Any) -> str:
    """Return what an error is in a trace: its text, after its status if it has one that is a number."""
    text = words_of(err)
    if isinstance(err, HeadersSentError):
        text = "Cannot set headers after they are sent to the client"  # Node's words
    elif isinstance(err, bool):
        text = text.lower()  # String(true)
    status = getattr(err, "status", None)
    return f"{status} {text}" if isinstance(status, int) else text
