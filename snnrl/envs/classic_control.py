"""Gymnasium's classic control as equations in torch: thousands of environments in one step, on any device.

Sums are taken in float64 and in the order in which Gymnasium takes them, so that the same episodes come out to 1e-6.
Sines differ in the last bit now and then, which Acrobot's chaotic motion makes visible after some 400 steps.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from gymnasium.envs.classic_control import AcrobotEnv, CartPoleEnv, MountainCarEnv, PendulumEnv
from gymnasium.spaces import Discrete
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from snnrl.devices import moved
from snnrl.envs.types import Env, VectorEnv
from snnrl.errors import ConfigError
from snnrl.types import Action, Info, Observation, Setting

Flags = NDArray[np.bool_]


class Moved(NamedTuple):
    """What one step of all environments makes of them."""

    state: Tensor
    """``[num_envs, numbers]`` float64."""
    reward: Tensor
    """``[num_envs]`` float64."""
    terminated: Tensor
    """``[num_envs]`` bool."""


class Dynamics(ABC):
    """The equations of one environment; constants are those of Gymnasium's own object.

    Attributes:
        one: Gymnasium's environment, by which episodes begin.
    """

    one: CartPoleEnv | AcrobotEnv | MountainCarEnv | PendulumEnv

    @abstractmethod
    def step(self, state: Tensor, action: Tensor) -> Moved:
        """One step from states ``[num_envs, numbers]``.

        Actions are float64 ``[num_envs]``, or those of a Box, ``[num_envs, 1]`` of any precision, in which Gymnasium
        computes with them.
        """

    def observe(self, state: Tensor) -> Tensor:
        """Observations ``[num_envs, values]``, float64."""
        return state

    def begin(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """The state in which an episode of Gymnasium's environment begins that draws from ``generator``."""
        self.one.np_random = generator
        self.one.reset()
        return np.array(self.one.state, dtype=np.float64)


class CartPole(Dynamics):
    """A pole on a cart (Barto, Sutton & Anderson 1983, IEEE Trans. Syst. Man Cybern. 13:834), by Euler's steps."""

    def __init__(self, one: CartPoleEnv) -> None:
        self.one = one
        self.balanced, self.fallen = (0.0, -1.0) if one._sutton_barto_reward else (1.0, 1.0)

    def step(self, state: Tensor, action: Tensor) -> Moved:
        one = self.one
        assert isinstance(one, CartPoleEnv)
        _, speed, angle, turning = state.unbind(1)
        force = (2.0 * action - 1.0) * one.force_mag
        cosine, sine = torch.cos(angle), torch.sin(angle)
        push = (force + one.polemass_length * turning.square() * sine) / one.total_mass
        leverage = one.length * (4.0 / 3.0 - one.masspole * cosine.square() / one.total_mass)
        faster_turning = (one.gravity * sine - cosine * push) / leverage
        faster = push - one.polemass_length * faster_turning * cosine / one.total_mass
        after = state + one.tau * torch.stack([speed, faster, turning, faster_turning], 1)
        terminated = (after[:, 0].abs() > one.x_threshold) | (after[:, 2].abs() > one.theta_threshold_radians)
        return Moved(after, torch.where(terminated, self.fallen, self.balanced).to(state.dtype), terminated)


class MountainCar(Dynamics):
    """A car in a valley that is too weak for its slope (Moore 1990, PhD thesis, Cambridge)."""

    def __init__(self, one: MountainCarEnv) -> None:
        self.one = one

    def step(self, state: Tensor, action: Tensor) -> Moved:
        one = self.one
        assert isinstance(one, MountainCarEnv)
        position, velocity = state.unbind(1)
        velocity = velocity + ((action - 1) * one.force + torch.cos(3 * position) * -one.gravity)
        velocity = velocity.clamp(-one.max_speed, one.max_speed)
        position = (position + velocity).clamp(one.min_position, one.max_position)
        velocity = torch.where((position == one.min_position) & (velocity < 0), 0.0, velocity)
        terminated = (position >= one.goal_position) & (velocity >= one.goal_velocity)
        return Moved(torch.stack([position, velocity], 1), torch.full_like(position, -1.0), terminated)


