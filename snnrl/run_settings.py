"""The settings that a run has, declared once: recipes, ``--help`` and the checks take them from here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from snnrl.settings import Settings, declarations, setting
from snnrl.types import Setting

SEED_LIMIT = 2**32
PROGRESS_MODES = ("auto", "bar", "plain", "none")
_DEVICE = re.compile(r"auto|cpu(:0)?|cuda(:[0-9]{1,3})?")


@dataclass(frozen=True)
class CheckpointSettings(Settings, section="checkpoint"):
    """When a run is saved."""

    every: int | None = setting(
        None, "steps between checkpoints; 0 for none but the last", at_least=0, default_text="a tenth of the run"
    )


@dataclass(frozen=True)
class EvalSettings(Settings, section="eval"):
    """When an agent is evaluated, and how."""

    every: int | None = setting(
        None,
        "environment steps between evaluations while training; 0 for none",
        at_least=0,
        default_text="a fifth of the run",
    )
    episodes: int = setting(100, "episodes of the evaluation at the end", at_least=1)
    during: int = setting(16, "episodes of each evaluation while training", at_least=1)
    deterministic: bool = setting(True, "whether evaluations take the best actions rather than draw them")


@dataclass(frozen=True)
class VideoSettings(Settings, section="video"):
    """Videos of the agent as it learns, for TensorBoard and Weights & Biases; actions are chosen as in evaluations."""

    every: int = setting(0, "environment steps between videos of an episode, for the loggers; 0 for none", at_least=0)
    seconds: float = setting(30.0, "of the game's own time after which a video is cut", above=0, at_most=3600)
    spikes: bool = setting(False, "whether a video shows the spikes under the game")


@dataclass(frozen=True)
class SupervisedEvalSettings(Settings, section="eval"):
    """When a learner is evaluated, and how; the evaluation at the end takes all images."""

    every: int | None = setting(
        None, "images between evaluations while training; 0 for none", at_least=0, default_text="a fifth of the run"
    )
    during: int = setting(2000, "images of each evaluation while training", at_least=1)


@dataclass(frozen=True)
class ProgressSettings(Settings):
    """How progress is shown."""

    progress: str = setting("auto", "how it is shown", choices=PROGRESS_MODES)


@dataclass(frozen=True)
class DeviceSettings(Settings):
    """Where tensors are."""

    device: str = setting(
        "auto",
        "auto (CUDA where there is one and it is faster, else the CPU), cpu, cuda or cuda:<n>",
        check=lambda name: _DEVICE.fullmatch(name) is not None,
        expected="auto, cpu, cuda or cuda:<n>",
    )


@dataclass(frozen=True)
class WandbSettings(Settings, section="wandb"):
    """How Weights & Biases files a run; what is set here comes before its variables, such as WANDB_PROJECT."""

    project: str | None = setting(None, "with logger=wandb: the project", default_text="$WANDB_PROJECT, else snnrl")
    name: str | None = setting(None, "the run's name there", default_text="$WANDB_NAME, else that of run_dir")
    group: str | None = setting(None, "runs that belong together", default_text="$WANDB_RUN_GROUP, else $WANDB_GROUP")
    tags: tuple[str, ...] = setting((), "a list of words", default_text="$WANDB_TAGS")


@dataclass(frozen=True)
class CommonSettings(ProgressSettings, DeviceSettings):
    """What every run can be told."""

    seed: int = setting(
        0,
        "of all randomness",
        at_least=0,
        at_most=SEED_LIMIT - 1,
        expected=f"an integer from 0 to {SEED_LIMIT - 1}",
    )
    run_dir: Path | None = setting(None, "folder to write to", default_text="a new one under runs/")
    resume: Path | None = None
    logger: str = setting(
        "tensorboard", "tensorboard, wandb, tensorboard,wandb or none; metrics.jsonl is always written"
    )
    wandb: WandbSettings = setting(WandbSettings())
    checkpoint: CheckpointSettings = setting(CheckpointSettings())


@dataclass(frozen=True)
class RLSettings(CommonSettings):
    """What a run of an agent in environments can be told."""

    env_steps: int = setting(
        100_000,
        "length of the run in environment steps, summed over the environments",
        at_least=1,
        default_text="the environment's recipe",
    )
    num_envs: int = setting(
        16, "environments that are stepped together", at_least=1, default_text="the environment's recipe"
    )
    eval: EvalSettings = setting(EvalSettings())
    video: VideoSettings = setting(VideoSettings())


@dataclass(frozen=True)
class SupervisedSettings(CommonSettings):
    """What a run of a learner on a data set can be told."""

    dataset: str = setting("MNIST", "MNIST, FashionMNIST, KMNIST or EMNIST")
    data_dir: Path | None = setting(
        None, "folder with its files", default_text="$SNNRL_DATA, else a cache that they are downloaded to"
    )
    split: str = setting(
        "test",
        "test, or validation: the last 10,000 training images are held out and evaluated on",
        choices=("test", "validation"),
    )
    train_images: int | None = setting(None, "learn from the first so many only", at_least=1, default_text="all")
    test_images: int | None = setting(None, "evaluate on the first so many only", at_least=1, default_text="all")
    passes: int = setting(1, "how often each training image is learned from", at_least=1)
    eval: SupervisedEvalSettings = setting(SupervisedEvalSettings())
    plot: bool = setting(False, "draw what was learned into the run's folder")


def as_recipe(settings: type[Settings]) -> dict[str, Setting]:
    """The defaults of declared settings, nested as in a recipe.

    >>> as_recipe(EvalSettings)
    {'every': None, 'episodes': 100, 'during': 16, 'deterministic': True}
    """
    return {
        name: as_recipe(type(one.default)) if isinstance(one.default, Settings) else one.default
        for name, one in declarations(settings).items()
    }
