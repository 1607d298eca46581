"""Write ``asgi_express/_mime_types.py`` from the ``db.json`` of the npm package mime-db.

Usage::

    npm pack mime-db@1.54.0 && tar xzf mime-db-1.54.0.tgz
    python tools/make_mime_types.py package/db.json asgi_express/_mime_types.py

Where several types claim an extension, the one with the highest score has it, as in mime-types 3.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import TypedDict


class Entry(TypedDict, total=False):
    """What mime-db says of one type."""

    source: str
    charset: str
    extensions: list[str]


FACET_SCORES = {"prs.": 100, "x-": 200, "x.": 300, "vnd.": 400}
SOURCE_SCORES = {"nginx": 10, "apache": 20, "iana": 40}
TYPE_SCORES = {"application": 1, "font": 2, "audio": 2, "video": 3}

HEAD = '''\
"""The media types that have extensions or a charset; written by ``tools/make_mime_types.py``.

Data of mime-db {version}, MIT licence, https://github.com/jshttp/mime-db,
copyright (c) 2014 Jonathan Ong, copyright (c) 2015-2022 Douglas Christopher Wilson.

For each top-level type, entries end with ``;``: the subtype, ``=CHARSET`` if it has one, and its
extensions, the preferred first. ``-`` before an extension: a type with a higher score has it.
"""

TYPES = {{
'''


def score(media_type: str, source: str | None) -> float:
    """Return how much a type is worth where several claim an extension (``mimeScore`` of mime-types 3)."""
    if media_type == "application/octet-stream":
        return 0
    top, subtype = media_type.split("/")
    facet = re.sub(r"(\.|x-).*", r"\1", subtype)
    return (
        FACET_SCORES.get(facet, 900)
        + SOURCE_SCORES.get(source or "", 30)
        + TYPE_SCORES.get(top, 0)
        + 1
        - len(media_type) / 100
    )


def owners(db: dict[str, Entry]) -> dict[str, str]:
    """Return the type that each extension stands for; of equals, the later."""
    best: dict[str, str] = {}
    for media_type, entry in db.items():
        for extension in entry.get("extensions", ()):
            rival = best.get(extension)
            if rival is None or score(rival, db[rival].get("source")) <= score(media_type, entry.get("source")):
                best[extension] = media_type
    return best


def render(db: dict[str, Entry], version: str) -> str:
    """Return the text of the module."""
    best = owners(db)
    groups: dict[str, list[str]] = {}
    for media_type, entry in db.items():
        extensions = entry.get("extensions", [])
        charset = entry.get("charset")
        if not extensions and not charset:
            continue
        top, subtype = media_type.split("/")
        words = [subtype, *([f"={charset}"] if charset else [])]
        words += [("" if best[name] == media_type else "-") + name for name in extensions]
        groups.setdefault(top, []).append(" ".join(words))
    lines = []
    for top, entries in groups.items():
        text = textwrap.fill("; ".join(entries), 98, break_long_words=False, break_on_hyphens=False)
        lines.append(f'    "{top}": """\n{text}\n""",\n')
    return HEAD.format(version=version) + "".join(lines) + "}\n"


def main() -> None:
    """Read the database that the first argument names, write the module that the second names."""
    source, target = map(Path, sys.argv[1:])
    package = json.loads(source.with_name("package.json").read_text(encoding="utf-8"))
    db = json.loads(source.read_text(encoding="utf-8"))
    target.write_text(render(db, package["version"]), encoding="utf-8")


if __name__ == "__main__":
    main()
