"""``python -m snnrl.plot run=<dir>``."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from snnrl.picture_page import Picture, _write_pdf
from snnrl.plasticity import STDP
from snnrl.plot import main, stdp_window

RUNS = Path(__file__).parents[1] / "data" / "runs_0.1"


def pictures(page: Path) -> dict[str, tuple[int, int]]:
    """Names and sizes of a page's pictures."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)">', text)
    assert len(found) == text.count("<img")
    assert "http" not in text
    return {name: Image.open(io.BytesIO(base64.b64decode(data))).size for name, data in found}


def test_a_page_holds_the_pictures_of_an_agent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = shutil.copytree(RUNS / "cartpole", tmp_path / "run")
    assert main([f"run={run}", "steps=20", "device=cpu"]) == 0
    found = pictures(run / "pictures.html")
    weights = {name for name in found if name.startswith("weights")}
    assert {"metrics", "game", "rates", "preferences", "network"} == set(found) - weights
    assert len(weights) == 2
    assert all(width == 1200 for width, _ in found.values())
    assert f"{len(found)} pictures" in capsys.readouterr().out


def test_a_page_can_be_a_pdf(tmp_path: Path) -> None:
    _write_pdf([Picture("window", stdp_window(STDP()))], "run", tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([f"run={RUNS / 'cartpole'}", "out=page.png"], "error: out=page.png: must be a file named .html or .pdf\n"),
        ([f"run={RUNS / 'cartpole'}", "steps=0"], "error: steps=0: must be"),
        (["run=nowhere"], "error: run=nowhere: "),
    ],
)
def test_wrong_words_are_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.startswith(said)
