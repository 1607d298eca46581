"""Say where the time of a request goes: the parts of "hello", and what each of the six recommended middleware adds.

Each row of the first table does all that the rows above it do, and one thing more; of the second, has one middleware
more on the stack. The figure is the difference from the row above, within each round. The request of the second is
that of ``full_stack``, with small JSON.

    python -m benchmarks.parts [--rounds 30] [--requests 1000]
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, cast

from asgi_express._dispatch import Walk
from asgi_express.security import Actor, TokenStore
from asgi_express.stores.memory import MemoryStore
from asgi_express.types import Send
from benchmarks.apps import asgi_express
from benchmarks.calls import Body, check, discard, fitting, measure
from benchmarks.full_stack import MIDDLEWARE, cases, express
from benchmarks.in_process import CASES, arguments
from benchmarks.turns import Times, Turn, added, machine, spread, table, take_turns

HELLO = CASES[0]


def hello_parts() -> dict[str, Callable[[dict[str, Any]], None]]:
    """Return what does more and more of the request, by what the last step is."""
    app = asgi_express.few()
    receive, send = Body(HELLO.body), cast("Send", discard)

    def scope_only(_scope: dict[str, Any]) -> None:
        """Do nothing; the caller has copied the scope."""

    def build(scope: dict[str, Any]) -> None:
        Walk(app, scope, receive, send).close()

    def select(scope: dict[str, Any]) -> None:
        walk = Walk(app, scope, receive, send)
        walk.select()
        walk.close()

    def handle(scope: dict[str, Any]) -> None:
        walk = Walk(app, scope, receive, send)
        handler = walk.select()
        assert handler is not None
        handler.fn(walk.req, walk.res)
        walk.close()

    def push(scope: dict[str, Any]) -> None:
        walk = Walk(app, scope, receive, send)
        handler = walk.select()
        assert handler is not None
        handler.fn(walk.req, walk.res)
        _run(walk.res._push())
        walk.close()

    return {
        "a copy of the scope": scope_only,
        "request, response and the first frame": build,
        "which layers match, the record of the match": select,
        "the handler: `type` and `send`, with `ETag`": handle,
        "two messages to the server": push,
        "the loop, and the coroutines of the application": lambda scope: _run(app(scope, receive, send)),
    }


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    msg = "the request waited for something"
    raise RuntimeError(msg)


async def _timed(part: Callable[[dict[str, Any]], None], requests: int) -> float:
    scope = HELLO.scope()
    started = time.process_time()
    for _ in range(requests):
        part(scope.copy())
    return (time.process_time() - started) / requests * 1e6


async def stack_turns(requests: int) -> dict[str, Turn]:
    """Return turns of the stack with none of the middleware, with the first, and so on, by the last of them."""
    tokens = TokenStore(MemoryStore(full="refuse"))
    case = cases(await tokens.create(Actor("ada")))[0]
    turns: dict[str, Turn] = {}
    for count, name in enumerate(("the application alone", *MIDDLEWARE)):
        app = express(tokens, count)
        await check(app, case, name)
        turns[name] = partial(measure, app, case, await fitting(app, case, requests))
    return turns


def steps(times: Times[str]) -> list[list[str]]:
    """Return a row for each step: what it adds to the one before, and what all have taken then."""
    rows, before = [], [0.0] * len(next(iter(times.values())))
    for name, own in times.items():
        rows.append([name, spread(added(own, before)), spread(own)])
        before = own
    return rows


async def run(rounds: int, requests: int) -> Mapping[str, Times[str]]:
    """Measure both."""
    hello: dict[str, Turn] = {name: partial(_timed, part, requests) for name, part in hello_parts().items()}
    return {"hello": await take_turns(hello, rounds), "stack": await take_turns(await stack_turns(requests), rounds)}


def main() -> None:
    """Read the command line, measure and print."""
    options = arguments(__doc__).parse_args()
    logging.disable(logging.WARNING)
    rounds = max(2, options.rounds)
    times = asyncio.run(run(rounds, options.requests))
    print(f"{machine()} {rounds} rounds of {options.requests} requests.\n")
    print(table(["hello", "µs added", "µs so far"], steps(times["hello"])), end="\n\n")
    print(table(["the full recommended stack", "µs added", "µs so far"], steps(times["stack"])))


if __name__ == "__main__":
    main()
