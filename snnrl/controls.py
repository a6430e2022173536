"""``python -m snnrl.controls run=<dir>``: was it plasticity? The same run without what should make it learn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from snnrl.cli import RunOptions, read_options, run_command, usage
from snnrl.errors import require
from snnrl.runs.command import GOES_ON, carried_out, require_finished
from snnrl.runs.executors import split_words
from snnrl.runs.options import TrialOptions
from snnrl.runs.work import Play, Run, finished, for_seed
from snnrl.settings import setting
from snnrl.training.shutdown import stoppable
from snnrl.types import Setting, Settings


@dataclass(frozen=True, kw_only=True)
class Options(RunOptions, TrialOptions):
    """Options of the command."""

    seeds: int = setting(3, "how many seeds, from the run's own upwards")
    episodes: int | None = setting(None, default_text="the run's own number")
    out: Path | None = setting(None, default_text="RUN_DIR/controls-<env_steps>")


USAGE = usage(
    "python -m snnrl.controls run=RUN_DIR [key=value ...]",
    Options,
    """
Takes a finished run of an agent that learns by plasticity. Trains the same network on the same budget, environments and
seeds, once more for each seed and with

  critic frozen     the critic keeps its first weights: reward is predicted by nothing that was learned
  shuffled          the modulator is the error of other times and environments
  plasticity off    no weight changes (not trained: there is nothing to change)

and plays random and the best constant actions. Writes controls.md, controls.json and controls.png.
""",
)


class Control(NamedTuple):
    """A way to take away what should make the run learn."""

    name: str
    agent: Settings
    """What it changes in the agent's settings."""
    trains: bool
    """Whether anything changes in training."""


CONTROLS = (
    Control("learned", {}, True),
    Control("critic frozen", {"critic_lr": 0.0}, True),
    Control("shuffled", {"modulator": "shuffled"}, True),
    Control("plasticity off", {"plasticity": False}, False),
)
TRIAL_EPISODES = 8
"""Episodes by which the best of the constant actions is chosen."""


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(stoppable(run_controls, GOES_ON), USAGE, words)


def run_controls(words: Sequence[str]) -> int:
    """Train and evaluate as the command line says.

    Raises:
        ConfigError: a wrong setting, or a run that has no plasticity to take away.
        RunError: a run that failed.
    """
    executor, words = split_words(words)
    options = read_options(Options, words)

    from snnrl.config import RunConfig, read_run
    from snnrl.plot import learning_curves, save_figure
    from snnrl.run_settings import SEED_LIMIT
    from snnrl.textfiles import usable, write_text
    from snnrl.training.device import leave_cores_to_environments
    from snnrl.training.summary import write_json
    from snnrl.training.writable import keeping

    run_dir, settings = read_run(options.run, trust=options.trust)
    config = RunConfig.from_mapping(settings)
    for control in CONTROLS:
        for key in control.agent:
            require(key in config.agent, "run", run_dir, f"of an agent that has agent.{key}, such as rstdp")
    require(finished(run_dir), "run", run_dir, "finished; python -m snnrl.train resume= goes on")
    require(config.seed + options.seeds <= SEED_LIMIT, "seeds", options.seeds, "fewer, seeds end at 2^32")
    out = run_dir / f"controls-{config.env_steps}" if options.out is None else usable("out", options.out)
    episodes = config.eval.episodes if options.episodes is None else options.episodes
    seeds = range(config.seed, config.seed + options.seeds)

    def described(control: Control, seed: int) -> Run:
        """A run, with the games that are played afterwards; the run itself is the first that learned."""
        name = f"{control.name}-{seed}".replace(" ", "-")
        own = run_dir if not control.agent and seed == config.seed else out / name
        play = Play(episodes, (out if own == run_dir else own) / f"controls-{episodes}.json", ("best", "sampled"))
        labels = {"control": control.name, "seed": str(seed)}
        return Run(own, _varied(settings, control, seed), out / "logs" / f"{name}.log", labels, False, play)

    runs = {(control.name, seed): described(control, seed) for control in CONTROLS for seed in seeds}
    require_finished(carried_out(list(runs.values()), options, executor, out))
    leave_cores_to_environments()
    results: dict[str, list[dict[str, float]]] = {}
    for (name, _), run in runs.items():
        results.setdefault(name, []).append(run.played())
    untrained = {**settings, "progress": options.progress}
    results["best constant action"] = _constant(untrained, seeds, episodes)
    results["random actions"] = [_played(untrained, {"name": "random"}, seed, episodes) for seed in seeds]

    table = _table(results, config.env.id, config.env_steps, episodes)
    print(table)
    drawn = {c.name: [runs[c.name, seed].folder for seed in seeds] for c in CONTROLS if c.trains}
    others = ("best constant action", "random actions")
    levels = {name: sum(r["best"] for r in results[name]) / len(seeds) for name in others if results[name]}
    with keeping(out):
        write_json(out / "controls.json", {"env": config.env.id, "seeds": list(seeds), "results": results})
        write_text(out / "controls.md", table)
        title = f"{config.env.id}: learned, and without what learns"
        figure = learning_curves(drawn, levels=levels, title=title, label="return while training")
        save_figure(figure, out / "controls.png", dpi=150)
    print(f"written to {out}: controls.md, controls.json, controls.png")
    return 0


