"""The build hook, and the rule that nothing is skipped in CI."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parent.parent
CONFTEST = Path(__file__).parent / "conftest.py"


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", REPOSITORY / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hatch_build"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the sources that a build needs and nothing built."""
    ignored = shutil.ignore_patterns("vendor", "node_modules", "dist", "__pycache__")
    for name in ("assets", "src"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=ignored)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    return tmp_path


def build_wheel(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "wheels")]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def names_in_wheel(folder: Path) -> set[str]:
    [wheel] = (folder / "wheels").glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def pretend_to_build(folder: Path, hook: ModuleType) -> None:
    """Leave what a build leaves, so that none is needed."""
    assets = hook.Assets(folder)
    (assets.built / "dist/viewer").mkdir(parents=True)
    (assets.built / "dist/viewer/index.html").write_text("<!DOCTYPE html>")
    (assets.built / hook.STAMP).touch()


def test_wheel_contains_the_assets_of_an_earlier_build(checkout: Path, hook: ModuleType) -> None:
    pretend_to_build(checkout, hook)
    result = build_wheel(checkout, PATH="")
    assert result.returncode == 0, result.stderr
    names = names_in_wheel(checkout)
    assert "tomotheca/web/static/vendor/viewer/index.html" in names
    assert not any(name.startswith(("assets/", "tests/")) for name in names)


def test_changed_sources_need_a_new_build(checkout: Path, hook: ModuleType) -> None:
    assets = hook.Assets(checkout)
    pretend_to_build(checkout, hook)
    assets.install()
    assert assets.is_ready()
    with (checkout / "assets/viewer/main.js").open("a") as file:
        file.write("// changed\n")
    assert not assets.is_ready()


def test_without_node_the_build_fails_with_one_sentence(checkout: Path) -> None:
    result = build_wheel(checkout, PATH="")
    assert result.returncode != 0
    [line] = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
    assert "there is no Node" in line
    assert "TOMOTHECA_SKIP_ASSETS=1" in line


def test_assets_can_be_left_out(checkout: Path) -> None:
    result = build_wheel(checkout, PATH="", TOMOTHECA_SKIP_ASSETS="1")
    assert result.returncode == 0, result.stderr
    assert not any("vendor" in name for name in names_in_wheel(checkout))


SKIPPING = """
import pytest

def test_passes():
    pass

@pytest.mark.skip(reason="no machine")
def test_skips():
    pass
"""


@pytest.mark.parametrize(
    ("ci", "body", "outcome"),
    [
        ("", SKIPPING, "1 passed, 1 skipped"),
        ("true", SKIPPING, "1 passed, 1 error"),
        ("", "import pytest\npytest.importorskip('no_such_module')", "1 skipped"),
        ("true", "import pytest\npytest.importorskip('no_such_module')", "1 error"),
    ],
)
def test_nothing_is_skipped_in_ci(tmp_path: Path, ci: str, body: str, outcome: str) -> None:
    shutil.copy(CONFTEST, tmp_path / "conftest.py")
    (tmp_path / "test_it.py").write_text(body)
    command = [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), "-c", os.devnull, str(tmp_path)]
    result = subprocess.run(command, env={**os.environ, "CI": ci}, capture_output=True, text=True, check=False)
    assert outcome in result.stdout, result.stdout
