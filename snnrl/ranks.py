"""Processes that train one model together: which rows of a batch are whose, and how each comes to know those of all.

The words are those of MPI and ``torch.distributed``: a process is a rank, their number the world size. Every rank has
the same weights, generator and running statistics, since each computes all that lasts from the rows of all ranks, in
the order in which one process has them. So N processes give the weights of one, bit for bit, and nothing has to be
averaged afterwards.
"""

from __future__ import annotations

import atexit
import hashlib
import math
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Self, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from snnrl.errors import ConfigError, RunError, one_line, require
from snnrl.kernels.messages import events_of, message_of
from snnrl.mesh import HEADER, Mesh, connected
from snnrl.rendezvous import join
from snnrl.types import Array, Bytes

T = TypeVar("T")

FEWEST_ROWS = 16
"""Rows of each rank below which :meth:`Ranks.by_rows` shares out none: products of fewer rows were rounded otherwise
than the same rows among many (MKL, float32, 252 and 784 inputs), those of 16 and more were not."""
PATIENCE = timedelta(hours=24)
"""How long ranks wait for one that evaluates; one that has ended is noticed at once."""


class LostRankError(RunError):
    """Another process of the run has ended."""


class Ranks:
    """The one process of a run that is not shared out: it has all rows, and each method gives back what it is given."""

    rank: int = 0
    """Which of the processes this one is."""
    size: int = 1
    """How many there are."""
    local_size: int = 1
    """How many of them are on this machine."""

    @property
    def leads(self) -> bool:
        """Whether this process logs, evaluates and saves."""
        return self.rank == 0

    def own(self, rows: int) -> slice:
        """Which of so many rows are this rank's: a block of them, in the order of the ranks."""
        return slice(0, rows)

    def taken(self, *parts: Tensor) -> tuple[Tensor, ...]:
        """The own rows of tensors ``[rows, ...]``."""
        return parts

    def placed(self, part: Tensor, rows: int) -> Tensor:
        """Own rows ``[own, ...]`` where they belong among all ``[rows, ...]``, of which the others are anything."""
        return part

    def gathered(self, kind: str, *parts: Array) -> tuple[Array, ...]:
        """The rows of all ranks, ``[rows, ...]`` each, of arrays of own rows ``[own, ...]``.

        Args:
            kind: a name for what is sent, for which room is kept.
            parts: arrays of numbers or flags; shapes of a row and dtypes are those of all ranks.
        """
        return parts

    def events(self, row: Tensor, index: Tensor, rows: int) -> tuple[Tensor, Tensor]:
        """Row and neuron of the events of all ranks, int64 ``[events]`` each and sorted by row, of those of own rows.

        Args:
            row: int64 ``[events]``, counted from the first own row.
            index: int64 ``[events]``, below 2^31.
            rows: how many there are in all.
        """
        return row, index

    def by_rows(self, compute: Callable[[slice], tuple[Tensor, ...]], rows: int) -> tuple[Tensor, ...]:
        """What ``compute`` makes of so many rows, ``[rows, ...]`` each; it is given which of them.

        Ranks share out the rows, but where they are few: libraries round products of few rows otherwise.
        """
        return compute(slice(0, rows))

    def averaged(self, parts: Sequence[Tensor], share: float) -> Sequence[Tensor]:
        """Means over the rows of all ranks of means over own rows, which are a ``share`` of all.

        They are those of one process but for rounding: sums of floating-point numbers depend on how these are grouped.
        """
        return parts

    def interleaved(self, part: Tensor, rows: int) -> Tensor:
        """All ``[rows, width]`` of which each rank gives those that begin at its number and are ``size`` apart.

        They are on the CPU.
        """
        return part

    def agreed(self, asked: str | None) -> str | None:
        """The signal that ended the run in any rank, given the one that this rank was sent, if it was.

        All ranks hear of it between the same two steps: it goes with the messages of a step.
        """
        return asked

    def told(self, make: Callable[[], T]) -> T:
        """What ``make`` gives in rank 0, which alone calls it; what it raises is raised in all ranks."""
        return make()

    def all_well(self, make: Callable[[], T]) -> T:
        """What ``make`` gives, called in every rank; what it raises in one of them is raised in all."""
        return make()

    def require_alike(self, model: nn.Module, when: str) -> None:
        """Raise a RunError unless the weights of all ranks are the same."""
        return

    def outlast(self) -> None:
        """Wait until rank 0 has ended, whose last words a launcher would else cut off."""
        return

    def __deepcopy__(self, memo: object) -> Self:
        """Processes are not copied."""
        return self


ALONE = Ranks()
"""What is shared out over no other process."""


