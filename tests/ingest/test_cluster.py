"""Steps done by a real Dask cluster on this machine, and the script that SLURM would get."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.api.serving import clean, run_cli
from tests.ingest.test_workers import Work, steps

from tomotheca.errors import ConflictError, FormatError
from tomotheca.ingest import workers
from tomotheca.ingest.progress import Meter
from tomotheca.ingest.work import Context, Origin
from tomotheca.store.files import LocalFiles

PROFILE = "jobs: 3\ncores: 4\nprocesses: 1\nmemory: 16GB\nwalltime: '02:00:00'\nqueue: cpu\njob_extra_directives: [--account=tomography]\n"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A scheduler and two workers, in processes of their own."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    folder = tmp_path_factory.mktemp("dask")
    text = (
        "import sys, time\n"
        "from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0)\n"
        "    print(cluster.scheduler_address, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    (folder / "cluster.py").write_text(text)
    environment = {**clean(), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1", "PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "cluster.py"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def test_a_cluster_makes_the_same_archive(lab: Any, address: str) -> None:
    lab.add("TS_2").save()
    words = ("ingest", lab.path, "--source", lab.folder / "source", "--json")
    here = run_cli(*words, "--root", lab.folder / "here")
    there = run_cli(*words, "--root", lab.folder / "there", "--dask", address)
    assert (here.returncode, there.returncode) == (0, 0), there.stderr
    archives = [lab.folder / name / "archive" for name in ("here", "there")]
    found = [{p.relative_to(a): p.stat().st_size for p in a.rglob("*.mrc")} for a in archives]
    assert found[0] == found[1]
    assert len(found[0]) >= 4
    again = run_cli(*words, "--root", lab.folder / "there")
    assert '"written": 0' in again.stdout


def test_a_worker_that_dies_is_replaced_and_a_step_that_kills_is_reported(tmp_path: Path, address: str) -> None:
    from tomotheca.ingest import cluster

    found = steps(tmp_path, A=0, B=1, C=9, D=0)
    came: dict[str, str] = {}
    with cluster.dask(address, [tmp_path]) as team:
        context = Context(LocalFiles(tmp_path), Origin("", "", ""))
        for step, outcome in workers.outcomes(found, context, team, Meter()):
            try:
                came[step.natural] = "done" if outcome() else ""
            except FormatError as error:
                came[step.natural] = error.reason
    assert came.pop("run C").startswith("the process that took it in was killed twice")
    assert came == {f"run {n}": "done" for n in "ABD"}
    assert isinstance(found[0].work, Work)


def test_workers_must_see_what_they_work_on(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tomotheca.ingest import cluster

    with pytest.raises(ConflictError, match=r"does not see .*/nowhere"), cluster.dask(address, [tmp_path / "nowhere"]):
        pass
    monkeypatch.setattr(cluster, "__version__", "0.0.0")
    with pytest.raises(ConflictError, match=r"this machine 0\.0\.0: install the same"), cluster.dask(address, []):
        pass


def test_the_script_of_a_job(lab: Any) -> None:
    pytest.importorskip("dask_jobqueue", reason="the extra dask is not installed")
    profile = lab.folder / "slurm.yaml"
    words = (
        "ingest",
        lab.save(),
        "--source",
        lab.folder / "source",
        "--root",
        lab.folder / "r",
        "--plan",
        "--slurm",
        profile,
    )
    paths = ":".join(sys.path)
    profile.write_text(PROFILE)
    planned = run_cli(*words, PYTHONPATH=paths)
    assert planned.returncode == 0, planned.stderr
    for line in ("#SBATCH -p cpu", "#SBATCH -t 02:00:00", "#SBATCH --cpus-per-task=4", "#SBATCH --account=tomography"):
        assert line in planned.stderr.splitlines()
    assert "distributed.cli.dask_worker tcp://" in planned.stderr
    assert "--nthreads 4" in planned.stderr
    for text, problem in (
        (PROFILE + "colour: red\n", "is no profile of SLURM: "),
        ("jobs: [\n", "is not valid YAML"),
        ("jobs: 0\n", "jobs is 0"),
    ):
        profile.write_text(text)
        refused = run_cli(*words, PYTHONPATH=paths)
        assert refused.returncode == 2
        assert f"{profile}" in refused.stderr
        assert problem in refused.stderr


def test_without_the_extra_a_sentence_says_what_to_install(lab: Any) -> None:
    lab.save()
    hide = lab.folder / "hide"
    hide.mkdir()
    (hide / "distributed.py").write_text("raise ImportError('hidden')\n")
    paths = ":".join([str(hide), *sys.path])
    done = run_cli(
        "ingest", lab.path, "--source", lab.folder / "source", "--root", lab.folder / "r", "--dask", "tcp://127.0.0.1:1", PYTHONPATH=paths
    )  # fmt: skip
    assert done.returncode != 0
    assert "a cluster needs the extra dask: pip install 'tomotheca[dask]'" in done.stderr
    assert "Traceback" not in done.stderr
