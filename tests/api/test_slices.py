"""Pictures of slices: the right plane, the right contrast, what is drawn on it, who may see it, and what cannot be asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numcodecs
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from tests.api import volumes
from tests.api.serving import in_its_own_loop
from tests.api.volumes import ANNOTATION, BOX, HIDDEN, MASK, POINTS, SECTIONS, SERIES, SHAPE, TOMOGRAM, volume
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, ShardingCodec

from tomotheca.api.app import create_app
from tomotheca.api.planes import Kept, Planes
from tomotheca.api.portal import open_portal
from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.errors import FormatError
from tomotheca.formats import blosc
from tomotheca.settings import Settings

if TYPE_CHECKING:
    from tests.seaweed import Seaweed

SLICE = f"/tomograms/{TOMOGRAM}/slice.webp"
TOKEN = "a-curator-of-the-tests"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("volumes")
    volumes.build(folder)
    return folder


@pytest.fixture(scope="module")
def http(root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(root=root, curator_token=TOKEN)), base_url="http://portal.test") as client:
        yield client


def grey(http: TestClient, query: str = "") -> np.ndarray[Any, np.dtype[np.int16]]:
    """Fetch a picture; its values as grey levels."""
    return rgb(http, query)[..., 1]


def rgb(http: TestClient, query: str = "") -> np.ndarray[Any, np.dtype[np.int16]]:
    answer = http.get(SLICE + query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp"), answer.text
    with Image.open(io.BytesIO(answer.content)) as picture:
        return np.asarray(picture.convert("RGB"), np.int16)


def expected(plane: np.ndarray[Any, Any], low: float, high: float, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Draw a plane as it should look: stretched, then enlarged."""
    scaled = np.clip((plane - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(scaled).resize(size, Image.Resampling.BICUBIC), np.int16)


def ends(percentiles: tuple[float, float] = (1, 99)) -> tuple[float, float]:
    low, high = np.percentile(volume()[SHAPE[0] // 2], percentiles)
    return float(low), float(high)


@pytest.mark.parametrize(
    ("axis", "index"), [("z", 20), ("z", 0), ("z", 39), ("y", 72), ("y", 143), ("x", 5), ("x", 199)]
)
def test_v11_a_slice_shows_the_plane_it_names(http: TestClient, axis: str, index: int) -> None:
    shown = grey(http, f"?axis={axis}&index={index}")
    cut = np.take(volume(), index, "zyx".index(axis))
    plane = cut.T if axis == "x" else cut
    assert max(shown.shape) == 512
    assert abs(shown.shape[0] / shown.shape[1] - plane.shape[0] / plane.shape[1]) < 0.02
    wanted = expected(plane, *ends(), (shown.shape[1], shown.shape[0]))
    assert np.abs(shown - wanted).mean() < 3


def test_v11_a_coarser_level_shows_the_same_place(http: TestClient) -> None:
    answer = http.get(SLICE + "?index=20&level=1")
    assert answer.headers["content-location"] == f"{SLICE}?index=20&level=1"
    fine, coarse = grey(http, "?index=20"), grey(http, "?index=20&level=1")
    assert np.abs(fine - coarse).mean() < 8


def test_v11_without_parameters_it_is_the_middle_across_z(http: TestClient) -> None:
    assert http.get(SLICE).headers["content-location"] == f"{SLICE}?index=20&level=0"
    assert np.array_equal(rgb(http), rgb(http, "?axis=z&index=20&level=0&contrast=normal"))


def test_v16_contrasts_are_percentiles_and_those_of_ingest(http: TestClient) -> None:
    for name, (low, high) in {
        "soft": ends((0.1, 99.9)), "strong": ends((5, 95)), "full": ends((0, 100)), "volume": (100.0, 1200.0),
    }.items():  # fmt: skip
        shown = grey(http, f"?index=20&contrast={name}")
        assert np.abs(shown - expected(volume()[20], low, high, (shown.shape[1], shown.shape[0]))).mean() < 3, name


def test_v11_points_are_ringed_near_the_slice_and_not_far_from_it(http: TestClient) -> None:
    plain, drawn = rgb(http, "?index=20"), rgb(http, f"?index=20&overlay=AN-{ANNOTATION}")
    scale = drawn.shape[1] / SHAPE[2]
    changed = np.abs(plain - drawn).max(axis=2) > 60
    for x, y, z in POINTS:
        column, row = round((x + 0.5) * scale), round((y + 0.5) * scale)
        near = changed[max(0, row - 45) : row + 45, max(0, column - 45) : column + 45].any()
        assert near == (z == 20), (x, y, z)
    for axis in "yx":
        assert not np.array_equal(
            rgb(http, f"?axis={axis}&index=100"), rgb(http, f"?axis={axis}&index=100&overlay=AN-{ANNOTATION}")
        )


def test_v11_a_mask_colours_its_voxels_and_no_others(http: TestClient) -> None:
    plain, drawn = rgb(http, "?index=20"), rgb(http, f"?index=20&overlay=AN-{MASK}")
    coloured = np.ptp(drawn, axis=2) > 30
    scale = drawn.shape[1] / SHAPE[2]
    z, y, x = BOX
    rows, columns = (
        slice(int(y.start * scale) + 6, int(y.stop * scale) - 6),
        slice(int(x.start * scale) + 6, int(x.stop * scale) - 6),
    )
    assert coloured[rows, columns].all()
    coloured[int(y.start * scale) - 6 : int(y.stop * scale) + 6, int(x.start * scale) - 6 : int(x.stop * scale) + 6] = (
        False
    )
    assert not coloured.any()
    assert np.abs(rgb(http, f"?index=35&overlay=AN-{MASK}") - rgb(http, "?index=35")).max() < 3
    assert z.stop < 35
    assert plain.shape == drawn.shape


def test_n7_a_tag_is_strong_and_known_before_anything_is_drawn(http: TestClient) -> None:
    first = http.get(SLICE + "?index=7")
    tag = first.headers["etag"]
    assert tag.startswith('"')
    assert first.headers["cache-control"] == "public, max-age=300"
    again = http.get(SLICE + "?index=7", headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    tags = {
        http.get(SLICE + q).headers["etag"]
        for q in ("?index=8", "?index=7&axis=y", "?index=7&contrast=soft", f"?index=7&overlay=AN-{MASK}")
    }
    assert tag not in tags
    assert len(tags) == 4


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?axis=w", "axis: 'w' is not offered; ask for z, y or x"), ("?index=40", "no whole number from 0 to 39"), ("?index=-1", "no whole number"),
        ("?index=9" + "9" * 500, "no whole number"), ("?index=%00", "no whole number"), ("?level=9", "there are 3 levels, 0 to 2"), ("?contrast=best", "is not offered"),
        ("?overlay=TM-1", "is not the identifier of an annotation"), (f"?overlay=AN-{ANNOTATION + 10}", "AN-"),
    ],
)  # fmt: skip
def test_v11_what_cannot_be_shown_is_refused_in_one_sentence(http: TestClient, query: str, words: str) -> None:
    answer = http.get(SLICE + query)
    assert answer.status_code in {400, 404}
    assert words in answer.json()["error"]


def test_v11_unknown_parameters_change_nothing(http: TestClient) -> None:
    assert (
        http.get(SLICE + "?index=3&colour=red&page=9").headers["etag"] == http.get(SLICE + "?index=3").headers["etag"]
    )


def test_d_18_hidden_volumes_are_not_there(http: TestClient) -> None:
    hidden = f"/tomograms/{HIDDEN}/slice.webp"
    assert http.get(hidden).status_code == 404
    assert http.get(hidden).json() == {
        "error": http.get("/tomograms/999/slice.webp").json()["error"].replace("999", str(HIDDEN))
    }
    seen = http.get(hidden, headers={"authorization": f"Bearer {TOKEN}"})
    assert (seen.status_code, seen.headers["cache-control"]) == (200, "private, no-store")
    assert http.get(SLICE + f"?overlay=AN-{HIDDEN}").status_code == 404


@pytest.mark.parametrize("section", range(SECTIONS))
def test_v11_a_section_of_a_tilt_series_has_its_own_contrast(http: TestClient, section: int) -> None:
    answer = http.get(f"/tilt-series/{SERIES}/section.webp?index={section}")
    assert answer.status_code == 200, answer.text
    with Image.open(io.BytesIO(answer.content)) as picture:
        shown = np.asarray(picture.convert("L"), np.int16)
    plane = volumes.series()[section]
    low, high = np.percentile(plane, [1, 99])
    assert np.abs(shown - expected(plane, low, high, (shown.shape[1], shown.shape[0]))).mean() < 4
    assert http.get(f"/tilt-series/{SERIES}/section.webp?index={SECTIONS}").status_code == 400


def test_v11_without_a_volume_there_is_no_picture(http: TestClient) -> None:
    answer = http.get("/tilt-series/1/section.webp")
    assert answer.status_code == 404


@pytest.mark.slow
def test_v11_volumes_in_a_bucket_look_the_same(
    root: Path, store: Seaweed, http: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upload(root / "archive", "slices", "an archive/")
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "state").mkdir()
    for file in (root / "state").glob("*.sqlite"):
        (tmp_path / "state" / file.name).write_bytes(file.read_bytes())
    settings = Settings(root=tmp_path, archive="s3://slices/an archive")
    with TestClient(create_app(settings), base_url="http://portal.test") as far:
        for query in (
            "?index=11",
            "?axis=x&index=77",
            f"?index=20&overlay=AN-{MASK}",
            f"?index=20&overlay=AN-{ANNOTATION}",
        ):
            assert far.get(SLICE + query).content == http.get(SLICE + query).content


# --- planes of images that other programs wrote


def noise(dtype: str) -> np.ndarray[Any, Any]:
    drawn = np.random.default_rng(3).normal(0, 40, (37, 50, 41))
    return np.abs(drawn).astype(dtype) if dtype[-2] == "u" else drawn.astype(dtype)


IMAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "blosc lz4": ("<f4", {"compressors": numcodecs.Blosc(cname="lz4", shuffle=2, blocksize=4096)}),
    "blosc zstd": ("|i1", {"compressors": numcodecs.Blosc(cname="zstd", shuffle=0)}),
    "blosc that does not compress": ("<f4", {"compressors": numcodecs.Blosc(clevel=0)}),
    "zstd": ("<u2", {"compressors": numcodecs.Zstd()}),
    "gzip": ("<i2", {"compressors": numcodecs.GZip()}),
    "plain, big end first": (">f4", {"compressors": None}),
    "sections": ("<i2", {"compressors": None, "chunks": (1, 50, 41)}),
    "Fortran": ("<f4", {"compressors": None, "order": "F"}),
    "dots": ("<f4", {"compressors": None, "chunk_key_encoding": {"name": "v2", "separator": "."}}),
    "version 3": ("<f4", {"zarr_format": 3}),
    "shards": ("<f4", {"zarr_format": 3, "shards": (32, 64, 40)}),
    "shards of Blosc": ("<i2", {"zarr_format": 3, "shards": (48, 32, 60), "compressors": BloscCodec(cname="lz4")}),
    "shards, plain": (">f4", {"zarr_format": 3, "shards": (32, 64, 40), "compressors": None}),
    "shards with the index first": (
        "<u2",
        {
            "zarr_format": 3,
            "chunks": (32, 64, 40),
            "compressors": None,
            "serializer": ShardingCodec(chunk_shape=(16, 32, 20), codecs=[BytesCodec(), GzipCodec()], index_codecs=[BytesCodec()], index_location="start"),
        },
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # what the zarr library says of versions and orders
@pytest.mark.parametrize("name", IMAGES)
def test_v15_planes_of_images_of_every_sort(root: Path, tmp_path: Path, name: str) -> None:
    dtype, options = IMAGES[name]
    values = noise(dtype)
    found = planes_of(root, tmp_path, values, {"chunks": (16, 32, 20), **options})
    for axis, index in ((0, 0), (0, 15), (0, 36), (1, 33), (2, 40)):
        plane = np.take(values, index, axis)
        assert np.array_equal(found(axis, index), plane.T if axis == 2 else plane), (name, axis, index)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", [{}, {"zarr_format": 3, "shards": (32, 64, 40)}])
def test_v11_chunks_that_are_not_stored_are_the_fill_value(root: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    values = np.zeros((37, 50, 41), "<f4")
    values[20:, :10, :10] = 5
    found = planes_of(root, tmp_path, values, {"chunks": (16, 32, 20), **options})
    assert np.array_equal(found(0, 3), values[3])
    assert np.array_equal(found(1, 5), values[:, 5])


BLOSC = numcodecs.Blosc(cname="lz4", shuffle=2, blocksize=4096)
DAMAGED: dict[str, dict[str, Any]] = {
    "chunks": {"compressors": BLOSC},
    "shards": {"zarr_format": 3, "shards": (37, 50, 41), "compressors": BloscCodec(cname="lz4", blocksize=4096)},
    "shards of zstd": {"zarr_format": 3, "shards": (37, 50, 41)},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d[: len(d) // 2],
        lambda d: bytes([9]) + d[1:],
        lambda d: d[:40] + bytes(len(d) - 40),
        lambda _: b"short",
    ],
)
def test_v11_a_damaged_chunk_is_an_error_and_no_crash(
    root: Path, tmp_path: Path, damage: Any, options: dict[str, Any]
) -> None:
    values = noise("<f4")
    found = planes_of(root, tmp_path, values, {"chunks": (37, 50, 41), **options}, damage)
    for axis in range(3):
        with pytest.raises(FormatError):
            found(axis, 20)


def planes_of(root: Path, tmp_path: Path, values: Any, options: dict[str, Any], damage: Any = None) -> Any:
    """Give a function that reads planes of an image that the zarr library wrote: in place, through the catalogue's own doors."""
    from tomotheca.catalog.files import FileRow
    from tomotheca.errors import NotFoundError

    folder = tmp_path / "image.zarr"
    volumes.write_image(folder, values, **options)
    if damage:
        chunk = next(
            p for p in (folder / "0").rglob("*") if p.is_file() and not p.name.startswith(".") and p.suffix != ".json"
        )
        chunk.write_bytes(damage(chunk.read_bytes()))
    portal = open_portal(Settings(root=root))
    planes = Planes(portal)

    async def find(key: str, _: object) -> FileRow:
        path = folder / key.removeprefix("image.zarr/")
        if not path.is_file():
            raise NotFoundError(key)
        return FileRow(key, path.stat().st_size, None, "", "tomogram", 0.0, str(path))

    portal.lookup.find = find  # type: ignore[method-assign]  # the bytes are read as those of any file in place

    def read(axis: int, index: int) -> Any:
        async def ask() -> Any:
            return await planes.plane(await planes.open("image.zarr/", "1", ANONYMOUS), 0, axis, index)

        return in_its_own_loop(ask())

    return read


def test_v11_what_is_kept_is_bounded() -> None:
    kept: Kept[bytes] = Kept(100)
    for n in range(50):
        kept.keep(n, b"", 20)
    assert kept.size <= 100
    assert kept.get(49) is not None
    assert kept.get(0) is None
    kept.keep("large", b"", 90)
    assert kept.get("large") is None


def test_v11_blocks_of_a_frame_are_those_of_the_whole() -> None:
    values = np.random.default_rng(5).normal(size=300_000).astype("f4")
    for codec in (
        numcodecs.Blosc(cname="lz4", shuffle=2),
        numcodecs.Blosc(cname="zstd", clevel=9, shuffle=1),
        numcodecs.Blosc(cname="blosclz", shuffle=0),
    ):
        data = codec.encode(values)
        frame = blosc.read_frame(data)
        assert frame is not None
        if frame.is_plain:
            continue
        for start, stop in ((0, 4), (4000, 900_000), (values.nbytes - 8, values.nbytes)):
            wanted = frame.covering(start, stop)
            places = blosc.stretches(frame, data[slice(*frame.places)], wanted)
            parts = {i: data[a:b] for i, (a, b) in places.items()}
            first = wanted.start * frame.block
            assert (
                blosc.decode_blocks(frame, wanted, parts)[start - first : stop - first] == values.tobytes()[start:stop]
            )


@pytest.mark.parametrize("damage", ["longer", "other version"])
def test_a_box_of_a_damaged_chunk_is_an_error_and_no_crash(tmp_path: Path, damage: str) -> None:
    from tomotheca.export.volumes import ZarrVolume
    from tomotheca.formats import omezarr
    from tomotheca.store import manifest
    from tomotheca.store.files import LocalFiles

    files, key = LocalFiles(tmp_path), "10001/TS_1/Reconstructions/VoxelSpacing10.000/Tomograms/100/damaged.zarr/"
    with files.stage(key) as folder:
        folder.rmdir()
        members = omezarr.write(folder, noise("<f4"), spacing=(10.0,) * 3)
    chunk = tmp_path / key / "0/0/0/0"
    data = bytearray(chunk.read_bytes())
    if damage == "longer":
        data[12:16] = (1 << 31).to_bytes(4, "little")
    else:
        data[0] = 9
    chunk.write_bytes(data)
    entry = manifest.describe_members(files, key, "tomogram", members)
    row = {name: getattr(entry, name) for name in ("key", "size", "sha256", "members", "source", "media_type", "role")}
    row |= {"mtime": 0.0, "listing": None, "stored_sha256": entry.sha256, "stored_size": entry.size}
    volume = ZarrVolume(files, row, None)
    with pytest.raises(FormatError, match="has a chunk that cannot be read"):
        volume.read(0, (slice(0, 5), slice(0, 5), slice(0, 5)))
