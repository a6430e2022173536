"""What all executors have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import ClassVar, Generic, TypeVar

from snnrl.runs.work import Outcome, Run
from snnrl.settings import Settings

C = TypeVar("C", bound=Settings)


class Executor(ABC, Generic[C]):
    """Carries runs out, several at a time, and tells how they ended.

    Used as a context manager: entering starts what is needed, leaving stops whatever still runs, saved. A run that was
    stopped or whose process died goes on from its last checkpoint when it is submitted again, here or by any other
    executor that sees its folder.

    Args:
        config: its own settings.
        jobs: runs at a time; ``None`` leaves that to the executor.
        retries: how often a run is taken up again whose process or machine died.
    """

    Config: ClassVar[type[Settings]]

    def __init__(self, config: C, *, jobs: int | None, retries: int) -> None:
        self.config, self.jobs, self.retries = config, jobs, retries

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many runs may be submitted and not have ended."""

    def require_devices(self, names: Iterable[str]) -> None:
        """Raise where runs cannot have the devices that they name (``device=``) and that can be told before they start.

        Which machine has what is known to executors of one machine alone; elsewhere a run finds out.

        Raises:
            ConfigError: as said.
        """
        return

    @abstractmethod
    def start(self) -> None:
        """Start what is needed.

        Raises:
            ConfigError: what the settings name is not there.
        """

    @abstractmethod
    def submit(self, run: Run) -> None:
        """Take a run over; there are fewer than :attr:`slots`."""

    @abstractmethod
    def ended(self, seconds: float) -> list[Outcome]:
        """Those that have ended since this was last asked; waits for the first, but no longer than ``seconds``."""

    @abstractmethod
    def cancel(self, run: Run) -> None:
        """Ask a run that was submitted to stop, saved; :meth:`ended` tells when it has. Nothing if it has ended."""

    @abstractmethod
    def close(self) -> None:
        """Stop all that still runs, saved, and leave nothing behind."""

    def __enter__(self) -> Executor[C]:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
