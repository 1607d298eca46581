"""``python -m asgi_express.cli`` is ``asgi-express``."""

from asgi_express.cli import main

main()
