"""``python -m snnrl.convert run=<ann run>``: a trained network of stable-baselines3, made of spiking neurons."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snnrl.cli import RunOptions, read_options, run_command, usage
from snnrl.errors import require
from snnrl.run_settings import DeviceSettings, ProgressSettings
from snnrl.settings import setting
from snnrl.types import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from snnrl.integrations.sb3.agent import AnySB3Agent
    from snnrl.training.evaluation import Policy


@dataclass(frozen=True, kw_only=True)
class Options(RunOptions, DeviceSettings, ProgressSettings):
    """Options of the command."""

    sim_steps: int | tuple[int, ...] = setting(
        (1, 2, 4, 8, 16, 32),
        "simulation steps of a decision, a number or a list",
        at_least=1,
        expected="an integer of at least 1, or a list of them",
    )
    percentile: float = setting(
        99.9,
        "percentile of each neuron's activations that becomes one spike a step",
        above=0,
        at_most=100,
    )
    calibrate: bool = setting(True, "shift bias currents so that mean rates are the mean activations")
    samples: int = setting(4096, "observations of its own play from which activations are taken", at_least=1)
    episodes: int = setting(100, "episodes that each is evaluated on", at_least=1)
    out: Path | None = setting(None, "folder for the spiking run of the most steps", default_text="RUN_DIR/converted")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.sim_steps != (), "sim_steps", "an integer of at least 1, or a list of them")

    @property
    def step_counts(self) -> list[int]:
        """The numbers of simulation steps, the lowest first."""
        return sorted([self.sim_steps] if isinstance(self.sim_steps, int) else self.sim_steps)


USAGE = usage(
    "python -m snnrl.convert run=RUN_DIR [key=value ...]",
    Options,
    """
Takes a run without spikes, trained with agent=ppo_ann agent.activation=relu or the like. Writes convert.md,
convert.json and convert.png: what is kept of the score, against sim_steps.
""",
)


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(convert_run, USAGE, words)


def convert_run(words: Sequence[str]) -> int:
    """Convert and evaluate as the command line says.

    Raises:
        ConfigError: a wrong setting, or a run that cannot be converted.
    """
    options = read_options(Options, words)

    from snnrl.config import RunConfig, read_run
    from snnrl.loading import load_model, make_agent_for
    from snnrl.textfiles import usable, write_text
    from snnrl.training.device import leave_cores_to_environments
    from snnrl.training.evaluation import evaluate
    from snnrl.training.progress import evaluating
    from snnrl.training.summary import bootstrap_interval, write_json
    from snnrl.training.writable import keeping, require_writable

    run_dir, settings = read_run(options.run, trust=options.trust)
    out = run_dir / "converted" if options.out is None else usable("out", options.out)
    config = RunConfig.from_mapping(settings)

    from snnrl.integrations.sb3.building import require_network
    from snnrl.integrations.sb3.conversion import convert, same_actions, spiking_recipe
    from snnrl.integrations.sb3.cost import firing_rate
    from snnrl.integrations.sb3.observing import gather

    require_network(config.agent, "ann", run_dir)
    steps = options.step_counts
    recipes = {count: spiking_recipe(config.agent, count) for count in steps}
    require(not out.exists(), "out", out, "a new folder")
    require_writable(out, "out")
    leave_cores_to_environments()
    agent = load_model(config, run_dir, device=options.device)
    observations = gather(agent, config.env, options.samples, config.seed)

    def play(player: Policy) -> NDArray[np.float64]:
        with evaluating(options.episodes, "episodes", options.progress) as tell:
            found = evaluate(player, config.env, episodes=options.episodes, seed=config.seed, between_steps=tell)
        if found.cut:
            print(found.remark, file=sys.stderr, flush=True)
        return found.returns

    before = play(agent)
    random = play(make_agent_for(config.env, {"name": "random"}, config.seed))
    rows = []
    for count, recipe in recipes.items():
        spiking = convert(
            agent,
            recipe,
            config.env,
            observations,
            percentile=options.percentile,
            calibrate=options.calibrate,
            seed=config.seed,
        )
        returns = play(spiking)
        row = {
            "sim_steps": count,
            "return_mean": float(returns.mean()),
            "return_std": float(returns.std()),
            "kept": float((returns.mean() - random.mean()) / (before.mean() - random.mean())),
            "same_actions": same_actions(agent, spiking, observations),
            "firing_rate": firing_rate(spiking, observations),
        }
        rows.append(row)
        print(f"{count} steps: return {row['return_mean']:.1f}", file=sys.stderr, flush=True)
    low, high = bootstrap_interval(before)
    result = {
        "env": config.env.id,
        "ann": {"return_mean": float(before.mean()), "return_std": float(before.std()), "interval_95": [low, high]},
        "random": float(random.mean()),
        "rows": rows,
        **{key: getattr(options, key) for key in ("percentile", "calibrate", "samples", "episodes")},
    }
    table = _table(result)
    print(table)
    with keeping(out):
        _write_run(out, settings, recipes[steps[-1]], spiking)
        write_json(out / "convert.json", result)
        write_text(out / "convert.md", table)
        _draw(result, out / "convert.png")
    print(f"written to {out}: a run of {steps[-1]} steps, convert.md, convert.json, convert.png")
    return 0


def _write_run(out: Path, settings: Settings, recipe: Settings, agent: AnySB3Agent) -> None:
    """A run's folder that can be loaded and played."""
    from snnrl.config import write_settings
    from snnrl.training.checkpoints import CheckpointStore
    from snnrl.training.task import architecture

    out.mkdir(parents=True)
    write_settings(out, {**settings, "agent": dict(recipe)})
    payload = {
        "architecture": architecture(agent),
        "agent": agent.state_dict(),
        "generator": agent.generator.get_state(),
        "steps": 0,
    }
    CheckpointStore(out / "checkpoints").save(payload, 0)


def _table(result: Settings) -> str:
    ann = result["ann"]
    lines = [
        f"{result['env']}, {result['episodes']} episodes: {ann['return_mean']:.1f} ± {ann['return_std']:.1f} before, "
        f"random actions {result['random']:.1f}; kept is the share of what lies between them\n",
        "| sim_steps | return | kept | same actions | spikes per neuron and step |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['sim_steps']} | {row['return_mean']:.1f} ± {row['return_std']:.1f} | {100 * row['kept']:.1f} % | "
        f"{100 * row['same_actions']:.1f} % | {row['firing_rate']:.3f} |"
        for row in result["rows"]
    ]
    return "\n".join(lines) + "\n"


def _draw(result: Settings, path: Path) -> None:
    """Return against simulation steps, with the interval of the network before."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from snnrl.textfiles import replacing

    figure, axes = pyplot.subplots(figsize=(6, 3.5), layout="constrained")
    rows = result["rows"]
    axes.plot([row["sim_steps"] for row in rows], [row["return_mean"] for row in rows], "o-", label="spiking")
    low, high = result["ann"]["interval_95"]
    axes.axhspan(low, high, color="0.85", lw=0)
    axes.axhline(result["ann"]["return_mean"], color="0.4", lw=1, ls="--", label="before, and its 95 % interval")
    axes.axhline(result["random"], color="0.4", lw=1, ls=":", label="random actions")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="simulation steps of a decision", ylabel=f"return, {result['episodes']} episodes")
    axes.set_xticks([row["sim_steps"] for row in rows], [str(row["sim_steps"]) for row in rows])
    axes.legend(fontsize=8)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=150)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
