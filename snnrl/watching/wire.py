"""What the page is sent: each message one piece of bytes, made once for all its readers.

A message is the length of its header (four bytes, little end first), the header as JSON, and parts of bytes, whose
lengths the header's ``parts`` has. ``page/messages.js`` reads it.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from snnrl.recording import About, Moment
from snnrl.spaces import Space, split
from snnrl.types import Action, Array, Observation, Setting, Settings

LARGE_PICTURE = 60_000
"""Bytes of a PNG beyond which an environment's pictures are sent as JPEG."""
MOST_NUMBERS = 64
"""Numbers of an observation that are sent where there is no picture."""
MOST_ROWS, MOST_COLUMNS = 64, 400
"""Of a picture of weights."""
ACTIONS = {
    "CartPole": ("push left", "push right"),
    "MountainCar": ("push left", "coast", "push right"),
    "Acrobot": ("turn left", "let go", "turn right"),
    "LunarLander": ("coast", "left engine", "main engine", "right engine"),
}
"""What the actions of environments do that do not say so themselves, from Gymnasium's documentation."""


def pack(header: Settings, parts: Sequence[bytes] = ()) -> bytes:
    r"""One message.

    >>> pack({"kind": "state"})
    b'\x1b\x00\x00\x00{"kind":"state","parts":[]}'

    Args:
        header: plain values.
        parts: bytes that follow.
    """
    text = json.dumps(
        {**header, "parts": [len(part) for part in parts]}, separators=(",", ":"), allow_nan=False, ensure_ascii=False
    ).encode()
    return b"".join((len(text).to_bytes(4, "little"), text, *parts))


def labels(about: About) -> list[str]:
    """What the choices are called: as the agent says, or by name where it is known what the numbers mean."""
    known = ACTIONS.get(re.sub(r"-v\d+$", "", about.env), ())
    if len(known) == len(about.choices):
        return list(known)
    return [f"action {choice}" if choice.isdigit() else choice for choice in about.choices]


def hello(about: About, line: str, **others: Setting) -> bytes:
    """What the page has to know before the first moment.

    Args:
        about: what the moments have in common.
        line: on who plays.
        others: what else it is told.
    """
    choices = labels(about)
    numbers = {label.partition(": ")[0] for label in choices if ": " in label}
    header = {
        "kind": "hello",
        "title": about.title,
        "env": about.env,
        "line": line,
        "rate": about.frames_per_second,
        "dt": about.dt,
        "labels": [label.rpartition(": ")[2] for label in choices],
        "numbers": max(len(numbers), 1),
        "groups": {"actor": choices} if "actor" in about.populations else {},
        **others,
    }
    return pack(header)


class MomentWriter:
    """Moments as messages, with the score of the episode so far.

    Args:
        about: what the moments have in common.
        observation_space: of the environment.
        action_space: of the environment.
    """

    def __init__(self, about: About, observation_space: Space, action_space: Space) -> None:
        self._choices, self._observations, self._actions = labels(about), observation_space, action_space
        self._decision, self._episode, self.score = 0, 0, 0.0
        self._jpeg = False

    def __call__(self, moment: Moment) -> bytes:
        """One moment."""
        if moment.episode_start:
            self._decision, self._episode, self.score = 0, self._episode + 1, 0.0
        self._decision += 1
        self.score += moment.reward
        header: dict[str, Setting] = {
            "kind": "moment",
            "decision": self._decision,
            "episode": self._episode,
            "score": _number(self.score),
            "reward": _number(moment.reward),
            "value": _number(moment.value),
            "td_error": _number(moment.td_error),
            "preferences": None if moment.preferences is None else [_number(each) for each in moment.preferences],
            "start": moment.episode_start,
            "over": moment.terminated or moment.truncated,
            **self._action(moment.action),
        }
        parts: list[bytes] = []
        if moment.frame is not None:
            header["frame"] = {"part": 0, "type": "image/jpeg" if self._jpeg else "image/png"}
            parts.append(self._picture(moment.frame))
        else:
            header["observation"] = _numbers(self._observations, moment.observation)
        spikes = []
        for name, fired in moment.spikes.items():
            form, content = packed(fired)
            spikes.append({"name": name, "shape": list(fired.shape), "form": form, "part": len(parts)})
            parts.append(content)
        return pack({**header, "spikes": spikes}, parts)

    def _action(self, action: Action) -> dict[str, Setting]:
        """An action in words, and which of the choices it is, of each of its numbers."""
        space, choices = self._actions, self._choices
        if isinstance(space, spaces.Discrete):
            place = int(action) - int(space.start)
            return {"action": choices[place] if place < len(choices) else str(int(action)), "taken": [place]}
        numbers = np.concatenate([np.ravel(part) for part in split(space, action)]).astype(float)
        words = ", ".join(f"{number:.3g}" for number in numbers)
        if not isinstance(space, spaces.Box) or len(choices) <= len(numbers) or len(choices) % len(numbers):
            return {"action": words}
        last = len(choices) // len(numbers) - 1
        low, high = np.ravel(space.low).astype(float), np.ravel(space.high).astype(float)
        places = np.rint((numbers - low) / np.maximum(high - low, 1e-12) * last).clip(0, last).astype(int)
        return {"action": words, "taken": places.tolist()}

    def _picture(self, frame: NDArray[np.uint8]) -> bytes:
        file = io.BytesIO()
        if self._jpeg:
            Image.fromarray(frame).save(file, "JPEG", quality=85)
        else:
            Image.fromarray(frame).save(file, "PNG", compress_level=1)
            self._jpeg = file.tell() > LARGE_PICTURE
        return file.getvalue()


