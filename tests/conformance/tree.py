"""The files that programs send: ``tree.json`` says what is in them; ``record/lib/tree.mjs`` writes the same ones."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.conformance.bodies import to_bytes

TREE = Path(__file__).parent / "tree.json"


@cache
def root() -> str:
    """Write the files to a temporary directory, each with its time, and return where; it is removed at exit."""
    place = os.path.realpath(tempfile.mkdtemp(prefix="express-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    files: list[dict[str, Any]] = json.loads(TREE.read_text(encoding="utf-8"))
    for file in files:
        path = Path(place, file["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_bytes(file["body"]))
        os.utime(path, (file["time"], file["time"]))
    return place


def placed(path: str) -> str:
    """Return where a file of the tree is; a slash at the end stays."""
    return f"{root()}/{path}" if path else root()


def hide_root(text: str) -> str:
    """Return a message without the name of the temporary directory."""
    return text.replace(root(), "<root>")
