"""The settings of a run that learns from a data set, checked before anything is created."""

from __future__ import annotations

from dataclasses import dataclass

from snnrl.config import interval, read_whole
from snnrl.run_settings import SupervisedSettings
from snnrl.settings import setting
from snnrl.training.loggers import validate_logger_names
from snnrl.types import Settings


@dataclass(frozen=True, kw_only=True)
class SupervisedConfig(SupervisedSettings):
    """Everything that decides a run; :attr:`resolved` is what its ``config.yaml`` holds.

    Attributes:
        learner: the learner's recipe, ``name`` and its settings.
        resolved: the mapping that all this was read from.
        total: images that the whole run learns from, all passes counted; known once the data set is read.
    """

    learner: Settings = setting(help="the settings are not whole", expected="a recipe with a name")
    resolved: Settings = setting({})
    total: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        named = isinstance(self.learner.get("name"), str)
        self.require(named, "learner", "a recipe with a name")
        validate_logger_names(self.logger)

    @property
    def eval_every(self) -> int:
        """Images between evaluations while training; beyond the end for none."""
        return interval(self.eval.every, self.total, shares=5)

    @property
    def checkpoint_every(self) -> int:
        """Images between checkpoints; beyond the end for none but the last."""
        return interval(self.checkpoint.every, self.total, shares=10)

    @property
    def title(self) -> str:
        """The name of a new run's folder, but for the time."""
        return f"{self.dataset}-{self.learner['name']}-seed{self.seed}".replace(":", "-")

    def announcement(self, steps: int) -> str:
        """What a run is going to do, after ``steps`` images."""
        start = f"going on at {steps:,} images of" if steps else "training for"
        amount = f"{self.train_images:,} training images" if self.train_images else "all training images"
        return (
            f"{self.dataset}, learner {self.learner['name']}, seed {self.seed}: {start} {self.passes} "
            f"{'pass' if self.passes == 1 else 'passes'} over {amount}, then the {self.split} images"
        )

    @classmethod
    def from_mapping(cls, mapping: Settings) -> SupervisedConfig:
        """Read and check the mapping that :func:`snnrl.recipes.compose_run` or a run's ``config.yaml`` gives.

        Raises:
            ConfigError: a value of the wrong type or out of range.
        """
        return read_whole(cls, mapping)
