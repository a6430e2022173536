"""Options of commands that have several runs to carry out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snnrl.run_settings import ProgressSettings
from snnrl.settings import Settings, setting


@dataclass(frozen=True, kw_only=True)
class WorkOptions(ProgressSettings, Settings):
    """By whom runs are carried out, how many at a time, and how that is shown."""

    executor: str = setting("local", "who carries runs out: local (this machine), ray or slurm")
    jobs: int | None = setting(
        None,
        "runs at a time",
        at_least=1,
        at_most=100_000,
        default_text="local: cores; ray and slurm: what the cluster has room for",
    )
    retries: int = setting(
        1,
        "how often a run is taken up again, from its last checkpoint, whose process or machine died",
        at_least=0,
        at_most=100,
    )


@dataclass(frozen=True, kw_only=True)
class TrialOptions(WorkOptions):
    """Options of a command that trains several runs."""

    seeds: int = setting(5, "how many seeds, from seed= upwards", at_least=1)
    episodes: int | None = setting(None, "episodes that each run is evaluated on", at_least=1)
    out: Path | None = setting(
        None, "folder to write to; runs of the same settings that are there already are not done again"
    )
