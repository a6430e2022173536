"""Training of a learner on a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from snnrl import noise
from snnrl.errors import require
from snnrl.learners import Learner, make_learner
from snnrl.learners.base import Batches
from snnrl.learners.data import Data, Images, load_data
from snnrl.ranks import ALONE, Ranks
from snnrl.training.callbacks import NO_CALLBACK, update
from snnrl.training.capacity import check_settings, state_bytes
from snnrl.training.checkpoints import taking_over
from snnrl.training.device import MOST_IMAGES, choose_device
from snnrl.training.loggers import Logger
from snnrl.training.progress import evaluating_note
from snnrl.training.shared_envs import require_even
from snnrl.training.summary import Summary
from snnrl.training.supervised_config import SupervisedConfig
from snnrl.training.task import Between, Evaluated, Finished, Step, Task
from snnrl.types import Saved, Settings

LOOK = 500
"""Images of a batch that is only looked at."""
CALIBRATE_DURING = 10_000
"""Training images that an evaluation on the way is calibrated with, at most."""


_MEASURED = ("diehl_cook", "backprop")
"""Learners of which it is known how fast they are on a GPU."""


class SupervisedTask(Task[Learner]):
    """A learner that goes through the training images, once or several times.

    The order of each pass is a function of the run's seed and the pass, so the number of images seen is all that a
    resumed run needs to know. Evaluations draw from a stream of their own and leave the training's as it is.

    Args:
        config: the settings.
        learner: what learns on; ``None`` makes the learner that the settings describe.
        steps: images that it has seen.
        ranks: the processes of the run, which share out the images of each batch.

    Raises:
        ConfigError: a data set that cannot be read, or a setting that the learner cannot take.
    """

    part, key, rate = "learner", "images", "train/images_per_second"
    unit, setting, score = "images", "passes", "accuracy {:.1f} %"

    def __init__(
        self, config: SupervisedConfig, learner: Learner | None = None, steps: int = 0, ranks: Ranks = ALONE
    ) -> None:
        self.ranks = ranks
        self.device = choose_device(config.device, self.cpu_because(config))
        data = read_data(config)
        self.data = Data(data.train.to(self.device), data.held.to(self.device), data.classes)
        known = {"shape": data.shape, "classes": data.classes}
        self.model = self.make_model(config, self.device, known) if learner is None else learner.to(self.device)
        _share(self.model, config, ranks)
        self.total = self.model.training_images = config.passes * len(data.train)
        self._config = replace(config, total=self.total)
        self.steps, self._calibrated = steps, False
        self._order, self._order_of = torch.empty(0), -1
        self._accuracy: float | None = None
        self._curve: list[list[float]] = []
        self._found: Tensor | None = None

    @classmethod
    def cpu_because(cls, config: SupervisedConfig) -> str | None:
        size = config.learner.get("batch_size")
        small = config.learner["name"] in _MEASURED and isinstance(size, int) and size <= MOST_IMAGES
        return f"a GPU gains with batches of more than {MOST_IMAGES} images (batch_size={size})" if small else None

    @property
    def config(self) -> SupervisedConfig:
        return self._config

    @classmethod
    def make_model(cls, config: SupervisedConfig, device: torch.device, saved: Saved | None = None) -> Learner:
        if saved is None:
            data = read_data(config)
            saved = {"shape": data.shape, "classes": data.classes}
        with taking_over():
            channels, height, width = (int(size) for size in saved.get("shape", [1, 28, 28]))
            classes = int(saved.get("classes", 10))
        learner = _fitting_learner(config, (channels, height, width), classes, device).to(device)
        learner.run_settings = config.resolved
        return learner

    def begin(self, epoch: int, steps: int) -> None:
        """Go on after ``steps`` images."""
        self.steps = steps

    def step(self) -> Step:
        """Learn from the next batch."""
        size = len(self.data.train)
        number, position = divmod(self.steps, size)
        if self._order_of != number:
            self._order, self._order_of = image_order(self.config.seed, number, size).to(self.device), number
        chosen = self._order[position : position + self.model.batch_size(self.steps)]
        self.model.anneal(self.steps / self.total)
        images, labels = self.data.train.images[chosen], self.data.train.labels[chosen]
        metrics = self.model.learn(images, labels)
        self.steps += len(chosen)
        self._calibrated = False
        if self.callback is NO_CALLBACK:
            return Step(len(chosen), metrics)
        update(self.callback, {"images": images, "labels": labels, "metrics": metrics, "num_timesteps": self.steps})
        return Step(len(chosen), metrics, self.callback.on_step())

    def recent(self) -> float | None:
        """The accuracy of the last evaluation."""
        return self._accuracy

    def evaluate(self, between: Between) -> Evaluated:
        with draws_apart(self.model, self.config.seed):
            self._calibrate(self.data.train.first(CALIBRATE_DURING), between)
            confusion = self._confusion(self.data.held.first(self.config.eval.during), between)
        accuracy = self._note(confusion)
        images = int(confusion.sum())
        choosing = self.config.split == "validation"
        return Evaluated(
            {f"{self.config.split}/accuracy": accuracy},
            f"{100 * accuracy:.2f} % of {images:,} {self.config.split} images right",
            accuracy if choosing else None,
        )

    def complete(self, between: Between) -> bool:
        """Calibrate with all training images."""
        if self._calibrated:
            return False
        with draws_apart(self.model, self.config.seed):
            self._calibrate(self.data.train, between)
        self._calibrated = True
        return True

    def finish(self, between: Between, say: Callable[[str], None]) -> Finished:
        split = self.config.split
        say(f"trained on {self.steps:,} images; looking at {len(self.data.held):,} {split} images")
        with draws_apart(self.model, self.config.seed):
            confusion = self._confusion(self.data.held, between)
        accuracy = self._note(confusion)
        self._found = confusion
        summary = {
            "dataset": self.config.dataset,
            "learner": self.config.learner["name"],
            "seed": self.config.seed,
            f"{split}/accuracy": accuracy,
            f"{split}/images": int(confusion.sum()),
            f"{split}/confusion": confusion.tolist(),
            "train_images": len(self.data.train),
            "passes": self.config.passes,
        }
        message = f"{100 * accuracy:.2f} % of {int(confusion.sum()):,} {split} images right"
        return Finished({f"{split}/accuracy": accuracy}, summary, message, confusion)

    def result(self, summary: Summary) -> str:
        split = self.config.split
        return (
            f"{split}/accuracy {100 * summary[f'{split}/accuracy']:.2f} % of {summary[f'{split}/images']:,} images, "
            f"{summary['train/images_per_second']:,.0f} images/s"
        )

    def picture(self, folder: Path, loggers: list[Logger], steps: int) -> None:
        """Write each picture into ``folder`` and send it to the loggers."""
        if not self.config.plot or self._found is None:
            return
        from snnrl.plot import accuracy_curve, confusion, save_figure

        few = self.data.held.first(LOOK)
        with draws_apart(self.model, self.config.seed):
            figures = dict(self.model.figures(few.images, few.labels))
        figures["confusion"] = confusion(self._found.cpu().numpy())
        figures["accuracy"] = accuracy_curve(self._curve, self.config.split)
        for name, figure in figures.items():
            image = save_figure(figure, folder / f"{name}.png")
            for logger in loggers:
                logger.picture(name, image, steps)

    def payload(self) -> Saved:
        return {
            "calibrated": self._calibrated,
            "accuracy": self._accuracy,
            "curve": self._curve,
            "shape": list(self.data.shape),
            "classes": self.data.classes,
        }

    def restore(self, saved: Saved) -> None:
        accuracy = saved["accuracy"]
        self._calibrated, self._accuracy = bool(saved["calibrated"]), None if accuracy is None else float(accuracy)
        self._curve = [[float(steps), float(part)] for steps, part in saved["curve"]]

    def _note(self, confusion: Tensor) -> float:
        accuracy = int(confusion.diagonal().sum()) / int(confusion.sum())
        self._accuracy = 100 * accuracy
        self._curve = [*(point for point in self._curve if point[0] < self.steps), [float(self.steps), accuracy]]
        return accuracy

    def _calibrate(self, images: Images, between: Between) -> None:
        total = len(images)
        self.model.calibrate(
            _watched(images.batches(LOOK), lambda done: between(f"calibrating, {done:,} of {total:,} images"))
        )

    def _confusion(self, images: Images, between: Between) -> Tensor:
        total = len(images)
        return confuse(self.model, images, lambda done: between(evaluating_note(done, total, "images")))


def _share(learner: Learner, config: SupervisedConfig, ranks: Ranks) -> None:
    """Let processes share out the images of each batch.

    Raises:
        ConfigError: there are several, and the learner or the size of its batches does not allow it.
    """
    can = ranks.size == 1 or learner.shares_rows
    require(can, "learner.name", config.learner["name"], "a learner that shares out images, under torchrun")
    require_even("learner.batch_size", getattr(learner.config, "batch_size", ranks.size), ranks)
    learner.ranks = ranks


def read_data(config: SupervisedConfig) -> Data:
    """The data set of a run."""
    return load_data(config.dataset, config.data_dir, config.split, config.train_images, config.test_images)


def read_split(config: SupervisedConfig, setting: str, split: str) -> Images:
    """Images of a run's data set: those it trained on (``train``), or those of another split.

    Raises:
        ConfigError: an unknown split, or images that the run was to be judged on but trained on; named as ``setting``.
    """
    require(split in ("train", "test", "validation"), setting, split, "train, test or validation")
    trained = split == "validation" and config.split != "validation"
    require(not trained, setting, split, "test or train, as the run trained on the validation images")
    if split == "train":
        return read_data(config).train
    amount = config.test_images if split == config.split else None
    return load_data(config.dataset, config.data_dir, split, None, amount).held


def image_order(seed: int, number: int, size: int) -> Tensor:
    """The order of pass ``number``, ``[size]`` int64."""
    state = int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0]) >> 1
    return noise.permutation(size, torch.device("cpu"), torch.Generator().manual_seed(state))


@torch.no_grad()
def confuse(learner: Learner, images: Images, between: Callable[[int], None] = lambda done: None) -> Tensor:
    """Counts ``[classes, classes]`` int64 of images by their label (row) and the predicted one (column).

    Args:
        learner: that predicts.
        images: with their labels.
        between: told before each batch how many images have been looked at; may raise to end it.
    """
    counts = torch.zeros(learner.classes**2, dtype=torch.int64)
    for pixels, labels in _watched(images.batches(LOOK), between):
        found = learner.predict(pixels)
        counts += torch.bincount((labels * learner.classes + found).cpu(), minlength=len(counts))
    return counts.view(learner.classes, learner.classes)


def _fitting_learner(
    config: SupervisedConfig, shape: tuple[int, int, int], classes: int, device: torch.device
) -> Learner:
    """The untrained learner of a run; refused before it is made where memory cannot hold it."""

    def weigh(recipe: Settings) -> int:
        return state_bytes(make_learner(recipe, shape, classes).state_dict())

    check_settings("learner", config.learner, weigh, device)
    return make_learner(config.learner, shape, classes, config.seed)


@contextmanager
def draws_apart(learner: Learner, seed: int) -> Iterator[None]:
    """Draws of a stream for evaluations, the same each time; afterwards the generator is as it was."""
    before = learner.generator.get_state()
    learner.generator.manual_seed(int(np.random.SeedSequence((seed, 2**32)).generate_state(1)[0]))
    try:
        yield
    finally:
        learner.generator.set_state(before)


def _watched(batches: Batches, between: Callable[[int], None]) -> Batches:
    done = 0
    for batch in batches:
        between(done)
        yield batch
        done += len(batch[1])
