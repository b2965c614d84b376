"""Who may import whom, who may read the environment, and how long a file may be."""

import ast
from pathlib import Path

import pytest

import tomotheca

ROOT = Path(tomotheca.__file__).parent
REPOSITORY = ROOT.parent.parent
MODULES = sorted(ROOT.rglob("*.py"))
LONGEST_FILE = 400
GENERATED = "vendor"

EVERYONE = {"errors", "settings"}
"""May be imported by every layer."""

ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "settings": set(),
    "schema": set(),
    "formats": set(),
    "store": {"schema"},
    "desk": {"schema"},
    "doctor": {"store", "formats", "schema", "desk"},
    "ingest": {"store", "formats", "schema", "desk", "doctor"},
    "catalog": {"store", "schema", "desk"},
    "search": {"catalog", "schema"},
    "export": {"catalog", "store", "formats", "schema"},
    "demo": {"formats", "schema"},
    "web": {"catalog", "search", "store", "desk", "schema", "export", "formats"},
    "api": {"web", "catalog", "search", "store", "desk", "schema", "export", "formats"},
}
"""What each layer may import besides itself and ``EVERYONE``; ``cli`` may import everything."""

STRICTER: dict[str, set[str]] = {
    "": {"errors"},
    "errors": set(),
    "settings": {"errors"},
    "schema": {"errors"},
    "formats": {"errors"},
}
"""Layers below ``settings``, which may not have all of ``EVERYONE``."""

MODULE_ARROWS = {"web": {"tomotheca.api.data"}, "catalog": {"tomotheca.search.writing"}}
"""Single modules of a layer above that a layer may import."""


def layer_of(module: str) -> str:
    """Return the layer of a dotted name: ``tomotheca.store.layout`` is in ``store``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Return the dotted names of ours that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "tomotheca"}


def is_allowed(source: str, target: str) -> bool:
    """Tell whether a module of layer ``source`` may import the dotted name ``target``."""
    layer = layer_of(target)
    if source in {"cli", "__main__", layer}:
        return True
    if any(target == module or target.startswith(f"{module}.") for module in MODULE_ARROWS.get(source, ())):
        return True
    if layer not in {*ARROWS, "cli"}:
        return True  # a name of the package itself, such as its version
    return layer in STRICTER.get(source, EVERYONE) | ARROWS.get(source, set())


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_no_arrow_points_up(path: Path) -> None:
    source = layer_of(module_of(path))
    upward = sorted(name for name in imports_of(path) if not is_allowed(source, name))
    assert upward == [], f"{module_of(path)} may not import these (see ARROWS)"


def test_every_layer_has_its_arrows() -> None:
    layers = {layer_of(module_of(path)) for path in MODULES} - {"", "cli", "__main__"}
    assert layers <= set(ARROWS)


@pytest.mark.parametrize(
    ("source", "target", "allowed"),
    [
        ("ingest", "tomotheca.catalog.query", False),
        ("doctor", "tomotheca.catalog.query", False),
        ("doctor", "tomotheca.ingest.plan", False),
        ("catalog", "tomotheca.ingest", False),
        ("schema", "tomotheca.settings.Settings", False),
        ("schema", "tomotheca.errors.TomothecaError", True),
        ("web", "tomotheca.api.data.read", True),
        ("web", "tomotheca.api.app", False),
        ("catalog", "tomotheca.search.writing.Writer", True),
        ("catalog", "tomotheca.search.asking", False),
        ("cli", "tomotheca.api.app", True),
        ("store", "tomotheca.__version__", True),
    ],
)
def test_arrows_mean_what_they_say(source: str, target: str, allowed: bool) -> None:
    assert is_allowed(source, target) is allowed


def reads_environment(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return any(
        isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in {"environ", "getenv"}
        for node in attributes
    )


def test_only_settings_reads_the_environment() -> None:
    assert {module_of(path) for path in MODULES if reads_environment(path)} <= {"tomotheca.settings"}


def our_files() -> list[Path]:
    sources = [*MODULES, *(REPOSITORY / "tests").rglob("*.py"), *(REPOSITORY / "scripts").rglob("*.py")]
    web = [path for kind in ("*.html", "*.js") for path in ROOT.rglob(kind)]
    return [path for path in [*sources, *web] if GENERATED not in path.parts]


def test_files_fit_in_a_head() -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in our_files()}
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}
