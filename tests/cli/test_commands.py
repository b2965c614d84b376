"""Commands as a user types them: sentences, exit codes, JSON."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.api.serving import HIDDEN, PUBLIC, World, clean, run_cli

from tomotheca import errors
from tomotheca.cli import run as cli


@pytest.fixture
def own(tmp_path: Path, world: World) -> Path:
    """Give a portal that a test may change; large files are links."""
    shutil.copytree(
        world.root,
        tmp_path / "own",
        copy_function=lambda a, b: Path(b).hardlink_to(a) if Path(a).stat().st_size > 1 << 20 else shutil.copy2(a, b),
    )
    return tmp_path / "own"


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["serv"], 2, "No such command 'serv'"),
        (["serve", "--port", "99999"], 2, "--port"),
        (["serve", "--root", "{tmp}"], 3, "nothing to serve"),
        (["index", "--root", "{tmp}"], 3, "no archive"),
        (["publish", "nonsense"], 2, "not a dataset"),
        (["publish", "DS-1", "--root", "{root}"], 3, "no dataset 1"),
        (["index", "77", "--root", "{root}"], 3, "no dataset 77"),
        (["download", "nonsense", "--from", "http://127.0.0.1:1"], 2, "'nonsense' is not an identifier"),
        (["download", "DS-1", "--from", "ftp://x"], 2, "not the address of a server"),
        (["download", "DS-1", "--from", "http://127.0.0.1:1"], 6, "cannot be reached"),
        (["desk", "backup", "{tmp}/copy", "--root", "{tmp}"], 3, "no desk"),
        (["check", "{tmp}/nothing.yaml"], 1, "nothing.yaml"),
        (["ingest", "{tmp}/nothing.yaml", "--root", "{tmp}"], 2, "no configuration"),
        (["demo", "--size", "1,2", "--root", "{tmp}"], 2, "three numbers"),
    ],
)
def test_mistakes_give_one_sentence(words: list[str], code: int, sentence: str, tmp_path: Path, world: World) -> None:
    done = run_cli(*(w.format(tmp=tmp_path, root=world.root) for w in words))
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert len(lines(done.stderr)) <= 2
    if words[0] in {"index", "serve", "check"}:
        assert not (tmp_path / "state").exists()


def test_help_without_a_command() -> None:
    done = run_cli()
    assert (done.returncode, done.stderr) == (0, "")
    for name in (
        "demo",
        "ingest",
        "index",
        "load",
        "dump",
        "mirror",
        "publish",
        "serve",
        "check",
        "download",
        "desk",
        "settings",
        "version",
    ):
        assert f"  {name} " in done.stdout


def test_every_error_has_an_exit_code() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TomothecaError)
    ]
    assert all(any(k in cli.EXIT_CODES for k in kind.__mro__) for kind in kinds)


def test_an_unexpected_error_goes_to_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.tell(RuntimeError("odd")) == 70
    sentence = capsys.readouterr().err
    assert "mistake in the program" in sentence
    path = Path(sentence.strip().rpartition(" ")[2])
    assert "RuntimeError: odd" in path.read_text()
    path.unlink()


def test_version_and_settings(tmp_path: Path) -> None:
    assert run_cli("version", check=True).stdout.startswith("tomotheca ")
    assert run_cli("--version", check=True).stdout == run_cli("version", check=True).stdout
    found = json.loads(
        run_cli("settings", "--json", "--root", tmp_path, check=True, TOMOTHECA_CURATOR_TOKEN="hush").stdout
    )
    by_name = {s["variable"]: s for s in found}
    assert by_name["TOMOTHECA_ROOT"]["value"] == str(tmp_path)
    assert by_name["TOMOTHECA_CURATOR_TOKEN"] | {"meaning": ""} == {
        "variable": "TOMOTHECA_CURATOR_TOKEN", "value": "set, not shown", "origin": "environment", "meaning": "",
    }  # fmt: skip
    assert "hush" not in run_cli("settings", TOMOTHECA_CURATOR_TOKEN="hush", check=True).stdout


def test_index_whole_and_one_dataset(own: Path) -> None:
    whole = json.loads(run_cli("index", "--root", own, "--json", check=True).stdout)
    assert (whole["datasets"], whole["depositions"]) == (2, 2)
    one = json.loads(run_cli("index", str(PUBLIC), "--root", own, "--json", check=True).stdout)
    assert one["datasets"] == 1
    assert one["version"] > whole["version"]
    (own / f"archive/{PUBLIC}/TS_1/run_metadata.json").write_text("{")
    broken = run_cli("index", "--root", own)
    assert broken.returncode == 1
    assert "run_metadata.json" in broken.stderr


def test_index_makes_a_lost_catalogue_again(own: Path) -> None:
    (own / "state/catalog.sqlite").unlink()
    refused = run_cli("serve", "--root", own)
    assert refused.returncode == 3
    assert "tomotheca index" in refused.stderr
    assert run_cli("index", "--root", own).returncode == 0


def test_publish(own: Path) -> None:
    done = json.loads(run_cli("publish", f"DS-{HIDDEN}", "--root", own, "--json", check=True).stdout)
    assert done["changed"] is True
    with sqlite3.connect(own / "state/catalog.sqlite") as database:
        assert database.execute("SELECT count(*) FROM visibility").fetchone() == (0,)
    database.close()
    again = json.loads(run_cli("publish", str(HIDDEN), "--root", own, "--json", check=True).stdout)
    assert again["changed"] is False
    document = json.loads((own / f"archive/{HIDDEN}/dataset_metadata.json").read_text())
    assert document["visibility"]["state"] == "public"
    assert document["authors"][0]["email"]


def test_desk_backup(own: Path, tmp_path: Path) -> None:
    assert run_cli("desk", "backup", tmp_path / "copy.sqlite", "--root", own).returncode == 0
    with sqlite3.connect(tmp_path / "copy.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_a_port_that_is_taken(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run_cli("serve", "--root", world.root, "--port", taken.getsockname()[1])
    assert done.returncode == 5
    assert "in use" in done.stderr


def test_a_setting_that_cannot_be_used(world: World) -> None:
    done = run_cli("serve", "--root", world.root, TOMOTHECA_TRUSTED_PROXIES="somewhere")
    assert done.returncode == 2
    assert "trusted_proxies" in done.stderr


def test_a_lock_is_respected(own: Path) -> None:
    holder = (
        "import sys, time; from tomotheca.store.files import LocalFiles\n"
        "with LocalFiles(sys.argv[1]).lock(): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(own / "archive")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = run_cli("index", "--root", own)
        process.kill()
    assert done.returncode == 5
    assert "is writing to" in done.stderr


def heed_ctrl_c() -> None:
    """Undo what a shell does to commands in the background: they ignore Ctrl-C, and so does all they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tomotheca", "demo", "--runs", "40", "--offline", "--root", str(tmp_path)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean(), start_new_session=True,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - no threads here
    ) as process:  # fmt: skip
        end = time.monotonic() + 60
        while not (tmp_path / "demo-input").is_dir() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped" in told


def test_the_command_line_starts_fast() -> None:
    code = "import sys, tomotheca.cli.app; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean()
    ).stdout.split()
    assert {"numpy", "sqlalchemy", "pydantic", "starlette", "granian", "zarr", "scipy", "PIL"}.isdisjoint(loaded)
