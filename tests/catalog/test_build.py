"""Documents -> catalogue: rebuilds are identical, units are replaced whole, hidden data is nowhere."""

from __future__ import annotations

import pytest
from tests.catalog.archive import put_dataset, put_deposition, put_run
from tests.catalog.world import World, everything

from tomotheca.catalog.build import Indexer
from tomotheca.catalog.files import find_file, list_files
from tomotheca.catalog.viewer import ANONYMOUS, CURATOR
from tomotheca.errors import ConflictError, NotFoundError
from tomotheca.schema import SCHEMA


def test_a_rebuild_into_an_empty_database_is_identical_row_for_row(world: World) -> None:
    first = world.indexer().rebuild()
    again = world.database.new()
    second = world.indexer(again).rebuild()
    assert first.findings == ()
    assert (first.rows, first.files) == (second.rows, second.files)
    assert everything(world.url) == everything(again)
    assert second.version > first.version


def test_replacing_a_dataset_gives_what_a_rebuild_gives(world: World) -> None:
    world.indexer().rebuild()
    put_dataset(world.files, 10001, 10300, runs=3, dataset_title="Another title")
    world.files.remove("10001/TS_2/")
    world.indexer().replace([10001])
    fresh = world.database.new()
    world.indexer(fresh).rebuild()
    assert everything(world.url) == everything(fresh)
    names = [
        r["name"]
        for r in world.catalog().find("run", ANONYMOUS, where={"dataset_id": {"_eq": 10001}}, order=[("name", "asc")])
    ]
    assert names == ["TS_1", "TS_3"]


def test_rows_know_their_neighbours(world: World) -> None:
    world.indexer().rebuild()
    catalog = world.catalog()
    tomogram = catalog.find(
        "tomogram", ANONYMOUS, where={"run": {"name": {"_eq": "TS_1"}, "dataset_id": {"_eq": 10001}}}
    )[0]
    alignment = catalog.get("alignment", tomogram["alignment_id"], ANONYMOUS)
    assert alignment["run_id"] == tomogram["run_id"] == 100011
    assert tomogram["is_portal_standard"] is True
    assert tomogram["is_author_submitted"] is True
    assert tomogram["reconstruction_method"] == "Fourier_Space"
    assert tomogram["tomogram_voxel_spacing_id"] == 100011
    assert tomogram["s3_mrc_file"] == "s3://b/10001/TS_1/Reconstructions/VoxelSpacing10.000/Tomograms/100/TS_1.mrc"
    assert tomogram["https_omezarr_dir"].startswith("http://h/files/10001/")
    assert tomogram["file_size_mrc"] == len(b"mrc of TS_1")
    assert tomogram["file_size_omezarr"] == 3 * sum(
        map(len, (".zattrs", ".zgroup", "0/.zarray", "0/0/0/0", "0/0/0/10", "0/0/0/2"))
    )


def test_a_broken_document_is_a_finding_and_the_rest_is_indexed(world: World) -> None:
    (world.folder / "archive/10001/TS_1/run_metadata.json").write_text("{")
    done = world.indexer().rebuild()
    assert any("TS_1/run_metadata.json" in f.where for f in done.findings)
    assert world.catalog().count("dataset", ANONYMOUS) == 2


def test_two_documents_with_one_identifier_change_nothing(world: World) -> None:
    world.indexer().rebuild()
    before = everything(world.url)
    put_run(world.files, 10002, "TS_9", identifier=100011, deposition=10301)
    with pytest.raises(ConflictError, match="nothing was changed"):
        world.indexer().replace([10002])
    assert everything(world.url) == before


