"""The body parsers: what Express has of ``body-parser``, and ``multipart`` in place of ``multer``.

Each makes a handler, for ``app.use(...)`` or for one route. What it read is in ``req.body``; what is not of its type
it passes on. ``req.read()``, ``req.json()`` and their like work before and after it, without any parser.
"""

from asgi_express.body.json import json
from asgi_express.body.multipart import multipart
from asgi_express.body.raw import raw
from asgi_express.body.text import text
from asgi_express.body.urlencoded import urlencoded

__all__ = ["json", "multipart", "raw", "text", "urlencoded"]
