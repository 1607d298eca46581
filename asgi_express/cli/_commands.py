"""The commands and their options."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from asgi_express import __version__
from asgi_express._explain import Explanation
from asgi_express._outline import outline, route_facts
from asgi_express.cli import _draw, _new, _run, _tokens
from asgi_express.cli._failure import WRONG, Failure
from asgi_express.cli._output import say, show, working, write_json
from asgi_express.cli._serve import serve_gateway
from asgi_express.cli._targets import discover, import_target, is_files, resolve, routers_of
from asgi_express.gateway import Gateway, check, schema
from asgi_express.security import Actor

__all__ = ["commands"]

_JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON for scripts.")
_APP = click.option("-a", "--app", "target", metavar="TARGET", help="module:app or files; found if left out.")
_STORE = click.option("--store", metavar="ID", help="The token store, where there are several.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="asgi-express")
def commands() -> None:
    """Serve, check and explain applications of asgi-express.

    Exit codes: 0 it is done; 1 what was asked about is not right; 2 the command line is wrong; 3 it cannot be done.
    Answers go to stdout, everything else to stderr.
    """


@commands.command()
@click.argument("path", default="app.yaml")
@click.option("--reload", is_flag=True, help="Take new entries when a file changes. SIGHUP always does.")
@click.option("--service", "services", multiple=True, metavar="ID", help="Serve this one; may be repeated.")
def serve(path: str, *, reload: bool, services: tuple[str, ...]) -> None:
    """Serve the services of YAML files: a file, or a directory of them."""
    if not is_files(path):
        msg = f"serve takes YAML files, not {path!r}; for a Python application: asgi-express run {path}"
        raise click.UsageError(msg)
    serve_gateway(lambda: resolve(path), services=services, reload=reload)


@commands.command()
@click.argument("target", metavar="MODULE:APP", default="main:app")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to bind.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 is any free one.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 1024), help="Processes.")
@click.option("--reload", is_flag=True, help="Start anew when a Python file changes.")
@click.option("--server", default="uvicorn", show_default=True, type=click.Choice(list(_run.SERVERS)))
def run(target: str, *, host: str, port: int, workers: int, reload: bool, server: str) -> None:
    """Run an application in a module, under the server of your choice."""
    if is_files(target):
        msg = f"run takes module:app; for YAML files: asgi-express serve {target}"
        raise click.UsageError(msg)
    if reload and workers > 1:
        msg = "--reload is for one process, and --workers for several"
        raise click.UsageError(msg)
    if not reload and not callable(import_target(target)):  # with --reload, the next change may mend it
        msg = f"{target} is not an application: it cannot be called"
        raise Failure(msg)
    _run.run(target, server=server, host=host, port=port, workers=workers, reload=reload)


@commands.command(name="check")
@click.argument("paths", nargs=-1)
@_JSON
def check_files(paths: tuple[str, ...], *, as_json: bool) -> None:
    """Say everything that is wrong with YAML files; nothing is started.

    Each path is a file or a directory; together they are one registry. Without any it is app.yaml.
    """
    sources = [Path(path) for path in paths or ("app.yaml",)]
    for source in sources:
        if not os.path.exists(source):
            msg = f"there is no file {source}"
            raise Failure(msg)
    try:
        with working(f"Checking {', '.join(map(str, sources))}"):
            problems = check(*sources)
    except ImportError as error:
        raise Failure(str(error)) from error
    if as_json:
        write_json({"ok": not problems, "problems": [problem.to_dict() for problem in problems]})
    else:
        for problem in problems:
            click.echo(str(problem))
        count = len(problems)
        say(f"{count} problem{'s' if count != 1 else ''}" if problems else "no problems")
    if problems:
        raise click.exceptions.Exit(WRONG)


@commands.command()
@click.argument("target", required=False)
@click.option("--format", "form", default="table", type=click.Choice(["table", "tree", "json", "mermaid", "dot"]))
@click.option("--all", "everything", is_flag=True, help="Show middleware, guards, callbacks and error handlers too.")
@click.option("--service", metavar="ID", help="Of a gateway, only this one.")
@_JSON
def routes(target: str | None, *, form: str, everything: bool, service: str | None, as_json: bool) -> None:
    """List the routes of an application, in the order in which a request meets them."""
    target = target or discover()
    routers = routers_of(resolve(target), target, service)
    if as_json or form == "json":
        listed = {name: router.routes(everything=everything) for name, router in routers.items()}
        write_json({name: [route_facts(info) for info in infos] for name, infos in listed.items()})
    elif form == "table":
        for name, router in routers.items():
            if len(routers) > 1:
                show(Text(name, style="bold"))
            show(_draw.table(router.routes(everything=everything)))
    else:
        branches = {name: outline(router) for name, router in routers.items()}
        if form == "tree":
            show(_draw.tree(branches, everything=everything))
        else:
            draw = _draw.mermaid if form == "mermaid" else _draw.dot
            click.echo(draw(branches, everything=everything))


def _header(context: click.Context, parameter: click.Parameter, lines: tuple[str, ...]) -> list[tuple[str, str]]:
    del context, parameter
    headers = []
    for line in lines:
        name, mark, value = line.partition(":")
        if not mark or not name.strip() or not line.isascii():
            msg = f"expected 'Name: value', got {line!r}"
            raise click.BadParameter(msg)
        headers.append((name.strip(), value.strip()))
    return headers


@commands.command(name="explain")
@click.argument("method")
@click.argument("path")
@_APP
@click.option("-H", "--header", "headers", multiple=True, callback=_header, help="A header, 'Name: value'.")
@click.option("--actor", metavar="ID", help="Ask as this actor, without a token.")
@click.option("--meta", multiple=True, metavar="NAME=VALUE", help="A fact about --actor; may be repeated.")
@click.option("--group", "groups", multiple=True, help="Of a gateway, a group of policies for --actor.")
@click.option("--service", metavar="ID", help="Of a gateway, the service.")
@_JSON
def explain_request(
    method: str,
    path: str,
    *,
    target: str | None,
    headers: list[tuple[str, str]],
    actor: str | None,
    meta: tuple[str, ...],
    groups: tuple[str, ...],
    service: str | None,
    as_json: bool,
) -> None:
    """Say which layers would see a request, in order, and what each would decide. No handler is run."""
    target = target or discover()
    found = resolve(target)
    routers = routers_of(found, target, service)
    if len(routers) > 1:
        msg = f"which service? There are {', '.join(routers)} (--service)"
        raise Failure(msg)
    if (meta or groups) and actor is None:
        msg = "--meta and --group say something about --actor"
        raise click.UsageError(msg)
    (router,) = routers.values()
    try:
        who = None if actor is None else Actor(actor, _tokens.pairs(meta))
        policies = _policies(found, groups)
        explanation = asyncio.run(router.explain(method, path, headers, actor=who, policies=policies))
    except ValueError as error:
        raise click.UsageError(str(error).removeprefix("explain: ")) from error
    if as_json:
        write_json(explanation.to_dict())
    else:
        _tell(explanation)


def _policies(found: Any, groups: tuple[str, ...]) -> Any:
    if not groups:
        return None
    if not isinstance(found, Gateway):
        msg = "--group is for the policies of a gateway"
        raise click.UsageError(msg)
    try:
        return found.policies.scope(*groups)
    except LookupError as error:
        raise Failure(str(error.args[0])) from error


_COLOURS = {"answers": "green", "refuses": "red", "matches": "cyan", "other method": "dim", "may answer": "yellow"}


def _tell(explanation: Explanation) -> None:
    show(Text(f"{explanation.method} {explanation.path}", style="bold"))
    for step in explanation.steps:
        params = ", ".join(f"{name}={value!r}" for name, value in step.params.items())
        methods = f" [{_draw.words_for(step.methods)}]" if step.methods else ""
        line = Text("  " * (step.depth + 1))
        line.append(f"{step.kind:<10} ", style="dim").append(step.name)
        line.append(f"{methods} at {step.path}: " if step.name != step.path else f"{methods}: ")
        line.append(step.outcome, style=_COLOURS.get(step.outcome, ""))
        line.append(f", {params}" if params else "").append(f" ({step.why})" if step.why else "", style="dim")
        show(line)
    show(Text(explanation.end, style="bold"))


@commands.group()
def token() -> None:
    """Make, end and look at the tokens of a gateway, or of a TokenStore (-a module:tokens)."""


@token.command(name="create")
@click.argument("actor")
@_APP
@_STORE
@click.option("--group", "groups", multiple=True, help="A group whose policies apply; may be repeated.")
@click.option("--meta", multiple=True, metavar="NAME=VALUE", help="A fact about the actor; may be repeated.")
@click.option("--expires", metavar="DURATION", help="How long it lasts: 15m, 2h, 30d.")
@_JSON
def create_token(
    actor: str,
    *,
    target: str | None,
    store: str | None,
    groups: tuple[str, ...],
    meta: tuple[str, ...],
    expires: str | None,
    as_json: bool,
) -> None:
    """Make a token for an actor. It is written once, to stdout, and cannot be had again."""
    try:
        who = Actor(actor, _tokens.pairs(meta))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    found = resolve(target or discover())
    text, grant = asyncio.run(_tokens.create(found, store, who, list(groups), expires=expires))
    facts = _tokens.facts_of(grant)
    if as_json:
        write_json({"token": text, **facts})
    else:
        click.echo(text)
        say(f"for {grant.actor.id}, until {facts['expires']}")


@token.command(name="inspect")
@click.argument("text", metavar="TOKEN")
@_APP
@_STORE
@_JSON
def inspect_token(text: str, *, target: str | None, store: str | None, as_json: bool) -> None:
    """Say whom a token stands for. TOKEN is the token, or - to read it from stdin.

    A token that begins with - comes after --. Exit code 1: it is not valid.
    """
    grant = asyncio.run(_tokens.inspect(resolve(target or discover()), store, _given(text)))
    if as_json:
        write_json({"valid": grant is not None, **({} if grant is None else _tokens.facts_of(grant))})
    elif grant is not None:
        for name, value in _tokens.facts_of(grant).items():
            click.echo(f"{name}: {value}")
    if grant is None:
        say("the token is not valid")
        raise click.exceptions.Exit(WRONG)


@token.command(name="revoke")
@click.argument("text", metavar="TOKEN")
@_APP
@_STORE
@_JSON
def revoke_token(text: str, *, target: str | None, store: str | None, as_json: bool) -> None:
    """End a token. TOKEN is the token, or - to read it from stdin.

    A token that begins with - comes after --. Exit code 1: it was not valid.
    """
    was_valid = asyncio.run(_tokens.revoke(resolve(target or discover()), store, _given(text)))
    if as_json:
        write_json({"revoked": was_valid})
    else:
        say("the token has ended" if was_valid else "the token was not valid")
    if not was_valid:
        raise click.exceptions.Exit(WRONG)


def _given(text: str) -> str:
    # A token in the arguments of a process can be read by everybody on the machine.
    return sys.stdin.readline().strip() if text == "-" else text


@commands.command(name="schema")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file.")
def write_schema(*, output: Path | None) -> None:
    """Write the JSON Schema of the YAML files, for editors."""
    made = schema()
    if output is None:
        write_json(made)
        return
    _new.write_text(output, _new.as_json(made))
    say(f"wrote {output}")


@commands.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--gateway", is_flag=True, help="A service from a YAML file, instead of an application in Python.")
def new(directory: Path, *, gateway: bool) -> None:
    """Make a project that runs, with tests that pass."""
    for path in _new.make(directory, "gateway" if gateway else "app"):
        say(f"wrote {path}")
    command = "asgi-express serve --reload" if gateway else "asgi-express run --reload"
    click.echo(f"cd {directory} && {command}")
