"""Messages between processes of one machine: a socket between each two, memory that all see, and no thread besides.

``torch.distributed`` hands each message to threads of its own, which for the small messages of a decision takes several
times the processor time of sending them. What is said is written to memory where the system has some to share; the
sockets then only tell of it, and that a process has ended.
"""

from __future__ import annotations

import mmap
import os
import select
import shutil
import socket
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from snnrl.types import Bytes

HEAD = struct.Struct("=qq")
"""What stands before a message: its length and a number that its sender adds."""
HEADER = HEAD.size
"""Bytes of that."""
NUMBER = 8
"""Bytes of an int64."""
PLENTY = 1 << 22
"""Bytes that a socket is asked to hold, so that a sender need not wait for the receiver."""
ROOM = 1 << 24
"""Bytes of a message that shared memory has room for; those that no message needs take up none."""


class Mesh:
    """Sockets to all other processes of a run; made by :func:`connected`.

    Args:
        sockets: to each other process, by its rank; none to itself.
        patience: seconds to wait for another, which may be at work.
        memory: of all processes, in the order of their ranks, ``[2, ROOM]`` each, this one's among them; none where
            messages go through the sockets.
    """

    def __init__(self, sockets: dict[int, socket.socket], patience: float, memory: list[Bytes]) -> None:
        self._sockets, self._patience = sockets, int(1000 * patience)
        self._memory, self._turn = memory, 0
        self._rank = next(rank for rank in range(len(sockets) + 1) if rank not in sockets)
        self._heads = {other: bytearray(HEADER) for other in sockets}
        self._numbers = {other: each.fileno() for other, each in sockets.items()}
        for each in sockets.values():
            each.setblocking(False)
            for kept in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                each.setsockopt(socket.SOL_SOCKET, kept, PLENTY)

    def exchange(self, own: Bytes, number: int) -> tuple[list[Bytes], list[int]]:
        """What all processes send, in the order of their ranks, and the number that each adds; lengths may differ.

        Messages of others may lie in their memory, where they last until the next exchange: a process writes over one
        when all others have sent the one after it.

        Raises:
            OSError: another process has ended.
        """
        head = memoryview(HEAD.pack(len(own), number))
        size, self._turn = len(self._sockets) + 1, 1 - self._turn
        if self._memory and len(own) <= ROOM:
            self._memory[self._rank][self._turn, : len(own)] = own
            message = [head]
        else:
            message = [head, np.ascontiguousarray(own).data]
        received, numbers = [own] * size, [number] * size
        unsent = {other: message.copy() for other in self._sockets}
        for other in self._sockets:
            self._send(other, unsent)
        unread = {other: memoryview(head) for other, head in self._heads.items()}
        headed = set(self._sockets)
        while unread or unsent:
            for other in list(unread):
                if not self._read(other, unread):
                    continue
                if other in headed:
                    headed.remove(other)
                    length, numbers[other] = HEAD.unpack(self._heads[other])
                    if self._memory and length <= ROOM:
                        received[other] = self._memory[other][self._turn, :length]
                    else:
                        received[other] = np.empty(length, np.uint8)
                        unread[other] = received[other].data
                        if length and not self._read(other, unread):
                            continue
                del unread[other]
            for other in list(unsent):
                self._send(other, unsent)
            if unread or unsent:
                self._wait(unread, unsent)
        return received, numbers

    def _send(self, other: int, unsent: dict[int, list[memoryview]]) -> None:
        """Give away what there is room for."""
        parts = unsent[other]
        try:
            count = self._sockets[other].sendmsg(parts)
        except BlockingIOError:
            return
        while parts and count >= len(parts[0]):
            count -= len(parts.pop(0))
        if parts:
            parts[0] = parts[0][count:]
        else:
            del unsent[other]

    def _read(self, other: int, unread: dict[int, memoryview]) -> bool:
        """Take what is there; whether that is all."""
        try:
            count = self._sockets[other].recv_into(unread[other])
        except BlockingIOError:
            return False
        if not count:
            raise ConnectionResetError(f"process {other} has ended")
        unread[other] = unread[other][count:]
        return not unread[other]

    def _wait(self, unread: dict[int, memoryview], unsent: dict[int, list[memoryview]]) -> None:
        """Until there is something to be done."""
        waiting = select.poll()
        for other in unread.keys() | unsent.keys():
            events = (select.POLLIN if other in unread else 0) | (select.POLLOUT if other in unsent else 0)
            waiting.register(self._numbers[other], events)
        if not waiting.poll(self._patience):
            raise TimeoutError("another process does not answer")

    def close(self) -> None:
        """The others hear of it as of an end."""
        for each in self._sockets.values():
            each.close()


