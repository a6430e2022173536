"""What differs between runs: environments to act in, or a data set to learn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from snnrl.agents.look import Look, weights_of
from snnrl.ranks import ALONE, Ranks
from snnrl.training.callbacks import NO_CALLBACK, Callback
from snnrl.training.checkpoints import CheckpointStore, check_architecture, taking_over
from snnrl.training.device import choose_device, told
from snnrl.training.evaluation import Evaluation
from snnrl.training.loggers import Logger
from snnrl.training.summary import Summary
from snnrl.types import Saved, Settings

Metrics = Mapping[str, Tensor | float]
Between = Callable[[str], None]
"""Told often what goes on, such as ``evaluating, 3 of 16 episodes``; may raise to end it."""
M = TypeVar("M", bound=nn.Module)
T = TypeVar("T", bound=nn.Module)


class RunSettings(Protocol):
    """The settings that every run has, checked."""

    @property
    def seed(self) -> int: ...
    @property
    def device(self) -> str: ...
    @property
    def logger(self) -> str: ...
    @property
    def progress(self) -> str: ...
    @property
    def eval_every(self) -> int: ...
    @property
    def checkpoint_every(self) -> int: ...
    @property
    def resolved(self) -> Settings: ...
    @property
    def run_dir(self) -> Path | None: ...
    @property
    def title(self) -> str: ...
    def announcement(self, steps: int) -> str: ...


class Step(NamedTuple):
    """What one step brought."""

    steps: int
    """How far the run got, in the task's unit."""
    metrics: Metrics
    """What there is to log; values are averaged between two rows of the log."""
    proceed: bool = True
    """Whether to go on; false where a callback asks for the end."""


class Evaluated(NamedTuple):
    """What an evaluation on the way found."""

    metrics: Mapping[str, float]
    message: str
    score: float | None
    """The higher, the better; the best one's weights are kept. ``None`` keeps none."""


class Finished(NamedTuple):
    """What the evaluation at the end found."""

    metrics: Mapping[str, float]
    summary: Summary
    """What ``summary.json`` says besides times and versions."""
    message: str
    evaluation: Evaluation | Tensor
    """Returns of episodes, or counts ``[classes, classes]`` of images by label (row) and prediction (column)."""


class Film(NamedTuple):
    """An episode as a video."""

    name: str
    """Which says by which actions it was played."""
    gif: bytes
    message: str


