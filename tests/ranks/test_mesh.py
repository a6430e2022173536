"""Messages between processes of one machine; processes are threads here, as sockets do not tell."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from snnrl.mesh import Mesh, connected


class Meeting:
    """What each of several threads gives, given to all of them."""

    def __init__(self, size: int) -> None:
        self._barrier, self._given = threading.Barrier(size), [""] * size

    def gather(self, rank: int, own: str | None) -> list[str | None]:
        self._given[rank] = own or ""
        self._barrier.wait(20)
        found: list[str | None] = [each or None for each in self._given]
        self._barrier.wait(20)
        return found


def meshes(size: int, patience: float = 20.0) -> list[Mesh | None]:
    meeting = Meeting(size)
    with ThreadPoolExecutor(size) as pool:
        return list(
            pool.map(lambda rank: connected(rank, size, patience, lambda own: meeting.gather(rank, own)), range(size))
        )


@pytest.mark.parametrize("room", [1 << 24, 4096, None])
@pytest.mark.parametrize("size", [2, 3])
def test_all_get_the_messages_of_all_in_order_of_any_length(
    size: int, room: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if room is None:
        monkeypatch.delattr("os.memfd_create")
    else:
        monkeypatch.setattr("snnrl.mesh.ROOM", room)
    found = meshes(size)
    lengths = [0, 1, 5_000_000]  # the last is more than a socket holds

    def exchange(rank: int) -> bool:
        mesh, right = found[rank], True
        assert mesh is not None
        for turn in range(6):
            own = np.full(lengths[(turn + rank) % 3], 10 * turn + rank, np.uint8)
            received, numbers = mesh.exchange(own, rank + turn)
            right &= numbers == [other + turn for other in range(size)]
            right &= [len(each) for each in received] == [lengths[(turn + other) % 3] for other in range(size)]
            right &= all(bool((each == 10 * turn + other).all()) for other, each in enumerate(received))
        return right

    with ThreadPoolExecutor(size) as pool:
        assert all(pool.map(exchange, range(size)))
    for mesh in found:
        assert mesh is not None
        mesh.close()


def test_an_end_and_a_silence_of_another_process_are_errors() -> None:
    first, second = meshes(2, patience=0.05)
    assert first is not None
    assert second is not None
    with pytest.raises(TimeoutError):
        first.exchange(np.zeros(3, np.uint8), 0)
    second.close()
    with pytest.raises(OSError, match=r"has ended|Broken pipe|reset"):
        first.exchange(np.zeros(3, np.uint8), 0)
    first.close()


def test_there_is_none_where_a_path_is_too_long_for_a_socket(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("x" * 120)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    assert meshes(2) == [None, None]
    assert list(folder.iterdir()) == []
