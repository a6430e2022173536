"""Atari games as whole grey frames: many at once in C++ threads, or one as a plain environment.

Frames keep the console's resolution, since how they are scaled down belongs to the agent's encoder. Games whose
screen is not 210 lines high (``AirRaid`` has 250) are scaled to 210. The agent presses FIRE itself where a game
waits for it (``Breakout`` stands still until then), and rewards are the game's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import ale_py
import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode

from snnrl.envs.config import ATARI_PREFIX, AtariConfig
from snnrl.errors import ConfigError, near, require
from snnrl.types import Array, Info, Observation, Setting

gymnasium.register_envs(ale_py)

Frame = npt.NDArray[np.uint8]

HEIGHT, WIDTH = 210, 160
EMULATOR_RATE = 60
MAX_FRAMES = 108_000
SEED_LIMIT = 2**31


def atari_game(env_id: str) -> str:
    """The name that ``ale_py`` gives to the game of an ``ALE/<Game>-v5`` id.

    >>> atari_game("ALE/SpaceInvaders-v5")
    'space_invaders'

    Raises:
        ConfigError: no such game.
    """
    spec = gymnasium.registry.get(env_id)
    if spec is None:
        games = [known.name for known in gymnasium.registry.values() if known.id.startswith(ATARI_PREFIX)]
        hint = near(re.sub(r"-v\d+$", "", env_id.removeprefix(ATARI_PREFIX)), games, count=5)
        form = f"an id reads {ATARI_PREFIX}<Game>-v5"
        raise ConfigError(f"env.id={env_id}: no such Atari game; {f'{form}, {hint}' if hint else form}")
    return str(spec.kwargs["game"])


class VectorAtari(ale_py.AtariVectorEnv):
    """Copies of one game, stepped by threads; a game that has ended starts over at the next step (``NEXT_STEP``).

    Observations are uint8 ``[num_envs, 1, 210, 160]``, each the brighter of the step's last two frames.

    Args:
        game: the name that ``ale_py`` gives to the game, such as ``space_invaders``.
        num_envs: number of copies.
        config: how the game is played.
        max_episode_steps: time limit in environment steps; None for 108,000 emulator frames, half an hour of play.
        full_action_space: offer all 18 actions rather than those that the game uses.
        max_threads: threads that step the games, 0 for as many as there are cores.
        grayscale: grey frames; otherwise they are in colour, ``[num_envs, 1, 210, 160, 3]``.
    """

    def __init__(
        self,
        game: str,
        num_envs: int,
        config: AtariConfig,
        *,
        max_episode_steps: int | None = None,
        full_action_space: bool = False,
        max_threads: int = 0,
        grayscale: bool = True,
    ) -> None:
        max_frames = MAX_FRAMES if max_episode_steps is None else max_episode_steps * config.frame_skip
        super().__init__(
            game,
            num_envs,
            num_threads=max_threads,
            max_num_frames_per_episode=max_frames,
            repeat_action_probability=config.sticky_actions,
            full_action_space=full_action_space,
            autoreset_mode=AutoresetMode.NEXT_STEP,
            img_height=HEIGHT,
            img_width=WIDTH,
            grayscale=grayscale,
            stack_num=1,
            frameskip=config.frame_skip,
            maxpool=True,
            noop_max=config.noop_max,
            episodic_life=False,
            reward_clipping=False,
            use_fire_reset=False,
        )
        assert isinstance(self.single_action_space, Discrete)
        self._actions = int(self.single_action_space.n)

    def reset(
        self,
        *,
        seed: int | Sequence[int] | npt.NDArray[np.integer] | None = None,
        options: dict[str, Setting] | None = None,
    ) -> tuple[Observation, dict[str, Array]]:
        """Start all games over; may be called at any time.

        Args:
            seed: one per game, below 2**31, or the first of consecutive ones; None goes on with the generators.
            options: as in ``ale_py``.

        Returns:
            uint8 ``[num_envs, 1, 210, 160]``, and ``lives`` and frame counters as int32 ``[num_envs]``.

        Raises:
            ConfigError: a seed outside its range.
        """
        if seed is not None:
            seed = np.arange(seed, seed + self.num_envs) if isinstance(seed, int) else np.asarray(seed)
            require(seed.min() >= 0 and seed.max() < SEED_LIMIT, "seed", seed, "at least 0 and below 2**31")
        return super().reset(seed=seed, options=options)

    def send(self, actions: npt.ArrayLike) -> None:
        """Hand one action to each game; ``ale_py`` hangs forever on an action that it does not know.

        Args:
            actions: integers ``[num_envs]``.

        Raises:
            ValueError: an action outside ``single_action_space``.
        """
        actions = np.asarray(actions)
        count = self._actions
        if not np.issubdtype(actions.dtype, np.integer) or actions.min() < 0 or actions.max() >= count:
            raise ValueError(f"actions={actions}: must be integers from 0 to {count - 1}")
        super().send(actions.astype(np.int64))


class AtariEnv(gymnasium.Env[Frame, np.int64]):
    """One game, for evaluation and videos: the same frames as a row of :class:`VectorAtari` with its seed.

    Observations are uint8 ``[1, 210, 160]``. The parameters are those of :class:`VectorAtari`. Where it is drawn, a
    second copy of the game, with the same seed and actions, has the frames in colour.

    Args:
        render_mode: ``rgb_array`` for frames in colour from :meth:`render`, or None.

    Raises:
        ConfigError: another ``render_mode``.
    """

    def __init__(
        self,
        game: str,
        config: AtariConfig,
        *,
        max_episode_steps: int | None = None,
        full_action_space: bool = False,
        render_mode: str | None = None,
    ) -> None:
        require(render_mode in (None, "rgb_array"), "render_mode", render_mode, "rgb_array or None for an Atari game")
        one = partial(
            VectorAtari,
            game,
            1,
            config,
            max_episode_steps=max_episode_steps,
            full_action_space=full_action_space,
            max_threads=1,
        )
        self._games = one()
        self._colours = one(grayscale=False) if render_mode else None
        self._seeded = False
        self.observation_space = self._games.single_observation_space
        self.action_space = self._games.single_action_space
        self.render_mode = render_mode
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": EMULATOR_RATE / config.frame_skip}
        self._frame: Frame | None = None
        self._running = False

    def reset(self, *, seed: int | None = None, options: dict[str, Setting] | None = None) -> tuple[Frame, Info]:
        """Start an episode.

        Args:
            seed: below 2**31; without one the game's generator goes on, from a random state at the first call.
            options: none are known.

        Returns:
            uint8 ``[1, 210, 160]``, and ``lives`` and frame counters.

        Raises:
            ConfigError: a seed outside its range.
        """
        require(seed is None or 0 <= seed < SEED_LIMIT, "seed", seed, "at least 0 and below 2**31")
        super().reset(seed=seed)
        if self._colours is not None:
            if seed is None and not self._seeded:  # both copies begin alike
                seed = int(np.random.default_rng().integers(SEED_LIMIT))
            self._frame = self._colours.reset(seed=seed)[0][0, 0]
            self._seeded = True
        frames, info = self._games.reset(seed=seed)
        self._running = True
        return frames[0], self._row(info)

    def step(self, action: np.int64) -> tuple[Frame, float, bool, bool, Info]:
        """One environment step: ``frame_skip`` frames with one action.

        Returns:
            The observation uint8 ``[1, 210, 160]``, the game's own reward, terminated, truncated, and info.

        Raises:
            ResetNeeded: no episode is running.
            ValueError: an action outside ``action_space``.
        """
        if not self._running:
            raise ResetNeeded("no episode is running: call reset() first, and again after terminated or truncated")
        frames, rewards, terminated, truncated, info = self._games.step(np.asarray([action]))
        self._running = not (terminated[0] or truncated[0])
        if self._colours is not None:
            self._frame = self._colours.step(np.asarray([action]))[0][0, 0]
        return frames[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), self._row(info)

    def render(self) -> Frame | None:
        """The frame that was observed last, in colour, uint8 ``[210, 160, 3]``; None without a ``render_mode``.

        Raises:
            ResetNeeded: before the first reset.
        """
        if self.render_mode is None:
            return None
        if self._frame is None:
            raise ResetNeeded("there is no frame yet: call reset() first")
        return self._frame.copy()

    def get_action_meanings(self) -> list[str]:
        """What each action is called, such as ``LEFTFIRE``."""
        return [action.name for action in self._games.ale.get_action_set()]

    @staticmethod
    def _row(info: dict[str, Array]) -> Info:
        return {key: int(values[0]) for key, values in info.items() if key != "env_id"}
