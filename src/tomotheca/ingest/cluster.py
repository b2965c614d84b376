"""Steps done by a Dask cluster: one that runs somewhere, or one that SLURM starts for this ingest. Needs the extra ``dask``.

Workers must see the source and the archive under the same paths as this machine, and run the same version of this program. Sources of the
interfaces: https://distributed.dask.org/en/stable/client.html and https://jobqueue.dask.org/en/latest/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tomotheca import __version__
from tomotheca.errors import ConflictError, MissingExtraError, SettingsError, StorageError
from tomotheca.ingest.workers import Crew

if TYPE_CHECKING:
    from types import ModuleType

PATIENCE = 30
"""Seconds to wait for a scheduler."""

FIRST_WORKER = 3600
"""Seconds to wait for the first worker of a queue."""

OWN = ("jobs",)
"""Keys of a profile that are ours; the others are those of `dask_jobqueue.SLURMCluster`."""


@dataclass(frozen=True, slots=True)
class Remote:
    """Workers of a Dask cluster."""

    client: Any
    died: tuple[type[BaseException], ...]
    """What Dask raises for steps that were given to workers that died."""

    cores: int = 1
    """Threads that each step may use: a worker has as many steps as threads."""

    @property
    def size(self) -> int:
        """Threads of all workers there are now."""
        return max(1, sum(map(int, self.client.nthreads().values())))

    def memory(self, whole: int, size: int) -> int:
        """Give each step all of it: the workers are on machines of their own."""
        del size
        return whole

    @contextmanager
    def open(self, size: int) -> Iterator[Crew]:
        """Give steps to the scheduler; what waits is taken back when the block ends."""
        executor = self.client.get_executor(pure=False)
        try:
            yield Crew(executor, size, died=self.died, lost="the Dask scheduler does not answer any more")
        finally:
            executor.shutdown(wait=False)


@contextmanager
def dask(address: str, folders: Sequence[Path]) -> Iterator[Remote]:
    """Use a Dask cluster that runs.

    Parameters
    ----------
    address
        Of its scheduler, such as ``tcp://10.0.0.1:8786``.
    folders
        What its workers must see.

    Raises
    ------
    MissingExtraError
        Without the extra ``dask``.
    StorageError
        If it does not answer.
    ConflictError
        If a worker has another version, or does not see a folder.
    """
    distributed = _import("distributed")
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        message = f"the Dask scheduler at {address} does not answer: {error}"
        raise StorageError(message) from error
    with client:
        yield _ready(client, distributed, folders, FIRST_WORKER)


@contextmanager
def slurm(profile: Path, folders: Sequence[Path]) -> Iterator[Remote]:
    """Start workers as jobs of SLURM; they end with the block.

    Parameters
    ----------
    profile
        YAML file: ``jobs``, how many, and what `dask_jobqueue.SLURMCluster` takes (``cores``, ``memory``, ``walltime``, ``queue``, ...).

    Raises
    ------
    MissingExtraError
        Without the extra ``dask``.
    SettingsError
        If the profile is wrong.
    """
    distributed = _import("distributed")
    jobs, cluster = _cluster(profile)
    with cluster, distributed.Client(cluster, timeout=PATIENCE, set_as_default=False) as client:
        try:
            cluster.scale(jobs=jobs)
            yield _ready(client, distributed, folders, FIRST_WORKER)
        except (OSError, RuntimeError) as error:
            message = f"{profile}: SLURM did not start workers: {error}"
            raise StorageError(message) from error


def job_script(profile: Path) -> str:
    """Give the script that SLURM would get for each job; nothing is submitted."""
    _, cluster = _cluster(profile)
    with cluster:
        return str(cluster.job_script())


def _cluster(profile: Path) -> tuple[int, Any]:
    given = _profile(profile)
    jobs = given.pop("jobs", 1)
    if not isinstance(jobs, int) or jobs < 1:
        message = f"{profile}: jobs is {jobs!r}; give the number of jobs"
        raise SettingsError(message)
    given["scheduler_options"] = {"dashboard_address": ":0", **(given.get("scheduler_options") or {})}
    config = _import("dask.config")
    jobqueue = _import("dask_jobqueue")
    with config.set({"distributed.scheduler.allowed-failures": 1}):
        try:
            return jobs, jobqueue.SLURMCluster(**given)
        except (TypeError, ValueError, RuntimeError) as error:
            message = f"{profile} is no profile of SLURM: {error}"
            raise SettingsError(message) from error


def _profile(profile: Path) -> dict[str, Any]:
    try:
        given = yaml.safe_load(profile.read_bytes())
    except OSError as error:
        message = f"{profile} cannot be read: {error.strerror or error}"
        raise SettingsError(message) from error
    except yaml.YAMLError as error:
        message = f"{profile} is not valid YAML: {getattr(error, 'problem', None) or error}"
        raise SettingsError(message) from error
    if not isinstance(given, dict) or not all(isinstance(key, str) for key in given):
        message = f"{profile} is no profile: it needs keys such as jobs, cores, memory and walltime"
        raise SettingsError(message)
    return given


def _ready(client: Any, distributed: ModuleType, folders: Sequence[Path], patience: float) -> Remote:
    """Wait for a worker, and see that all of them can do what is asked."""
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        message = f"no worker of the Dask cluster came within {patience} s"
        raise StorageError(message) from error
    for worker, problem in client.run(_problem, __version__, [str(folder.resolve()) for folder in folders]).items():
        if problem:
            message = f"the worker {worker} {problem}"
            raise ConflictError(message)
    return Remote(client, (distributed.KilledWorker,))


def _problem(version: str, folders: list[str]) -> str:
    """Say what keeps a worker from doing steps; this runs there."""
    if version != __version__:
        return f"has version {__version__} of this program, this machine {version}: install the same"
    missing = [folder for folder in folders if not Path(folder).is_dir()]
    return f"does not see {missing[0]}: source and archive must have the same paths on all machines" if missing else ""


def _import(name: str) -> ModuleType:
    from importlib import import_module  # noqa: PLC0415 - optional

    try:
        return import_module(name)
    except ImportError as error:
        message = "a cluster needs the extra dask: pip install 'tomotheca[dask]'"
        raise MissingExtraError(message) from error
