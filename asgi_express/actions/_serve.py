"""One request, from its filters to its answer."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from asgi_express import _final
from asgi_express.actions._callbacks import handle_error
from asgi_express.actions._calls import PASS_ON, Action, call, run_filter
from asgi_express.actions._render import render

if TYPE_CHECKING:
    from asgi_express.actions._app import Actions
    from asgi_express.actions._entries import Entry
    from asgi_express.actions._request import ActionRequest
    from asgi_express.request import Request
    from asgi_express.response import Response
    from asgi_express.types import Next

__all__ = ["handler_of", "serve_default"]


def handler_of(app: Actions, entry: Entry) -> Callable[..., Any]:
    """Return what the router calls for an action; it bears the name of the action, for messages and lists."""

    async def run(req: Request, res: Response, next: Next) -> None:
        request = app.request_class(
            app, req, res, route_name=entry.name, route_pattern=entry.path, url_params=req.params
        )
        await _serve(app, request, entry.filters, entry.action, next)

    action = entry.endpoint
    owner = action if hasattr(action, "__qualname__") else type(action)
    run.__module__, run.__qualname__ = owner.__module__, owner.__qualname__
    return run


async def serve_default(app: Actions, req: Request, res: Response, next: Next) -> None:
    """Serve what no action is for. A form is not read: it may be for somebody further on."""
    request = app.request_class(app, req, res, route_name="default_route")
    await _serve(app, request, (), app.default_route, next, form=False)


async def _serve(
    app: Actions,
    request: ActionRequest,
    filters: tuple[list[Action], ...],
    action: Action,
    next: Next,
    *,
    form: bool = True,
) -> None:
    try:
        await request._load(form=form)
        if not await _is_answered(request, (app._filters, *filters)):
            result = await call(action, request)
            if result is PASS_ON:
                next()
                return
            request.write(result)
        await render(request)
    except Exception as error:
        if app.handle_error is handle_error or request.res.headers_sent:
            raise
        await _answer_error(app, request, error)


async def _is_answered(request: ActionRequest, filters: tuple[list[Action], ...]) -> bool:
    for each in filters:
        for fn in each:
            if await run_filter(fn, request):
                return True
    return False


async def _answer_error(app: Actions, failed: ActionRequest, error: Exception) -> None:
    """Let ``handle_error`` answer on a request object of its own: nothing of the failed one is in the answer."""
    req, res = failed.req.express, failed.res
    request = app.request_class(app, req, res, route_name=failed.route_name, route_pattern=failed.route_pattern)
    request.original_request = failed
    request.options["status"] = _final.status_of(error, res)[0]
    result = await call(app.handle_error, request, error, "".join(traceback.format_exception(error)))
    if result is PASS_ON:
        raise error
    _final.log_error(error, req, res)
    request.write(result)
    await render(request)
