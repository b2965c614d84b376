"""What a search document is made of, and how much each part of it weighs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

KINDS = ("dataset", "run", "object", "author", "deposition", "doc")
"""Kinds of documents; the place in the list is the code in the index."""

CODES: Mapping[str, int] = {kind: code for code, kind in enumerate(KINDS)}

WEIGHTS: Mapping[str, float] = {
    "title": 10, "ids": 10, "name": 10, "objects": 6, "sample": 6, "authors": 5, "terms": 4, "deposition": 3, "description": 2,
    "methods": 2, "software": 2, "preparation": 1,
}  # fmt: skip
"""Fields of a document and their weights; the place in the list is the code in the index."""

FIELDS = tuple(WEIGHTS)
LABELS: Mapping[str, str] = {
    "title": "title", "ids": "identifiers", "name": "name", "objects": "objects", "sample": "sample", "authors": "authors",
    "terms": "synonyms and ontology terms", "deposition": "deposition", "description": "description", "methods": "methods and publications",
    "software": "software", "preparation": "preparation", "dataset": "dataset",
}  # fmt: skip
"""How a page names the field in which something was found."""

OWN: Mapping[tuple[str, str], float] = {("object", "objects"): 10, ("author", "authors"): 10}
"""Weights that are another for one kind."""

RUN_NAMES = 2.0
"""Weight of the names of a dataset's runs in the dataset."""

INHERITED = 0.2
"""Share of a dataset's weight that its runs have from it; what the dataset says of objects is not theirs."""

ASKABLE: Mapping[str, tuple[str, ...]] = {
    "organism": ("sample", "terms"), "object": ("objects", "terms"), "author": ("authors",), "id": ("ids", "terms"), "method": ("methods",), "software": ("software",),
}  # fmt: skip
"""Fields that a query may name (``organism:yeast``)."""

LOCAL, FIELD = 32, 24
"""Bits of a key: place of the document in its part, field, position of the word in the field."""

POSITION = (1 << FIELD) - 1


def weight_table() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Give the weights by kind and field."""
    return np.array([[OWN.get((kind, name), weight) for name, weight in WEIGHTS.items()] for kind in KINDS])
