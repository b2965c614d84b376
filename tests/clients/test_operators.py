"""What the official client finds with its operators and through relations, against plain Python over all rows."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cryoet_data_portal as portal
import pytest
from cryoet_data_portal._gql_base import GQLField

if TYPE_CHECKING:
    from tests.api.serving import Running

HELPERS = {"configure", "is_relationship", "to_gql"}


def like(pattern: str, text: str | None, flags: int = 0) -> bool:
    words = re.escape(pattern).replace("%", ".*").replace("_", ".")
    return text is not None and re.fullmatch(words, text, flags | re.DOTALL) is not None


def known(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Let a comparison with a value that is not there be false, as in SQL."""
    return lambda found, value: found is not None and bool(compare(found, value))


MEANINGS: dict[str, Callable[[Any, Any], bool]] = {
    "__eq__": lambda found, value: found == value,
    "__ne__": known(operator.ne),
    "__gt__": known(operator.gt),
    "__ge__": known(operator.ge),
    "__lt__": known(operator.lt),
    "__le__": known(operator.le),
    "_in": lambda found, value: found in value,
    "like": lambda found, value: like(value, found),
    "ilike": lambda found, value: like(value, found, re.IGNORECASE),
    "is_null": lambda found, value: (found is None) == value,
}
NUMBERS = ["__eq__", "__ne__", "__gt__", "__ge__", "__lt__", "__le__"]
CASES = [
    *((portal.PerSectionParameters, "raw_angle", name, -12.0) for name in NUMBERS),
    *((portal.PerSectionParameters, "z_index", name, 20) for name in NUMBERS),
    *((portal.Annotation, "object_name", name, "cytosolic ribosome") for name in NUMBERS),
    (portal.PerSectionParameters, "z_index", "_in", [1, 2, 40, 4000]),
    (portal.PerSectionParameters, "raw_angle", "_in", [-60.0, 0.0, 0.5]),
    (portal.Annotation, "object_name", "_in", ["membrane", "cytosolic ribosome", "nothing"]),
    (portal.Annotation, "object_name", "like", "%ribo%"),
    (portal.Annotation, "object_name", "like", "%RIBO%"),
    (portal.Annotation, "object_name", "ilike", "%RIBO%"),
    (portal.Annotation, "object_name", "ilike", "_EMBRANE"),
    (portal.Annotation, "ground_truth_status", "__eq__", True),
    (portal.Annotation, "ground_truth_status", "__ne__", True),
    (portal.Annotation, "ground_truth_used", "is_null", True),
    (portal.Annotation, "ground_truth_used", "is_null", False),
    (portal.Annotation, "ground_truth_used", "__eq__", None),
    (portal.AnnotationAuthor, "orcid", "is_null", True),
    (portal.AnnotationAuthor, "orcid", "is_null", False),
    (portal.Tomogram, "processing", "__eq__", "denoised"),
    (portal.Tomogram, "processing", "__ne__", "denoised"),
    (portal.Tomogram, "processing", "_in", ["raw", "filtered"]),
    (portal.Tomogram, "processing", "is_null", False),
]


@pytest.fixture(scope="module")
def client(demo: Running) -> portal.Client:
    return portal.Client(url=f"{demo.url}/graphql")


def ids(rows: list[Any]) -> list[int]:
    return [row.id for row in rows]


def test_every_operator_of_the_client_has_a_case() -> None:
    own = {name for name, value in vars(GQLField).items() if callable(value)} - {"__init__", "__hash__"} - HELPERS
    assert own == MEANINGS.keys() == {case[2] for case in CASES}


@pytest.mark.parametrize(("model", "field", "name", "value"), CASES, ids=lambda v: getattr(v, "__name__", str(v)))
def test_operator(client: portal.Client, model: Any, field: str, name: str, value: Any) -> None:
    rows = model.find(client)
    found = model.find(client, [getattr(getattr(model, field), name)(value)])
    assert ids(found) == [row.id for row in rows if MEANINGS[name](getattr(row, field), value)]
    assert len(found) < len(rows) or name == "is_null"


def test_a_moment(client: portal.Client) -> None:
    datasets = portal.Dataset.find(client)
    for moment in sorted({dataset.release_date for dataset in datasets}):
        found = portal.Dataset.find(client, [portal.Dataset.release_date <= moment.isoformat()])
        assert ids(found) == [dataset.id for dataset in datasets if dataset.release_date <= moment]


def test_conditions_through_relations(client: portal.Client) -> None:
    annotation, file, tomogram = portal.Annotation, portal.AnnotationFile, portal.Tomogram

    def shapes(found: portal.Annotation) -> set[str]:
        return {shape.shape_type for shape in found.annotation_shapes}

    of_denoised = [a for a in annotation.find(client) if "denoised" in {t.processing for t in a.run.tomograms}]
    oriented = [
        a for a in of_denoised if "OrientedPoint" in shapes(a) and a.run.dataset.organism_name.startswith("Schizo")
    ]
    assert oriented
    assert ids(oriented) == ids(annotation.find(client, [
        annotation.run.tomograms.processing == "denoised",
        annotation.annotation_shapes.shape_type == "OrientedPoint",
        annotation.run.dataset.organism_name.like("Schizo%"),
    ]))  # fmt: skip
    runs = [run.id for run in portal.Run.find(client)]
    files = [f for f in file.find(client) if f.annotation_shape.annotation.run_id in runs[:1] and f.format != "mrc"]
    assert files
    assert ids(files) == ids(file.find(client, [
        file.annotation_shape.annotation.run.id._in(runs[:1]), file.format != "mrc",
    ]))  # fmt: skip
    others = [
        t for t in tomogram.find(client) if {a.deposition_id for a in t.tomogram_voxel_spacing.annotations} & {10305}
    ]
    assert others
    assert ids(others) == ids(
        tomogram.find(client, [tomogram.tomogram_voxel_spacing.annotations.deposition_id == 10305])
    )


def test_conditions_on_one_relation_hold_for_one_row(client: portal.Client) -> None:
    run = portal.Run
    both = [run.annotations.object_name == "membrane", run.annotations.object_count > 1]
    assert run.find(client, both[:1])
    assert run.find(client, both[1:])
    expected = [
        r.id for r in run.find(client) if any(a.object_name == "membrane" and a.object_count > 1 for a in r.annotations)
    ]
    assert ids(run.find(client, both)) == expected
