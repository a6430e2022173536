"""Every decision of an agent that plays, kept."""

from __future__ import annotations

import warnings

from snnrl.agents.trainable import Trainable
from snnrl.envs import EnvConfig
from snnrl.recording.play import Moments
from snnrl.settings import require_whole
from snnrl.trajectory import Collector, Trace
from snnrl.types import Array, Setting

MOST_BYTES = 1 << 30


def record(agent: Trainable, env: EnvConfig, *, max_bytes: int = MOST_BYTES, **settings: Setting) -> Trace:
    """Play in one environment and keep every decision.

    Args:
        agent: who plays.
        env: the environment's recipe.
        max_bytes: memory that the decisions may take; an episode is cut where it is full, and the trace says so.
        settings: what is played, and what is kept of it, as for :class:`~snnrl.recording.Moments`; of an agent that
            learns the weights before and after are kept too.

    Raises:
        ConfigError: a number out of range, ``steps`` that need more than ``max_bytes``.
    """
    require_whole("max_bytes", max_bytes)
    played, steps = Moments(agent, env, **settings), settings.get("steps")
    learn = played.about.learn
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
