"""Cookies: who has been to /secret may see the page for ten seconds.

uvicorn --app-dir examples/express_lua cookies:app
"""

import hmac
import os

from asgi_express import Express, Request, Response

SECRET = os.environ.get("SECRET", "SuperS3cret")

app = Express()


@app.get("/")
def home(req: Request, res: Response) -> None:
    if hmac.compare_digest(str(req.cookies.get("secret", "")).encode(), SECRET.encode()):
        res.send("Hello")
    else:
        res.status(403).send("You don't know the secret")


@app.get("/secret")
def tell(_req: Request, res: Response) -> None:
    res.cookie("secret", SECRET, max_age="10s", http_only=True).send("Now you can access the site for 10 seconds")