@pytest.mark.parametrize("visibility", [{"state": "private"}, {"state": "embargoed", "until": "2999-01-01"}])
def test_hidden_data_is_nowhere_for_others(world: World, visibility: dict[str, str]) -> None:
    put_dataset(world.files, 10002, 10301, runs=1, visibility=visibility)
    world.indexer().rebuild()
    catalog = world.catalog()
    for kind in SCHEMA.kinds:
        seen = {r["id"] for r in catalog.find(kind, ANONYMOUS)}
        everything_there = {r["id"] for r in catalog.find(kind, CURATOR)}
        assert len(seen) == catalog.count(kind, ANONYMOUS)
        if everything_there:
            assert seen < everything_there or kind == "frame", kind
    assert catalog.count("deposition", ANONYMOUS) == 1, "a deposition all of whose rows are hidden is hidden"
    assert not [
        f.key
        for f in list_files(catalog, world.files, "", ANONYMOUS)
        if f.key.startswith(("10002/", "depositions_metadata/10301/"))
    ]
    hidden = "10002/TS_1/Reconstructions/VoxelSpacing10.000/Tomograms/100/TS_1.zarr/0/0/0/0"
    with pytest.raises(NotFoundError):
        find_file(catalog, world.files, hidden, ANONYMOUS)
    assert find_file(catalog, world.files, hidden, CURATOR).size > 0


def test_data_of_a_hidden_deposition_in_a_public_dataset_is_hidden(world: World) -> None:
    put_deposition(world.files, 10301, visibility={"state": "private"})
    put_run(world.files, 10001, "TS_9", identifier=77, deposition=10301)
    world.indexer().rebuild()
    catalog = world.catalog()
    assert catalog.count("run", ANONYMOUS, {"dataset_id": {"_eq": 10001}}) == 3, "the run itself carries no deposition"
    assert catalog.count("tomogram", ANONYMOUS) == 2
    assert catalog.count("annotation_author", ANONYMOUS) == 2
    assert catalog.count("dataset", ANONYMOUS) == 1, "a dataset is hidden with its deposition"


def test_the_end_of_an_embargo_shows_the_data_and_changes_the_stamp(world: World) -> None:
    put_dataset(world.files, 10002, 10301, runs=1, visibility={"state": "embargoed", "until": "2999-01-01"})
    world.indexer().rebuild()
    catalog = world.catalog()
    before = catalog.stamp(ANONYMOUS)
    with catalog.engine.begin() as connection:
        connection.execute(catalog.tables.visibility.update().values(until="2020-01-01T00:00:00+00:00"))
    assert catalog.count("dataset", ANONYMOUS) == 2
    assert catalog.stamp(ANONYMOUS) != before


def test_files_are_listed_in_byte_order_with_members(world: World) -> None:
    world.indexer().rebuild()
    catalog = world.catalog()
    listed = [f.key for f in list_files(catalog, world.files, "", ANONYMOUS)]
    on_disk = sorted(
        (
            str(p.relative_to(world.folder / "archive"))
            for p in (world.folder / "archive").rglob("*")
            if p.is_file() and "manifest" not in str(p)
        ),
        key=str.encode,
    )
    assert listed == [k for k in on_disk if not k.startswith(".tomotheca")]
    zarr = "10001/TS_1/Reconstructions/VoxelSpacing10.000/Tomograms/100/TS_1.zarr"
    for prefix in ("10001/TS_1/", zarr, zarr + "/0/0/0/1", "1", "nothing", zarr[:-2]):
        assert [f.key for f in list_files(catalog, world.files, prefix, ANONYMOUS)] == [
            k for k in listed if k.startswith(prefix)
        ]
        for after in listed[::3]:
            expected = [k for k in listed if k.startswith(prefix) and k.encode() > after.encode()]
            assert [f.key for f in list_files(catalog, world.files, prefix, ANONYMOUS, after=after)] == expected


def test_e_mail_addresses_are_not_even_in_the_catalogue(world: World) -> None:
    world.indexer().rebuild()
    assert "ada@example.org" not in repr(everything(world.url))
    published = world.database.new()
    Indexer(world.files, world.desk, published, publish_emails=True).rebuild()
    assert "ada@example.org" in repr(everything(published))


def test_documents_are_listed_as_they_are_served(world: World) -> None:
    world.indexer().rebuild()
    found = find_file(world.catalog(), world.files, "10001/dataset_metadata.json", ANONYMOUS)
    assert found.redacted, "the document holds an e-mail address"
    assert found.size < (world.folder / "archive/10001/dataset_metadata.json").stat().st_size
