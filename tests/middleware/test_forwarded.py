"""The header ``Forwarded`` of RFC 7239, and addresses in forwarding headers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express.middleware._forwarded import MAX_ELEMENTS, parse_forwarded, parse_node


@pytest.mark.parametrize(
    ("header", "elements"),
    [
        # the examples of RFC 7239
        ('for="_gazonk"', [{"for": "_gazonk"}]),
        ('For="[2001:db8:cafe::17]:4711"', [{"for": "[2001:db8:cafe::17]:4711"}]),
        (
            "for=192.0.2.60;proto=http;by=203.0.113.43",
            [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}],
        ),
        ("for=192.0.2.43, for=198.51.100.17", [{"for": "192.0.2.43"}, {"for": "198.51.100.17"}]),
        (
            'for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown',
            [{"for": "192.0.2.43"}, {"for": "[2001:db8:cafe::17]"}, {"for": "unknown"}],
        ),
        ("for=_hidden, for=_SEVKISEK", [{"for": "_hidden"}, {"for": "_SEVKISEK"}]),
        # lists
        ("", []),
        (" , ,\t", []),
        ("for=a,,for=b,", [{"for": "a"}, {"for": "b"}]),
        ("for=a ; proto=b ,\tfor=c", [{"for": "a", "proto": "b"}, {"for": "c"}]),
        ("for=a;", [{"for": "a"}]),
        ("for=a;,for=b", [{"for": "a"}, {"for": "b"}]),
        # quoted strings
        (r'for="a\"b\\c,;=d"', [{"for": 'a"b\\c,;=d'}]),
        ('for=""', [{"for": ""}]),
        # what breaks the grammar anywhere has no elements
        (";for=a", None),
        ("for=a;;proto=b", None),
        ("for", None),
        ("for=", None),
        ("for =a", None),
        ("for= a", None),
        ("for=a b", None),
        ('for="a', None),
        ('for="a\\"', None),
        ('for="a"b', None),
        ('for="a\x00"', None),
        ("for=a;FOR=b", None),
        ("for=[::1]", None),
        ("for=1.2.3.4:80", None),
        ("192.0.2.1", None),
        ("for=a, ???", None),
        ("for=ä", None),
    ],
)
def test_a_header_has_elements_or_is_broken(header: str, elements: list[dict[str, str]] | None) -> None:
    assert parse_forwarded(header) == elements


def test_more_elements_than_proxies_can_be_are_no_list() -> None:
    assert len(parse_forwarded(",".join(["for=a"] * MAX_ELEMENTS)) or []) == MAX_ELEMENTS
    assert parse_forwarded(",".join(["for=a"] * (MAX_ELEMENTS + 1))) is None


@pytest.mark.parametrize("piece", [",", ";", "for=a;", 'for="', '\\"', " ", "=", 'for="\\\\'])
def test_the_time_is_linear_in_the_length(piece: str) -> None:
    started = time.process_time()
    parse_forwarded(piece * (200_000 // len(piece)))
    parse_forwarded('for="' + piece * (200_000 // len(piece)))
    assert time.process_time() - started < 1


TOKEN = st.text(st.sampled_from("abc019._-!~"), min_size=1)
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))


@given(st.lists(st.dictionaries(st.sampled_from(["for", "by", "host", "proto"]), VALUE, min_size=1), max_size=5))
def test_what_is_written_by_the_grammar_is_read_back(elements: list[dict[str, str]]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", r"\\").replace('"', r"\"") + '"'

    header = ", ".join(";".join(f"{name}={quoted(value)}" for name, value in one.items()) for one in elements)
    assert parse_forwarded(header) == elements


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("192.0.2.1", ("192.0.2.1", 0)),
        ("192.0.2.1:4711", ("192.0.2.1", 4711)),
        ("2001:DB8:0::17", ("2001:db8::17", 0)),
        ("[2001:db8::17]", ("2001:db8::17", 0)),
        ("[2001:db8::17]:65535", ("2001:db8::17", 65535)),
        ("fe80::1%eth0", ("fe80::1", 0)),
        ("[fe80::1%eth0]:80", ("fe80::1", 80)),
        ("::ffff:192.0.2.1", ("192.0.2.1", 0)),
        ("::ffff:c000:201", ("192.0.2.1", 0)),
        ("[::FFFF:192.0.2.1]:8", ("192.0.2.1", 8)),
        ("::192.0.2.1", ("::c000:201", 0)),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("localhost", None),
        ("192.0.2.1:65536", None),
        ("192.0.2.1:", None),
        ("192.0.2.1:0x50", None),
        ("192.0.2.256", None),
        ("192.0.2", None),
        ("192.0.2.01", None),
        ("0xc0.0.2.1", None),
        ("3221225985", None),
        ("[192.0.2.1]", None),
        ("[2001:db8::17", None),
        ("[2001:db8::17]x", None),
        ("2001:db8::17::", None),
        ("fe80::1%", None),
        ("fe80::1%a\nb", None),
        ("192.0.2.1\n", None),
        (" 192.0.2.1", None),
        ("١٢٧.0.0.1", None),
        ("1" * 200, None),
    ],
)
def test_an_address_is_read_by_its_grammar_or_not_at_all(text: str, node: tuple[str, int] | None) -> None:
    assert parse_node(text) == node
