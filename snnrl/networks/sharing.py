"""Synapses of a large connection, of which each process of a run learns a block of presynaptic neurons."""

from __future__ import annotations

from torch import Tensor

from snnrl.connections import Connection, Dense
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


class SharedConnection(WholeConnection):
    """A block of presynaptic neurons of an all-to-all connection, for rules that do not read the weights.

    A synapse's eligibility and change are sums over the rows of the batch and depend on no other synapse. So every
    process learns its synapses from the rows of all processes, in the order in which one process would, and what is put
    together are changes, bit for bit those of one process.

    Args:
        connection: the whole.
        ranks: the processes.
    """

    def __init__(self, connection: Dense, ranks: Ranks) -> None:
        self._post, self._size = connection.weight.shape
        self._ranks, self._block = ranks, ranks.own(self._size)
        count = self._block.stop - self._block.start
        nothing = connection.weight.detach().new_zeros((self._post, count))
        self._part = Dense(count, self._post, weight=nothing).to(connection.weight)

    def learned(self, connection: Connection) -> Connection:
        return self._part

    def taken(self, pre: Tensor | SparseSpikes) -> Tensor | SparseSpikes:
        assert isinstance(pre, SparseSpikes)
        return pre.of_neurons(self._block.start, self._block.stop)

    def joined(self, change: Tensor) -> Tensor:
        return self._ranks.joined(change.t(), self._size).t()


def shared(connection: Connection, rule: AnyRule, ranks: Ranks) -> WholeConnection:
    """How the synapses of a connection from synchronous spikes are learned by several processes."""
    fits = type(connection) is Dense and type(rule) in (ThreeFactor, TruncatedThreeFactor)
    local = connection.weight.device.type == "cpu"
    if ranks.size > 1 and fits and local and connection.weight.numel() > MOST_ALONE:
        assert isinstance(connection, Dense)
        return SharedConnection(connection, ranks)
    return WHOLE
