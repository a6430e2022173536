"""``python -m snnrl.compare experiment=ppo_cartpole``: a spiking policy against its ANN baseline."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snnrl.cli import read_options, run_command, usage
from snnrl.errors import ConfigError, require
from snnrl.runs.command import GOES_ON, carried_out, require_finished, taken_apart
from snnrl.runs.options import TrialOptions
from snnrl.runs.work import Play, Run, for_seed
from snnrl.settings import setting
from snnrl.training.shutdown import stoppable
from snnrl.types import Settings

if TYPE_CHECKING:
    from snnrl.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class Options(TrialOptions):
    """Options of the command."""

    episodes: int | None = setting(None, default_text="the recipe's number")
    against: str = setting("agent.network=ann", "what makes the baseline")
    out: Path | None = setting(None, default_text="runs/compare-<experiment or agent>-<env_steps>")


USAGE = usage(
    "python -m snnrl.compare [experiment=RECIPE] [env=RECIPE] [agent=RECIPE] [key=value ...]",
    Options,
    """
Everything else is as for python -m snnrl.train, and chooses the first of the two. Both train on the same budget and
seeds. Writes compare.md, compare.json and compare.png: scores and their intervals, wall time, spikes and operations of
a decision, learning curves.
""",
)

DECISIONS = 1024
"""Decisions of its own play over which a policy's operations are averaged."""


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(stoppable(run_comparison, GOES_ON), USAGE, words)


def run_comparison(words: Sequence[str]) -> int:
    """Train and evaluate as the command line says.

    Raises:
        ConfigError: a wrong setting.
        RunError: a run that failed.
    """
    from snnrl.config import RunConfig, check_values
    from snnrl.plot import learning_curves, save_figure
    from snnrl.recipes import compose_run
    from snnrl.run_settings import SEED_LIMIT
    from snnrl.textfiles import usable, write_text
    from snnrl.training.device import leave_cores_to_environments
    from snnrl.training.summary import write_json
    from snnrl.training.writable import keeping

    own, executor, chosen = taken_apart(Options, words)
    options = read_options(Options, own)
    against = options.against
    both = {"spiking": compose_run(chosen), "baseline": compose_run([*chosen, *against.split()])}
    for settings in both.values():
        if "learner" in settings:
            raise ConfigError("experiment: this one learns from a data set; must be one that acts in environments")
        check_values(settings)
    first = RunConfig.from_mapping(both["spiking"])
    require(both["spiking"] != both["baseline"], "against", against, "a setting that differs from those of the first")
    require(first.seed + options.seeds <= SEED_LIMIT, "seeds", options.seeds, "fewer, seeds end at 2^32")
    seeds = range(first.seed, first.seed + options.seeds)
    episodes = first.eval.episodes if options.episodes is None else options.episodes
    title = f"compare-{_title(chosen, first.title)}-{first.env_steps}"
    out = Path("runs") / title if options.out is None else usable("out", options.out)

    def described(name: str, settings: Settings, seed: int) -> Run:
        """A run, with the games that are played afterwards."""
        folder, log = out / f"{name}-{seed}", out / "logs" / f"{name}-{seed}.log"
        play = Play(episodes, folder / f"compare-{episodes}.json", ("best",))
        varied = for_seed(settings, seed, logger="none", progress="plain")
        return Run(folder, varied, log, {"network": name, "seed": str(seed)}, False, play)

    runs = {name: [described(name, settings, seed) for seed in seeds] for name, settings in both.items()}
    require_finished(carried_out([run for own in runs.values() for run in own], options, executor, out))
    leave_cores_to_environments()
    results: dict[str, list[dict[str, float]]] = {}
    for name, own_runs in runs.items():
        for seed, run in zip(seeds, own_runs, strict=True):
            row = {"seed": seed, "score": run.played()["best"], "train_seconds": run.summary()["train_seconds"]}
            cost = _cost(run.folder, RunConfig.from_mapping(run.settings))
            results.setdefault(name, []).append({**row, **cost})
    table = _table(results, first, episodes, against)
    print(table)
    with keeping(out):
        write_json(out / "compare.json", {"words": chosen, "against": against, "results": results})
        write_text(out / "compare.md", table)
        drawn = {name: [run.folder for run in own_runs] for name, own_runs in runs.items()}
        title = f"{first.env.id}: spiking and baseline"
        save_figure(learning_curves(drawn, title=title, label="return while training"), out / "compare.png", dpi=150)
    print(f"written to {out}: compare.md, compare.json, compare.png")
    return 0


def _cost(folder: Path, config: RunConfig) -> dict[str, float]:
    """Spikes and operations of a decision of a spiking policy, nothing of another agent."""
    from snnrl.loading import load_model

    cost = load_model(config, folder).decision_cost(config.env, DECISIONS, config.seed)
    if cost is None:
        return {}
    return {"firing_rate": cost.firing_rate, "synaptic_operations": cost.operations, "macs_of_ann": cost.macs}


def _table(results: Mapping[str, list[dict[str, float]]], config: RunConfig, episodes: int, against: str) -> str:
    import numpy as np

    from snnrl.training.summary import bootstrap_interval

    lines = [
        f"{config.env.id}, {config.agent['name']}, {config.env_steps:,} env steps, {len(results['spiking'])} seeds, "
        f"{episodes} episodes each that training did not see; the baseline has {against}\n",
        "| what | mean return (95 % interval over seeds) | each seed | seconds of training | a decision's operations |",
        "|---|---|---|---|---|",
    ]
    intervals = {}
    for name, found in results.items():
        scores = np.array([result["score"] for result in found])
        intervals[name] = (float(scores.mean()), *bootstrap_interval(scores))
        mean, low, high = intervals[name]
        each = ", ".join(f"{score:.1f}" for score in scores)
        seconds = np.mean([result["train_seconds"] for result in found])
        cost = ""
        if "firing_rate" in found[0]:
            rate, operations = (
                np.mean([result[key] for result in found]) for key in ("firing_rate", "synaptic_operations")
            )
            cost = f"{operations:,.0f} synaptic, {rate:.3f} spikes per neuron and step"
        elif "macs_of_ann" in results["spiking"][0]:
            cost = f"{results['spiking'][0]['macs_of_ann']:,} multiplications"
        lines.append(f"| {name} | {mean:.1f} ({low:.1f} to {high:.1f}) | {each} | {seconds:.0f} | {cost} |")
    reached = "at or above" if intervals["spiking"][0] >= intervals["baseline"][1] else "below"
    lines.append(f"\nThe spiking mean is {reached} the lower end of the baseline's interval.")
    return "\n".join(lines) + "\n"


def _title(words: Sequence[str], otherwise: str) -> str:
    given = {word.partition("=")[0]: word.partition("=")[2] for word in words}
    return given.get("experiment", otherwise)


if __name__ == "__main__":
    sys.exit(main())
