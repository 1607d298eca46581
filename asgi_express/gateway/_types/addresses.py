"""Where a service listens: a host and a port in one text."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from asgi_express.gateway._problems import Wrong
from asgi_express.gateway._types.base import PLACEHOLDER, Context, Schema, expected
from asgi_express.gateway._yaml import Node

__all__ = ["Address", "collide", "split_address"]

_EVERYWHERE = "0.0.0.0"  # noqa: S104 - what :8080 means
_LAST_PORT = 65535

# RFC 1123 section 2.1, and the underscore that names of containers have.
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_DIGITS = re.compile(r"(?:.*\.)?[0-9]+\.?")  # WHATWG URL section 3.5: what ends so is an IPv4 address or nothing


@dataclass(frozen=True, slots=True)
class Address:
    """A host, which may be left out, and a port."""

    words: str = "an address such as :8080 or 127.0.0.1:9090"
    example: str = ":8080"

    @property
    def schema(self) -> Schema:
        return {"type": "string", "pattern": rf"^([^\s:/]*|\[[^\s\[\]/]+\]):\d{{1,5}}$|{PLACEHOLDER}"}

    def read(self, node: Node, context: Context) -> str:
        if not isinstance(node.value, str):
            advice = f"write ':{node.raw}'" if isinstance(node.value, int) and node.raw.isdecimal() else None
            raise expected(self, node, advice)
        if not re.search(r":[0-9]+\Z", node.value):
            advice = "write the host and the port alone, such as 127.0.0.1:8080" if "/" in node.value else None
            raise expected(self, node, advice)
        host, _, port = node.value.rpartition(":")
        fault = _fault_of(host, port)
        if fault is not None:
            words, advice = fault
            raise Wrong(f"{words}: {node.shown}", suggestion=advice, line=node.line)
        return node.value


def _fault_of(host: str, port: str) -> tuple[str, str] | None:
    """Return what is wrong with an address, and advice; ``None`` if nothing is.

    Parts of it are not repeated: they may have come from the environment.
    """
    if len(port) > 5 or int(port) > _LAST_PORT:
        return "there is no such port", f"ports end with {_LAST_PORT}"
    if "/" in host:
        return "this is a URL", "write the host and the port alone, such as 127.0.0.1:8080"
    if host.startswith("[") != host.endswith("]"):
        return "a bracket is missing", "write [::1]:8080, say"
    if host.startswith("["):
        return (
            None
            if _is_address(host[1:-1], 6)
            else ("there is no IPv6 address in the brackets", "write [::1]:8080, say")
        )
    if ":" in host:
        return "an IPv6 address stands in brackets", "write [::1]:8080, say"
    if _DIGITS.fullmatch(host):
        return None if _is_address(host, 4) else ("this is no IPv4 address", "write 127.0.0.1:8080, say")
    if host and not _HOST.fullmatch(host):
        return "this is no name of a host", "write 127.0.0.1:8080, say"
    return None


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def split_address(text: str) -> tuple[str, int]:
    """Return the host and the port of an address that was read; no host is every IPv4 address."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") or _EVERYWHERE, int(port)


def collide(one: str, other: str) -> bool:
    """Tell whether two services cannot listen at two addresses at once. Every system picks free ports for port 0."""
    (host, port), (host_2, port_2) = split_address(one), split_address(other)
    if port != port_2 or not port:
        return False
    hosts = {_canonical(host), _canonical(host_2)}
    # A socket of :: takes IPv4 too, one of 0.0.0.0 takes all of IPv4.
    return len(hosts) == 1 or "::" in hosts or (_EVERYWHERE in hosts and not any(":" in each for each in hosts))


def _canonical(host: str) -> str:
    if host.lower().rstrip(".") == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower()
