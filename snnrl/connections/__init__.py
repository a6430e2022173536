"""Connections, one file each."""

from snnrl.connections.base import Connection
from snnrl.connections.conv2d import Conv2d
from snnrl.connections.dense import Dense

__all__ = ["Connection", "Conv2d", "Dense"]
