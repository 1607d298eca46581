"""Who the client is behind proxies: ``proxy-addr`` 2.0 and ``forwarded`` 0.2 over ``ipaddress``.

An address is believed only as far as the chain of trusted proxies reaches, from the socket
backwards. Unlike ``ipaddr.js``, ``ipaddress`` takes neither octal nor hexadecimal nor single-number
IPv4 addresses: such a text in ``X-Forwarded-For`` is no address, and is never trusted by a list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import AF_INET, inet_ntop, inet_pton
from typing import NamedTuple, TypeAlias

__all__ = [
    "Address",
    "Trust",
    "TrustSpec",
    "client_ip",
    "client_ips",
    "compile_trust",
    "forwarded_chain",
    "is_address",
    "parse_address",
    "trusted_chain",
]

Trust: TypeAlias = Callable[[str, int], bool]
"""Whether an address is a proxy of ours; the number is how many proxies lie before it, 0 for the socket."""

TrustSpec: TypeAlias = bool | int | str | Sequence[str] | Trust | None
"""The values of the setting ``trust proxy``."""

_NAMED = {
    "linklocal": ("169.254.0.0/16", "fe80::/10"),
    "loopback": ("127.0.0.1/8", "::1/128"),
    "uniquelocal": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
}

_V4_IN_V6 = 96  # bits of ::ffff:0:0 before the IPv4 address that it carries

# The longest address, with a zone, is shorter; other text is not worth keeping.
_MAX_ADDRESS = 64

_Network: TypeAlias = tuple[int, int, int]
"""Version, prefix length, and the network's bits of that length."""


def compile_trust(value: TrustSpec) -> Trust:
    """Return the function that the setting ``trust proxy`` stands for.

    Args:
        value: a function ``(address, index)``, taken as it is; ``True`` for every proxy; the number
            of proxies; text with commas, or a list, of addresses, networks (``10.0.0.0/8``,
            ``10.0.0.0/255.0.0.0``) and the names ``loopback``, ``linklocal``, ``uniquelocal``;
            ``False``, ``None``, ``0`` and ``[]`` for none. A network of IPv4-mapped addresses is the
            IPv4 network; other IPv6 networks never take in an IPv4 address.

    Raises:
        TypeError: it is none of these.
        ValueError: an address or a network cannot be read.
    """
    if callable(value):
        return value
    if isinstance(value, bool):
        return _trust_all if value else _trust_none
    if isinstance(value, int):
        hops = value
        return lambda _, index: index < hops
    return _compile_list(_names(value))


def _trust_all(_address: str, _index: int) -> bool:
    return True


def _trust_none(_address: str, _index: int) -> bool:
    return False


def _names(value: str | Sequence[str] | None) -> list[str]:
    if value is None:
        return []
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        msg = f"unsupported trust argument: {value!r}"
        raise TypeError(msg)
    return list(names)


def _compile_list(names: list[str]) -> Trust:
    notes = [note for name in names for note in _NAMED.get(name, (name,))]
    # Networks by version and length: a question costs one look-up per length, however many there are.
    networks: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
    for network in map(_parse_network, notes):
        if network is not None:
            version, length, bits = network
            networks[version].setdefault(length, set()).add(bits)
    table = {
        version: tuple(((32 if version == 4 else 128) - length, bits) for length, bits in lengths.items())
        for version, lengths in networks.items()
    }

    def trust(address: str, _index: int) -> bool:
        parsed = parse_address(address) if len(address) <= _MAX_ADDRESS else None
        if parsed is None:
            return False
        _, version, number = parsed
        return any(number >> shift in bits for shift, bits in table[version])

    return trust if notes else _trust_none


class Address(NamedTuple):
    """An address: as ``ipaddress`` writes it, 4 or 6, and its bits. An IPv4-mapped one is the IPv4 address."""

    text: str
    version: int
    number: int


