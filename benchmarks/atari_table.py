"""Atari games learned by one recipe, beside random play, the best constant action and controls.

    python benchmarks/atari_table.py runs/atari --env-steps 200000 --seeds 100
    python benchmarks/atari_table.py runs/atari --env-steps 200000 --seeds 100 101 102 --variants learned shuffled

Trains each game by its id alone, on all cores, and evaluates games that training did not see. What is finished in the
folder is not done again, and a run that was stopped goes on where it was: the same command, as often as need be. At the
end the table of all results in the folder is written to ``benchmarks/results/atari.json`` and printed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from snnrl.config import RunConfig
from snnrl.loading import make_agent_for
from snnrl.recipes import compose_run
from snnrl.runs.command import carried_out
from snnrl.runs.options import WorkOptions
from snnrl.runs.work import Outcome, Play, Run, State
from snnrl.training.evaluation import evaluate
from snnrl.training.summary import write_json

GAMES = (
    "SpaceInvaders",
    "Breakout",
    "Pong",
    "Freeway",
    "Asterix",
    "Seaquest",
    "BeamRider",
    "Qbert",
    "MsPacman",
    "Assault",
    "Enduro",
    "Boxing",
)
UNTRAINED = ("random", "constant")
TRAINED = {
    "learned": (),
    "shuffled": ("agent.modulator=shuffled",),
    "plasticity off": ("agent.plasticity=false", "env_steps=16"),
    "actor-critic": ("agent=rstdp_objects",),
    "PPO": ("experiment=ppo_atari", "agent=ppo_ann", "env.reward.low=-1", "env.reward.high=1"),
}
SHORTEST = 100_000
"""Decisions from one checkpoint to the next: each cuts the games that are under way, and the best ones are long."""
TRIAL_GAMES = 3
"""Games by which the best of the constant actions is chosen."""
RESULTS = Path(__file__).parent / "results" / "atari.json"


class Cell(NamedTuple):
    """One result of the table."""

    game: str
    variant: str
    seed: int


def settings(cell: Cell, env_steps: int) -> dict[str, Any]:
    """Of a run of the cell's game, whose own evaluation is short, as more is played afterwards."""
    variant = TRAINED.get(cell.variant, ())
    words = [f"env.id=ALE/{cell.game}-v5", f"env_steps={env_steps}", f"seed={cell.seed}", "eval.every=0", "logger=none"]
    kept = f"checkpoint.every={max(env_steps // 10, SHORTEST)}"
    return compose_run([*words, kept, "eval.episodes=1", "progress=none", *variant])


def untrained(cell: Cell, given: dict[str, Any], episodes: int) -> dict[str, Any]:
    """Mean return of random play, or of the constant action that does best in a few games."""
    config = RunConfig.from_mapping(given)

    def mean(agent: dict[str, Any], games: int) -> float:
        player = make_agent_for(config.env, agent, cell.seed)
        return float(evaluate(player, config.env, episodes=games, seed=cell.seed).returns.mean())

    if cell.variant == "random":
        return {"best": mean({"name": "random"}, episodes)}
    actions = range(make_agent_for(config.env, {"name": "random"}).action_space.n)  # type: ignore[attr-defined]
    trials = [mean({"name": "constant", "action": action}, TRIAL_GAMES) for action in actions]
    best = int(np.argmax(trials))
    return {"best": mean({"name": "constant", "action": best}, episodes), "action": best}


def described(cell: Cell, given: dict[str, Any], folder: Path, episodes: int) -> Run:
    """A run, with the games of best and of drawn actions that are played afterwards."""
    play = Play(episodes, folder / f"played-{episodes}.json", ("best", "sampled"))
    log = folder.parent / "logs" / f"{folder.name}.log"
    return Run(folder, given, log, {name: str(value) for name, value in cell._asdict().items()}, False, play)


def keep(outcome: Outcome, env_steps: int) -> None:
    """Write the result of a run beside what it has."""
    run = outcome.run
    if outcome.state is State.FINISHED:
        cell = {**run.labels, "seed": int(run.labels["seed"])}
        seconds = round(run.summary()["train_seconds"])
        write_json(run.folder / "result.json", {**cell, "env_steps": env_steps, **run.played(), "seconds": seconds})


def cells(games: Sequence[str], variants: Sequence[str], seeds: Sequence[int]) -> Iterator[Cell]:
    """What costs nothing first, then a seed of all games before the next seed."""
    for variant in (name for name in UNTRAINED if name in variants):
        yield from (Cell(game, variant, seeds[0]) for game in games)
    for seed in seeds:
        for variant in (name for name in TRAINED if name in variants):
            yield from (Cell(game, variant, seed) for game in games)


def table(found: Sequence[dict[str, Any]]) -> str:
    """Mean over seeds for each game and variant, best / drawn actions; a result of fewer seeds says how many."""
    names = [name for name in (*UNTRAINED, *TRAINED) if any(each["variant"] == name for each in found)]
    lines = [f"| game | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for game in dict.fromkeys(each["game"] for each in found):
        row = []
        for name in names:
            own = [each for each in found if (each["game"], each["variant"]) == (game, name)]
            parts = [f"{np.mean([each[kind] for each in own if kind in each]):.1f}" for kind in _kinds(own)]
            row.append(" / ".join(parts) + (f" ({len(own)} seeds)" if len(own) > 1 else ""))
        lines.append(f"| {game} | {' | '.join(row)} |")
    return "\n".join(lines)


def _kinds(own: Sequence[dict[str, Any]]) -> list[str]:
    return [kind for kind in ("best", "sampled") if any(kind in each for each in own)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--env-steps", type=int, default=200_000)
    parser.add_argument("--episodes", type=int, default=32)
    parser.add_argument("--seeds", type=int, nargs="+", default=[100])
    parser.add_argument("--games", nargs="+", default=GAMES)
    parser.add_argument("--variants", nargs="+", choices=(*UNTRAINED, *TRAINED), default=(*UNTRAINED, "learned"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--jobs", type=int, help="runs at a time; by default the cores of this machine")
    parser.add_argument("--executor", default="local")
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = []
    for cell in cells(options.games, options.variants, options.seeds):
        folder = options.folder / f"{cell.game}-{cell.variant.replace(' ', '-')}-{cell.seed}-{options.env_steps}"
        given, began = settings(cell, options.env_steps), time.time()
        if cell.variant in TRAINED:
            runs.append(described(cell, given, folder, options.episodes))
        elif not folder.with_suffix(".json").is_file():
            scores = untrained(cell, given, options.episodes)
            options.folder.mkdir(parents=True, exist_ok=True)
            result = {**cell._asdict(), "env_steps": 0, **scores, "seconds": round(time.time() - began)}
            write_json(folder.with_suffix(".json"), result)
    work = WorkOptions(jobs=options.jobs, executor=options.executor)
    for outcome in carried_out(runs, work, [], options.folder):
        keep(outcome, options.env_steps)
    report(options.folder, options.out)


def report(folder: Path, out: Path) -> None:
    """Write and print the table of what the folder has."""
    paths = sorted([*folder.glob("*.json"), *folder.glob("*/result.json")])
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, {"results": found})
    print(table(found), flush=True)


if __name__ == "__main__":
    main()
