"""What a checkpoint's file says of itself, read and weighed before anything in it is loaded.

A checkpoint may come from a stranger or from a failing disk. torch reads no code from it, but would take tensors whose
bits have flipped, and as much memory as the file asks for.
"""

from __future__ import annotations

import math
import pickletools
import re
import zipfile
from collections import OrderedDict
from pathlib import Path, PurePosixPath

import torch
from torch import nn

from snnrl.types import Setting

FREELY = 64 * 2**20
"""Bytes that any file may unpack to."""
DENSEST = 32
"""How much larger than the file its content may be beyond that; weights of half precision compress by two to four."""
_OWN_NAMES = re.compile(
    r"collections OrderedDict|_codecs encode|torch Size|torch(\.storage)? \w+Storage|torch\.nn\.parameter Parameter"
    r"|torch\.serialization _get_layout|torch (u?int|b?float|complex|bool)\w*"
    r"|torch\._utils _rebuild_(tensor_v2|tensor_v3|sparse_tensor|parameter|parameter_with_state)"
)
"""What a pickle of tensors and plain containers names."""
_END = b"PK\x05\x06"
"""What the last record of an archive begins with; without a comment it is 22 bytes long."""
_LEAVES: tuple[type, ...] = (torch.Tensor, nn.Parameter, str, bytes, int, float, bool, type(None))


class ForeignObject(Exception):  # noqa: N818
    """The file names something else than tensors and plain containers."""


def most_bytes(path: Path) -> int:
    """How much a file of this size may unpack to."""
    return FREELY + DENSEST * path.stat().st_size


def fault(path: Path) -> str | None:
    """What is wrong with the file, in a few words; ``None`` for a whole archive of tensors and plain containers.

    The archive's directory is read first, so that no more than :func:`most_bytes` is unpacked; then every part is
    compared to its checksum, and the names in the pickle to those that a checkpoint needs.

    Raises:
        ForeignObject: the pickle names other objects.
        OSError: the disk cannot be read.
    """
    try:
        with open(path, "rb") as file:
            file.seek(max(path.stat().st_size - 22, 0))
            if not file.read().startswith(_END):
                return "truncated or not a checkpoint"
            with zipfile.ZipFile(file) as archive:
                return _fault(archive, most_bytes(path))
    except (ForeignObject, OSError):
        raise
    except Exception:  # what zipfile and pickletools raise for bytes that are none of theirs is not documented
        return "truncated or not a checkpoint"


def check_plain(payload: object, root: str, most: float = math.inf) -> None:
    """Raise unless ``torch.load(weights_only=True)`` takes ``payload`` back; types are exact, a subclass is an object.

    Args:
        payload: what is saved, or was loaded.
        root: its name in the error.
        most: bytes of one tensor; a view of few bytes can stand for any number of elements.

    Raises:
        TypeError: an object, with its place.
        ValueError: a tensor that is too large.
    """
    seen: set[int] = set()

    def check(value: Setting, where: str) -> None:
        kind = type(value)
        if id(value) in seen:
            return
        if kind in (dict, OrderedDict, list, tuple):
            seen.add(id(value))
        if kind is dict or kind is OrderedDict:
            for key, item in value.items():
                check(key, f"the key {key!r} of {where}")
                check(item, f"{where}[{key!r}]")
        elif kind is list or kind is tuple:
            for position, item in enumerate(value):
                check(item, f"{where}[{position}]")
        elif kind not in _LEAVES:
            raise TypeError(
                f"{where} is a {kind.__name__}: a checkpoint holds only tensors and plain Python containers"
            )
        elif isinstance(value, torch.Tensor) and value.numel() * value.element_size() > most:
            raise ValueError(f"{where} is a tensor of {list(value.shape)}, more than the file can hold")

    check(payload, root)


def _fault(archive: zipfile.ZipFile, limit: int) -> str | None:
    entries = archive.infolist()
    names = [PurePosixPath(entry.filename) for entry in entries]
    roots = {name.parts[0] for name in names if len(name.parts) > 1}
    begins = min((entry.header_offset for entry in entries), default=0)
    folders = any(entry.external_attr & 0xFFFF for entry in entries)  # torch would not read such a part, without a word
    outside = any(_leaves(name) for name in names)
    if begins > 0 or folders or outside or len(roots) != 1 or len(set(names)) != len(names):
        return "its parts are not those of a checkpoint"
    size = sum(entry.file_size for entry in entries)
    if size > limit:
        return f"it would unpack to {size / 2**20:,.0f} MiB, and a file of this size holds {limit / 2**20:,.0f} at most"
    pickled = [entry for entry in entries if entry.filename == f"{next(iter(roots))}/data.pkl"]
    if archive.testzip() is not None or not pickled:
        return "truncated or not a checkpoint"
    for operation, argument, _ in pickletools.genops(archive.read(pickled[0])):
        name = str(argument)
        if operation.name in ("INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
            raise ForeignObject(operation.name)
        if operation.name == "GLOBAL" and not _OWN_NAMES.fullmatch(name):
            raise ForeignObject(name)
    return None


def _leaves(name: PurePosixPath) -> bool:
    """Whether a part's name points out of the archive."""
    return name.is_absolute() or ".." in name.parts or "\\" in str(name) or len(name.parts) < 2
