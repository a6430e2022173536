"""Names for types that many rooms share. Knows neither Gymnasium nor torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""An array of any dtype."""
Bytes = NDArray[np.uint8]
"""An array's memory, flat."""
Setting = Any
"""The value of a setting, which is checked where it is read."""
Settings = Mapping[str, Setting]
"""Settings by name, as a recipe or a command line gives them; values may be mappings again."""
Observation = Any
"""An element of an observation space, or a batch of them: an array, a number, a tuple or a dict."""
Action = Any
"""An element of an action space, or a batch of them."""
PolicyState = Any
"""What a policy takes along from one decision to the next; ``None`` at first, and for ever where it needs nothing."""
Info = dict[str, Any]
"""What an environment says beside the observation, by name."""
Saved = dict[str, Any]
"""What a checkpoint keeps of one part, by name: tensors, numbers, text and further parts."""
