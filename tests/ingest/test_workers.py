"""Steps in several processes: a process that dies costs the step it was at, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tomotheca.errors import Finding, FormatError, InvalidDocumentError, StorageError
from tomotheca.ingest import importers, workers
from tomotheca.ingest.progress import Meter
from tomotheca.ingest.work import Context, Draft, Input, Origin, Step
from tomotheca.schema import Run
from tomotheca.store.files import LocalFiles

SIZE = 1000


@dataclass(frozen=True, slots=True)
class Work:
    """Writes how often it was begun; may kill its process the first times."""

    folder: Path
    name: str
    deaths: int = 0
    seconds: float = 0.0

    def draft(self, context: Context) -> Draft:
        """Do it."""
        with (self.folder / self.name).open("a") as file:
            file.write("x")
        if len((self.folder / self.name).read_text()) <= self.deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds)
        if context.progress:
            context.progress(SIZE)
        return Draft(Run, f"1/{self.name}/run_metadata.json", {"name": self.name, "threads": context.threads}, ())


def steps(folder: Path, **deaths: int) -> list[Step]:
    source = Input("a.mrc", folder / "a.mrc", SIZE, 0)
    return [
        Step("run", f"1/{name}/run_metadata.json", f"run {name}", Work(folder, name, count), (source,))
        for name, count in deaths.items()
    ]


def done(folder: Path, found: list[Step], meter: Meter | None = None) -> dict[str, Any]:
    """Do steps by two processes; give what came of each."""
    context = Context(LocalFiles(folder), Origin("", "", ""), memory=2 << 20)
    came: dict[str, Any] = {}
    for step, outcome in workers.outcomes(found, context, workers.Processes(2), meter or Meter()):
        assert step.natural not in came
        try:
            draft = outcome()
            came[step.natural] = draft.document if draft else None
        except FormatError as error:
            came[step.natural] = str(error)
    return came


def test_every_step_is_done_once_and_counted(tmp_path: Path) -> None:
    meter = Meter()
    found = steps(tmp_path, **{f"R{i}": 0 for i in range(7)})
    meter.start(len(found), sum(s.bytes for s in found))
    came = done(tmp_path, found, meter)
    assert len(came) == 7
    assert {(tmp_path / f"R{i}").read_text() for i in range(7)} == {"x"}
    now = meter.snapshot()
    assert (now.done, now.bytes, now.left) == (7, 7 * SIZE, 0)
    assert now.slowest.startswith("run R")


def test_a_killed_process_costs_the_step_it_was_at(tmp_path: Path) -> None:
    (tmp_path / "1/B").mkdir(parents=True)
    (tmp_path / "1/B/.tmp-half").write_text("left by a process that died")
    came = done(tmp_path, steps(tmp_path, A=0, B=1, C=0, D=0, E=0))
    assert {name: came[name]["name"] for name in came} == {f"run {n}": n for n in "ABCDE"}
    assert (tmp_path / "B").read_text() == "xx"
    assert not (tmp_path / "1/B/.tmp-half").exists()
    assert sum(len((tmp_path / n).read_text()) for n in "ACDE") <= 4 + 1  # the other process's step may be repeated


def test_a_step_that_kills_twice_is_reported_in_one_sentence(tmp_path: Path) -> None:
    came = done(tmp_path, steps(tmp_path, A=0, B=9, C=0))
    assert (tmp_path / "B").read_text() == "xx"
    assert came["run B"] == (
        f"{tmp_path}/a.mrc: the process that took it in was killed twice, by somebody or for lack of memory: "
        "run ingest again, with fewer --workers or less TOMOTHECA_MEMORY."
    )
    assert all(came[f"run {n}"]["name"] == n for n in "AC")


CHILD = """
import sys
from pathlib import Path
from tests.ingest.test_workers import Work, done
from tomotheca.ingest import workers
from tomotheca.ingest.work import Input, Step

