"""Write the generated pages of ``docs/``; with ``--check``, only say which are not as they would be written."""

import sys
from pathlib import Path

from tomotheca.api.rest import reference as rest
from tomotheca.doctor import reference as doctor
from tomotheca.schema.reference import stale, write

DOCS = Path(__file__).parent.parent / "docs"


def main() -> int:
    """Print what changed, or what should; 1 if ``--check`` found something."""
    is_check = "--check" in sys.argv[1:]
    more = {"rest.md": rest.page(), "doctor.md": doctor.page()}
    changed = stale(DOCS, more) if is_check else write(DOCS, more)
    for path in changed:
        print(f"{path.relative_to(DOCS.parent)} {'is out of date: run make docs' if is_check else 'was written'}.")
    return 1 if is_check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
