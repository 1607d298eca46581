"""The ways to answer: a handler is asked, and its answer looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from tests.docstrings.scene import Ask, Handled, Names, Scene
from tests.docstrings.scenes.requests import logger

EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache, no-transform"}
PRICE = 'event: price\ndata: {"price":42}\n'
ROWS = ': \n\nevent: row\ndata: {"id":1}\n\nevent: row\ndata: {"id":2}\n\n'
UNNAMED_ROWS = ROWS.replace("event: row\n", "")
EARLY: dict[str, Any] = {"extensions": {"http.response.early_hint": {}}}


async def rows() -> AsyncIterator[dict[str, int]]:
    yield {"id": 1}
    yield {"id": 2}


def with_rows() -> Names:
    return {"rows": rows()}


def answered(text: str | None = None, status: int = 200, **sends: str) -> Handled:
    """Return a plain handler, and what its answer has to be; underscores in names of headers are hyphens."""
    return Handled(ask=Ask(text=text, status=status, sends={name.replace("_", "-"): sends[name] for name in sends}))


def marked(req: Any, res: Any, next: Any) -> None:
    res.cookie("theme", "dark")
    next()


SCENES: dict[str, Scene] = {
    "_files.Files.send_file": Handled(
        files={"reports/report.pdf": "a report"},
        swap={"/srv/reports": "$FOLDER/reports"},
        ask=Ask(text="a report", sends={"content-type": "application/pdf", "cache-control": "public, max-age=86400"}),
    ),
    "_files.Files.download": Handled(
        files={"reports/2026-03.pdf": "a report"},
        swap={"/srv/reports": "$FOLDER/reports"},
        ask=Ask(text="a report", sends={"content-disposition": "attachment; filename=march.pdf"}),
    ),
    "_files.Files.attachment": Handled(
        names=lambda: {"rows": "id\n1\n"},
        ask=Ask(
            text="id\n1\n",
            sends={
                "content-disposition": "attachment; filename=report.csv",
                "content-type": "text/csv; charset=utf-8",
            },
        ),
    ),
    "_heading.Heading.status": answered("no such user", 404),
    "_heading.Heading.set": answered("", cache_control="no-store", x_one="1", x_two="2"),
    "_heading.Heading.append": answered("", link="</next>; rel=next"),
    "_heading.Heading.remove_header": Handled(
        first=lambda names: names.update(before=names["res"].get("X-Powered-By")),
        gives={"before": "Express"},
        lacks=["x-powered-by"],
    ),
    "_heading.Heading.vary": Handled(
        names=lambda: {"page": "a page"}, ask=Ask(text="a page", sends={"vary": "Accept-Language"})
    ),
    "_heading.Heading.links": answered("", link='</users?page=2>; rel="next", </users?page=9>; rel="last"'),
    "_heading.Heading.cookie": Handled(
        gives={
            "answer.headers['set-cookie'].startswith('theme=dark; Max-Age=2592000; Path=/; Expires=')": True,
            "answer.headers['set-cookie'].endswith(' GMT; HttpOnly; Secure; SameSite=Lax')": True,
        }
    ),
    "_heading.Heading.clear_cookie": answered("", set_cookie="theme=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
    "_heading.Heading.location": answered("", 201, location="/users/7"),
    "_outgoing.Outgoing.headers_sent": answered("sorry", 500),
    "_outgoing.Outgoing.finished": answered("nobody else answered"),
    "_outgoing.Outgoing.on": Handled(names=logger, gives={"lines": ["GET 200"]}),
    "_outgoing.Outgoing.wait_finished": answered("from elsewhere"),
    "_outgoing.Outgoing.write": Handled(names=lambda: {"rows": ["a", "b"]}, ask=Ask(text="<li>a<li>b")),
    "_outgoing.Outgoing.end": answered("", 204),
    "response.Response.locals": Handled(names=lambda: {"user": "ada"}, gives={"res.locals": {"user": "ada"}}),
    "response.Response.status_code": answered("", 404),
    "response.Response.send": answered("<p>Hello</p>", content_type="text/html; charset=utf-8"),
    "response.Response.json": answered('{"id":7}', 201, content_type="application/json; charset=utf-8"),
    "response.Response.jsonp": Handled(
        ask=Ask("GET /?callback=show", text='/**/ typeof show === \'function\' && show({"user":"ada"});')
    ),
    "response.Response.format": Handled(
        ask=Ask(headers={"accept": "application/json"}, text='{"message":"hey"}', sends={"vary": "Accept"})
    ),
    "response.Response.render": Handled(
        files={"views/users/show.html": "<p>{{ user }}</p>"},
        settings={"view_engine": "html"},
        names=lambda: {"user": "Ada & co"},
        ask=Ask(text="<p>Ada &amp; co</p>"),
    ),
    "response.Response.sse": answered(f": \n\n{PRICE}\n", content_type=EVENT_STREAM["content-type"]),
    "response.Response.early_hints": Handled(
        files={"views/home.html": "home"},
        settings={"view_engine": "html"},
        ask=Ask(text="home", more=EARLY),
        gives={
            "answer.messages[0]": {
                "type": "http.response.early_hint",
                "links": [b"</style.css>; rel=preload; as=style"],
            }
        },
    ),
    "response.Response.safe_redirect": Handled(ask=Ask("GET /?next=/home", status=302, sends={"location": "/home"})),
    "response.Response.send_status": answered("Not Found", 404),
    "response.Response.redirect#1": answered(None, 302, location="/login"),
    "response.Response.redirect#2": answered(None, 301, location="/new-address"),
    "sse.Event": Scene(gives={"str(values[0])": 'event: price\ndata: {"price":42}\nid: 7\nretry: 5000\n\n'}),
    "sse.EventStream#1": Handled(names=with_rows, ask=Ask(text=ROWS, sends=EVENT_STREAM)),
    "sse.EventStream#2": Handled(names=with_rows, ask=Ask(text=UNNAMED_ROWS, sends=EVENT_STREAM)),
    "sse.EventStream.run": Handled(names=with_rows, ask=Ask(text=UNNAMED_ROWS, sends=EVENT_STREAM)),
    "sse.EventStream.send": answered(f": \n\n{PRICE}id: 7\n\n"),
    "sse.EventStream.closed": Handled(
        swap={"sleep(1)": "sleep(0)"},
        ask=Ask(leaves=4),
        gives={"stream.closed": True, "len(answer.messages) > 3": True},
    ),
}
