"""Studies: where Optuna keeps the trials of a search, and what tells one search from another."""

from __future__ import annotations

import json
import re
import secrets
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from snnrl.errors import ConfigError, RunError, one_line, shown
from snnrl.textfiles import read_json
from snnrl.training.summary import write_json
from snnrl.types import Settings

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.study import Study

JOURNAL = "study.journal"
"""The file that keeps trials where no storage is named."""
PRUNERS = ("median", "hyperband", "none")
SAMPLERS = ("tpe", "random")
PATIENCE = 10
"""Seconds in which a server must answer."""
_ABOUT, _FOLDER = "snnrl", "folder"
"""What a study keeps: what is searched and how it is judged, and what tells its folder from others."""


def require_optuna() -> None:
    """Raise a ConfigError unless Optuna is installed; let it say nothing that is not asked for."""
    if find_spec("optuna") is None:
        raise ConfigError('the search needs optuna; install by pip install "snnrl[tune]"')
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def open_study(storage: str | None, name: str, out: Path, about: Settings, first: Settings) -> Study:
    """The study of this name, begun where there is none yet.

    A folder holds the runs of one study. Every process that carries the study out must see this folder.

    Args:
        storage: a database's address, in SQLAlchemy's form, or the path of a journal; ``None`` is a journal in ``out``.
        name: of the study.
        out: the folder, which exists.
        about: what is searched and how it is judged, as plain values.
        first: what the first trial of a new study tries; what is not named is drawn.

    Raises:
        ConfigError: the storage cannot be reached; the folder is another study's; the study is of another search.
    """
    import optuna

    with asking(out), _reaching(storage):
        kept = _storage(storage, out)
        study = optuna.create_study(storage=kept, study_name=name, direction="maximize", load_if_exists=True)
        known, path = study.user_attrs, out / "study.json"
        own = read_json(path, f"out={out}: its study.json") if path.is_file() else {}
        if _ABOUT in known:
            if known.get(_FOLDER) != own.get(_FOLDER):
                raise ConfigError(
                    f"study={name}: its runs are in another folder than out={out}; must be that folder, which "
                    "all machines see, or another study"
                )
            _check_same(name, out, known[_ABOUT], about)
            return study
        if own and own.get(_FOLDER) != known.get(_FOLDER):
            raise ConfigError(
                f"out={out}: is the folder of study {own.get('study')}, kept elsewhere; must be another folder, "
                "or that study and its storage"
            )
        if study.get_trials(deepcopy=False) and _FOLDER not in known:
            raise ConfigError(f"study={name}: has trials of another program; must be another name")
        token = secrets.token_hex(8)
        study.set_user_attr(_FOLDER, token)
        write_json(path, {"study": name, _FOLDER: token})
        if first:
            study.enqueue_trial(dict(first), skip_if_exists=True)
        study.set_user_attr(_ABOUT, json.loads(json.dumps(about)))
        return study


@contextmanager
def asking(out: Path) -> Iterator[None]:
    """Within, no other process begins or takes over a trial; waits for its turn.

    Raises:
        ConfigError: the folder's file system knows no locks.
    """
    lock = FileLock(out / ".asking")
    try:
        lock.acquire()
    except (NotImplementedError, OSError) as error:
        raise ConfigError(
            f"out={out}: cannot be locked ({one_line(error)}); must be on a file system that knows locks"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _reaching(storage: str | None) -> Iterator[None]:
    """Around what opens a study: whatever its storage answers is said in one line."""
    try:
        yield
    except ConfigError:
        raise
    except ImportError as error:
        raise ConfigError(f"{_named(storage)}: needs {error.name or one_line(error)}; must be installed") from error
    except Exception as error:  # each kind of storage, and each driver, has errors of its own
        raise ConfigError(
            f"{_named(storage)}: cannot be used ({one_line(error)}); must be such as "
            "postgresql://user@host/name, or left out"
        ) from error


@contextmanager
def lasting(storage: str | None, out: Path) -> Iterator[None]:
    """Around a search: a disk that is full, or a storage that is gone, ends it in one line.

    Raises:
        RunError: as said; what the study has been told before is kept.
    """
    try:
        yield
    except OSError as error:
        place = out if error.filename is None else error.filename
        raise RunError(
            f"out={out}: {place} cannot be written to ({error.strerror or one_line(error)}), so the search stopped; "
            "what was written before is kept, and the same command goes on"
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("optuna", "sqlalchemy"):
            raise
        raise RunError(
            f"{_named(storage)}: does not answer any more ({one_line(error)}), so the search stopped; what it was told "
            "before is kept, and the same command goes on"
        ) from error


def _named(storage: str | None) -> str:
    """A storage as messages have it, without a password.

    >>> _named("postgresql://me:secret@host/trials")
    'storage=postgresql://me:***@host/trials'
    """
    public = re.sub("//([^:/@]*):[^@]*@", r"//\1:***@", storage or JOURNAL)
    return f"storage={shown(public)}"


def _storage(storage: str | None, out: Path) -> BaseStorage:
    from optuna.storages import JournalStorage, RDBStorage, get_storage

    from snnrl.search.journal import journal

    if storage is None or "://" not in storage:
        return JournalStorage(journal(out / JOURNAL if storage is None else Path(storage).expanduser()))
    server = storage.startswith(("postgresql", "mysql"))
    return get_storage(
        RDBStorage(storage, engine_kwargs={"connect_args": {"connect_timeout": PATIENCE}} if server else None)
    )


def _check_same(name: str, out: Path, known: Settings, about: Settings) -> None:
    """Raise unless a study is of the same search."""
    before, now = dict(_flat(known)), dict(_flat(json.loads(json.dumps(about))))
    different = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if different:
        named = ", ".join(
            f"{key} was {before.get(key, 'not there')}, now {now.get(key, 'not there')}" for key in different[:3]
        )
        raise ConfigError(
            f"study={name}: was begun as another search ({named}); must be another name and another out than {out}"
        )


def _flat(settings: Settings, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value)


def make_pruner(name: str, startup: int) -> BasePruner:
    """The pruner of this name: of :data:`PRUNERS`.

    Args:
        name: ``median`` ends a trial that is below the median of those before at the same evaluation.
        startup: trials of which none is pruned by the median.
    """
    from optuna import pruners

    if name == "median":
        return pruners.MedianPruner(n_startup_trials=startup)
    return pruners.HyperbandPruner() if name == "hyperband" else pruners.NopPruner()


def make_sampler(name: str, startup: int, seed: int, number: int) -> BaseSampler:
    """What draws one trial's settings; its draws depend on the trials before and on nothing else.

    Args:
        name: of :data:`SAMPLERS`; ``tpe`` is the tree-structured Parzen estimator (Bergstra et al. 2011), which counts
            trials under way as bad ones, so that processes side by side try different settings.
        startup: trials that are drawn at random first.
        seed: of the search.
        number: of the trial.
    """
    from optuna import samplers

    own = int.from_bytes(sha256(f"{seed},{number}".encode()).digest()[:4], "big")
    if name == "random":
        return samplers.RandomSampler(seed=own)
    return samplers.TPESampler(seed=own, n_startup_trials=startup, constant_liar=True)
