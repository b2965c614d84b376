"""Hold the licences of everything that is installed or bundled at run time against a list of permissive ones."""

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path

from distributions import all_distributions

REPOSITORY = Path(__file__).parent.parent
NPM_LOCK = REPOSITORY / "assets/package-lock.json"
BUNDLED = REPOSITORY / "src/tomotheca/web/static/vendor/packages.json"

ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "HPND",
    "ISC",
    "MIT",
    "MIT-CMU",
    "PSF-2.0",
    "Python-2.0",
    "Unlicense",
    "Zlib",
}
ALLOWED_IN_BUILDS = {"MPL-2.0"}
"""Only in packages that npm installs for the build and that end up in nothing we ship."""

LESSER = frozenset({"LGPL-3.0-only", "LGPL-3.0-or-later"})
ALLOWED_FOR = {"psycopg": LESSER, "psycopg-binary": LESSER}
"""The driver of PostgreSQL, an extra that is linked to and not part of anything that is shipped."""

OLD_NAMES = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mit-cmu": "MIT-CMU",
    "python software foundation license": "PSF-2.0",
    "the mit license": "MIT",
}
"""What distributions said before licence expressions."""


def is_allowed(expression: str, extra: frozenset[str] = frozenset()) -> bool:
    """Tell whether a licence expression leaves a choice of allowed licences only.

    ``A OR B`` needs one of them, ``A AND B`` both. An exception clause (``WITH``) is judged by its licence.
    """
    if normalise(expression) in ALLOWED | extra:
        return True
    text = re.sub(r"\bWITH\s+[\w.-]+", "", expression).replace("(", " ").replace(")", " ")
    choices = [re.split(r"\s+AND\s+", choice) for choice in re.split(r"\s+OR\s+", text)]
    return any(all(normalise(name) in ALLOWED | extra for name in choice) for choice in choices)


def normalise(name: str) -> str:
    """Return the SPDX identifier of a licence's name."""
    return OLD_NAMES.get(name.strip().lower(), name.strip())


def licence_of(item: Distribution) -> str:
    """Return what a distribution says of its licence, ``unknown`` if nothing."""
    lines = item.metadata.get_all("Classifier") or []
    classifiers = [line.split(" :: ")[-1] for line in lines if "License :: " in line]
    named = [line for line in classifiers if line != "OSI Approved"]
    short = _field(item, "License").strip().split("\n")[0]
    return _field(item, "License-Expression") or " AND ".join(named) or short or "unknown"


def _field(item: Distribution, name: str) -> str:
    return str((item.metadata.get_all(name) or [""])[0])


def python_findings() -> Iterator[str]:
    """Yield a sentence for each run-time distribution, extras included, whose licence is not allowed."""
    for name, item in sorted(all_distributions().items()):
        licence = licence_of(item)
        if not is_allowed(licence, ALLOWED_FOR.get(name, frozenset())):
            yield f"{name} {item.version} is under {licence}"


def npm_findings() -> Iterator[str]:
    """Yield a sentence for each npm package whose licence is not allowed."""
    for path, package in json.loads(NPM_LOCK.read_text(encoding="utf-8"))["packages"].items():
        is_for_build = package.get("dev") or package.get("devOptional") or package.get("optional")
        extra = frozenset(ALLOWED_IN_BUILDS) if is_for_build else frozenset()
        if "license" in package and not is_allowed(package["license"], extra):
            yield f"{path} is under {package['license']} (npm)"
        if "license" not in package and not package.get("link"):
            yield f"{path} names no licence (npm)"
    if BUNDLED.is_file():
        yield from bundled_findings(BUNDLED.read_text(encoding="utf-8"))


def bundled_findings(text: str) -> Iterator[str]:
    """Yield a sentence for each package of ``packages.json`` whose licence is not allowed."""
    for package in json.loads(text):
        if not is_allowed(package["license"]):
            yield f"{package['name']} is under {package['license']} (bundled)"


def main() -> int:
    """Print the findings; 1 if there are any."""
    findings = [*python_findings(), *npm_findings()]
    for finding in findings:
        print(f"{finding}, which is not on the list in {Path(__file__).name}.")
    if not findings:
        print("All licences are permissive.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
