"""Environments of every space, registered as ``odd/<name>-v0``; each refuses actions that are not in its space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

LENGTH = 7
"""Steps of an episode."""
VECTOR = spaces.Box(-1.0, 1.0, (3,))
CHOICE = spaces.Discrete(3)
BYTE = np.uint8

OBSERVATIONS: Mapping[str, spaces.Space[Any]] = {
    "Discrete": spaces.Discrete(5),
    "DiscreteStart": spaces.Discrete(5, start=-2),
    "DiscreteHuge": spaces.Discrete(10**9, start=7),
    "MultiDiscrete": spaces.MultiDiscrete([3, 2, 4]),
    "MultiDiscreteStart": spaces.MultiDiscrete([3, 2], start=[1, -1]),
    "MultiDiscreteGrid": spaces.MultiDiscrete([[2, 3], [4, 2]]),
    "MultiDiscreteMany": spaces.MultiDiscrete([9] * 12),
    "MultiBinary": spaces.MultiBinary(4),
    "MultiBinaryGrid": spaces.MultiBinary((5, 6)),
    "Scalar": spaces.Box(0.0, 9.0, ()),
    "Matrix": spaces.Box(-1.0, 1.0, (2, 3)),
    "Unbounded": spaces.Box(-np.inf, np.inf, (3,)),
    "Offset": spaces.Box(1e9, 1e9 + 1, (2,), np.float64),
    "Integers": spaces.Box(-5, 10**12, (2,), np.int64),
    "Bytes": spaces.Box(0, 255, (128,), BYTE),
    "Flags": spaces.Box(0, 1, (10, 10, 4), np.bool_),
    "FloatCube": spaces.Box(0.0, 1.0, (6, 6, 3)),
    "SmallPicture": spaces.Box(0, 255, (8, 8, 3), BYTE),
    "Picture": spaces.Box(0, 255, (36, 40, 3), BYTE),
    "GreyLast": spaces.Box(0, 255, (40, 40, 1), BYTE),
    "GreyFirst": spaces.Box(0, 255, (1, 84, 84), BYTE),
    "GreyFlat": spaces.Box(0, 255, (36, 50), BYTE),
    "Stack": spaces.Box(0, 255, (4, 40, 40), BYTE),
    "StackOfPictures": spaces.Box(0, 255, (2, 36, 36, 3), BYTE),
    "Cards": spaces.Tuple([spaces.Discrete(32), spaces.Discrete(11), spaces.Discrete(2)]),
    "Dict": spaces.Dict({"place": VECTOR, "key": spaces.Discrete(4, start=1), "lamps": spaces.MultiBinary(3)}),
    "Nested": spaces.Dict({"a": spaces.Tuple([VECTOR, spaces.Dict({"b.c": spaces.Discrete(2)})]), "d": VECTOR}),
    "DictOfPicture": spaces.Dict({"image": spaces.Box(0, 255, (36, 36, 3), BYTE)}),
    "PictureAndNumbers": spaces.Tuple([spaces.Box(0, 255, (36, 36, 3), BYTE), spaces.Discrete(3, start=2), VECTOR]),
}
ACTIONS: Mapping[str, spaces.Space[Any]] = {
    "Discrete": CHOICE,
    "DiscreteStart": spaces.Discrete(3, start=5),
    "MultiDiscrete": spaces.MultiDiscrete([3, 2, 4]),
    "MultiDiscreteStart": spaces.MultiDiscrete([3, 2], start=[1, -1]),
    "MultiDiscreteGrid": spaces.MultiDiscrete([[2, 3], [4, 2]]),
    "MultiBinary": spaces.MultiBinary(4),
    "MultiBinaryGrid": spaces.MultiBinary((2, 2)),
    "Box": spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([1.0, 9.0], np.float32)),
    "BoxScalar": spaces.Box(-2.0, 2.0, ()),
    "BoxMatrix": spaces.Box(-1.0, 1.0, (2, 2), np.float64),
    "BoxIntegers": spaces.Box(0, 20, (2,), np.int64),
    "TupleOfChoices": spaces.Tuple([spaces.Discrete(2, start=1), spaces.Discrete(3)]),
    "DictOfBoxes": spaces.Dict({"left": spaces.Box(0.0, 1.0, (2,)), "right": spaces.Box(-3.0, 0.0, (1,))}),
    "Mixed": spaces.Dict({"gear": spaces.Discrete(3, start=-1), "pedal": spaces.Box(0.0, 1.0, (2,))}),
}
IMPOSSIBLE: Mapping[str, tuple[spaces.Space[Any], spaces.Space[Any]]] = {
    "TextSeen": (spaces.Text(5), CHOICE),
    "GraphSeen": (spaces.Graph(VECTOR, None), CHOICE),
    "SequenceSeen": (spaces.Sequence(spaces.Discrete(3)), CHOICE),
    "TextInADict": (spaces.Dict({"a": VECTOR, "b": spaces.Text(5)}), CHOICE),
    "OneOfSeen": (spaces.OneOf([spaces.Discrete(3), VECTOR]), CHOICE),
    "UnboundedActions": (VECTOR, spaces.Box(-np.inf, np.inf, (2,))),
    "HalfBoundedActions": (VECTOR, spaces.Box(0.0, np.inf, (2,))),
    "UnboundedInATuple": (VECTOR, spaces.Tuple([CHOICE, spaces.Box(-np.inf, np.inf, (2,))])),
    "TextActions": (VECTOR, spaces.Text(5)),
    "SequenceActions": (VECTOR, spaces.Sequence(spaces.Discrete(3))),
}
PUSH = spaces.Box(-1.0, 1.0, (2,))
POSSIBLE: Mapping[str, tuple[spaces.Space[Any], spaces.Space[Any]]] = {
    **{f"Sees{name}": (space, CHOICE) for name, space in OBSERVATIONS.items()},
    **{f"Does{name}": (VECTOR, space) for name, space in ACTIONS.items()},
    **{f"Pushes{name}": (space, PUSH) for name, space in OBSERVATIONS.items()},
}
TABLE: Mapping[str, tuple[spaces.Space[Any], spaces.Space[Any]]] = {**POSSIBLE, **IMPOSSIBLE}


class Odd(gymnasium.Env[Any, Any]):
    """Random observations, and a reward for every step.

    Args:
        name: in :data:`TABLE`.
    """

    def __init__(self, name: str) -> None:
        self.observation_space, self.action_space = TABLE[name]
        self._steps = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self._steps = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        taken = np.asarray(action) if isinstance(self.action_space, spaces.Box) else action
        if not self.action_space.contains(taken):
            raise ValueError(f"the action {action!r} is not in {self.action_space}")
        self._steps += 1
        return self.observation_space.sample(), 1.0, self._steps >= LENGTH, False, {}


class Masked(gymnasium.Env[Any, Any]):
    """Permits some actions only, others in every state, and ends with an error where another is taken.

    Args:
        space: of actions.
        told: ``info``, ``tuple`` (in the info, an array for each number) or ``method``: how it says what is permitted.
    """

    def __init__(self, space: spaces.Space[Any], told: str) -> None:
        self.observation_space, self.action_space, self._told = spaces.Discrete(5), space, told
        counts = space.nvec if isinstance(space, spaces.MultiDiscrete) else [space.n]  # type: ignore[attr-defined]
        self._counts = [int(count) for count in counts]
        if told == "method":
            self.action_masks = self._masks

    def _masks(self) -> Any:
        """One value of each number is permitted, or two."""
        each = [np.isin(np.arange(count), [self._steps % count, count - 2]) for count in self._counts]
        return np.concatenate(each).astype(np.int8)

    def _info(self) -> dict[str, Any]:
        masks = self._masks()
        if self._told == "tuple":
            masks = tuple(np.split(masks, np.cumsum(self._counts)[:-1]))
        return {} if self._told == "method" else {"action_mask": masks}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._steps = 0
        return 0, self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        chosen = np.atleast_1d(action) - getattr(self.action_space, "start", 0)
        masks = np.split(self._masks(), np.cumsum(self._counts)[:-1])
        if not all(mask[choice] for mask, choice in zip(masks, chosen, strict=True)):
            raise ValueError(f"the action {action} is not permitted: {masks}")
        self._steps += 1
        return self._steps % 5, 1.0, self._steps >= LENGTH, False, self._info()


MASKED: Mapping[str, Any] = {
    "Info": (spaces.Discrete(4, start=3), "info"),
    "Method": (spaces.Discrete(4), "method"),
    "Several": (spaces.MultiDiscrete([3, 5]), "info"),
    "Parts": (spaces.MultiDiscrete([3, 5]), "tuple"),
}

for _name in TABLE:
    gymnasium.register(f"odd/{_name}-v0", Odd, disable_env_checker=True, kwargs={"name": _name})
for _name, (_space, _told) in MASKED.items():
    gymnasium.register(
        f"odd/Masked{_name}-v0", Masked, disable_env_checker=True, kwargs={"space": _space, "told": _told}
    )
