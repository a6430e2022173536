"""From the spaces of Gymnasium to the plain arrays and numbers that agents take, and back. Knows nothing of spikes."""

from snnrl.spaces.actions import Actions
from snnrl.spaces.leaves import (
    Leaf,
    Space,
    as_batch,
    assemble,
    check_actions,
    check_observations,
    first,
    leaves,
    named,
    split,
)
from snnrl.spaces.pictures import Pictures
from snnrl.spaces.views import AsItIs, Grey, Seen, Several, Table, Vector, View, is_offset

__all__ = [
    "Actions",
    "AsItIs",
    "Grey",
    "Leaf",
    "Pictures",
    "Seen",
    "Several",
    "Space",
    "Table",
    "Vector",
    "View",
    "as_batch",
    "assemble",
    "check_actions",
    "check_observations",
    "first",
    "is_offset",
    "leaves",
    "named",
    "split",
]
