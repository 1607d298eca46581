"""Trusted proxies, against proxy-addr and forwarded as Express uses them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express._addresses import (
    client_ip,
    client_ips,
    compile_trust,
    forwarded_chain,
    parse_address,
    trusted_chain,
)
from tests.cases import HOSTILE, assert_linear, rows


@pytest.mark.parametrize(("args", "want"), rows("addresses", "compile_trust"))
def test_an_address_is_trusted_when_express_trusts_it(args: tuple[Any, str, int], want: Any) -> None:
    value, address, index = args
    if isinstance(want, dict):
        with pytest.raises(ValueError, match=r"^invalid (IP address|range on address): ") as caught:
            compile_trust(value)
        assert str(caught.value) == want["error"]
    else:
        assert compile_trust(value)(address, index) is want


@pytest.mark.parametrize(("args", "want"), rows("addresses", "client_ip"))
def test_the_client_is_the_one_that_express_finds(args: tuple[str, str | None, Any], want: Any) -> None:
    socket, header, value = args
    if isinstance(want, dict):
        with pytest.raises(ValueError, match="invalid"):
            compile_trust(value)
    else:
        trust = compile_trust(value)
        found = [forwarded_chain(socket, header), client_ip(socket, header, trust), client_ips(socket, header, trust)]
        assert found == want


def test_a_function_is_taken_as_it_is() -> None:
    def trust(address: str, index: int) -> bool:
        return address == "a" and index == 0

    assert compile_trust(trust) is trust
    assert client_ip("a", "c, b", trust) == "b"


@pytest.mark.parametrize("value", [False, None, 0, -1, [], ()])
def test_nobody_is_trusted_by_default(value: Any) -> None:
    assert client_ip("10.0.0.1", "8.8.8.8", compile_trust(value)) == "10.0.0.1"
    assert client_ips("10.0.0.1", "8.8.8.8", compile_trust(value)) == []


def test_a_number_of_proxies_is_counted_from_the_socket() -> None:
    assert [client_ip("a", "d, c, b", compile_trust(hops)) for hops in range(6)] == ["a", "b", "c", "d", "d", "d"]
    assert client_ips("a", "d, c, b", compile_trust(2)) == ["c", "b"]


def test_everybody_may_be_trusted() -> None:
    assert trusted_chain("a", "c,b", compile_trust(True)) == ["a", "b", "c"]
    assert client_ips("a", "c,b", compile_trust(True)) == ["c", "b"]


@pytest.mark.parametrize(
    ("value", "address", "trusted"),
    [
        ("loopback", "127.255.0.1", True),
        ("loopback", "::1", True),
        ("loopback, uniquelocal", "10.2.3.4", True),
        (("loopback", "10.0.0.0/255.0.0.0"), "10.2.3.4", True),
        ("10.0.0.0/8", "::ffff:10.2.3.4", True),
        ("10.0.0.1", "::ffff:a00:1", True),
        ("::ffff:10.0.0.0/104", "10.2.3.4", True),
        ("::ffff:0:0/96", "8.8.8.8", True),
        ("::ffff:0:0/95", "8.8.8.8", False),
        ("::/1", "8.8.8.8", False),
        ("::/1", "::ffff:8.8.8.8", False),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("loopback", "2130706433", False),
        ("loopback", "0x7f.0.0.1", False),
        ("loopback", "127.1", False),
        ("10.0.0.8", "10.0.0.010", False),
        ("loopback", "127.0.0.1:80", False),
        ("loopback", "[::1]", False),
        ("loopback", "", False),
        ("loopback", "12\u0667.0.0.1", False),
        ("loopback", "127.0.0.1" + " " * 100, False),
    ],
)
def test_a_list_trusts_addresses_of_its_networks_and_nothing_else(value: Any, address: str, trusted: bool) -> None:
    assert compile_trust(value)(address, 0) is trusted


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "invalid IP address: "),
        ("loopback,", "invalid IP address: "),
        ("localhost", "invalid IP address: localhost"),
        (["a, b"], "invalid IP address: a, b"),
        ("/8", "invalid IP address: "),
        ("10.0.0.0/0", "invalid range on address: 10.0.0.0/0"),
        ("10.0.0.0/33", "invalid range on address: 10.0.0.0/33"),
        ("::1/129", "invalid range on address: ::1/129"),
        ("10.0.0.0/", "invalid range on address: 10.0.0.0/"),
        ("10.0.0.0/٨", "invalid range on address: 10.0.0.0/٨"),
        ("10.0.0.0/" + "9" * 5000, "invalid range on address: 10.0.0.0/999"),
        ("10.0.0.0/255.0.255.0", "invalid range on address: 10.0.0.0/255.0.255.0"),
        ("10.0.0.0/0.0.0.0", "invalid range on address: 10.0.0.0/0.0.0.0"),
        ("::1/255.0.0.0", "invalid range on address: ::1/255.0.0.0"),
    ],
)
def test_a_network_that_cannot_be_read_is_a_value_error(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match="invalid") as caught:
        compile_trust(value)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("value", [{}, 1.5, b"loopback", [1], {"loopback"}])
def test_anything_else_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="unsupported trust argument"):
        compile_trust(value)


def test_a_connection_without_an_address_has_no_client_unless_it_is_trusted() -> None:
    assert client_ip(None, None, compile_trust(True)) is None
    assert client_ip(None, "8.8.8.8", compile_trust("loopback")) is None
    assert client_ip(None, "8.8.8.8", compile_trust(1)) == "8.8.8.8"


@pytest.mark.parametrize(
    ("header", "chain"),
    [
        (None, ["a"]),
        ("", ["a"]),
        (" , ,, ", ["a"]),
        ("c,b", ["a", "b", "c"]),
        (" c d , b ", ["a", "b", "c d"]),
        ("\tb", ["a", "\tb"]),
    ],
)
def test_the_chain_begins_with_the_socket_and_goes_on_from_the_right(header: str | None, chain: list[str]) -> None:
    assert forwarded_chain("a", header) == chain


@given(st.text(alphabet="0123456789abcdef.:,%/ ", max_size=60))
def test_no_header_is_an_error(header: str) -> None:
    trust = compile_trust("loopback, 10.0.0.0/8")
    assert client_ip("127.0.0.1", header, trust)
    assert not client_ips("8.8.8.8", header, trust)


@pytest.mark.parametrize(
    "header", ["," * HOSTILE, " " * HOSTILE, "127.0.0.1," * (HOSTILE // 10), ":" * HOSTILE, "1." * (HOSTILE // 2)]
)
def test_a_hostile_header_takes_linear_time(header: str) -> None:
    trust = compile_trust("loopback")
    assert_linear(lambda: client_ips("127.0.0.1", header, trust))


NUMBERS = st.one_of(st.integers(0, 300).map(str), st.sampled_from(["", "00", "01", "0x1", "1e1", "+1", "\u0661", " 1"]))
GROUPS = st.one_of(st.integers(0, 0x1FFFF).map("{:x}".format), st.sampled_from(["", "0000", "00001", "g", "1.2.3.4"]))
ADDRESSES = st.one_of(
    st.lists(NUMBERS, min_size=3, max_size=5).map(".".join),
    st.lists(GROUPS, min_size=1, max_size=9).map(":".join),
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded),
    st.ip_addresses(v=4).map("::ffff:{}".format),
    st.text(alphabet="0123456789abcdefx.:%/[] \x00\ud800\u0661\n", max_size=24),
)


@given(ADDRESSES, st.sampled_from(["", "%eth0", "%", "/32", " ", ".", ":", "\x00"]))
def test_an_address_is_read_as_ipaddress_reads_it(text: str, more: str) -> None:
    try:
        address = ip_address(text + more)
    except ValueError:
        assert parse_address(text + more) is None
        return
    plain = getattr(address, "ipv4_mapped", None) or address
    assert parse_address(text + more) == (str(plain), plain.version, int(plain))