@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address | None:
    """Read an address as ``ipaddress`` does; ``None`` for what is none."""
    if ":" not in text:
        # The system's reader takes 0.2 µs, ipaddress 2.0. What some systems read beyond four plain numbers, a leading
        # zero say, is not what they write.
        try:
            packed = inet_pton(AF_INET, text)
        except (OSError, ValueError):  # a null byte, a surrogate
            return None
        return Address(text, 4, int.from_bytes(packed)) if inet_ntop(AF_INET, packed) == text else None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return Address(str(address), address.version, int(address))


@lru_cache(maxsize=1024)
def _parse_network(note: str) -> _Network | None:
    """Return a network; ``None`` for one that no address can be in."""
    text, slash, suffix = note.rpartition("/")
    if not slash:
        text = suffix
    try:
        address = ip_address(text)
    except ValueError:
        msg = f"invalid IP address: {text}"
        raise ValueError(msg) from None
    length = _prefix_length(address, suffix) if slash else address.max_prefixlen
    if not 0 < length <= address.max_prefixlen:
        msg = f"invalid range on address: {note}"
        raise ValueError(msg)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        # A shorter prefix spans addresses that are not mapped; as those, IPv4 addresses do not count.
        if length < _V4_IN_V6:
            return None
        address, length = address.ipv4_mapped, length - _V4_IN_V6
    return address.version, length, int(address) >> (address.max_prefixlen - length)


def _prefix_length(address: IPv4Address | IPv6Address, suffix: str) -> int:
    """Read ``8`` or, for IPv4, ``255.0.0.0``; 0 for what is neither."""
    if suffix.isascii() and suffix.isdigit():
        return int(suffix) if len(suffix) <= 3 else 0
    try:
        mask = int(IPv4Address(suffix))
    except ValueError:
        return 0
    # A mask is ones, then zeros: its complement is one less than a power of two.
    hosts = mask ^ 0xFFFFFFFF
    return 32 - hosts.bit_length() if address.version == 4 and not hosts & (hosts + 1) else 0


def is_address(text: str) -> bool:
    """Tell whether text is an IP address, in brackets or not, rather than a name."""
    return text.startswith("[") or (len(text) <= _MAX_ADDRESS and parse_address(text) is not None)


def forwarded_chain(socket_address: str | None, x_forwarded_for: str | None) -> list[str]:
    """Return all addresses, the nearest first: the socket's, then ``X-Forwarded-For`` from the right.

    Args:
        socket_address: of the connection; ``None``, for a Unix socket say, is the empty text.
        x_forwarded_for: the value of the header, lines joined with commas. Its entries are not validated.
    """
    chain = [socket_address or ""]
    if x_forwarded_for:
        entries = (entry.strip(" ") for entry in reversed(x_forwarded_for.split(",")))
        chain += [entry for entry in entries if entry]
    return chain


def trusted_chain(socket_address: str | None, x_forwarded_for: str | None, trust: Trust) -> list[str]:
    """Return the addresses up to the first that is not a trusted proxy, the nearest first."""
    chain = forwarded_chain(socket_address, x_forwarded_for)
    for index, address in enumerate(chain[:-1]):
        if not trust(address, index):
            return chain[: index + 1]
    return chain


def client_ip(socket_address: str | None, x_forwarded_for: str | None, trust: Trust) -> str | None:
    """Return the address of the client (``req.ip``): the farthest that the chain of trust reaches.

    Args:
        socket_address: of the connection, ``None`` where it has none.
        x_forwarded_for: the header.
        trust: what `compile_trust` returned.
    """
    return trusted_chain(socket_address, x_forwarded_for, trust)[-1] or None


def client_ips(socket_address: str | None, x_forwarded_for: str | None, trust: Trust) -> list[str]:
    """Return the trusted addresses without the socket's (``req.ips``), the client first."""
    return trusted_chain(socket_address, x_forwarded_for, trust)[:0:-1]
