"""What each piece of the R-STDP agent is for: CartPole without it.

    python benchmarks/ablations.py docs

Trains every variant on the same budget and seeds, evaluates 50 unseen episodes of each, and writes ``ablations.md`` and
``ablations.png`` into the folder. Runs that are there already (under ``runs/ablations``) are not done again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from snnrl.agents.rstdp import RSTDP, Decision, Outcome, Signal
from snnrl.train import main as train

STEPS, SEEDS, EPISODES = 50_000, (0, 1, 2), 50


class Uncentred(RSTDP):
    """The trace of an action is that it was taken, not that it was taken rather than expected."""

    def _outcome(self, decision: Decision, signal: Signal, value: torch.Tensor) -> Outcome:
        taken = (decision.credit > 0).to(decision.credit.dtype)
        return super()._outcome(decision._replace(credit=taken), signal, value)


class Endless(RSTDP):
    """Knows no end of an episode: values and traces run on from a failure into the next attempt."""

    def _outcome(self, decision: Decision, signal: Signal, value: torch.Tensor) -> Outcome:
        no = torch.zeros_like(signal.terminated)
        return super()._outcome(decision, signal._replace(terminated=no, truncated=no, reset=no), value)


HERE = f"{Path(__file__).stem}"
VARIANTS: dict[str, tuple[str, ...]] = {
    "whole": (),
    "no critic": ("agent.critic_lr=0.0",),
    "uncentred trace": (f"agent.name={HERE}:Uncentred",),
    "no trace beyond the decision": ("agent.trace_lambda=0.0",),
    "one environment": ("num_envs=1",),
    "no end of episodes": (f"agent.name={HERE}:Endless",),
    "silent neurons": ("agent.network.actor.neuron.v_threshold=12.0",),
    "silent neurons, plastic": ("agent.network.actor.neuron.v_threshold=12.0", "agent.postsynaptic_floor=0.05"),
    "saturated weights": ("agent.actor_lr=0.1",),
    "coarse input": ("agent.encoder.spikes_per_step=0.5", "agent.weight_mean=0.45", "agent.weight_std=0.06"),
}


def trained(name: str, words: tuple[str, ...], seed: int) -> tuple[float, list[tuple[int, float]]]:
    """Mean return of unseen episodes, and the curve of the training return."""
    folder = Path("runs/ablations") / f"{name.replace(' ', '-')}-{seed}"
    if not (folder / "summary.json").is_file():
        common = [f"env_steps={STEPS}", f"seed={seed}", f"eval.episodes={EPISODES}", "eval.every=0"]
        begin = ["env=CartPole", *common, "logger=none", "progress=none", f"run_dir={folder}", *words]
        assert train([f"resume={folder}"] if folder.exists() else begin) == 0
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    curve = [(row["step"], row["rollout/return_mean"]) for row in rows if "rollout/return_mean" in row]
    return float(json.loads((folder / "summary.json").read_text())["eval/return_mean"]), curve


def main(out: Path) -> None:
    torch.set_num_threads(1)
    found: dict[str, Any] = {name: [trained(name, words, seed) for seed in SEEDS] for name, words in VARIANTS.items()}
    out.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Ablations",
        "",
        f"CartPole-v1, {STEPS:,} steps, seeds {', '.join(map(str, SEEDS))}: mean return of {EPISODES} unseen episodes",
        "",
    ]
    lines += ["| variant | setting | mean | seeds |", "|---|---|---|---|"]
    for name, results in found.items():
        scores = [score for score, _ in results]
        setting = " ".join(f"`{word}`" for word in VARIANTS[name])
        lines.append(
            f"| {name} | {setting} | {np.mean(scores):.0f} | {', '.join(f'{score:.0f}' for score in scores)} |"
        )
    (out / "ablations.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    draw(found, out / "ablations.png")


def draw(found: dict[str, Any], path: Path) -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 5, figsize=(14, 5), sharex=True, sharey=True, layout="constrained")
    for axis, (name, results) in zip(axes.flat, found.items(), strict=True):
        for score, curve in results:
            steps, returns = zip(*curve, strict=True)
            (line,) = axis.plot(np.array(steps) / 1000, returns, linewidth=1.2)
            axis.plot([STEPS / 1000 * 1.04], [score], "o", color=line.get_color(), markersize=4, clip_on=False)
        axis.set_title(name, fontsize=10)
        axis.set_ylim(0, 510)
    axes[1, 0].set_xlabel("thousand env steps")
    axes[1, 0].set_ylabel("return: line training, dot best actions")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main(Path(sys.argv[1]))
