"""Send what is worst to parse, and see for how long the event loop is held.

Every input is as large as a client may make it without a limit being raised: 1 MiB of body, 64 kB of headers or of
URL. The application runs in process with everything on that reads such input; a task that only counts time runs
beside it, and the longest time that it waited is the figure. Each input is sent in several rounds and the median
round counts, as another process may take the core away at any time.

    python -m benchmarks.loop_holds [--rounds 7] [--most 50]

It fails if an input holds the loop longer than ``--most`` milliseconds, or is not answered.
"""

import argparse
import asyncio
import gzip
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import asgi_express as express
from asgi_express.middleware import CORS, Compress, RateLimit, RealIP

MIB = 1024 * 1024
HEADERS = 64 * 1000


class Request(NamedTuple):
    """What is sent."""

    path: bytes
    query: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""


def build() -> Any:
    app = express.Express(trust_proxy=True, query_parser="extended")
    app.use(RealIP(trusted_subnets=["10.0.0.0/8"]), CORS(allow_origins=["https://*.example.com"]), Compress())
    app.use(RateLimit(requests=10**9, window="1h"), express.cookie_parser("secret"))
    app.use("/json", express.json(limit="2mb", strict=False))
    app.use("/form", express.urlencoded(extended=True, limit="2mb", parameter_limit=10**6))
    app.use("/simple", express.urlencoded(extended=False, limit="2mb", parameter_limit=10**6))
    app.use("/text", express.text(limit="2mb"))
    app.use(
        "/multipart",
        express.multipart(storage="memory", limit="2mb", limits={"fields": 10**6, "files": 10**6, "parts": 10**6}),
    )

    async def read(req: Any, res: Any) -> None:
        if req.path.startswith("/read"):
            await req.json(limit="2mb")
        elif req.path.startswith("/own-form"):
            await req.form(limit="2mb")
        for name in ("ip", "ips", "host", "hostname", "subdomains", "protocol", "query", "fresh", "cookies"):
            getattr(req, name)
        req.accepts("html", "json")
        req.accepts_encodings("br")
        req.accepts_charsets("utf-8")
        req.accepts_languages("en")
        req.is_("json")
        req.range(10**6, combine=True)
        res.set("ETag", '"x"').send("read" * 500)

    app.all("/*rest", read)
    return app


