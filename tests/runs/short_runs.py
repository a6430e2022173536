"""Short runs, and what tests ask of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from snnrl.recipes import compose_run
from snnrl.runs.carry_out import carry_out
from snnrl.runs.executors import make_executor
from snnrl.runs.executors.base import Executor
from snnrl.runs.work import Outcome, Run, for_seed
from snnrl.settings import Settings

WORDS = ("env=CartPole", "num_envs=4", "env_steps=64", "eval.every=0", "eval.episodes=1", "logger=none")


def short_runs(folder: Path, count: int, *words: str) -> list[Run]:
    """Runs of CartPole that differ in their seeds."""
    settings = compose_run([*WORDS, "progress=none", *words])
    return [
        Run(
            folder / f"seed={seed}", for_seed(settings, seed), folder / "logs" / f"seed={seed}.log", {"seed": str(seed)}
        )
        for seed in range(count)
    ]


@contextmanager
def local(jobs: int = 2, *words: str, retries: int = 1) -> Iterator[Executor[Settings]]:
    """The executor of this machine, started."""
    with make_executor("local", words, jobs=jobs, retries=retries) as executor:
        yield executor


def outcomes(runs: Sequence[Run], jobs: int = 2) -> dict[str, Outcome]:
    """How runs ended, by their names."""
    with local(jobs) as executor:
        return {outcome.run.name: outcome for outcome in carry_out(runs, executor)}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights that a run ended with."""
    from snnrl.training.checkpoints import CheckpointStore, load_checkpoint

    latest = CheckpointStore(folder / "checkpoints").latest()
    assert latest is not None
    return dict(load_checkpoint(latest)["agent"])


def same(first: Path, second: Path) -> bool:
    """Whether two runs ended with the same weights, bit for bit."""
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