def launched(environment: Mapping[str, str] = os.environ) -> Ranks:
    """The ranks that ``torchrun``, or another launcher that sets the same variables, has started; else :data:`ALONE`.

    Raises:
        ConfigError: variables that are not whole, or other ranks that cannot be reached.
    """
    size = environment.get("WORLD_SIZE", "1")
    require(size.isdecimal() and int(size) > 0, "WORLD_SIZE", size, "a number of processes, as torchrun sets it")
    if int(size) == 1:
        return ALONE
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in environment]
    if missing:
        raise ConfigError(f"WORLD_SIZE={size}: needs {', '.join(missing)} besides; torchrun sets them all")
    rank, port = environment["RANK"], environment["MASTER_PORT"]
    right = rank.isdecimal() and int(rank) < int(size)
    require(right, "RANK", rank, f"from 0 to {int(size) - 1}, as WORLD_SIZE is {size}")
    require(port.isdecimal() and 0 < int(port) < 65536, "MASTER_PORT", port, "the number of a port, 1 to 65535")
    return TorchRanks(int(environment.get("LOCAL_RANK", "0")), int(environment.get("LOCAL_WORLD_SIZE", "1")))


class TorchRanks(Ranks):
    """Ranks that ``torch.distributed`` connects: by gloo on the host, by NCCL what lies on GPUs.

    Args:
        local_rank: which of the processes on this machine this one is; it takes the GPU of that number.
        local_size: how many there are.

    Raises:
        ConfigError: the others cannot be reached.
    """

    def __init__(self, local_rank: int, local_size: int) -> None:
        import torch.distributed as dist

        gpus = torch.cuda.device_count()
        if gpus:
            torch.cuda.set_device(local_rank % gpus)
        self._dist = dist
        if not dist.is_initialized():
            join("cpu:gloo,cuda:nccl" if gpus else "gloo", PATIENCE, os.environ)
        self.rank, self.size, self.local_size = dist.get_rank(), dist.get_world_size(), local_size
        self._room: dict[str, int] = {}
        self._asked = self._heard = 0
        self._mesh: Mesh | None = None
        if local_size == self.size:
            self._mesh = connected(self.rank, self.size, PATIENCE.total_seconds(), self._gather)
        atexit.register(self._close)

    def own(self, rows: int) -> slice:
        return self._block(self.rank, rows)

    def _block(self, rank: int, rows: int) -> slice:
        each = -(-rows // self.size)
        return slice(min(rank * each, rows), min((rank + 1) * each, rows))

    def taken(self, *parts: Tensor) -> tuple[Tensor, ...]:
        return tuple(part[self.own(len(part))] for part in parts)

    def placed(self, part: Tensor, rows: int) -> Tensor:
        whole = part.new_empty((rows, *part.shape[1:]))
        whole[self.own(rows)] = part
        return whole

    def gathered(self, kind: str, *parts: Array) -> tuple[Array, ...]:
        received = self._exchange(kind, np.concatenate([_bytes(part) for part in parts]))
        widths = [part.dtype.itemsize * math.prod(part.shape[1:]) for part in parts]
        counts = [len(message) // sum(widths) for message in received]
        first, found = [0] * self.size, []
        for part, width in zip(parts, widths, strict=True):
            past = [begin + count * width for begin, count in zip(first, counts, strict=True)]
            whole = np.concatenate([each[slice(*at)] for each, *at in zip(received, first, past, strict=True)])
            found.append(whole.view(part.dtype).reshape(-1, *part.shape[1:]))
            first = past
        return tuple(found)

    def events(self, row: Tensor, index: Tensor, rows: int) -> tuple[Tensor, Tensor]:
        counts = [(block := self._block(rank, rows)).stop - block.start for rank in range(self.size)]
        message = message_of(row, index, counts[self.rank])
        return events_of([each.view(np.int32) for each in self._exchange("events", _bytes(message))], counts)

    def by_rows(self, compute: Callable[[slice], tuple[Tensor, ...]], rows: int) -> tuple[Tensor, ...]:
        if rows < FEWEST_ROWS * self.size:
            self._exchange("nothing", np.empty(0, np.uint8))
            return compute(slice(0, rows))
        own = compute(self.own(rows))
        whole = self.gathered("rows", *(part.cpu().numpy() for part in own))
        return tuple(torch.from_numpy(part).to(mine.device) for part, mine in zip(whole, own, strict=True))

    def averaged(self, parts: Sequence[Tensor], share: float) -> Sequence[Tensor]:
        self._exchange("nothing", np.empty(0, np.uint8))
        flat = torch.cat([part.flatten() for part in parts])
        flat = share * flat if share else torch.zeros_like(flat)
        with self._together():
            self._dist.all_reduce(flat)
        return [
            whole.view_as(part) for whole, part in zip(flat.split([part.numel() for part in parts]), parts, strict=True)
        ]

    def interleaved(self, part: Tensor, rows: int) -> Tensor:
        each = -(-rows // self.size)
        own = part if len(part) == each else torch.cat([part, part.new_zeros((each - len(part), part.shape[1]))])
        whole = part.new_empty((each, self.size, part.shape[1]))
        for rank, sent in enumerate(self._exchange("interleaved", _bytes(own.numpy()))):
            whole[:, rank] = torch.from_numpy(sent).view(part.dtype).view(own.shape)
        return whole.view(self.size * each, part.shape[1])[:rows]

    def agreed(self, asked: str | None) -> str | None:
        if asked is not None:
            self._asked = int(signal.Signals[asked])
        return signal.Signals(self._heard).name if self._heard else None

    def told(self, make: Callable[[], T]) -> T:
        if self.leads:
            try:
                value = make()
            except Exception as error:
                self._broadcast((None, _sendable(error)))
                raise
            self._broadcast((value, None))
            return value
        told, failed = self._broadcast(None)
        if failed is not None:
            raise failed
        return cast(T, told)

    def _broadcast(self, outcome: tuple[object, Exception | None] | None) -> tuple[object, Exception | None]:
        sent = [outcome]
        with self._together():
            self._dist.broadcast_object_list(sent)
        assert sent[0] is not None
        return sent[0]

    def all_well(self, make: Callable[[], T]) -> T:
        failed: Exception | None = None
        try:
            value = make()
        except Exception as error:
            failed = error
        failures = self._gather(None if failed is None else _sendable(failed))
        first = next((rank for rank, error in enumerate(failures) if error is not None), None)
        if first is None:
            return value
        raise failed if failed is not None and first == self.rank else failures[first] or RunError("")

    def _gather(self, own: T) -> list[T]:
        """What each process gives, in the order of ranks."""
        every = [own] * self.size
        with self._together():
            self._dist.all_gather_object(every, own)
        return every

    def require_alike(self, model: nn.Module, when: str) -> None:
        digest = hashlib.blake2b(digest_size=16)
        for parameter in model.parameters():
            digest.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        (found,) = self.gathered("digest", np.frombuffer(digest.digest(), np.uint8)[None])
        others = np.flatnonzero((found != found[0]).any(1)).tolist()
        if others:
            raise RunError(
                f"{when} the weights of process 0 and of {others} differ: all must compute alike, with the same torch, "
                "the same number of threads and the same kind of processor"
            )

    def _exchange(self, kind: str, own: Bytes) -> list[Bytes]:
        """The messages of all ranks, in their order; they may differ in length."""
        if self._mesh is not None:
            with self._together():
                messages, asked = self._mesh.exchange(own, self._asked)
            self._heard = self._heard or max(asked)
            return messages
        room = self._room.get(kind, 0)
        received = self._round(own, room)
        longest = max(len_ for len_, _ in received)
        if longest > room:
            self._room[kind] = 1 << (longest - 1).bit_length()
            received = self._round(own, self._room[kind])
        return [whole[:length] for length, whole in received]

    def _round(self, own: Bytes, room: int) -> list[tuple[int, Bytes]]:
        """Length and content of the message of each rank, of which so many bytes are sent, if it has no more."""
        message = np.empty(HEADER + room, np.uint8)
        message[:HEADER].view(np.int64)[:] = len(own), self._asked
        if len(own) <= room:
            message[HEADER : HEADER + len(own)] = own
        received = torch.empty((self.size, len(message)), dtype=torch.uint8)
        with self._together():
            self._dist.all_gather(list(received.unbind()), torch.from_numpy(message))
        every = received.numpy()
        heads = every[:, :HEADER].copy().view(np.int64)
        self._heard = self._heard or int(heads[:, 1].max())
        return [(int(length), each) for length, each in zip(heads[:, 0], every[:, HEADER:], strict=True)]

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Around what needs all ranks."""
        try:
            yield
        except (RuntimeError, OSError) as error:
            raise LostRankError(f"another of the {self.size} processes of this run has ended") from error

    def outlast(self) -> None:
        with suppress(LostRankError):
            self._broadcast(None)

    def _close(self) -> None:
        if self._mesh is not None:
            self._mesh.close()
        with suppress(Exception):
            self._dist.destroy_process_group()


def _bytes(values: Array) -> Bytes:
    """An array's memory."""
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)


def _sendable(error: Exception) -> Exception:
    """An error that can be sent: itself, or a line of it."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RunError(one_line(error))
    return error