def packed(fired: NDArray[np.bool_]) -> tuple[str, bytes]:
    r"""Spikes ``[sim_steps, neurons]`` in the shorter of two forms, and which one it is.

    ``bits`` has a bit for each neuron and step, the lowest of each byte first; ``events`` the number
    ``step * neurons + neuron`` of each spike, four bytes each.

    >>> packed(np.eye(4, dtype=bool))
    ('bits', b'!\x84')
    """
    flat = np.ascontiguousarray(fired).reshape(-1)
    events = np.flatnonzero(flat)
    if 4 * len(events) < len(flat) / 8:
        return "events", events.astype("<u4").tobytes()
    return "bits", np.packbits(flat, bitorder="little").tobytes()


def weights(model: nn.Module) -> list[tuple[str, Tensor]]:
    """A model's weights that join two populations, by what they are called."""
    found = []
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2:
            words = re.sub(r"^(network\.connections|policy)\.|\.weight$", "", name)
            found.append((words.replace(".synapses", ""), parameter.detach().flatten(1)))
    return found


def weights_message(model: nn.Module) -> bytes:
    """All weights as pictures: levels from -127 to 127, each the mean of as many weights as it takes."""
    tables: list[Settings] = []
    parts: list[bytes] = []
    for name, values in weights(model):
        table = values.float().cpu().numpy()
        small = pooled(table, MOST_ROWS, MOST_COLUMNS)
        most = float(np.abs(small).max())
        tables.append(
            {
                "name": name,
                "shape": list(small.shape),
                "of": list(table.shape),
                "most": _number(most),
                "part": len(parts),
            }
        )
        parts.append(np.rint(small / (most or 1.0) * 127).astype(np.int8).tobytes())
    return pack({"kind": "weights", "tables": tables}, parts)


def pooled(table: Array, rows: int, columns: int) -> Array:
    """A table of at most so many rows and columns, each the mean of neighbours; they differ in number by one at most.

    >>> pooled(np.arange(6.0).reshape(1, 6), 2, 3)
    array([[0.5, 2.5, 4.5]])
    """
    for axis, most in ((0, rows), (1, columns)):
        length = table.shape[axis]
        if length > most:
            starts = np.arange(most) * length // most
            sizes = np.diff(np.append(starts, length))
            summed = np.add.reduceat(table, starts, axis=axis)
            table = summed / (sizes[:, None] if axis == 0 else sizes)
    return table


def curves(rows: Sequence[Mapping[str, float]], most: int = 400) -> bytes:
    """Metrics over the steps of a training, as ``metrics.jsonl`` has them.

    Args:
        rows: ``{"step": 1000, "rollout/return_mean": 21.5}``.
        most: rows that are sent; of more, as many at equal distances.
    """
    kept = rows if len(rows) <= most else [rows[place * (len(rows) - 1) // (most - 1)] for place in range(most)]
    names = sorted({name for row in kept for name in row} - {"step"}, key=lambda name: (not _is_return(name), name))
    series = {name: [_number(row.get(name)) for row in kept] for name in names}
    return pack({"kind": "curves", "steps": [row["step"] for row in kept], "series": series})


def _is_return(name: str) -> bool:
    return name == "rollout/return_mean"


def _number(value: float | None) -> float | None:
    """A number in as many digits as a page can show; JSON has no NaN and no infinity."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{float(value):.6g}")


def _numbers(space: Space, observation: Observation) -> list[float | None]:
    """The first numbers of an observation of whatever kind."""
    flat = np.concatenate([np.ravel(part) for part in split(space, observation)]).astype(float)
    return [_number(each) for each in flat[:MOST_NUMBERS]]