class Pendulum(Dynamics):
    """A pendulum with a torque that is too weak to lift it at once."""

    def __init__(self, one: PendulumEnv) -> None:
        self.one = one

    def step(self, state: Tensor, action: Tensor) -> Moved:
        one = self.one
        assert isinstance(one, PendulumEnv)
        angle, speed = state.unbind(1)
        torque = action[:, 0].clamp(-one.max_torque, one.max_torque)
        upright = torch.remainder(angle + math.pi, 2 * math.pi) - math.pi
        cost = upright.square() + 0.1 * speed.square() + 0.001 * torque.square()
        gain = 3 * one.g / (2 * one.l) * torch.sin(angle) + 3.0 / (one.m * one.l**2) * torque
        speed = (speed + gain * one.dt).clamp(-one.max_speed, one.max_speed)
        after = torch.stack([angle + speed * one.dt, speed], 1)
        return Moved(after, -cost, torch.zeros_like(cost, dtype=torch.bool))

    def observe(self, state: Tensor) -> Tensor:
        angle, speed = state.unbind(1)
        return torch.stack([torch.cos(angle), torch.sin(angle), speed], 1)


class Acrobot(Dynamics):
    """Two links of which the joint between them is driven (Sutton 1996, NeurIPS), by Runge-Kutta steps of order 4."""

    def __init__(self, one: AcrobotEnv) -> None:
        self.one = one

    def step(self, state: Tensor, action: Tensor) -> Moved:
        one = self.one
        assert isinstance(one, AcrobotEnv)
        torque = action - 1.0
        first = self._change(state, torque)
        second = self._change(state + one.dt / 2 * first, torque)
        third = self._change(state + one.dt / 2 * second, torque)
        last = self._change(state + one.dt * third, torque)
        after = state + one.dt / 6 * (first + 2 * second + 2 * third + last)
        turns = torch.ceil((after[:, :2] - math.pi) / (2 * math.pi))
        angles = after[:, :2] - 2 * math.pi * turns
        speeds = [after[:, 2].clamp(-one.MAX_VEL_1, one.MAX_VEL_1), after[:, 3].clamp(-one.MAX_VEL_2, one.MAX_VEL_2)]
        after = torch.cat([angles, torch.stack(speeds, 1)], 1)
        shoulder, elbow = angles.unbind(1)
        terminated = -torch.cos(shoulder) - torch.cos(elbow + shoulder) > 1.0
        return Moved(after, torch.where(terminated, 0.0, -1.0).to(state.dtype), terminated)

    def _change(self, state: Tensor, torque: Tensor) -> Tensor:
        """The time derivative (Sutton & Barto 1998, Reinforcement Learning, sec. 11.3)."""
        one, g = self.one, 9.8
        assert isinstance(one, AcrobotEnv)
        m1, m2, l1, c1, c2 = (
            one.LINK_MASS_1,
            one.LINK_MASS_2,
            one.LINK_LENGTH_1,
            one.LINK_COM_POS_1,
            one.LINK_COM_POS_2,
        )
        inertia, coupling = one.LINK_MOI, m2 * l1 * c2
        shoulder, elbow, speed1, speed2 = state.unbind(1)
        cosine, sine = torch.cos(elbow), torch.sin(elbow)
        d1 = m1 * c1**2 + m2 * (l1**2 + c2**2 + 2 * l1 * c2 * cosine) + inertia + inertia
        d2 = m2 * (c2**2 + l1 * c2 * cosine) + inertia
        pull2 = m2 * c2 * g * torch.cos(shoulder + elbow - math.pi / 2)
        centrifugal = -coupling * speed2.square() * sine
        coriolis = 2 * coupling * speed2 * speed1 * sine
        pull1 = centrifugal - coriolis + (m1 * c1 + m2 * l1) * g * torch.cos(shoulder - math.pi / 2) + pull2
        driven = torque + d2 / d1 * pull1 - coupling * speed1.square() * sine - pull2
        faster2 = driven / (m2 * c2**2 + inertia - d2.square() / d1)
        return torch.stack([speed1, speed2, -(d2 * faster2 + pull1) / d1, faster2], 1)

    def observe(self, state: Tensor) -> Tensor:
        angles, speeds = state[:, :2], state[:, 2:]
        cosines, sines = torch.cos(angles), torch.sin(angles)
        return torch.cat([torch.stack([cosines, sines], 2).flatten(1), speeds], 1)


def dynamics_of(env: Env) -> Dynamics:
    """The equations of one of Gymnasium's environments.

    Raises:
        ConfigError: another environment.
    """
    one = env.unwrapped
    kind = _KNOWN.get(type(one))
    if kind is None:
        raise ConfigError(f"env.backend=torch: must be gymnasium for {type(one).__name__}")
    return kind(one)


