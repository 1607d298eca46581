"""What a field can hold: how it is read, what an editor is told of it, and its name in words."""

from asgi_express.gateway._types.addresses import Address, collide, split_address
from asgi_express.gateway._types.base import Context, Schema, Type, expected
from asgi_express.gateway._types.places import FilePath, KeyMaterial, Pem, Reference
from asgi_express.gateway._types.scalars import Boolean, Choice, Duration, Integer, Number, Size, Text
from asgi_express.gateway._types.shapes import Anything, Either, ListOf, Mapping, OrNull, Raw

__all__ = [
    "Address",
    "Anything",
    "Boolean",
    "Choice",
    "Context",
    "Duration",
    "Either",
    "FilePath",
    "Integer",
    "KeyMaterial",
    "ListOf",
    "Mapping",
    "Number",
    "OrNull",
    "Pem",
    "Raw",
    "Reference",
    "Schema",
    "Size",
    "Text",
    "Type",
    "collide",
    "expected",
    "split_address",
]
