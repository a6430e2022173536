"""Every decision of an agent that plays, kept."""

from __future__ import annotations

import warnings

from snnrl.agents.trainable import Trainable
from snnrl.envs import EnvConfig
from snnrl.recording.play import moments
from snnrl.settings import require_whole
from snnrl.trajectory import Collector, Trace
from snnrl.types import Array

MOST_BYTES = 1 << 30


def record(
    agent: Trainable,
    env: EnvConfig,
    *,
    episodes: int | None = None,
    steps: int | None = None,
    deterministic: bool | None = None,
    seed: int = 0,
    learn: bool = False,
    potentials: bool = False,
    frames: bool = True,
    max_bytes: int = MOST_BYTES,
) -> Trace:
    """Play in one environment and keep every decision; see :func:`moments` for what is not said here.

    Args:
        agent: who plays.
        env: the environment's recipe.
        episodes: how many; 1 unless there are ``steps``.
        steps: how many decisions at most.
        deterministic: best actions rather than random ones; ``None`` is as in evaluations of the environment.
        seed: of the environment.
        learn: whether the agent learns as it plays; its weights before and after are kept too.
        potentials: whether to keep the neurons' potentials.
        frames: whether to keep pictures of the environment.
        max_bytes: memory that the decisions may take; an episode is cut where it is full, and the trace says so.

    Raises:
        ConfigError: a number out of range, ``steps`` that need more than ``max_bytes``.
    """
    require_whole("max_bytes", max_bytes)
    played = moments(
        agent,
        env,
        episodes=episodes,
        steps=steps,
        deterministic=deterministic,
        seed=seed,
        learn=learn,
        potentials=potentials,
        frames=frames,
    )
    before = weights_of(agent) if learn else {}
    collected = Collector(played.about, agent.observation_space, agent.action_space, max_bytes)
    try:
        for moment in played:
            collected.require_room(moment, 1 if steps is None else steps)
            if not collected.add(moment):
                warnings.warn(
                    f"the recording is cut after {len(collected):,} decisions, which fill max_bytes={max_bytes:,}",
                    stacklevel=2,
                )
                break
    finally:
        played.close()
    return collected.trace(before, weights_of(agent) if learn else {})


def weights_of(agent: Trainable) -> dict[str, Array]:
    """Copies of an agent's weights, by their names."""
    return {name: weight.detach().cpu().numpy().copy() for name, weight in agent.named_parameters()}
