"""Runs on a data set: what they leave, how they are stopped, killed and go on."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import snnrl
from snnrl import evaluate, train
from snnrl.errors import __file__ as errors_file
from snnrl.training.checkpoints import CheckpointStore, load_checkpoint
from snnrl.training.supervised_task import image_order

ROOT = Path(errors_file).parents[1]
WORDS = (
    *("experiment=mnist_unsupervised", "n_neurons=30", "train_images=2000", "test_images=400", "passes=2"),
    *("checkpoint.every=500", "eval.every=1000", "eval.during=200", "logger=none", "progress=none"),
)


def words(digits: Path, *more: str) -> tuple[str, ...]:
    return (*WORDS, f"data_dir={digits}", *more)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """A finished run with pictures; not to be written to."""
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    assert train.main([*words(digits, "plot=true", "logger=tensorboard"), f"run_dir={run_dir}"]) == 0
    return run_dir


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """``python -m snnrl.train`` beside this process; killed at the end where it still runs."""
    started = subprocess.Popen(
        [sys.executable, "-m", "snnrl.train", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def wait_until(happened: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while not happened():
        assert running.poll() is None, f"the run ended too soon: {running.communicate()[1]}"
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.002)


def latest(run_dir: Path) -> int:
    """The images seen at the latest checkpoint, 0 for none."""
    path = CheckpointStore(run_dir / "checkpoints").latest()
    return 0 if path is None else int(path.stem.removeprefix("step_"))


def rows(run_dir: Path) -> list[dict[str, Any]]:
    """The lines of ``metrics.jsonl``, without what a clock decides."""
    path = run_dir / "metrics.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.is_file() else []
    return [{key: value for key, value in json.loads(line).items() if not key.startswith("time/")} for line in lines]


def summary(run_dir: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((run_dir / "summary.json").read_text())
    return read


def weights(run_dir: Path) -> dict[str, Any]:
    path = CheckpointStore(run_dir / "checkpoints").latest()
    assert path is not None
    saved = load_checkpoint(path)
    return {**saved["learner"], "generator": saved["generator"]}


def check_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_the_run_folder_holds_all_that_a_run_leaves(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    pictures = {f"{name}.png" for name in ("receptive_fields", "assignments", "spikes", "confusion", "accuracy")}
    assert names == {".lock", "config.yaml", "metrics.jsonl", "checkpoints", "tensorboard", "summary.json", *pictures}
    for name in pictures:
        assert (finished / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_pictures_reach_tensorboard(finished: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(finished / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["images"]) == {"receptive_fields", "assignments", "spikes", "confusion", "accuracy"}


def test_the_summary_tells_the_result_and_what_it_depends_on(finished: Path) -> None:
    found = summary(finished)
    assert (found["dataset"], found["learner"], found["seed"], found["images"]) == ("MNIST", "diehl_cook", 0, 4000)
    counts = torch.tensor(found["test/confusion"])
    assert counts.shape == (10, 10)
    assert counts.sum() == found["test/images"] == 400
    assert found["test/accuracy"] == counts.diagonal().sum() / 400
    assert 0 < found["images"] / found["train/images_per_second"] <= found["wall_seconds"]
    assert {"python", "snnrl", "torch", "torchvision"} <= found["versions"].keys()


def test_it_learns_what_an_untrained_network_does_not_know(finished: Path) -> None:
    """Thirty neurons after 2,000 images; of a network that keeps its first weights, one pixel in five is at work."""
    assert summary(finished)["test/accuracy"] > 0.6


def test_evaluations_on_the_way_are_logged_and_no_test_image_chooses_weights(finished: Path) -> None:
    evaluated = [row["step"] for row in rows(finished) if "test/accuracy" in row]
    assert len(evaluated) == 4
    assert evaluated[-1] == 4000
    assert not (finished / "checkpoints" / "best.pt").exists()
    keys = {key for row in rows(finished) for key in row}
    assert {"train/spikes_per_image", "train/winners", "step", "test/accuracy"} <= keys


def test_evaluating_the_run_finds_what_its_summary_says(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (finished / "summary.json").read_bytes()
    assert evaluate.main([f"run={finished}"]) == 0
    found = json.loads((finished / "evaluation.json").read_text())
    (finished / "evaluation.json").unlink()
    assert found["confusion"] == summary(finished)["test/confusion"]
    assert (found["split"], found["images"]) == ("test", 400)
    assert capsys.readouterr().out.startswith(f"accuracy {100 * found['accuracy']:.2f} % of 400 test images of MNIST")
    assert (finished / "summary.json").read_bytes() == before


@pytest.mark.parametrize("label_readout", ["all", "proportion", "ngram"])
def test_another_way_to_vote_can_be_asked_for_afterwards(finished: Path, label_readout: str) -> None:
    assert evaluate.main([f"run={finished}", f"label_readout={label_readout}", "split=train", "images=300"]) == 0
    found = json.loads((finished / "evaluation.json").read_text())
    (finished / "evaluation.json").unlink()
    assert (found["split"], found["images"], found["learner"]["label_readout"]) == ("train", 300, label_readout)
    assert found["accuracy"] > 0.5


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("split=validation", "split=validation: must be test or train, as the run trained on the validation images"),
        ("split=all", "split=all: must be train, test or validation"),
        ("images=401", "images=401: must be at most 400, for split=test"),
        ("images=0", "images=0: must be an integer of at least 1"),
        ("label_readout=none", "learner.label_readout=none: must be one of all"),
        ("episodes=3", "episodes=3: there is no such option"),
        ("checkpoint=best", "checkpoint=best: "),
    ],
)
def test_a_wrong_word_ends_the_evaluation_with_one_line(
    finished: Path, word: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main([f"run={finished}", word]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")
    assert not (finished / "evaluation.json").exists()


def test_a_loaded_learner_predicts_as_the_run_did(finished: Path, digits: Path) -> None:
    from snnrl.learners.data import load_data

    learner = snnrl.load(finished)
    held = load_data("MNIST", digits, test_images=400).held
    right = (learner.predict(held.images) == held.labels).float().mean()
    assert not learner.training
    assert float(right) == pytest.approx(summary(finished)["test/accuracy"], abs=1e-6)


@pytest.mark.timeout(600)
def test_a_run_killed_after_a_checkpoint_goes_on_bit_for_bit(tmp_path: Path, digits: Path) -> None:
    given = words(digits, "encoding=poisson", "n_neurons=100", "batch_size=20", "train_images=1000", "eval.every=1000")
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert train.main([*given, f"run_dir={straight}"]) == 0
    with process(*given, f"run_dir={killed}") as running:
        wait_until(lambda: 0 < latest(killed) < max(row["step"] for row in rows(killed)), running)
        running.kill()
        running.communicate()
    assert running.returncode == -signal.SIGKILL
    at = latest(killed)
    assert 500 <= at < 2000
    with process(f"resume={killed}") as resumed:
        _, shown = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, shown
    assert f"going on at {at:,} images" in shown
    check_same_weights(killed, straight)
    assert rows(killed) == rows(straight)
    assert summary(killed)["test/confusion"] == summary(straight)["test/confusion"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_anywhere_saves_the_run_which_ends_with_the_weights_of_one_never_stopped(
    tmp_path: Path, finished: Path, digits: Path, number: signal.Signals, code: int
) -> None:
    run_dir = tmp_path / "a run"
    given = words(digits, "checkpoint.every=0")
    with process(*given, f"run_dir='{run_dir}'") as running:
        wait_until(lambda: len(rows(run_dir)) > 2, running)
        running.send_signal(number)
        _, shown = running.communicate(timeout=300)
    assert running.returncode == code, shown
    at = latest(run_dir)
    assert 0 < at < 4000
    said, _, command = shown.splitlines()[-1].partition(" Go on: ")
    assert said == f"stopped by {number.name} at {at:,} images, saved."
    assert train.main(shlex.split(command)[3:]) == 0
    check_same_weights(run_dir, finished)


def test_a_signal_while_neurons_are_named_leaves_a_run_that_names_them_later(
    tmp_path: Path, finished: Path, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snnrl.learners.diehl_cook import DiehlCookLearner

    run_dir = tmp_path / "run"
    calibrate = DiehlCookLearner.calibrate

    def interrupted(self: DiehlCookLearner, batches: Any) -> None:
        def signalled() -> Iterator[Any]:
            for batch in batches:
                signal.raise_signal(signal.SIGTERM)
                yield batch

        calibrate(self, signalled())

    with monkeypatch.context() as patch:
        patch.setattr(DiehlCookLearner, "calibrate", interrupted)
        assert train.main([*words(digits, "eval.every=0"), f"run_dir={run_dir}"]) == 143
    assert latest(run_dir) == 4000
    assert not (run_dir / "summary.json").exists()
    assert train.main([f"resume={run_dir}"]) == 0
    check_same_weights(run_dir, finished)
    assert summary(run_dir)["test/confusion"] == summary(finished)["test/confusion"]


def test_a_finished_run_goes_on_only_for_more_passes(
    tmp_path: Path, digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    assert train.main([*words(digits, "passes=1"), f"run_dir={run_dir}"]) == 0
    capsys.readouterr()
    assert train.main([f"resume={run_dir}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: resume={run_dir}: the run has all its 2000 images; give passes a higher number")
    assert train.main([f"resume={run_dir}", "n_neurons=9"]) == 2
    assert "cannot change when a run is resumed" in capsys.readouterr().err
    assert train.main([f"resume={run_dir}", "passes=2"]) == 0
    assert summary(run_dir)["images"] == 4000


def test_labels_and_test_images_have_no_influence_on_what_is_learned_without_them(
    tmp_path: Path, drawn: Path, write_dataset: Callable[..., None]
) -> None:
    import numpy as np

    other = tmp_path / "other"
    for prefix in ("train", "t10k"):
        old = drawn / "MNIST" / "raw"
        labels = np.frombuffer((old / f"{prefix}-labels-idx1-ubyte").read_bytes()[8:], np.uint8)
        images = np.frombuffer((old / f"{prefix}-images-idx3-ubyte").read_bytes()[16:], np.uint8).reshape(-1, 28, 28)
        changed = images if prefix == "train" else 255 - images
        write_dataset(other / "MNIST" / "raw", prefix, changed, np.random.default_rng(0).permutation(labels))
    for name, folder in (("one", drawn), ("two", other)):
        assert train.main([*words(folder), f"run_dir={tmp_path / name}"]) == 0
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert torch.equal(one["synapses.weight"], two["synapses.weight"])
    assert torch.equal(one["neurons.theta"], two["neurons.theta"])
    assert summary(tmp_path / "two")["test/accuracy"] < 0.25, "shuffled labels cannot be learned"


def test_each_pass_has_an_order_of_its_own_that_seed_and_pass_decide() -> None:
    orders = [image_order(seed, number, 50) for seed, number in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert all(sorted(order.tolist()) == list(range(50)) for order in orders)
    assert torch.equal(orders[0], orders[3])
    assert not torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


WRONG = {
    "n_neurons=0": "learner.n_neurons=0: must be an integer of at least 1",
    "n_neurons=many": "learner.n_neurons=many: must be an integer",
    "batch_size=0": "learner.batch_size=0: must be an integer of at least 1",
    "encoding=rate": "learner.encoding=rate: must be current or poisson",
    "learning_rate=1.0": "learner.learning_rate=1.0: must be at least 0 and below 1",
    "tau_mem=0.1": "learner.tau_mem=0.1: must be at least 1",
    "dataset=MINST": "dataset=MINST: there is no such data set; did you mean",
    "split=train": "split=train: must be test or validation",
    "passes=0": "passes=0: must be an integer of at least 1",
    "train_images=0": "train_images=0: must be an integer of at least 1",
    "train_images=5": "train_images=5: class ",
    "plot=1": "plot=1: must be true or false",
    "eval.during=0": "eval.during=0: must be an integer of at least 1",
    "eval.episodes=3": "eval.episodes=3: there is no such setting",
    "checkpoint.every=-1": "checkpoint.every=-1: must be an integer of at least 0",
    "device=tpu": "device=tpu: must be auto, cpu, cuda or cuda:<n>",
    "logger=wandbb": "logger=wandbb: ",
    "learner.name=diehl_cok": "learner.name=diehl_cok: there is no such learner; did you mean diehl_cook",
    "seed=-1": "seed=-1: must be an integer from 0",
}


@pytest.mark.parametrize("word", WRONG)
def test_a_wrong_word_ends_the_command_with_one_line_and_no_folder(
    word: str, tmp_path: Path, digits: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert train.main([*words(digits), word]) == 2
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert line.startswith(f"error: {WRONG[word]}")
    assert list(tmp_path.iterdir()) == []
