"""Gymnasium's generic classes, for environments of any spaces."""

from __future__ import annotations

import gymnasium
from gymnasium.vector import VectorEnv as GymnasiumVectorEnv

from snnrl.types import Action, Array, Observation

Env = gymnasium.Env[Observation, Action]
"""An environment of any spaces."""
Wrapper = gymnasium.Wrapper[Observation, Action, Observation, Action]
"""What lies around an environment and keeps its spaces."""
VectorEnv = GymnasiumVectorEnv[Observation, Action, Array]
"""Environments of any spaces that are stepped together."""
