"""A file as the answer: ``send`` 1.2, which is behind ``res.send_file``, ``res.download`` and ``static``.

::

    options   what may be asked for, checked once
    paths     a path that somebody named, refused or joined to the root: text only
    files     what the file system says about it, in a worker thread
    decision  preconditions and ranges: 200, 206, 304, 412 or 416
    body      the file on its way out
    answer    all of it together
"""

from asgi_express._sendfile.answer import Headers, describe, look, respond, send_file
from asgi_express._sendfile.body import CHUNK, SMALL, chunks, length
from asgi_express._sendfile.files import Found, IsDirectory, find, in_thread
from asgi_express._sendfile.options import FileOptions, FileSettings, file_options
from asgi_express._sendfile.paths import Missing, Target, decode, extension, locate

__all__ = [
    "CHUNK",
    "SMALL",
    "FileOptions",
    "FileSettings",
    "Found",
    "Headers",
    "IsDirectory",
    "Missing",
    "Target",
    "chunks",
    "decode",
    "describe",
    "extension",
    "file_options",
    "find",
    "in_thread",
    "length",
    "locate",
    "look",
    "respond",
    "send_file",
]