class Task(ABC, Generic[M]):
    """What a :class:`~snnrl.training.trainer.Trainer` drives, step by step.

    It knows how its model is made, untrained for a run that begins or with the weights of a checkpoint.

    Args:
        config: the settings of the run.
        model: what learns on, after ``steps``; ``None`` makes the model that the settings describe.
        steps: how far the model is.
        ranks: the processes that train it together.

    Attributes:
        config: the settings.
        ranks: the processes of the run.
        model: what learns, a ``torch.nn.Module`` with a ``generator``.
        device: that it computes on.
        steps: how far the run is.
        callback: told of every step, see :mod:`snnrl.training.callbacks`.
        part: the model's name in a checkpoint.
        total: steps of the whole run.
        key: the name of its steps in ``summary.json``.
        rate: the name there of their rate while training.
        unit: the word for them.
        setting: the setting that makes a run longer.
        score: how the progress line shows :meth:`recent`.
    """

    model: M
    device: torch.device
    total: int
    part: ClassVar[str]
    key: ClassVar[str]
    rate: ClassVar[str]
    unit: ClassVar[str]
    setting: ClassVar[str]
    score: ClassVar[str]
    steps: int
    ranks: Ranks = ALONE
    callback: Callback = NO_CALLBACK

    @abstractmethod
    def __init__(self, config: Any, model: M | None = None, steps: int = 0, ranks: Ranks = ALONE) -> None: ...

    @property
    def learning(self) -> object:
        """What a callback knows as its ``model``."""
        return self.model

    @property
    @abstractmethod
    def config(self) -> RunSettings:
        """The settings."""

    @classmethod
    def cpu_because(cls, config: Any) -> str | None:
        """Why these settings are as fast on the CPU as on a GPU; ``None`` where a GPU gains, or nobody has measured."""
        return None

    @property
    def device_line(self) -> str:
        """What ``device=auto`` has chosen and why, where there was a choice, else nothing."""
        return told(self.config.device, self.device, self.cpu_because(self.config))

    @classmethod
    @abstractmethod
    def make_model(cls, config: Any, device: torch.device, saved: Saved | None = None) -> M:
        """The model that the settings describe, untrained.

        Args:
            config: the settings.
            device: to put it on.
            saved: the checkpoint whose weights it is going to get, where there is one.

        Raises:
            ConfigError: a setting that cannot be had.
        """

    @classmethod
    def load_model(cls, config: Any, saved: Saved, device: str = "auto") -> M:
        """The model with the weights of a checkpoint, ready to predict.

        Args:
            config: the settings of its run.
            saved: what the checkpoint holds, see :func:`read_checkpoint`.
            device: to put it on, whatever it was trained on.

        Raises:
            ConfigError: it does not fit the settings.
        """
        place = choose_device(device, cls.cpu_because(config))
        return fit(cls.make_model(config, place, saved), cls.part, saved, place)

    @abstractmethod
    def begin(self, epoch: int, steps: int) -> None:
        """Start, or go on after a checkpoint as a resumed run would: the ``epoch``-th time, after ``steps``."""

    @abstractmethod
    def step(self) -> Step:
        """Learn from whatever comes next."""

    @property
    def can_checkpoint(self) -> bool:
        """Whether a checkpoint may be taken: not while what is being gathered would be lost by it."""
        return True

    @abstractmethod
    def recent(self) -> float | None:
        """How good the model is of late, where that is known."""

    def row(self) -> Mapping[str, float]:
        """What a row of the log says besides the metrics of the steps."""
        return {}

    def check_evaluation(self) -> None:
        """Raise a ConfigError where what an evaluation needs cannot be had."""
        return

    @abstractmethod
    def evaluate(self, between: Between) -> Evaluated:
        """An evaluation on the way."""

    @property
    def film_every(self) -> int:
        """Steps between videos; 0 for none."""
        return 0

    def check_film(self) -> None:
        """Raise a ConfigError where videos are asked for and cannot be had."""
        return

    def film(self, between: Between) -> Film:
        """How the model does by now; it learns nothing from it, and its draws are left as they are."""
        raise NotImplementedError

    def complete(self, between: Between) -> bool:
        """What the model needs after the last step, before it is saved; whether anything was done."""
        return False

    @abstractmethod
    def finish(self, between: Between, say: Callable[[str], None]) -> Finished:
        """The evaluation at the end."""

    @abstractmethod
    def result(self, summary: Summary) -> str:
        """The summary in a line."""

    def picture(self, folder: Path, loggers: list[Logger], steps: int) -> None:
        """Draw what was learned, where that is asked for."""
        return

    def look(self) -> Look:
        """What there is to see in the model at an evaluation, besides its score."""
        return Look({}, weights_of(self.model))

    def payload(self) -> Saved:
        """What a checkpoint holds besides the model and what every run has."""
        return {}

    def restore(self, saved: Saved) -> None:
        """Take over what :meth:`payload` gave."""
        return

    def close(self) -> None:
        """Let go of what was opened."""
        return


def architecture(model: nn.Module) -> str:
    """What weights must fit: the model's kind and the shapes of its parameters."""
    shapes = (f"{name} {tuple(value.shape)}" for name, value in model.named_parameters())
    return f"{model._get_name()}({', '.join(shapes)})"


def read_checkpoint(run_dir: Path, checkpoint: str) -> Saved:
    """What a run's checkpoint holds, on the CPU: what is replayed may be larger than a GPU's memory.

    Args:
        run_dir: the run's folder.
        checkpoint: ``last``, ``best`` (by the evaluations while training), or a checkpoint's name or path.

    Raises:
        ConfigError: there is no such checkpoint, or it is damaged.
    """
    store = CheckpointStore(run_dir / "checkpoints")
    return store.load(store.find(checkpoint))


def generator_of(model: nn.Module) -> torch.Generator:
    """The generator that a model draws from."""
    generator = vars(model)["generator"]
    assert isinstance(generator, torch.Generator)
    return generator


def fit(model: T, part: str, saved: Saved, place: torch.device) -> T:
    """The model with a checkpoint's weights and generator, in evaluation on ``place``.

    Args:
        model: freshly made, with a ``generator``.
        part: its name in the checkpoint.
        saved: what the checkpoint holds.
        place: the device.

    Raises:
        ConfigError: the weights are of another architecture, or a part is missing.
    """
    expected = architecture(model)
    check_architecture("the run's checkpoint", saved["architecture"], expected)
    with taking_over():
        model.to(place).load_state_dict(saved[part])
        generator_of(model).set_state(saved["generator"].cpu())
    return model.eval()


AnyTask: TypeAlias = Task[Any]
"""A task with a model that is known only when it runs."""