def _varied(settings: Settings, control: Control, seed: int) -> dict[str, Setting]:
    varied = for_seed(settings, seed, logger="none", progress="plain")
    varied["agent"].update(control.agent)
    if not control.trains:
        varied["env_steps"] = varied["num_envs"]
    return varied


def _played(settings: Settings, agent: Settings, seed: int, episodes: int) -> dict[str, float]:
    """Mean return of an agent that does not learn."""
    from snnrl.config import RunConfig
    from snnrl.loading import make_agent_for
    from snnrl.training.evaluation import evaluate
    from snnrl.training.progress import evaluating

    config = RunConfig.from_mapping(settings)
    player = make_agent_for(config.env, agent, seed)
    with evaluating(episodes, "episodes", config.progress) as tell:
        found = evaluate(player, config.env, episodes=episodes, seed=seed, between_steps=tell)
    return {"best": float(found.returns.mean())}


def _constant(settings: Settings, seeds: Sequence[int], episodes: int) -> list[dict[str, float]]:
    """The constant action that does best in a few episodes, for each seed; none where actions are not numbered."""
    from snnrl.config import RunConfig
    from snnrl.envs import make_envs
    from snnrl.spaces import Actions

    envs = make_envs(RunConfig.from_mapping(settings).env, 1)
    space = envs.single_action_space
    envs.close()
    if space.shape != ():
        return []
    numbers = Actions(space)
    if numbers.continuous.any():
        return []
    actions = range(int(numbers.low[0]), int(numbers.high[0]) + 1)
    trials = {
        action: _played(settings, {"name": "constant", "action": action}, seeds[0], TRIAL_EPISODES)["best"]
        for action in actions
    }
    best = max(trials, key=lambda action: trials[action])
    return [
        _played(settings, {"name": "constant", "action": best}, seed, episodes) | {"action": float(best)}
        for seed in seeds
    ]


def _table(results: Settings, env: str, env_steps: int, episodes: int) -> str:
    import numpy as np

    from snnrl.training.summary import bootstrap_interval

    seeds = len(results["learned"])
    lines = [
        f"{env}, {env_steps:,} env steps, {seeds} seeds, {episodes} episodes each that training did not see: mean "
        "return over seeds and its 95 % bootstrap interval\n",
        "| what | best actions | sampled actions | seeds |",
        "|---|---|---|---|",
    ]
    for name, found in results.items():
        if not found:
            continue
        cells = []
        for kind in ("best", "sampled"):
            means = np.array([result[kind] for result in found if kind in result])
            low, high = bootstrap_interval(means) if len(means) else (0.0, 0.0)
            cells.append(f"{means.mean():.1f} ({low:.1f} to {high:.1f})" if len(means) else "")
        each = ", ".join(f"{result['best']:.1f}" for result in found)
        action = f" ({int(found[0]['action'])})" if "action" in found[0] else ""
        lines.append(f"| {name}{action} | {' | '.join(cells)} | {each} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
