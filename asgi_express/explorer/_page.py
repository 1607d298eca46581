"""The page: one document, with its style and script in it, that may load and run nothing else."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

__all__ = ["HEADERS", "PAGE"]


def _read(name: str) -> str:
    return (resources.files("asgi_express.explorer") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


_STYLE, _SCRIPT = _read("page.css"), _read("page.js")

PAGE = _read("page.html").replace("/*style*/", _STYLE).replace("/*script*/", _SCRIPT)
"""The document."""

HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""What the document is sent with. The hashes let its own style and script run, and no other."""
