"""Videos of games, with their spikes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snnrl import replay
from snnrl.errors import ConfigError
from snnrl.recording import Moment
from snnrl.recording.pictures import BACKGROUND, COLOURS, pictures

GAME = np.full((210, 160, 3), 77, dtype=np.uint8)
RUN = f"run={Path(__file__).parents[2] / 'trained' / 'SpaceInvaders'}"


def moment(fired: np.ndarray, frame: np.ndarray | None = GAME) -> Moment:
    spikes = {"input": fired}
    return Moment(frame, np.zeros(1), spikes, {}, None, None, None, 0, 0.0, False, False, False)


def test_spikes_of_the_last_decisions_stand_under_the_game() -> None:
    silent, loud = np.zeros((10, 5), dtype=bool), np.ones((10, 5), dtype=bool)
    plain = list(pictures([moment(loud)], spikes=False))
    before, now, later = pictures([moment(silent), moment(loud), moment(silent)], spikes=True)
    assert plain[0].shape == (420, 320, 3)
    assert (before[:420] == 77).all()
    assert before.shape == now.shape == later.shape
    red = COLOURS[0]
    columns = [np.flatnonzero((each[420:, 60:] == red).all(-1).any(0)) for each in (before, now, later)]
    assert columns[0].size == 0
    assert columns[1].size == columns[2].size > 0
    assert (columns[1] - columns[2] == 20).all()
    assert (before[420, :50] == BACKGROUND).all()


def test_a_game_without_pictures_has_no_video() -> None:
    with pytest.raises(ConfigError, match="has stopped showing pictures"):
        next(pictures([moment(np.zeros((1, 1), dtype=bool), None)], spikes=True))


def test_a_video_is_in_colour_and_as_long_as_the_game(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    av = pytest.importorskip("av", reason="needs the extra video")
    for name in ("play.gif", "play.mp4"):
        assert replay.main([RUN, f"out={tmp_path / name}", "spikes=true", "seconds=1"]) == 0
        assert "1 s of Space Invaders, drawn actions" in capsys.readouterr().out
    with Image.open(tmp_path / "play.gif") as gif:
        assert getattr(gif, "n_frames", 1) > 3
        colours = np.asarray(gif.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours - colours[:, :1], axis=0)) > 3
    with av.open(tmp_path / "play.mp4") as film:
        assert len(list(film.decode(video=0))) == 15
        assert film.streams.video[0].average_rate == 15


@pytest.mark.parametrize("name", ["play", "play.avi", "play.htm"])
def test_a_name_says_which_kind_of_file_is_wanted(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main([RUN, f"out={name}"]) == 2
    assert capsys.readouterr().err == f"error: out={name}: must be a file named .html, .gif or .mp4\n"


def test_drawing_without_a_screen_says_nothing_alarming() -> None:
    lines = "from snnrl.envs import EnvConfig\nfrom snnrl.envs.drawing import drawn, picture\n"
    draw = lines + "env = drawn(EnvConfig('CartPole-v1'))\nenv.reset(seed=0)\nprint(picture(env).shape)"
    kept = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "XDG_RUNTIME_DIR")}
    done = subprocess.run([sys.executable, "-c", draw], env=kept, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("(400, 600, 3)\n", "")
