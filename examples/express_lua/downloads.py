"""Downloads: files below a folder, with an answer of one's own where one is missing.

uvicorn --app-dir examples/express_lua downloads:app
"""

from pathlib import Path
from urllib.parse import quote

from asgi_express import Express, HTTPError, Request, Response

FILES = Path(__file__).parent / "files"
NAMES = ("notes/groceries.txt", "amazing.txt", "missing.txt", "CCTV大赛上海分赛区.txt")

app = Express()


@app.get("/")
def home(_req: Request, res: Response) -> None:
    res.send("<ul>" + "".join(f'<li><a href="/files/{quote(name)}">{name}</a>' for name in NAMES) + "</ul>")


@app.get("/files/*path")
async def download(req: Request, res: Response) -> None:
    try:
        await res.download("/".join(req.params["path"]), root=FILES)
    except HTTPError as error:
        if error.status != 404:
            raise
        res.status(404).send("Cannot find that file, sorry!")
