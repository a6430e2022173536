"""The page's own files, and the page as one file with its data inside."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable
from importlib.resources import files

STYLE = "style.css"
SCRIPTS = ("messages.js", "drawing.js", "raster.js", "page.js")
TYPES = {
    "index.html": "text/html; charset=utf-8",
    STYLE: "text/css; charset=utf-8",
    **dict.fromkeys(SCRIPTS, "text/javascript; charset=utf-8"),
}
"""Media types of all files, by name."""


def page_file(name: str) -> str:
    """What one of the page's files holds."""
    return files("snnrl.watching").joinpath("page", name).read_text(encoding="utf-8")


def one_file(messages: Iterable[bytes]) -> str:
    """The page with messages inside, which it shows instead of asking a server for any.

    Args:
        messages: see :mod:`snnrl.watching.wire`.
    """
    packer, packed = zlib.compressobj(9), []
    for message in messages:
        packed.append(packer.compress(len(message).to_bytes(4, "little") + message))
    packed.append(packer.flush())
    data = base64.b64encode(b"".join(packed)).decode()
    page = re.sub(r'<script defer src="[^"]*"></script>\n', "", page_file("index.html"))
    page = page.replace(f'<link rel="stylesheet" href="{STYLE}">', f"<style>\n{page_file(STYLE)}</style>")
    scripts = "".join(f"<script>\n{page_file(name)}</script>\n" for name in SCRIPTS)
    inside = f'<script type="application/octet-stream" id="data">{data}</script>\n{scripts}</body>'
    return page.replace("</body>", inside)
