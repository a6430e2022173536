from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from snnrl.errors import ConfigError
from snnrl.errors import __file__ as errors_file
from snnrl.training.progress import Progress, evaluating

ROOT = Path(errors_file).parents[1]


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def plain(clock: Clock, total: int = 1_000_000, start: int = 0) -> tuple[Progress, io.StringIO]:
    stream = io.StringIO()
    return Progress(total, start, stream=stream, clock=clock), stream


def test_plain_line_reads_as_documented() -> None:
    clock = Clock()
    progress, stream = plain(clock)
    with progress:
        clock.now += 56.25
        progress.update(120_000, 213.42)
        assert stream.getvalue() == "120,000/1,000,000 env steps (12 %) | 2,133 steps/s | ETA 6:52 | return 213.4\n"


def test_lines_come_early_then_at_every_interval_then_at_the_end() -> None:
    clock = Clock()
    progress, stream = plain(clock, total=2_500)
    printed_at = []
    with progress:
        for second in range(1, 26):
            clock.now += 1
            progress.update(100 * second, None)
            if len(stream.getvalue().splitlines()) > len(printed_at):
                printed_at.append(second)
    assert printed_at == [1, 11, 21]
    lines = stream.getvalue().splitlines()
    assert lines[0] == "100/2,500 env steps (4 %) | 100 steps/s | ETA 0:24"
    assert lines[3:] == ["2,500/2,500 env steps (100 %) | 100 steps/s | took 0:25"]


def raise_after_update(progress: Progress, clock: Clock) -> None:
    clock.now += 0.5
    progress.update(20, 1.0)
    raise KeyboardInterrupt


def test_last_line_comes_after_an_error_too() -> None:
    clock = Clock()
    progress, stream = plain(clock, total=100)
    with pytest.raises(KeyboardInterrupt), progress:
        raise_after_update(progress, clock)
    assert stream.getvalue() == "20/100 env steps (20 %) | 40 steps/s | took 0:00 | return 1.0\n"


def test_steps_before_a_resume_count_in_no_rate() -> None:
    clock = Clock()
    progress, stream = plain(clock, start=900_000)
    with progress:
        clock.now += 10
        progress.update(901_000, None)
    assert stream.getvalue().splitlines() == [
        "901,000/1,000,000 env steps (90 %) | 100 steps/s | ETA 16:30",
        "901,000/1,000,000 env steps (90 %) | 100 steps/s | took 0:10",
    ]


def test_rate_follows_a_change_of_pace_within_a_minute_or_so() -> None:
    clock = Clock()
    progress, stream = plain(clock)
    steps = 0
    with progress:
        for _ in range(300):
            clock.now += 1
            steps += 100
            progress.update(steps, None)
        for _ in range(65):
            clock.now += 1
            steps += 1000
            progress.update(steps, None)
        assert "| 1,000 steps/s |" in stream.getvalue().splitlines()[-1]
    assert "| 260 steps/s | took 6:05" in stream.getvalue()


def test_no_time_and_no_steps_divide_nothing() -> None:
    progress, stream = plain(Clock(), total=10)
    with progress:
        progress.update(0, None)
    assert stream.getvalue() == "0/10 env steps (0 %) | 0 steps/s | took 0:00\n"
    clock = Clock()
    progress, stream = plain(clock, total=10)
    with progress:
        clock.now += 5
        progress.update(0, None)
        assert stream.getvalue() == "0/10 env steps (0 %) | 0 steps/s | ETA ?\n"


def test_hundred_percent_only_at_the_end_and_overshoot_is_harmless() -> None:
    clock = Clock()
    progress, stream = plain(clock, total=1_000)
    with progress:
        clock.now += 1
        progress.update(999, None)
        clock.now += 10
        progress.update(1_008, None)
    assert "999/1,000 env steps (99 %)" in stream.getvalue()
    assert "1,008/1,000 env steps (100 %) | 92 steps/s | ETA 0:00" in stream.getvalue()


