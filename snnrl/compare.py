"""``python -m snnrl.compare experiment=ppo_cartpole``: a spiking policy against its ANN baseline."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snnrl.cli import TrialOptions, read_options, run_command, usage
from snnrl.errors import ConfigError, require
from snnrl.settings import declarations, setting

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
    return run_command(run_comparison, USAGE, words, goes_on=True)


def run_comparison(words: Sequence[str]) -> int:
    """Train and evaluate as the command line says; 130 or 143 if a signal stopped it, to go on by the same line.

    Raises:
        ConfigError: a wrong setting.
    """
    from snnrl.config import RunConfig
    from snnrl.recipes import compose_run
    from snnrl.run_settings import SEED_LIMIT
    from snnrl.textfiles import read_json, usable, write_text
    from snnrl.training.device import leave_cores_to_environments
    from snnrl.training.summary import write_json
    from snnrl.training.writable import keeping, require_writable
    from snnrl.trials import (
        Outlook,
        check_reusable,
        draw_curves,
        finished,
        for_seed,
        played,
        stopped_by,
        train_run,
    )

    own = declarations(Options)
    options = read_options(Options, [word for word in words if _key(word) in own])
    chosen = [word for word in words if _key(word) not in own]
    against = options.against
    both = {"spiking": compose_run(chosen), "baseline": compose_run([*chosen, *against.split()])}
    for settings in both.values():
        if "learner" in settings:
            raise ConfigError("experiment: this one learns from a data set; must be one that acts in environments")
    first = RunConfig.from_mapping(both["spiking"])
    require(both["spiking"] != both["baseline"], "against", against, "a setting that differs from those of the first")
    require(first.seed + options.seeds <= SEED_LIMIT, "seeds", options.seeds, "fewer, seeds end at 2^32")
    seeds = range(first.seed, first.seed + options.seeds)
    episodes = first.eval.episodes if options.episodes is None else options.episodes
    title = f"compare-{_title(chosen, first.title)}-{first.env_steps}"
    out = Path("runs") / title if options.out is None else usable("out", options.out)
    runs = {
        name: [(out / f"{name}-{seed}", for_seed(settings, seed, options.progress)) for seed in seeds]
        for name, settings in both.items()
    }
    for folder, settings in (run for pairs in runs.values() for run in pairs):
        check_reusable(settings, folder)
    require_writable(out, "out")
    leave_cores_to_environments()

    results: dict[str, list[dict[str, float]]] = {}
    outlook = Outlook({name: sum(not finished(folder) for folder, _ in pairs) for name, pairs in runs.items()})
    for name, pairs in runs.items():
        for seed, (folder, settings) in zip(seeds, pairs, strict=True):
            print(f"{name}, seed {seed}: {folder}", file=sys.stderr, flush=True)
            stopped = None
            if not finished(folder):
                print(f"{outlook.line()}; {episodes} evaluation episodes after each", file=sys.stderr, flush=True)
                with outlook.training(name):
                    stopped = train_run(settings, folder)
            if stopped is not None:
                return stopped_by(stopped)
            summary = read_json(folder / "summary.json", f"out={out}: {folder / 'summary.json'}")
            score = played(folder, episodes, folder / f"compare-{episodes}.json", ("best",), settings)["best"]
            row = {"seed": seed, "score": score, "train_seconds": summary["train_seconds"]}
            results.setdefault(name, []).append({**row, **_cost(folder, RunConfig.from_mapping(settings))})
    table = _table(results, first, episodes, against)
    print(table)
    with keeping(out):
        write_json(out / "compare.json", {"words": chosen, "against": against, "results": results})
        write_text(out / "compare.md", table)
        drawn = {name: [folder for folder, _ in pairs] for name, pairs in runs.items()}
        draw_curves(drawn, out / "compare.png", {}, f"{first.env.id}: spiking and baseline")
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


def _key(word: str) -> str:
    return word.partition("=")[0]


def _title(words: Sequence[str], otherwise: str) -> str:
    given = {_key(word): word.partition("=")[2] for word in words}
    return given.get("experiment", otherwise)


if __name__ == "__main__":
    sys.exit(main())