def connected(rank: int, size: int, patience: float, gather: Callable[[str | None], list[str | None]]) -> Mesh | None:
    """Connect the processes of one machine; ``None`` in all of them where one cannot, as without Unix sockets.

    Args:
        rank: which of the processes this one is.
        size: how many there are.
        patience: see :class:`Mesh`.
        gather: gives what each process gives, in the order of ranks.
    """
    folder = Path(tempfile.mkdtemp(prefix="snnrl-"))
    sockets: dict[int, socket.socket] = {}
    try:
        listener = _listener(folder / "s", size)
        where = gather(None if listener is None else str(folder / "s"))
        reached = listener is not None and None not in where
        if reached and listener is not None:
            reached = _connect(rank, [str(path) for path in where], listener, sockets)
        if listener is not None:
            listener.close()
        memory = _memory(rank, sockets) if reached else []
        said = gather(None if not reached else "memory" if memory else "sockets")
        if None not in said:
            return Mesh(sockets, patience, memory if "sockets" not in said else [])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for each in sockets.values():
        each.close()
    return None


def _listener(path: Path, size: int) -> socket.socket | None:
    """A socket that others connect to; ``None`` where the system has none, or a path is too long for one."""
    if not hasattr(socket, "AF_UNIX") or not hasattr(select, "poll"):
        return None
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        made.listen(size)
    except OSError:
        made.close()
        return None
    return made


def _connect(rank: int, where: list[str], listener: socket.socket, sockets: dict[int, socket.socket]) -> bool:
    """Fill ``sockets``: to lower ranks this one connects, from higher ones it hears; whether all were reached."""
    listener.settimeout(60)
    try:
        for other in range(rank):
            sockets[other] = made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            made.settimeout(60)
            made.connect(where[other])
            made.sendall(rank.to_bytes(NUMBER, "little"))
        for _ in range(rank + 1, len(where)):
            made, _address = listener.accept()
            made.settimeout(60)
            sockets[int.from_bytes(made.recv(NUMBER, socket.MSG_WAITALL), "little")] = made
    except OSError:
        return False
    return set(sockets) == set(range(len(where))) - {rank}


def _memory(rank: int, sockets: dict[int, socket.socket]) -> list[Bytes]:
    """The memory of all processes, in the order of their ranks; none where the system has none without a name."""
    files = {rank: _file()}
    try:
        for each in sockets.values():
            socket.send_fds(each, [b"m"], files[rank])
        for other, each in sockets.items():
            files[other] = socket.recv_fds(each, 1, 1)[1]
        if not all(files.values()):
            return []
        mapped = [mmap.mmap(files[each][0], 2 * ROOM) for each in sorted(files)]
        return [np.frombuffer(each, np.uint8).reshape(2, ROOM) for each in mapped]
    except OSError:
        return []
    finally:
        for file in (file for each in files.values() for file in each):
            os.close(file)


def _file() -> list[int]:
    """A file without a name that lies in memory, for two messages; none where the system has none."""
    if not hasattr(os, "memfd_create"):
        return []
    try:
        made = os.memfd_create("snnrl")
        os.truncate(made, 2 * ROOM)
    except OSError:
        return []
    return [made]
