"""One decision of an agent, and what the decisions of a recording have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snnrl.types import Action, Observation


@dataclass(frozen=True)
class Moment:
    """One decision in one environment, all of it NumPy; every field is of the same decision.

    Attributes:
        frame: what was to be seen when it was made, uint8 ``[height, width, 3]``; ``None`` where nothing is drawn.
        observation: what was observed, as the environment gives it.
        spikes: of each population bool ``[sim_steps, neurons]``, by its name; ``input`` is what came from the encoder.
            Where the best action is taken, an actor of stochastic neurons is read by its firing probabilities; its
            spikes are then drawn from these, and decide nothing.
        potentials: of each population of neurons float32 ``[sim_steps, neurons]``, where they were asked for.
        preferences: ``[choices]``, what each of :attr:`About.choices` was worth to the agent; of continuous actions
            without populations the action's numbers; ``None`` where there is no such thing.
        value: the return that was predicted, in the agent's own unit; of an agent of action values, that of what was
            chosen. ``None`` where nothing is predicted.
        td_error: ``reward + gamma * next value - value`` with this decision's reward and value, in the unit of
            ``value``. It is known one decision later, so a moment comes one decision late.
        action: what was done, as the environment takes it.
        reward: what the environment gave for it, raw.
        episode_start: whether the observation began an episode.
        terminated: whether the episode ended with this decision.
        truncated: whether it was cut after this decision, by a limit of time.
    """

    frame: NDArray[np.uint8] | None
    observation: Observation
    spikes: Mapping[str, NDArray[np.bool_]]
    potentials: Mapping[str, NDArray[np.float32]]
    preferences: NDArray[np.float32] | None
    value: float | None
    td_error: float | None
    action: Action
    reward: float
    episode_start: bool
    terminated: bool
    truncated: bool


@dataclass(frozen=True)
class About:
    """What the moments of a recording have in common; plain values, as JSON has them.

    Attributes:
        env: the environment's id.
        agent: the agent's name in recipes.
        seed: of the environment.
        deterministic: whether the best actions were taken; else they were drawn from the policy.
        learn: whether it learned as it played.
        populations: shapes of the populations, by name.
        choices: what each preference stands for. The actor's neurons belong to them in equal shares, in this order.
        sim_steps: simulation steps of a decision.
        dt: length of a simulation step in ms.
        frames_per_second: decisions in a second of the game's own time.
    """

    env: str = ""
    agent: str = ""
    seed: int = 0
    deterministic: bool = True
    learn: bool = False
    populations: Mapping[str, list[int]] = field(default_factory=dict)
    choices: list[str] = field(default_factory=list)
    sim_steps: int = 0
    dt: float = 1.0
    frames_per_second: float = 30.0

    @property
    def title(self) -> str:
        """The environment's name as people write it.

        >>> About("ALE/SpaceInvaders-v5").title, About("CartPole-v1").title
        ('Space Invaders', 'Cart Pole')
        """
        name = re.sub(r"-v\d+$", "", self.env.rpartition("/")[2].rpartition(":")[2])
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ")

    @property
    def actions(self) -> str:
        """Which actions were taken: the best, or such as were drawn from the policy."""
        return "best actions" if self.deterministic else "drawn actions"
