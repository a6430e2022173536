"""Connections, one file for each kind."""

from snnrl.connections.base import Connection, Projection
from snnrl.connections.conv import Conv1d, Conv2d, Conv3d
from snnrl.connections.dense import Dense, Lateral
from snnrl.connections.local import Local1d, Local2d, Local3d
from snnrl.connections.one_to_one import MeanField, OneToOne
from snnrl.connections.pooling import Pool
from snnrl.connections.sparse import Sparse
from snnrl.connections.weights import WeightSettings
from snnrl.settings import Registry

CONNECTIONS: Registry[Projection] = Registry("connection", "snnrl.connections.base:Projection")
"""Connections by the names that recipes give them; see :class:`~snnrl.settings.Registry`."""

__all__ = [
    "CONNECTIONS",
    "Connection",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "Dense",
    "Lateral",
    "Local1d",
    "Local2d",
    "Local3d",
    "MeanField",
    "OneToOne",
    "Pool",
    "Projection",
    "Sparse",
    "WeightSettings",
]
