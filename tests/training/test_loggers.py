from __future__ import annotations

import json
import math
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from snnrl.errors import ConfigError
from snnrl.training.loggers import JsonlLogger, TensorBoardLogger, make_loggers, validate_logger_names


def lines(path: Path) -> list[dict[str, float | None]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_jsonl_holds_one_object_a_line_and_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "metrics.jsonl"
    logger = JsonlLogger(path)
    logger.log({"rollout/return_mean": 21.5, "time/episodes": 3}, step=1000)
    assert path.read_text() == '{"step": 1000, "rollout/return_mean": 21.5, "time/episodes": 3}\n'
    logger.log({"train/loss": torch.tensor(0.25).item(), "train/tensor": torch.tensor(0.5)}, step=2000)  # type: ignore[dict-item]
    assert lines(path)[1] == {"step": 2000, "train/loss": 0.25, "train/tensor": 0.5}
    logger.close({"ignored": 1})
    assert len(lines(path)) == 2


def test_jsonl_is_json_without_nan(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    logger = JsonlLogger(path)
    logger.log({"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1e300}, step=1)
    logger.close()
    assert path.read_text() == '{"step": 1, "a": null, "b": null, "c": null, "d": 1e+300}\n'


def test_jsonl_truncates_to_a_position(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    logger = JsonlLogger(path)
    assert logger.position() == 0
    logger.log({"a": 1.0}, step=1)
    position = logger.position()
    assert position == path.stat().st_size
    logger.log({"a": 2.0}, step=2)
    logger.close()

    resumed = JsonlLogger(path)
    resumed.truncate(position)
    assert lines(path) == [{"step": 1, "a": 1.0}]
    resumed.log({"a": 3.0}, step=2)
    assert lines(path) == [{"step": 1, "a": 1.0}, {"step": 2, "a": 3.0}]
    resumed.truncate(0)
    assert path.read_text() == ""
    resumed.log({"a": 4.0}, step=1)
    resumed.close()
    assert lines(path) == [{"step": 1, "a": 4.0}]


def test_jsonl_drops_a_half_written_line_at_opening(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "a": 1.0}\n{"step": 2, "a')
    logger = JsonlLogger(path)
    logger.log({"a": 2.0}, step=2)
    logger.close()
    assert lines(path) == [{"step": 1, "a": 1.0}, {"step": 2, "a": 2.0}]
    path.write_text('{"step": 1')
    JsonlLogger(path).close()
    assert path.read_text() == ""


@pytest.mark.parametrize("position", [25, 40, 10_000])
def test_jsonl_truncates_between_lines_only(tmp_path: Path, position: int) -> None:
    """A position inside a line, or beyond the end of a file that a power cut made shorter, leaves whole lines."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "a": 1.0}\n{"step": 2, "a": 2.0}\n')
    logger = JsonlLogger(path)
    logger.truncate(position)
    logger.close()
    assert [line["step"] for line in lines(path)] == ([1, 2] if position > 44 else [1])


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    accumulator = EventAccumulator(str(folder)).Reload()
    return [(event.step, event.value) for event in accumulator.Scalars(tag)]


def test_tensorboard_events_read_back(tmp_path: Path) -> None:
    logger = TensorBoardLogger(tmp_path)
    logger.log({"rollout/return_mean": 1.5, "train/loss": 0.25}, step=100)
    logger.log({"rollout/return_mean": 2.5}, step=3_000_000_000)
    logger.close({"eval/return_mean": 7.0})
    assert scalars(tmp_path, "rollout/return_mean") == [(100, 1.5), (3_000_000_000, 2.5)]
    assert scalars(tmp_path, "train/loss") == [(100, 0.25)]
    summary = EventAccumulator(str(tmp_path)).Reload().Tensors("summary/text_summary")
    assert summary[0].tensor_proto.string_val == [b"- eval/return_mean: 7.0"]


def test_tensorboard_resume_hides_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    first = TensorBoardLogger(tmp_path)
    for step in (100, 200, 300):
        first.log({"a": float(step)}, step=step)
    first.close()
    time.sleep(1.1)  # files are named, and read in order, by the second
    resumed = TensorBoardLogger(tmp_path, purge_step=201)
    resumed.log({"a": -300.0}, step=300)
    resumed.close()
    assert scalars(tmp_path, "a") == [(100, 100.0), (200, 200.0), (300, -300.0)]


def test_make_loggers_opens_what_is_asked_for(tmp_path: Path) -> None:
    assert make_loggers("none", tmp_path, {}) == []
    assert list(tmp_path.iterdir()) == []
    (logger,) = make_loggers("tensorboard", tmp_path, {}, purge_step=5)
    logger.log({"a": 1.0}, step=5)
    logger.close()
    assert scalars(tmp_path / "tensorboard", "a") == [(5, 1.0)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("none", ()),
        ("tensorboard", ("tensorboard",)),
        ("wandb", ("wandb",)),
        ("tensorboard, wandb,tensorboard", ("tensorboard", "wandb")),
    ],
)
def test_logger_names(names: str, expected: tuple[str, ...]) -> None:
    assert validate_logger_names(names) == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("tensorbord", r"logger=tensorbord: no logger is called 'tensorbord'; did you mean tensorboard\?"),
        ("wandb,", r"logger=wandb,: no logger is called ''; there are: none, tensorboard, wandb"),
        ("none,wandb", "logger=none,wandb: none stands alone"),
    ],
)
def test_wrong_logger_names(tmp_path: Path, names: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate_logger_names(names)
    with pytest.raises(ConfigError, match=message):
        make_loggers(names, tmp_path, {})
