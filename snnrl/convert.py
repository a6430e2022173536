"""``python -m snnrl.convert run=<ann run>``: a trained network of stable-baselines3, made of spiking neurons."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from snnrl.cli import RunOptions, read_options, run_command, usage
from snnrl.errors import require
from snnrl.run_settings import DeviceSettings, ProgressSettings
from snnrl.settings import setting
from snnrl.types import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from snnrl.config import RunConfig
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
        99.0,
        "percentile of each neuron's activations that becomes one spike a step",
        above=0,
        at_most=100,
    )
    readout: str = setting(
        "potential",
        "how the last layer is read: potential, its spikes and its potential, or rate, its spikes alone",
        choices=("potential", "rate"),
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

    run_dir, settings = read_run(options.run, trust=options.trust)

    from snnrl.textfiles import usable
    from snnrl.training.device import leave_cores_to_environments
    from snnrl.training.writable import require_writable

    out = run_dir / "converted" if options.out is None else usable("out", options.out)
    config = RunConfig.from_mapping(settings)

    from snnrl.integrations.sb3.building import require_network
    from snnrl.integrations.sb3.conversion import spiking_recipe

    require_network(config.agent, "ann", run_dir)
    recipes = {count: spiking_recipe(config.agent, count, options.readout) for count in options.step_counts}
    require(not out.exists(), "out", out, "a new folder")
    require_writable(out, "out")
    leave_cores_to_environments()
    source = _load(options, config, run_dir)
    rows = []
    for count, recipe in recipes.items():
        spiking = _converted(source, recipe, options)
        rows.append(_measured(source, spiking, count, options))
        print(f"{count} steps: return {rows[-1]['return_mean']:.1f}", file=sys.stderr, flush=True)
    _write(out, {**settings, "agent": dict(recipe)}, spiking, _result(source, rows, options))
    print(f"written to {out}: a run of {count} steps, convert.md, convert.json, convert.png")
    return 0


class _Source(NamedTuple):
    """A network without spikes, and what those that are made of it are measured against."""

    agent: AnySB3Agent
    config: RunConfig
    observations: Tensor
    """Of its own play, by which it is converted."""
    held_out: Tensor
    """Of its own play in other episodes, on which actions are compared."""
    returns: NDArray[np.float64]
    """Its own, one for each episode."""
    random: float
    """Mean return of random actions."""


def _load(options: Options, config: RunConfig, run_dir: Path) -> _Source:
    from snnrl.integrations.sb3.observing import HELD_OUT, gather
    from snnrl.loading import load_model, make_agent_for

    agent = load_model(config, run_dir, device=options.device)
    observations = gather(agent, config.env, options.samples, config.seed)
    held_out = gather(agent, config.env, options.samples, config.seed, epoch=HELD_OUT)
    returns = _play(agent, config, options)
    random = make_agent_for(config.env, {"name": "random"}, config.seed)
    return _Source(agent, config, observations, held_out, returns, float(_play(random, config, options).mean()))


def _play(player: Policy, config: RunConfig, options: Options) -> NDArray[np.float64]:
    """The returns ``[episodes]`` of a policy in the run's environments."""
    from snnrl.training.evaluation import evaluate
    from snnrl.training.progress import evaluating

    with evaluating(options.episodes, "episodes", options.progress) as tell:
        found = evaluate(player, config.env, episodes=options.episodes, seed=config.seed, between_steps=tell)
    if found.cut:
        print(found.remark, file=sys.stderr, flush=True)
    return found.returns


def _converted(source: _Source, recipe: Settings, options: Options) -> AnySB3Agent:
    """The spiking agent of a recipe, with the weights of the source."""
    from snnrl.integrations.sb3.conversion import convert

    return convert(
        source.agent,
        recipe,
        source.config.env,
        source.observations,
        percentile=options.percentile,
        calibrate=options.calibrate,
        seed=source.config.seed,
    )


def _measured(source: _Source, spiking: AnySB3Agent, sim_steps: int, options: Options) -> dict[str, float]:
    """What a spiking agent keeps: a row of the table."""
    from snnrl.integrations.sb3.conversion import same_actions
    from snnrl.integrations.sb3.cost import firing_rate

    returns = _play(spiking, source.config, options)
    return {
        "sim_steps": sim_steps,
        "return_mean": float(returns.mean()),
        "return_std": float(returns.std()),
        "kept": float((returns.mean() - source.random) / (source.returns.mean() - source.random)),
        "same_actions": same_actions(source.agent, spiking, source.held_out),
        "firing_rate": firing_rate(spiking, source.held_out),
    }


def _result(source: _Source, rows: list[dict[str, float]], options: Options) -> Settings:
    """What ``convert.json`` holds."""
    from snnrl.training.summary import bootstrap_interval

    returns = source.returns
    ann = {"return_mean": float(returns.mean()), "return_std": float(returns.std())}
    return {
        "env": source.config.env.id,
        "ann": {**ann, "interval_95": list(bootstrap_interval(returns))},
        "random": source.random,
        "rows": rows,
        **{key: getattr(options, key) for key in ("percentile", "readout", "calibrate", "samples", "episodes")},
    }


def _write(out: Path, settings: Settings, agent: AnySB3Agent, result: Settings) -> None:
    """Print the table, and write it with the figure and the spiking run."""
    from snnrl.textfiles import write_text
    from snnrl.training.summary import write_json
    from snnrl.training.writable import keeping

    table = _table(result)
    print(table)
    with keeping(out):
        _write_run(out, settings, agent)
        write_json(out / "convert.json", result)
        write_text(out / "convert.md", table)
        _draw(result, out / "convert.png")


def _write_run(out: Path, settings: Settings, agent: AnySB3Agent) -> None:
    """A run's folder that can be loaded and played."""
    from snnrl.config import write_settings
    from snnrl.training.checkpoints import CheckpointStore
    from snnrl.training.task import architecture

    out.mkdir(parents=True)
    write_settings(out, settings)
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
    from snnrl.plot import conversion, save_figure

    rows, ann = result["rows"], result["ann"]
    points = [(row["sim_steps"], row["return_mean"]) for row in rows]
    levels = ann["return_mean"], ann["interval_95"], result["random"]
    save_figure(conversion(points, *levels, f"{result['env']}: return of the converted network"), path, dpi=150)


if __name__ == "__main__":
    sys.exit(main())
