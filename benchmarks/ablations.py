"""What each piece of the R-STDP agent is for: CartPole without it.

    python benchmarks/ablations.py docs
    python benchmarks/ablations.py draw docs

Trains every variant on the same budget and seeds, evaluates 50 unseen episodes of each, and writes ``ablations.md`` and
``ablations.png`` into the folder. Runs that are there already (under ``runs/ablations``) are not done again. ``draw``
makes the picture of the table that is there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

from snnrl import plot
from snnrl.agents.rstdp import RSTDP, Decision, Outcome, Signal
from snnrl.plot import save_figure
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


def trained(name: str, words: tuple[str, ...], seed: int) -> float:
    """Mean return of unseen episodes."""
    folder = Path("runs/ablations") / f"{name.replace(' ', '-')}-{seed}"
    if not (folder / "summary.json").is_file():
        common = [f"env_steps={STEPS}", f"seed={seed}", f"eval.episodes={EPISODES}", "eval.every=0"]
        begin = ["env=CartPole", *common, "logger=none", "progress=none", f"run_dir={folder}", *words]
        assert train([f"resume={folder}"] if folder.exists() else begin) == 0
    return float(json.loads((folder / "summary.json").read_text())["eval/return_mean"])


def main(out: Path) -> None:
    torch.set_num_threads(1)
    found = {name: [trained(name, words, seed) for seed in SEEDS] for name, words in VARIANTS.items()}
    out.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Ablations",
        "",
        f"CartPole-v1, {STEPS:,} steps, seeds {', '.join(map(str, SEEDS))}: mean return of {EPISODES} unseen episodes",
        "",
    ]
    lines += ["| variant | setting | mean | seeds |", "|---|---|---|---|"]
    for name, scores in found.items():
        setting = " ".join(f"`{word}`" for word in VARIANTS[name])
        lines.append(
            f"| {name} | {setting} | {np.mean(scores):.0f} | {', '.join(f'{score:.0f}' for score in scores)} |"
        )
    (out / "ablations.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    draw(out)


def draw(folder: Path) -> None:
    """The picture of the folder's table."""
    rows = [line.split(" | ") for line in (folder / "ablations.md").read_text().splitlines() if line.startswith("| ")]
    scores = {row[0].removeprefix("| "): [float(each) for each in row[-1].rstrip(" |").split(", ")] for row in rows[1:]}
    title = f"CartPole by R-STDP, {STEPS:,} steps: the whole agent, and without a part"
    save_figure(
        plot.strip_plot(scores, "mean return of 50 unseen episodes, best actions", title), folder / "ablations.png"
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    (draw if sys.argv[1] == "draw" else main)(Path(sys.argv[-1]))
