"""The site has every page and every tutorial; whether they run is seen when it is built."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))


def listed() -> list[str]:
    trees = re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL)
    return [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]


def test_every_page_stands_in_the_index_once() -> None:
    pages = [path.relative_to(DOCS).with_suffix("").as_posix() for path in [*DOCS.glob("*.md"), *TUTORIALS]]
    assert sorted(listed()) == sorted(set(pages) - {"index"})


def test_every_tutorial_runs_and_has_a_short_form_for_what_takes_long() -> None:
    for path in TUTORIALS:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("---\nfile_format: mystnb\n"), path.name
        cells = re.findall(r"```\{code-cell\} ipython3\n(.*?)```", text, re.DOTALL)
        assert len(cells) >= 2, path.name
        for cell in cells:
            if re.search(r"\.learn\(|snnrl\.train\(|train\(\[", cell):
                assert "SHORT" in cell, f"{path.name}: {cell}"