_KNOWN: dict[type, Callable[[Any], Dynamics]] = {
    CartPoleEnv: CartPole,
    AcrobotEnv: Acrobot,
    MountainCarEnv: MountainCar,
    PendulumEnv: Pendulum,
}
"""By the class itself: what is derived from it may do otherwise."""


class TorchVectorEnv(VectorEnv):
    """Copies of one environment, stepped together as tensors; ``NEXT_STEP`` autoreset.

    From equal seeds the episodes are those of Gymnasium's environments. What is observed comes to the host with rewards
    and ends in one copy, as arrays.

    Args:
        env: Gymnasium's environment, with the arguments it is to have.
        num_envs: number of copies.
        max_episode_steps: time limit in steps; ``None`` for none.
        device: where the equations are computed.

    Raises:
        ConfigError: an environment of which no equations are known here.
    """

    def __init__(self, env: Env, num_envs: int, max_episode_steps: int | None, device: str = "cpu") -> None:
        self.dynamics, self.num_envs, self.spec = dynamics_of(env), num_envs, env.spec
        self.device = torch.device(device)
        self.max_episode_steps = math.inf if max_episode_steps is None else max_episode_steps
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space, self.single_action_space = env.observation_space, env.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._generators = [np_random()[0] for _ in range(num_envs)]
        self._ended: Flags = np.zeros(num_envs, dtype=np.bool_)
        self._steps = np.zeros(num_envs, dtype=np.int64)
        self._state: Tensor | None = None

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Setting] | None = None
    ) -> tuple[Observation, Info]:
        """Start all episodes over.

        Args:
            seed: one for each environment, or the first of consecutive ones; ``None`` goes on with the generators.
            options: none are known.

        Returns:
            Observations float32 ``[num_envs, values]``, and nothing else.
        """
        if seed is not None:
            each = range(seed, seed + self.num_envs) if isinstance(seed, int) else seed
            self._generators = [np_random(int(one))[0] for one in each]
        self._state = self._begun(np.arange(self.num_envs))
        self._ended, self._steps = np.zeros_like(self._ended), np.zeros_like(self._steps)
        return self.dynamics.observe(self._state).cpu().numpy().astype(np.float32), {}

    @torch.no_grad()
    def step(
        self, actions: Action
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Info]:
        """One step; environments whose episode has ended begin another instead.

        Raises:
            ValueError: an action outside ``single_action_space``.
        """
        assert self._state is not None, "reset comes before step"
        given, begin = np.asarray(actions), self._ended
        space = self.single_action_space
        if isinstance(space, Discrete) and (given.min() < space.start or given.max() >= space.start + space.n):
            raise ValueError(f"actions={given}: must be from {space.start} to {space.start + space.n - 1}")
        action = moved(torch.as_tensor(given), self.device)
        after = self.dynamics.step(self._state, action if action.is_floating_point() else action.double())
        state = after.state
        if begin.any():
            rows = np.flatnonzero(begin)
            state = state.index_copy(0, moved(torch.from_numpy(rows), self.device), self._begun(rows))
        self._state = state
        ends = torch.stack([after.reward, after.terminated.double()], 1)
        seen = torch.cat([self.dynamics.observe(state), ends], 1).cpu().numpy()
        self._steps = np.where(begin, 0, self._steps + 1)
        terminated, truncated = (seen[:, -1] > 0) & ~begin, self._steps >= self.max_episode_steps
        self._ended = terminated | truncated
        return seen[:, :-2].astype(np.float32), np.where(begin, 0.0, seen[:, -2]), terminated, truncated, {}

    def _begun(self, rows: NDArray[np.int64]) -> Tensor:
        """States ``[rows, numbers]`` at the beginning of episodes of these environments."""
        states = [self.dynamics.begin(self._generators[row]) for row in rows]
        return moved(torch.from_numpy(np.stack(states)), self.device)


def make_torch_envs(env_id: str, num_envs: int, device: str, given: dict[str, Setting]) -> TorchVectorEnv:
    """The copies of a registered environment.

    Args:
        env_id: its id.
        num_envs: how many.
        device: where they are computed.
        given: arguments of ``gymnasium.make``.
    """
    one: Env = gymnasium.make(env_id, **given)
    limit = None if one.spec is None else one.spec.max_episode_steps
    return TorchVectorEnv(one, num_envs, limit, device)
