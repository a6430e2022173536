"""What differs between runs: environments to act in, or a data set to learn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from snnrl.training.checkpoints import CheckpointStore, check_architecture, taking_over
from snnrl.training.loggers import Logger

Metrics = Mapping[str, Tensor | float]


class Step(NamedTuple):
    """What one step brought."""

    steps: int
    """How far the run got, in the task's unit."""
    metrics: Metrics
    """What there is to log; values are averaged between two rows of the log."""


class Evaluated(NamedTuple):
    """What an evaluation on the way found."""

    metrics: Mapping[str, float]
    message: str
    score: float | None
    """The higher, the better; the best one's weights are kept. ``None`` keeps none."""


class Finished(NamedTuple):
    """What the evaluation at the end found."""

    metrics: Mapping[str, float]
    summary: Mapping[str, Any]
    """What ``summary.json`` says besides times and versions."""
    message: str


class Task(ABC):
    """What a :class:`~snnrl.training.trainer.Trainer` drives, step by step.

    Attributes:
        model: what learns, a ``torch.nn.Module`` with a ``generator``.
        device: that it computes on.
        part: the model's name in a checkpoint.
        total: steps of the whole run.
        key: the name of its steps in ``summary.json``.
        rate: the name there of their rate while training.
        unit: the word for them.
        setting: the setting that makes a run longer.
        score: how the progress line shows :meth:`recent`.
    """

    model: Any
    device: torch.device
    total: int
    part: str
    key: str
    rate: str
    unit: str
    setting: str
    score: str

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

    @abstractmethod
    def evaluate(self, between: Callable[[], None]) -> Evaluated:
        """An evaluation on the way; ``between`` is called often and may raise to end it."""

    def complete(self, between: Callable[[], None]) -> bool:
        """What the model needs after the last step, before it is saved; whether anything was done."""
        return False

    @abstractmethod
    def finish(self, between: Callable[[], None], say: Callable[[str], None]) -> Finished:
        """The evaluation at the end."""

    @abstractmethod
    def result(self, summary: Mapping[str, Any]) -> str:
        """The summary in a line."""

    def picture(self, folder: Path, loggers: list[Logger], steps: int) -> None:
        """Draw what was learned, where that is asked for."""
        return

    def payload(self) -> dict[str, Any]:
        """What a checkpoint holds besides the model and the session."""
        return {}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over what :meth:`payload` gave."""
        return

    def close(self) -> None:
        """Let go of what was opened."""
        return


def architecture(model: nn.Module) -> str:
    """What weights must fit: the model's kind and the shapes of its parameters."""
    shapes = (f"{name} {tuple(value.shape)}" for name, value in model.named_parameters())
    return f"{model._get_name()}({', '.join(shapes)})"


def read_checkpoint(run_dir: Path, checkpoint: str) -> dict[str, Any]:
    """What a run's checkpoint holds, on the CPU: what is replayed may be larger than a GPU's memory.

    Args:
        run_dir: the run's folder.
        checkpoint: ``last``, ``best`` (by the evaluations while training), or a checkpoint's name or path.

    Raises:
        ConfigError: there is no such checkpoint, or it is damaged.
    """
    store = CheckpointStore(run_dir / "checkpoints")
    return store.load(store.find(checkpoint))


M = TypeVar("M", bound=nn.Module)


def fit(model: M, part: str, saved: Mapping[str, Any], place: torch.device) -> M:
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
    generator: Any = model.generator
    with taking_over():
        model.to(place).load_state_dict(saved[part])
        generator.set_state(saved["generator"].cpu())
    return model.eval()
