"""The explorer: a page that shows what an application is made of, and the way each request takes through it."""

from asgi_express.explorer._explorer import explorer

__all__ = ["explorer"]