def filled(unit: str, size: int = MIB) -> str:
    return unit * (size // len(unit))


DOCUMENTS = (
    *("[]", "[1]", "[[]]", "{}", "[{}]", '{"a":[]}', "[[[[]]]]", "1", "1e99", '""', '"\\u0041"', '"\\\\"'),
    "[" * 99 + "]" * 99,
)
FIELDS = (
    *("a&", "a=1&", "a[]=1&", "a[b]=1&", "a[b][c][d]=1&", "[", "a[", "%", "%41", "+", "a[0]=1&", "=&", "&&&&"),
    "%f0%9f&",
)
PARTS = {
    "fields": "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n",
    "files": '--b\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\n1\r\n',
    "boundaries": "\r\n--b",
    "almost": "\r\n--a",
    "line ends": "\r\n",
    "dashes": "-",
}
LISTS = (
    *("accept", "accept-charset", "accept-encoding", "accept-language", "content-type", "cookie", "forwarded", "host"),
    *("if-none-match", "origin", "range", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"),
)
ITEMS = (
    *("a,", "a;", "a=b;", ",", " ", '"', '\\"', "*/*,", "a/b;q=0.1,", "for=1.1.1.1,", "1.1.1.1,", "0-0,", "W/", "a."),
    *("[", "\t"),
)
PATHS = ("a/", "//", "%2f", "%41", "a", ".", "/.", ";", "*", "{")
QUERIES = ("a&", "a=1&", "a[]=1&", "a[b]=1&", "[", "a[b][c][d][e][f]=1&", "%", "%5b", "a[0]=1&", "a.b=1&")


def bodies() -> Iterator[tuple[str, str, str, bytes]]:
    """Give name, path, type and bytes."""
    documents = {unit[:12]: f"[{filled(unit + ',', MIB - 500)}{unit}]" for unit in DOCUMENTS}
    documents["open"] = "[" * MIB
    documents["other keys"] = "{" + ",".join(f'"{n:x}":[]' for n in range(95_000)) + "}"
    documents["digits"] = "1" * MIB
    documents["digits, often"] = f"[{filled('1' * 4000 + ',', MIB - 9000)}1]"
    documents["spaces"] = " " * MIB
    for name, text in documents.items():
        for path in ("/json", "/read"):
            yield f"{path} {name}", path, "application/json", text.encode()
    forms = {unit: filled(unit) for unit in FIELDS}
    forms["other keys"] = "&".join(f"k{n}={n}" for n in range(80_000))
    forms["other branches"] = "&".join(f"k[{n}][x]={n}" for n in range(60_000))
    for name, text in forms.items():
        for path in ("/form", "/simple", "/own-form"):
            yield f"{path} {name}", path, "application/x-www-form-urlencoded", text.encode()
    multipart = "multipart/form-data; boundary=b"
    for name, unit in PARTS.items():
        for path in ("/multipart", "/own-form"):
            yield f"{path} {name}", path, multipart, filled(unit).encode() + b"--b--\r\n"
    header = "--b\r\nContent-Disposition: form-data; name=a" + ";a=b" * 250_000
    yield "/multipart header", "/multipart", multipart, header.encode()
    noise = bytes(range(256)) * (MIB // 256)
    for charset in ("utf-8", "utf-16", "shift_jis", "gb18030", "utf-32"):
        yield f"/text {charset}", "/text", f"text/plain; charset={charset}", noise
        yield f"/text {charset} of a", "/text", f"text/plain; charset={charset}", b"a" * MIB


def heads() -> Iterator[tuple[str, str, bytes]]:
    """Give name, header and value."""
    for name in LISTS:
        for unit in ITEMS:
            yield f"{name} {unit!r}", name, filled(unit, HEADERS).encode()
    yield "cookie of json", "cookie", b"a=j:" + b"[" * HEADERS
    yield "cookies of json", "cookie", b"".join(b"a%d=j:[[1]];" % n for n in range(4000))
    yield "signed cookies", "cookie", b"".join(b"a%d=s:b.c;" % n for n in range(4500))
    yield "range of bytes", "range", b"bytes=" + b"0-0," * (HEADERS // 4)
    yield "range overlapping", "range", b"bytes=" + b",".join(b"%d-" % n for n in range(9000))
    yield "etags", "if-none-match", b'W/"a",' * (HEADERS // 6)


def targets() -> Iterator[tuple[str, bytes, bytes]]:
    """Give name, path and query."""
    for unit in PATHS:
        yield f"path {unit}", b"/" + filled(unit, HEADERS).encode(), b""
    for unit in QUERIES:
        yield f"query {unit}", b"/", filled(unit, HEADERS).encode()
    yield "query of keys", b"/", b"&".join(b"k%d[x]" % n for n in range(7000))


def inputs() -> Iterator[tuple[str, Request]]:
    """Give every input by name."""
    host = (b"host", b"example.com")
    for name, path, kind, body in bodies():
        headers = [host, (b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        yield name, Request(path.encode(), headers=headers, body=body)
    bomb = gzip.compress(bytes(64 * MIB))
    coded = [(b"content-type", b"text/plain"), (b"content-encoding", b"gzip"), (b"transfer-encoding", b"chunked")]
    yield "/text bomb", Request(b"/text", headers=[host, *coded], body=bomb)
    for name, header, value in heads():
        yield name, Request(b"/", headers=[host, (header.encode(), value)])
    for name, raw, query in targets():
        yield name, Request(raw, query=query, headers=[host])


async def hold(app: Any, request: Request) -> tuple[float, int]:
    """Return for how many seconds the loop was held, and the status."""
    longest, over, body = 0.0, False, request.body

    async def watch() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not over:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    statuses: list[int] = []
    gone = asyncio.Event()
    pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)] or [b""]

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        if pieces:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "POST",
        "path": request.path.decode(),
        "raw_path": request.path,
        "query_string": request.query,
        "root_path": "",
        "headers": request.headers,
        "client": ("10.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await app(scope, receive, send)
    await asyncio.sleep(0)
    over = True
    await watcher
    return longest, statuses[0] if statuses else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--most", type=float, default=50, help="milliseconds")
    arguments = parser.parse_args()
    app = build()
    figures = []
    for name, request in inputs():
        rounds = [asyncio.run(hold(app, request)) for _ in range(arguments.rounds)]
        figures.append((statistics.median(seconds for seconds, _ in rounds) * 1000, name, rounds[0][1]))
    figures.sort(reverse=True)
    print(f"{len(figures)} inputs; the ten that hold the loop longest (ms, the median of {arguments.rounds} rounds):\n")
    print("| input | ms | status |\n|---|--:|--:|")
    for milliseconds, name, status in figures[:10]:
        print(f"| `{name}` | {milliseconds:.1f} | {status} |")
    unanswered = [name for _, name, status in figures if not status]
    if unanswered or figures[0][0] > arguments.most:
        raise SystemExit(f"held too long, or not answered: {unanswered or figures[0][1]}")


if __name__ == "__main__":
    main()