def test_hours_notes_and_messages() -> None:
    clock = Clock()
    progress, stream = plain(clock, total=101)
    with progress:
        clock.now += 40.12
        progress.update(1, float("nan"), note="evaluating")
        progress.message("checkpoint [bold]step_1.pt[/bold]")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "1/101 env steps (0 %) | 0 steps/s | ETA 1:06:52 | return nan | evaluating"
    assert lines[1] == "checkpoint [bold]step_1.pt[/bold]"


def test_what_goes_on_between_steps_is_told_and_leaves_the_rate_as_it_was() -> None:
    clock = Clock()
    progress, stream = plain(clock, total=100)
    with progress:
        clock.now += 10
        progress.update(50, 1.0)
        for done in range(3):
            clock.now += 10
            progress.tell(f"evaluating, {done} of 3 episodes")
        clock.now += 0.1
        progress.update(50, 1.0)
    lines = stream.getvalue().splitlines()
    notes = [line.rpartition(" | ")[2] for line in lines[1:4]]
    assert notes == [f"evaluating, {done} of 3 episodes" for done in range(3)]
    assert "evaluating" not in lines[-1]


def test_an_evaluation_of_its_own_shows_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with evaluating(20, "episodes", "none") as tell:
        tell(3)
    assert capsys.readouterr().err == ""
    with evaluating(20, "episodes", "plain") as tell:
        tell(3)
    assert capsys.readouterr().err.startswith("20/20 episodes (100 %)")


def test_none_prints_nothing() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(10, mode="none", stream=stream, clock=clock) as progress:
        clock.now += 100
        progress.update(5, 1.0)
        progress.message("hello")
    assert stream.getvalue() == ""


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match="progress=fancy: must be auto, bar, plain or none"):
        Progress(10, mode="fancy")  # type: ignore[arg-type]


def on_terminal(script: str, term: str = "xterm-256color") -> tuple[str, str]:
    """Run ``script`` with standard error on a real terminal; return what came there and on standard output."""
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": term, "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=slave, stdout=subprocess.PIPE, stderr=slave, env=environment
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # Linux ends a terminal so
            break
        if not chunk:
            break
        shown += chunk
    os.close(master)
    printed = process.communicate(timeout=30)[0]
    assert process.returncode == 0, shown
    return shown.decode(), printed.decode()


BAR = """
import time
from snnrl.training.progress import Progress, evaluating
now = 0.0
with Progress(10_000, clock=lambda: now) as progress:
    for steps in range(0, 10_001, 100):
        now += 0.05
        progress.update(steps, 12.34, "note [x]")
        if steps == 5_000:
            progress.message("a line [of] its own")
            print("result")
"""


def test_bar_on_a_terminal() -> None:
    shown, printed = on_terminal(BAR)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "━" in text
    assert re.search(
        r" 5,\d00/10,000 env steps \(5\d %\) \| 1,9\d\d steps/s \| ETA 0:02 \| return 12.3 \| note \[x\]", text
    )
    assert "\na line [of] its own" in text.replace("\r", "\n")
    assert "10,000/10,000 env steps (100 %) | 1,980 steps/s | took 0:05 | return 12.3 | note [x]" in text
    assert 20 < text.count("env steps") < 40, "redrawn at every update, or hardly ever"
    assert printed == "result\n", "standard output must go where it was sent, not into the bar"


def test_dumb_terminal_gets_plain_lines() -> None:
    shown, _ = on_terminal(BAR, term="dumb")
    assert "\x1b" not in shown
    assert shown.splitlines()[-1] == (
        "10,000/10,000 env steps (100 %) | 1,980 steps/s | took 0:05 | return 12.3 | note [x]"
    )


def test_bar_can_be_forced() -> None:
    stream = io.StringIO()
    with Progress(10, mode="bar", stream=stream) as progress:
        progress.update(10, None)
    assert "━" in stream.getvalue()
    assert "10/10 env steps (100 %)" in stream.getvalue()
