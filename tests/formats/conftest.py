from collections.abc import Callable
from pathlib import Path

import pytest

FOLDERS = {
    "mrcfile": "mrcfile-*/tests/test_data",
    "mdocfile": "mdocfile-*/tests/test_data",
    "starfile": "starfile-*/tests/data",
    "imodmodel": "imodmodel-*/tests/test_data",
    "cryoet-alignment": "cryoet_alignment-*/tests/data",
    "alnfile": "alnfile-*/test_data",
}


@pytest.fixture(scope="session")
def real(real_files: Path) -> Callable[[str, str], Path]:
    """A real file of a package's test data, by package and path."""

    def find(package: str, name: str) -> Path:
        (folder,) = real_files.glob(FOLDERS[package])
        return folder / name

    return find
