"""The package as somebody installs it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from check_licences import is_allowed
from distributions import all_distributions, core_distributions
from tomotheca.web import assets

REPOSITORY = Path(__file__).parent.parent
MOST_DISTRIBUTIONS = 40


def test_core_install_is_small() -> None:
    distributions = core_distributions()
    assert len(distributions) <= MOST_DISTRIBUTIONS, sorted(distributions)


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the top-level modules that import statements name and that are neither ours nor Python's."""
    found = list(nodes)
    names = {alias.name for node in found if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in found if isinstance(node, ast.ImportFrom) and node.module is not None}
    return {name.split(".")[0] for name in names} - {"tomotheca", *sys.stdlib_module_names}


def not_in(modules: set[str], distributions: Iterable[str]) -> set[str]:
    """Return the modules that no distribution of an install provides."""
    providers, installed = packages_distributions(), set(distributions)
    return {m for m in modules if installed.isdisjoint(canonicalize_name(name) for name in providers.get(m, []))}


def test_everything_imported_is_in_the_core_install_or_an_extra() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (REPOSITORY / "src").rglob("*.py")]
    at_once = imported(node for tree in trees for node in tree.body)
    assert not_in(at_once, core_distributions()) == set()
    assert not_in(imported(node for tree in trees for node in ast.walk(tree)), all_distributions()) == set()


def test_importing_the_package_imports_next_to_nothing() -> None:
    code = "import sys; before = set(sys.modules); import tomotheca; print(*sorted(set(sys.modules) - before))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in result.stdout.split()}
    assert loaded <= {"tomotheca", *sys.stdlib_module_names}


def test_everything_in_the_lock_has_a_hash_and_no_host() -> None:
    for lock in sorted((REPOSITORY / "requirements").glob("*.txt")):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text, lock
        requirements = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line, re.IGNORECASE)]
        assert requirements, lock
        assert text.count("--hash=sha256:") >= len(requirements), lock


def test_npm_lock_names_no_host() -> None:
    lock = (REPOSITORY / "assets/package-lock.json").read_text(encoding="utf-8")
    assert set(re.findall(r'"resolved": "([^"]*)"', lock)) <= {"empty"}


def test_asset_addresses_change_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "STATIC", tmp_path)
    assert assets.url("app.css") == "/static/app.css"
    (tmp_path / "app.css").write_text("a {}")
    first = assets.url("app.css")
    assert re.fullmatch(r"/static/app\.css\?v=[0-9a-f]{12}", first)
    (tmp_path / "app.css").write_text("b { color: red }")
    assert assets.url("app.css") != first


def test_built_assets_carry_their_licences() -> None:
    if not assets.is_built():
        pytest.skip("the browser assets were not built")
    notices = (assets.VENDOR / "THIRD_PARTY_LICENSES.txt").read_text(encoding="utf-8")
    for name in ("neuroglancer", "htmx.org", "uplot", "numcodecs"):
        assert re.search(rf"^{re.escape(name)} \d", notices, re.MULTILINE), name
    assert "Apache License" in notices
    assert {"htmx.min.js", "uplot.min.js", "uplot.min.css"} <= {path.name for path in assets.VENDOR.iterdir()}


def test_viewer_address_quotes_the_state() -> None:
    path = "/api/v1/viewer/runs/5/state.json?tomogram=1&annotation=2"
    expected = "/viewer/?state=%2Fapi%2Fv1%2Fviewer%2Fruns%2F5%2Fstate.json%3Ftomogram%3D1%26annotation%3D2"
    assert assets.viewer_url(path) == expected


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT License", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("(MIT OR Apache-2.0)", True),
        ("unknown", False),
    ],
)
def test_licence_expressions(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed
