"""Write docs/fields.md and docs/schemas from the schema; with --check, say which are not as they would be written."""

import sys
from pathlib import Path

from tomotheca.schema.reference import stale, write

DOCS = Path(__file__).parent.parent / "docs"

if "--check" in sys.argv:
    if old := stale(DOCS):
        sys.exit("Out of date, run `make docs`: " + ", ".join(str(p.relative_to(DOCS.parent)) for p in old))
else:
    for path in write(DOCS):
        print(path.relative_to(DOCS.parent))
