"""Synapses of a large connection, of which each process of a run learns those of some presynaptic neurons."""

from __future__ import annotations

from torch import Tensor

from snnrl.connections import Connection, Dense
from snnrl.kernels.strides import every
from snnrl.plasticity import AnyRule, ThreeFactor, TruncatedThreeFactor
from snnrl.ranks import Ranks
from snnrl.spikes import SparseSpikes

MOST_ALONE = 65_536
"""Synapses up to which it is faster to learn all of them in each process than to send changes of weights."""


class WholeConnection:
    """All synapses of a connection are learned here: each method gives back what it is given."""

    def learned(self, connection: Connection) -> Connection:
        """The connection of which a rule changes the synapses."""
        return connection

    def taken(self, pre: Tensor | SparseSpikes) -> Tensor | SparseSpikes:
        """What its presynaptic neurons fired."""
        return pre

    def joined(self, change: Tensor) -> Tensor:
        """The change ``[post, pre]`` of the whole connection's weights."""
        return change


WHOLE = WholeConnection()


class OwnNeurons:
    """Which presynaptic neurons are a process's own: of so many processes every so-manieth, as neighbours fire alike.

    Args:
        ranks: the processes.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self._last: tuple[SparseSpikes, SparseSpikes] | None = None

    def count(self, size: int) -> int:
        """How many of ``size`` neurons they are."""
        return len(range(self.ranks.rank, size, self.ranks.size))

    def taken(self, pre: SparseSpikes) -> SparseSpikes:
        """What they fired; several connections are given the same spikes."""
        if self._last is None or self._last[0] is not pre:
            self._last = pre, self._of(pre)
        return self._last[1]

    def _of(self, pre: SparseSpikes) -> SparseSpikes:
        first, step = self.ranks.rank, self.ranks.size
        if not pre.index.is_cpu:
            return pre.of_neurons(first, step)
        return SparseSpikes(*every(pre.row, pre.index, pre.value, first, step), pre.rows, self.count(pre.size))


class SharedConnection(WholeConnection):
    """The synapses of some presynaptic neurons of an all-to-all connection, for rules that do not read the weights.

    A synapse's eligibility and change are sums over the rows of the batch and depend on no other synapse. So every
    process learns its synapses from the rows of all processes, in the order in which one process would, and what is put
    together are changes, bit for bit those of one process.

    Args:
        connection: the whole.
        own: the neurons.
    """

    def __init__(self, connection: Dense, own: OwnNeurons) -> None:
        post, self._size = connection.weight.shape
        self._own = own
        nothing = connection.weight.detach().new_zeros((post, own.count(self._size)))
        self._part = Dense(nothing.shape[1], post, weight=nothing).to(connection.weight)

    def learned(self, connection: Connection) -> Connection:
        return self._part

    def taken(self, pre: Tensor | SparseSpikes) -> Tensor | SparseSpikes:
        assert isinstance(pre, SparseSpikes)
        return self._own.taken(pre)

    def joined(self, change: Tensor) -> Tensor:
        return self._own.ranks.interleaved(change.t(), self._size).t()


def shared(connection: Connection, rule: AnyRule, own: OwnNeurons) -> WholeConnection:
    """How the synapses of a connection from synchronous spikes are learned by several processes."""
    fits = type(connection) is Dense and type(rule) in (ThreeFactor, TruncatedThreeFactor)
    local = connection.weight.device.type == "cpu"
    if own.ranks.size > 1 and fits and local and connection.weight.numel() > MOST_ALONE:
        assert isinstance(connection, Dense)
        return SharedConnection(connection, own)
    return WHOLE
