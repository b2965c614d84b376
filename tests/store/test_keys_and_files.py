import os
import random
import signal
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tomotheca.errors import ConflictError, NotFoundError, StorageError, UnsafePathError
from tomotheca.store import disk, keys
from tomotheca.store.files import LocalFiles

NASTY = st.lists(
    st.sampled_from(["..", ".", "", "a", "/", "\\", "\0", "\n", "out", "~", "c:", "é", ".tmp-1", "%2e%2e", "x" * 300]),
    max_size=6,
)


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path / "archive")


def below(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*"))


def test_what_was_written_can_be_read(files: LocalFiles) -> None:
    files.write_bytes("10001/TS_1/a.txt", b"0123456789")
    assert files.read_bytes("10001/TS_1/a.txt") == b"0123456789"
    assert files.read_range("10001/TS_1/a.txt", 3, 4) == b"3456"
    assert files.read_range("10001/TS_1/a.txt", 8, 100) == b"89"
    assert files.read_range("10001/TS_1/a.txt", 100, 1) == b""
    assert files.stat("10001/TS_1/a.txt").size == 10
    assert files.stat("10001/TS_1/").is_dir
    assert files.local_path("10001/TS_1/a.txt") == files.root / "10001/TS_1/a.txt"


def test_nothing_is_a_sentence(files: LocalFiles) -> None:
    for act in (files.read_bytes, files.stat, lambda key: files.read_range(key, 0, 1)):
        with pytest.raises(NotFoundError, match="10001/none: no such file"):
            act("10001/none")
    assert not files.exists("10001/none")
    assert files.scan("10001/") == files.scan("none/")
    assert list(files.walk("none/")) == []
    files.remove("10001/none")
    files.remove("10001/none/")


def test_walk_is_in_byte_order_and_hides_what_is_ours(files: LocalFiles) -> None:
    wanted = ["1/a-b/x", "1/a.txt", "1/a/b", "1/a/c/d", "1/a0", "1/é"]
    for key in random.sample(wanted, len(wanted)):
        files.write_bytes(key, b"")
    files.write_bytes(".tomotheca/identifiers.json", b"{}")
    (files.root / "1" / ".tmp-rest").write_bytes(b"")
    assert list(files.walk()) == sorted(wanted, key=str.encode)
    assert list(files.walk("1/a")) == [k for k in sorted(wanted, key=str.encode) if k.startswith("1/a")]
    assert files.scan("").folders == ("1",)
    assert files.scan("1").folders == ("a", "a-b")
    assert files.scan("1/").files == ("a.txt", "a0", "é")


@given(st.one_of(NASTY.map("/".join), NASTY.map("".join), st.text(max_size=20)))
@example("../out")
@example("/etc/passwd")
@example("a/../../out")
@example("a/..\\..\\out")
def test_no_key_leads_out(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    top = tmp_path_factory.mktemp("top")
    files = LocalFiles(top / "archive")
    try:
        files.write_bytes(key, b"data")
    except (UnsafePathError, ConflictError, IsADirectoryError):
        pass
    else:
        assert files.read_bytes(key) == b"data"
        assert len([p for p in (top / "archive").rglob("*") if p.is_file()]) == 1
    assert {p.name for p in top.iterdir()} <= {"archive"}


@pytest.mark.parametrize(
    "key",
    ["", "/a", "a//b", "../a", "a/..", "a/./b", "a\\b", "a\0b", "a\nb", "a/.tmp-x", "x" * 300, "\ud800", "a\u2028b"],
)
def test_an_unsafe_key_is_refused_everywhere(files: LocalFiles, key: str) -> None:
    def stage(key: str) -> None:
        with files.stage(key):
            pass

    acts = [files.read_bytes, files.stat, files.remove, stage, lambda k: files.write_bytes(k, b"")]
    if key:
        acts += [files.exists, files.scan, files.local_path]
    else:
        acts = acts[2:]
    for act in acts:
        with pytest.raises(UnsafePathError):
            act(key)


def test_links_that_leave_are_refused(files: LocalFiles, tmp_path: Path) -> None:
    files.write_bytes("1/in.txt", b"in")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (files.root / "1" / "out").symlink_to(outside)
    (files.root / "1" / "secret").symlink_to(outside / "secret")
    (files.root / "1" / "loop").symlink_to("loop")
    (files.root / "1" / "same").symlink_to("in.txt")
    for key in ("1/out/secret", "1/secret", "1/loop"):
        with pytest.raises(UnsafePathError):
            files.read_bytes(key)
    for key in ("1/out/new", "1/out/secret"):
        with pytest.raises(UnsafePathError):
            files.write_bytes(key, b"")
        with pytest.raises(UnsafePathError):
            files.remove(key)
    assert files.read_bytes("1/same") == b"in"
    assert list(files.walk()) == ["1/in.txt", "1/same"]
    files.write_bytes("1/secret", b"ours")
    files.remove("1/out")
    assert below(outside) == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_a_failed_stage_leaves_everything_as_it_was(files: LocalFiles) -> None:
    files.write_bytes("1/a.zarr/0", b"old")
    with pytest.raises(FileNotFoundError), files.stage("1/a.zarr/") as path:
        (path / "0").write_bytes(Path("/source/of/the/lab").read_bytes() if (path / "1").write_bytes(b"new") else b"")
    with pytest.raises(StorageError, match="1/b: the disk is full"), files.stage("1/b"):
        raise OSError(28, "No space left on device")
    with pytest.raises(PermissionError), files.stage("1/b"):
        raise PermissionError(13, "Permission denied", "/source/of/the/lab")
    assert list(files.walk()) == ["1/a.zarr/0"]
    assert below(files.root / "1") == ["a.zarr", "a.zarr/0"]
    assert files.read_bytes("1/a.zarr/0") == b"old"


def test_a_directory_is_replaced_whole(files: LocalFiles) -> None:
    for names in ("ab", "bc"):
        with files.stage("1/a.zarr/") as path:
            for name in names:
                (path / name).write_text(names)
    assert list(files.walk("1/a.zarr/")) == ["1/a.zarr/b", "1/a.zarr/c"]
    assert below(files.root / "1") == ["a.zarr", "a.zarr/b", "a.zarr/c"]
    files.remove("1/a.zarr/")
    assert below(files.root / "1") == []


def test_a_file_and_a_folder_do_not_take_each_others_place(files: LocalFiles) -> None:
    files.write_bytes("1/a", b"")
    files.write_bytes("1/b/c", b"")
    with pytest.raises(ConflictError, match="1/a/: a file stands in its place"), files.stage("1/a/"):
        pass
    with pytest.raises(ConflictError, match="1/b: a folder stands in its place"):
        files.write_bytes("1/b", b"")
    assert list(files.walk()) == ["1/a", "1/b/c"]


def test_a_read_only_disk_is_a_sentence(files: LocalFiles) -> None:
    if os.geteuid() == 0:
        files = LocalFiles("/proc/self/tomotheca")
        with pytest.raises((StorageError, FileNotFoundError)):
            files.write_bytes("1/a", b"")
        return
    files.root.mkdir(mode=0o500)
    with pytest.raises(StorageError, match="permission is denied"):
        files.write_bytes("1/a", b"")


def test_the_lock_is_held_by_one(files: LocalFiles) -> None:
    held = pytest.raises(ConflictError, match=rf"another process \(pid {os.getpid()}\) is writing to")
    with files.lock(), held, LocalFiles(files.root).lock():
        pass
    with files.lock():
        pass


def write_versions(files: LocalFiles, versions: int) -> None:
    for version in range(versions):
        with files.stage("1/TS/a.zarr/") as path:
            for part in range(8):
                (path / str(part)).write_text(str(version))
        files.write_bytes("1/TS/a.txt", str(version).encode() * 10_000)


def test_killed_at_any_moment_leaves_old_or_new(files: LocalFiles) -> None:
    write_versions(files, 1)
    for _ in range(20):
        child = os.fork()
        if child == 0:
            write_versions(files, 1_000_000)
            os._exit(0)
        time.sleep(random.uniform(0.0, 0.04))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        parts = [files.read_bytes(key) for key in files.walk("1/TS/a.zarr/")]
        assert len(parts) == 8
        assert len(set(parts)) == 1
        text = files.read_bytes("1/TS/a.txt")
        assert text[:1].isdigit()
        assert len(text) % 10_000 == 0
        with files.lock():
            files.recover()
        assert below(files.root / "1/TS") == ["a.txt", "a.zarr", *(f"a.zarr/{n}" for n in range(8))]


def test_two_steps_leave_something_to_go_back_to(files: LocalFiles) -> None:
    files.write_bytes("1/a.zarr/0", b"old")
    files.write_bytes("1/.tmp/0", b"not ours: another name")
    target, aside = files.root / "1/a.zarr", files.root / f"1/{disk.ASIDE}a.zarr"
    new = files.root / f"1/{keys.TEMPORARY}new"
    new.mkdir()
    (new / "0").write_bytes(b"new")
    target.rename(aside)  # the moment between the two steps
    assert files.recover("1/") == (f"1/{keys.TEMPORARY}new", f"1/{disk.ASIDE}a.zarr")
    assert files.read_bytes("1/a.zarr/0") == b"old"
    new.mkdir()
    (new / "0").write_bytes(b"new")
    disk.replace_in_two_steps(new, target)
    aside.mkdir()  # the moment before the old one is removed
    files.recover()
    assert list(files.walk()) == ["1/.tmp/0", "1/a.zarr/0"]
    assert files.read_bytes("1/a.zarr/0") == b"new"
    assert not aside.exists()


@settings(max_examples=200)
@given(st.binary(max_size=50), st.integers(0, 60), st.integers(0, 60))
def test_ranges_are_slices(tmp_path_factory: pytest.TempPathFactory, data: bytes, start: int, length: int) -> None:
    files = LocalFiles(tmp_path_factory.getbasetemp() / "ranges")
    files.write_bytes("1/a", data)
    assert files.read_range("1/a", start, length) == data[start : start + length]
