"""What ``pip install tomotheca`` installs, and what its extras add."""

from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def core_distributions() -> dict[str, Distribution]:
    """Return the distributions of the core install, without extras, as installed here, Tomotheca included."""
    return _closure("tomotheca")


def all_distributions() -> dict[str, Distribution]:
    """Return the distributions of an install with every extra."""
    extras = distribution("tomotheca").metadata.get_all("Provides-Extra") or []
    return _closure(f"tomotheca[{','.join(extras)}]")


def _closure(wanted: str) -> dict[str, Distribution]:
    """Return a requirement's distribution and those that it needs.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        If one of them is not installed.
    """
    found: dict[str, Distribution] = {}
    seen: set[str] = set()
    waiting = [Requirement(wanted)]
    while waiting:
        requirement = waiting.pop()
        name = str(canonicalize_name(requirement.name))
        key = f"{name}[{','.join(sorted(requirement.extras))}]"
        if key in seen:
            continue
        seen.add(key)
        found[name] = distribution(name)
        waiting += _requirements(found[name], {"", *requirement.extras})
    return found


def _requirements(item: Distribution, extras: set[str]) -> list[Requirement]:
    requirements = [Requirement(line) for line in item.requires or []]
    return [each for each in requirements if _applies(each, extras)]


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)
