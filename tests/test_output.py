from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest

from snnrl import train
from snnrl.errors import __file__ as errors_file
from snnrl.output import lasting, lasting_output

ROOT = Path(errors_file).parents[1]


def broken_pipe() -> TextIO:
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w", encoding="utf-8")


def lost_terminal() -> TextIO:
    ours, theirs = os.openpty()
    os.close(ours)
    return os.fdopen(theirs, "w", encoding="utf-8")


def closed() -> TextIO:
    stream = io.StringIO()
    stream.close()
    return stream


LOSSES = {"pipe": broken_pipe, "terminal": lost_terminal, "closed": closed, "none": lambda: None}
LOST = pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)


@LOST
def test_a_stream_that_is_lost_takes_every_word(lose: type[TextIO]) -> None:
    stream = lose()
    for _ in range(3):
        print("a word\n" * 10_000, file=lasting(stream), flush=True)
    assert not lasting(stream).isatty()
    if stream is not None:
        stream.close()


@LOST
def test_standard_streams_that_are_lost_are_no_failure(lose: type[TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = lose()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    with lasting_output():
        print("to a pipe, which is written when its buffer is full")
        print("at once", file=sys.stderr)
    assert sys.stdout is stream
    if stream is not None and not stream.closed:
        stream.close()


def test_a_stream_that_is_well_takes_words_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    with lasting_output():
        print("out")
        sys.stderr.writelines(["err", "or"])
    assert capsys.readouterr() == ("out\n", "error")


def test_what_an_encoding_lacks_is_spelled_out() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print("21.5 ± 3", file=lasting(stream), flush=True)
    assert stream.buffer.getvalue() == b"21.5 \\xb1 3\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_a_stream_drops_words_and_no_more() -> None:
    with suppress(OSError), open("/dev/full", "w", encoding="utf-8") as full:
        lasting(full).write("x" * 100_000)
        lasting(full).flush()
        assert os.fstat(full.fileno()).st_rdev == os.stat("/dev/full").st_rdev, "the stream may take the next word"


@pytest.mark.parametrize("progress", ["plain", "bar"])
def test_a_run_whose_terminal_is_gone_trains_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress: str
) -> None:
    words = ("env=CartPole", "agent=random", "env_steps=400", "num_envs=2", "logger=none", f"progress={progress}")
    words = (*words, "eval.every=200", "eval.during=1", "eval.episodes=1")
    with broken_pipe() as out, lost_terminal() as err, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        assert train.main([*words, f"run_dir={tmp_path / 'run'}"]) == 0
    assert (tmp_path / "run" / "summary.json").exists()


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_stays_where_the_reader_is_gone(code: int) -> None:
    """Python itself ends with 120 where what is left in its buffer cannot be written."""
    script = f"""
import sys
from snnrl.cli import run_command

sys.stdin.read()
sys.exit(run_command(lambda words: print("result") or {code}, "", []))
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdout.close()
        running.stdin.close()
        assert running.wait(60) == code
