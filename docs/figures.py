"""The figures of the README, from runs.

python docs/figures.py play runs/<run> docs/spikes_and_play.png
python docs/figures.py mnist runs/<run> docs/mnist_unsupervised.png
python docs/figures.py curves docs/space_invaders.png "TD error=runs/a,runs/b" "shuffled=runs/c" "always FIRE=285"
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
import torch

import snnrl
from snnrl.config import read_config
from snnrl.envs import make_env


def record(run: Path, decisions: int, skip: int) -> dict[str, Any]:
    """Play a part of one episode with sampled actions; frames and spikes of every decision."""
    config, agent = read_config(run), snnrl.load(run)
    env = make_env(config.env, render_mode="rgb_array")
    observation, _ = env.reset(seed=7)
    state: Any = None
    heard: dict[str, Any] = {}

    def hear(module: Any, arguments: Any, output: Any) -> None:
        heard["activity"] = output[0]

    def hear_input(module: Any, arguments: Any, output: Any) -> None:
        heard["input"] = output[0]

    agent.network.register_forward_hook(hear)
    agent.network.encoder.register_forward_hook(hear_input)
    frames, actor, critic, inputs, actions, values = [], [], [], [], [], []
    for step in range(skip + decisions):
        action, state = agent.predict(observation, state, deterministic=False)
        if step >= skip:
            frames.append(env.render())
            actor.append(heard["activity"].fired["actor"][:, 0])
            critic.append(heard["activity"].fired["critic"][:, 0])
            inputs.append(heard["input"].index.numpy())
            actions.append(int(action))
            values.append(float(agent.value(heard["activity"].level)[0]))
        observation, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            observation, _ = env.reset()
            state = None
    env.close()
    return {
        "frames": frames,
        "actor": torch.cat(actor).numpy(),
        "critic": torch.cat(critic).numpy(),
        "inputs": inputs,
        "actions": actions,
        "values": values,
        "names": action_names(config.env.id, agent.code.populations),
        "populations": agent.code.populations,
        "sim_steps": agent.config.sim_steps,
        "size": agent.network.encoder.size,
    }


def action_names(env_id: str, count: int) -> list[str]:
    """What the actions are called, or their numbers."""
    bare = gymnasium.make(env_id).unwrapped
    names = bare.get_action_meanings() if hasattr(bare, "get_action_meanings") else map(str, range(count))
    bare.close()
    return list(names)


def play(run: Path, path: Path, decisions: int = 40, skip: int = 120) -> None:
    """Frames above, and below them what the network did at the same time: input, actor and critic spikes, value."""
    seen = record(run, decisions, skip)
    shown = np.linspace(0, decisions - 1, 6).round().astype(int)
    figure = plt.figure(figsize=(11, 8), constrained_layout=True)
    grid = figure.add_gridspec(4, 6, height_ratios=[2.6, 1.6, 2, 1.4])
    for column, step in enumerate(shown):
        axis = figure.add_subplot(grid[0, column])
        axis.imshow(seen["frames"][step])
        axis.set_title(f"decision {step}", fontsize=9)
        axis.axis("off")
    time = seen["sim_steps"]
    axis = figure.add_subplot(grid[1, :])
    for step, index in enumerate(seen["inputs"]):
        axis.plot(np.full(len(index), step * time), index, ".", color="0.25", markersize=1.2)
    axis.set(ylabel=f"{seen['size']:,}\ninput neurons", xlim=(0, decisions * time), xticks=[], yticks=[])
    axis = figure.add_subplot(grid[2, :], sharex=axis)
    per = seen["actor"].shape[1] // seen["populations"]
    when, who = np.nonzero(seen["actor"])
    axis.scatter(when, who, c=who // per, cmap="tab10", vmin=0, vmax=9, s=5, marker="|")
    axis.set(ylabel="actor spikes", yticks=[per * (number + 0.5) for number in range(seen["populations"])])
    axis.set_yticklabels(seen["names"], fontsize=8)
    for step, action in enumerate(seen["actions"]):
        axis.axvspan(
            step * time,
            (step + 1) * time,
            action / seen["populations"],
            (action + 1) / seen["populations"],
            color="0.88",
            zorder=0,
        )
    axis.tick_params(labelbottom=False)
    axis = figure.add_subplot(grid[3, :], sharex=axis)
    when, who = np.nonzero(seen["critic"])
    axis.plot(when, who, "|", color="tab:blue", markersize=3, alpha=0.6)
    axis.set(ylabel="critic spikes", xlabel="simulation time, ms (grey: the action taken)")
    value = axis.twinx()
    value.step(np.arange(decisions) * time, seen["values"], where="post", color="tab:red")
    value.set_ylabel("value", color="tab:red")
    figure.savefig(path, dpi=80)


def mnist(run: Path, path: Path, shown: int = 100) -> None:
    """Input weights of a run's first neurons, each under the class that it stands for, and what was taken for what."""
    learner = snnrl.load(run)
    summary = json.loads((run / "summary.json").read_text())
    (split,) = [key.partition("/")[0] for key in summary if key.endswith("/confusion")]
    counts = np.array(summary[f"{split}/confusion"])
    figure = plt.figure(figsize=(11, 5.2), constrained_layout=True)
    fields, matrix = figure.subfigures(1, 2)
    side = int(np.sqrt(shown))
    names = learner.readout.assignments().tolist()
    for number, axis in enumerate(fields.subplots(side, side).flat):
        axis.imshow(learner.synapses.weight[number].view(learner.shape).mean(0).numpy(), cmap="hot_r", vmin=0)
        axis.set_title(names[number] if names[number] >= 0 else "–", fontsize=6, pad=1)
        axis.axis("off")
    axis = matrix.subplots()
    shares = counts / counts.sum(1, keepdims=True)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        ink = "white" if shares[row, column] > 0.5 else "black"
        axis.text(column, row, str(count), ha="center", va="center", fontsize=7, color=ink)
    right = 100 * summary[f"{split}/accuracy"]
    axis.set(xlabel="predicted", ylabel="label", xticks=range(len(counts)), yticks=range(len(counts)))
    axis.set_title(f"{right:.2f} % of {counts.sum():,} {split} images right")
    figure.savefig(path, dpi=80)


def curves(path: Path, groups: list[str]) -> None:
    """Training return against environment steps, a line for each run; a number is drawn as a level."""
    figure, axis = plt.subplots(figsize=(8, 4.5), constrained_layout=True)
    for number, group in enumerate(groups):
        label, _, what = group.partition("=")
        colour = f"C{number}"
        try:
            axis.axhline(float(what), color=colour, linestyle="--", label=f"{label} ({float(what):g})")
            continue
        except ValueError:
            pass
        for order, run in enumerate(what.split(",")):
            rows = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]
            points = [(row["step"], row["rollout/return_mean"]) for row in rows if "rollout/return_mean" in row]
            axis.plot(*zip(*points, strict=True), color=colour, label=label if order == 0 else None)
    axis.set(xlabel="environment steps", ylabel="return, mean of the last 100 episodes")
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=80)


def main(words: list[str]) -> None:
    plt.switch_backend("agg")
    match words:
        case ["play", run, path]:
            play(Path(run), Path(path))
        case ["mnist", run, path]:
            mnist(Path(run), Path(path))
        case ["curves", path, *groups] if groups:
            curves(Path(path), groups)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