folder = Path(sys.argv[1])
source = Input("a.mrc", folder / "a.mrc", 1, 0)
if __name__ == "__main__":
    if sys.argv[2] == "ready":
        workers.get_ready()
    for name, came in done(folder, [Step("run", f"1/{n}/run_metadata.json", n, Work(folder, n, int(sys.argv[3]), float(sys.argv[4])), (source,)) for n in "AB"]).items():
        print(name, came["name"])
"""


@pytest.fixture(params=["ready", "as they come"])
def child(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Give a function that does two steps by two processes, which are copies of one that is ready or not; each dies so often and takes so long."""
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return lambda deaths, seconds: subprocess.Popen(
        [sys.executable, script, tmp_path, request.param, str(deaths), str(seconds)],
        env=env,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_that_are_ready_do_the_same(child: Any, tmp_path: Path) -> None:
    with child(1, 0.0) as running:
        told, _ = running.communicate(timeout=60)
    assert sorted(told.splitlines()) == ["A A", "B B"]
    assert {(tmp_path / name).read_text() for name in "AB"} <= {"xx", "xxx"}


def test_processes_end_when_the_one_that_gave_the_steps_out_is_killed(child: Any, tmp_path: Path) -> None:
    with child(0, 3.0) as running:
        wait_for(lambda: (tmp_path / "A").exists() and (tmp_path / "B").exists())
        running.send_signal(signal.SIGKILL)
    wait_for(lambda: not alive(running.pid))


def alive(group: int) -> bool:
    found = subprocess.run(["ps", "-e", "-o", "pgid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in found.stdout.splitlines()]
    return any(int(pgid) == group and not state.startswith("Z") for pgid, state in rows)


def wait_for(condition: Any, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("sizes", "worth"), [((300 << 20,), True), ((130 << 20, 130 << 20), True), ((1, 2), False), ((), False)]
)
def test_processes_get_ready_where_there_is_work_for_them(sizes: tuple[int, ...], worth: bool, tmp_path: Path) -> None:
    for number, size in enumerate(sizes):
        with (tmp_path / str(number)).open("wb") as file:
            file.truncate(size)
    assert workers.are_worth_it(tmp_path) == worth
    assert not workers.are_worth_it(tmp_path / "nowhere")


@pytest.mark.parametrize(("size", "together", "cores"), [(1, 1, 1), (2, 2, 1), (1, 8, 8), (3, 8, 2), (2, 0, 1)])
def test_cores_are_shared_out(size: int, together: int, cores: int) -> None:
    """Whatever the machine has: who says two workers gets the work of two cores."""
    assert workers.Processes(size, together).cores == cores


def test_a_process_that_does_steps_loads_no_database() -> None:
    """Loading it would take as long as a small tomogram."""
    folder = Path(importers.__file__).parent
    names = [f"tomotheca.ingest.importers.{p.stem}" for p in sorted(folder.glob("[a-z]*.py"))]
    assert len(names) > 10
    code = f"import sys, tomotheca.ingest.workers, {', '.join(names)}; print(*(n for n in sys.modules if n == 'sqlalchemy'))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Raises what is wrong with a file."""

    error: Exception

    def draft(self, context: Context) -> Draft:
        """Raise it."""
        raise self.error


def test_what_is_wrong_with_a_file_comes_back_whole(tmp_path: Path) -> None:
    finding = Finding("error", "a.csv:3", "is no number.")
    errors: dict[str, Exception] = {
        "A": FormatError("a.mrc", "is truncated."),
        "B": InvalidDocumentError([finding]),
        "C": StorageError("the disk is full"),
        "D": FileNotFoundError(2, "No such file or directory", "gone.mrc"),
    }
    found = [Step("run", f"1/{n}/run_metadata.json", n, Wrong(error)) for n, error in errors.items()]
    context = Context(LocalFiles(tmp_path), Origin("", "", ""))
    came = {}
    for step, outcome in workers.outcomes(found, context, workers.Processes(2), Meter()):
        with pytest.raises(type(errors[step.natural])) as caught:
            outcome()
        came[step.natural] = str(caught.value)
        if isinstance(caught.value, InvalidDocumentError):
            assert caught.value.findings == (finding,)
    assert came == {name: str(error) for name, error in errors.items()}
