"""How every loop here is compiled: by numba, without the interpreter lock, and kept on disk where that is possible."""

# mypy: allow-untyped-calls
# numba has no annotations.
from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

F = TypeVar("F", bound=Callable[..., object])


def compiled(*, fastmath: Collection[str] = ()) -> Callable[[F], F]:
    """A decorator that compiles a function for numbers and arrays.

    The code is kept where numba keeps it: beside the source, or in the user's cache folder, or in ``NUMBA_CACHE_DIR``.
    Where none of them can be written to, or the disk is full, each process compiles for itself and says so once.

    Args:
        fastmath: rules of floating-point arithmetic that the compiler may break, by LLVM's names.
    """

    def compile_(function: F) -> F:
        # a division by zero that raises is a branch, which keeps a loop from becoming vector instructions
        jit: Any = numba.njit(nogil=True, fastmath=set(fastmath), error_model="numpy")  # called as the function is
        dispatcher: F = jit(function)
        try:
            vars(dispatcher)["_cache"] = _Cache(function)
        except RuntimeError:  # numba has found no folder that it can write to
            _say_that_nothing_is_kept()
        return dispatcher

    return compile_


class _Cache(FunctionCache):
    """numba's cache, whose troubles with the disk end no run: what cannot be read or kept is compiled anew.

    Loops call loops of other files, whose code is in theirs: where a file of the folder changes, all are compiled anew.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)
        stamp = _stamp(Path(inspect.getfile(function)).parent)
        vars(self)["_cache_file"] = _Files(self.cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: object, target_context: object) -> object:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged pickle raises anything
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: object, data: object) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:
            _say_that_nothing_is_kept()


class _Files(IndexDataCacheFile):
    """A file for the code of each kind of arguments, whose name says what it is the code of.

    numba numbers these files and keeps an index of them: two processes that compile a function at once, for arguments
    of different kinds, may take the same number, and then one kind is computed by the code of the other, which reads
    and writes anywhere.
    """

    def save(self, key: object, data: object) -> None:
        own = self._names()
        for path in self._files(self._index_name.removesuffix("nbi")):
            if not path.name.startswith(own):  # code of sources that are no more
                path.unlink(missing_ok=True)
        self._save_data(self._name(key), data)

    def load(self, key: object) -> object:
        try:
            return self._load_data(self._name(key))
        except FileNotFoundError:
            return None

    def flush(self) -> None:
        for path in self._files(self._names()):
            path.unlink(missing_ok=True)

    def _files(self, names: str) -> list[Path]:
        return list(Path(self._cache_path).glob(f"{names}*.nb[ci]"))

    def _names(self) -> str:
        """How the names of this function's files begin, with what tells its sources from any others."""
        version = sha256(f"{self._version} {self._source_stamp}".encode()).hexdigest()[:16]
        return f"{self._index_name.removesuffix('nbi')}{version}."

    def _name(self, key: object) -> str:
        return f"{self._names()}{sha256(repr(key).encode()).hexdigest()[:32]}.nbc"


@cache
def _stamp(folder: Path) -> str:
    """What tells the sources in a folder from any others."""
    return sha256(b"".join(path.name.encode() + path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()


@cache
def _say_that_nothing_is_kept() -> None:
    warnings.warn(
        "compiled loops cannot be kept on disk, so every process compiles them for itself; "
        "set NUMBA_CACHE_DIR to a folder that can be written to",
        RuntimeWarning,
        stacklevel=3,
    )
