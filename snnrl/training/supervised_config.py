"""The settings of a run that learns from a data set, checked before anything is created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snnrl.config import check_outputs, checked_seed, interval, path_or_none, whole
from snnrl.errors import ConfigError, did_you_mean, require

SPLITS = ("test", "validation")


@dataclass(frozen=True)
class SupervisedConfig:
    """Everything that decides a run; :attr:`resolved` is what its ``config.yaml`` holds.

    Attributes:
        seed: of all randomness.
        device: ``auto`` (CUDA where there is one, else the CPU), ``cpu``, ``cuda`` or ``cuda:<n>``.
        dataset: one of :data:`snnrl.learners.data.DATASETS`.
        data_dir: the folder with the data sets; ``None`` is ``$SNNRL_DATA``, else a cache that they are downloaded to.
        split: ``test`` trains on all training images; ``validation`` holds the last 10,000 out and evaluates on them.
        train_images: the first so many are trained on; ``None`` for all.
        test_images: the first so many are evaluated on; ``None`` for all.
        passes: how often each training image is learned from.
        run_dir: the folder to write to; ``None`` for a new one under ``runs/``.
        logger: ``tensorboard``, ``wandb``, both with a comma, or ``none``; ``metrics.jsonl`` is always there.
        eval_every: images between evaluations while training.
        eval_during: images of each evaluation while training.
        checkpoint_every: images between checkpoints.
        progress: ``auto``, ``bar``, ``plain`` or ``none``.
        plot: draw pictures of what was learned.
        learner: the learner's recipe, ``name`` and its settings.
        resolved: the mapping that all this was read from.
    """

    seed: int
    device: str
    dataset: str
    data_dir: Path | None
    split: str
    train_images: int | None
    test_images: int | None
    passes: int
    run_dir: Path | None
    logger: str
    eval_every: int
    eval_during: int
    checkpoint_every: int
    progress: str
    plot: bool
    learner: Mapping[str, Any]
    resolved: Mapping[str, Any]

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

    def spread(self, total: int) -> SupervisedConfig:
        """With evaluations and checkpoints that are not set spread over a run of ``total`` images."""
        return replace(
            self,
            eval_every=interval("eval.every", self.resolved["eval"]["every"], total, shares=5),
            checkpoint_every=interval("checkpoint.every", self.resolved["checkpoint"]["every"], total, shares=10),
        )

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> SupervisedConfig:
        """Read and check the mapping that :func:`snnrl.recipes.compose_run` or a run's ``config.yaml`` gives.

        Raises:
            ConfigError: a value of the wrong type or out of range.
        """
        for key in mapping:
            if key not in _KNOWN:
                raise ConfigError(f"{key}: there is no such setting; {did_you_mean(str(key), _KNOWN)}")
        missing = sorted(_KNOWN - {"resume"} - set(mapping))
        if missing:
            raise ConfigError(f"{missing[0]} is missing: the settings are not whole")
        for section, keys in (("eval", {"every", "during"}), ("checkpoint", {"every"})):
            value = mapping[section]
            complete = isinstance(value, Mapping) and set(value) == keys
            require(complete, section, value, f"settings {section}.{f', {section}.'.join(sorted(keys))}")
        learner = mapping["learner"]
        named = isinstance(learner, Mapping) and isinstance(learner.get("name"), str)
        require(named, "learner", learner, "a recipe with a name")
        check_outputs(mapping)
        require(mapping["split"] in SPLITS, "split", mapping["split"], " or ".join(SPLITS))
        require(isinstance(mapping["plot"], bool), "plot", mapping["plot"], "true or false")
        folders = {key: path_or_none(key, mapping[key]) for key in ("data_dir", "run_dir")}
        amounts = {
            key: None if mapping[key] is None else whole(key, mapping[key], 1)
            for key in ("train_images", "test_images")
        }
        return cls(
            seed=checked_seed(mapping["seed"]),
            device=str(mapping["device"]),
            dataset=str(mapping["dataset"]),
            data_dir=folders["data_dir"],
            split=mapping["split"],
            train_images=amounts["train_images"],
            test_images=amounts["test_images"],
            passes=whole("passes", mapping["passes"], 1),
            run_dir=folders["run_dir"],
            logger=str(mapping["logger"]),
            eval_every=interval("eval.every", mapping["eval"]["every"], 1, shares=5),
            eval_during=whole("eval.during", mapping["eval"]["during"], 1),
            checkpoint_every=interval("checkpoint.every", mapping["checkpoint"]["every"], 1, shares=10),
            progress=str(mapping["progress"]),
            plot=mapping["plot"],
            learner=dict(learner),
            resolved=dict(mapping),
        )


_KNOWN = {
    *("seed", "device", "dataset", "data_dir", "split", "train_images", "test_images", "passes", "run_dir", "resume"),
    *("logger", "progress", "plot", "eval", "checkpoint", "learner"),
}
