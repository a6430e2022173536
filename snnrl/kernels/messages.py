"""Events of some rows of a batch as the message that tells other processes of them, and back; on the CPU.

A message holds the number of events of each row, and then the neurons, int32 each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled


def message_of(row: Tensor, index: Tensor, rows: int) -> NDArray[np.int32]:
    """The message of events.

    Args:
        row: int64 ``[events]``, sorted, in ``0 .. rows - 1``.
        index: int64 ``[events]``, which neurons, below 2^31.
        rows: how many they are of.
    """
    message = np.empty(rows + len(index), np.int32)
    _tell(row.numpy(), index.numpy(), message[:rows], message[rows:])
    return message


def events_of(messages: Sequence[NDArray[np.int32]], rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Row and neuron of the events, int64 ``[events]`` each, of messages of so many rows that follow one another."""
    events = sum(map(len, messages)) - sum(rows)
    row, index, first, at = np.empty(events, np.int64), np.empty(events, np.int64), 0, 0
    for message, count in zip(messages, rows, strict=True):
        past = at + len(message) - count
        _hear(message, first, count, row[at:past], index[at:past])
        first, at = first + count, past
    return torch.from_numpy(row), torch.from_numpy(index)


@compiled()
def _tell(
    row: NDArray[np.int64], index: NDArray[np.int64], counts: NDArray[np.int32], neurons: NDArray[np.int32]
) -> None:
    for place in range(len(counts)):
        counts[place] = 0
    for event in range(len(index)):
        counts[row[event]] += np.int32(1)
        neurons[event] = index[event]


@compiled()
def _hear(message: NDArray[np.int32], first: int, count: int, row: NDArray[np.int64], index: NDArray[np.int64]) -> None:
    event = 0
    for place in range(count):
        for _ in range(message[place]):
            row[event], index[event] = first + place, message[count + event]
            event += 1
