"""The request and the response of the handler that runs, for handlers that take no arguments: Wippy's ``http`` module.

::

    from asgi_express.gateway import http


    async def handler():
        req = http.request()
        res = http.response()
        user = users.get(req.param("id"))
        res.set_status(200 if user else 404)
        res.write_json(user or {"error": "no such user"})

What has to wait for the client is awaited: ``await req.body()``, ``await res.flush()``. Everything else is decided at
once, and goes out when the handler returns.
"""

from asgi_express.gateway.http._exchange import request, response
from asgi_express.gateway.http._request import File, Form, Request
from asgi_express.gateway.http._response import Response

__all__ = ["File", "Form", "Request", "Response", "request", "response"]
