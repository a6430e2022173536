"""From the spaces of Gymnasium to the plain arrays and numbers that agents take, and back. Knows nothing of spikes."""

from snnrl.spaces.actions import Actions
from snnrl.spaces.fitting import (
    frame_view,
    is_small_grey,
    layer_view,
    name_view,
    names_of,
    number_view,
    only_part,
    suits_layers,
)
from snnrl.spaces.leaves import (
    Leaf,
    Space,
    alike,
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
from snnrl.spaces.views import AsItIs, Grey, Layers, Seen, Several, Table, Unit, Vector, View, is_offset

__all__ = [
    "Actions",
    "AsItIs",
    "Grey",
    "Layers",
    "Leaf",
    "Pictures",
    "Seen",
    "Several",
    "Space",
    "Table",
    "Unit",
    "Vector",
    "View",
    "alike",
    "as_batch",
    "assemble",
    "check_actions",
    "check_observations",
    "first",
    "frame_view",
    "is_offset",
    "is_small_grey",
    "layer_view",
    "leaves",
    "name_view",
    "named",
    "names_of",
    "number_view",
    "only_part",
    "split",
    "suits_layers",
]
