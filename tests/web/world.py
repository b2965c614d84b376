"""A small invented catalogue, written straight into its tables, with pictures and points in a folder beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from tests.web.drawn import points, slice_png

from tomotheca.catalog import swap
from tomotheca.catalog.build import complete
from tomotheca.catalog.catalog import Catalog
from tomotheca.schema import SCHEMA
from tomotheca.settings import Settings

DEFAULTS: dict[type, Any] = {int: 0, float: 0.0, str: "", bool: False, list: "[]"}
DAY = "2026-03-01T00:00:00+00:00"
OBJECTS = {
    "cytosolic ribosome": "GO:0022626", "membrane": "GO:0016020", "beta-galactosidase": "UniProtKB:P00722", "virus-like particle": "GO:0170047",
    "apo-ferritin": "UniProtKB:P02794", "thyroglobulin": "UniProtKB:P01267", "microtubule": "GO:0005874", "F-actin": "GO:0031941",
}  # fmt: skip
ORGANISMS = (
    ("Schizosaccharomyces pombe", 4896),
    ("Chlamydomonas reinhardtii", 3055),
    ("Homo sapiens", 9606),
    ("Mycoplasmoides pneumoniae", 2104),
    ("Saccharomyces cerevisiae", 559292),
)


@dataclass
class World:
    """Rows in the making."""

    folder: Path
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    owner: int = 0

    def add(self, kind: str, **given: Any) -> int:
        """Add a row with whatever the columns need besides what is given."""
        identifier = given.pop("id", None) or self.last.get(kind, 0) + 1
        self.last[kind] = max(self.last.get(kind, 0), identifier)
        row: dict[str, Any] = {
            "id": identifier,
            "_owner": given.pop("owner", self.owner),
            "_gate": given.get("deposition_id") if kind != "deposition" else None,
        }
        for c in SCHEMA.columns(kind)[1:]:
            row[c.name] = (
                DAY
                if c.type.__name__ == "datetime" and not c.nullable
                else None
                if c.nullable or c.ref
                else c.choices[0]
                if c.choices
                else DEFAULTS.get(c.type)
            )
        row |= given
        self.rows.setdefault(kind, []).append(row)
        return identifier

    def put(
        self,
        key: str,
        data: bytes = b"",
        *,
        size: int | None = None,
        members: int | None = None,
        role: str = "document",
        **place: Any,
    ) -> str:
        """Register a file, and write it if it has bytes."""
        if data:
            path = self.folder / "archive" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        known = {
            "kind": "run",
            "entity_id": None,
            "run_id": None,
            "dataset_id": self.owner,
            "_owner": self.owner,
            "_gate": None,
        }
        types = {"png": "image/png", "json": "application/json", "ndjson": "application/x-ndjson"}
        self.files.append({
            "key": key, "size": len(data) if size is None else size, "sha256": f"{len(self.files):064x}", "stored_size": 0, "stored_sha256": f"{len(self.files):064x}",
            "media_type": types.get(key.rpartition(".")[2], "application/octet-stream"), "role": role, "members": members, "source": None, "mtime": 0.0, **known, **place,
        })  # fmt: skip
        return key.rstrip("/")

    def save(self, settings: Settings) -> Catalog:
        settings.state_folder.mkdir(parents=True, exist_ok=True)
        catalog = Catalog(settings.catalog_database, public_url=settings.public_url or "", bucket=settings.bucket)
        tables = catalog.tables
        with swap.writing(catalog.engine, tables, whole=True) as connection:
            for kind, rows in self.rows.items():
                connection.execute(sa.insert(tables.kinds[kind]), rows)
            if self.files:
                connection.execute(sa.insert(tables.file), self.files)
            sizes = (
                sa.select(sa.func.sum(tables.file.c.size))
                .where(tables.file.c.dataset_id == tables.kinds["dataset"].c.id)
                .scalar_subquery()
            )
            connection.execute(sa.update(tables.kinds["dataset"]).values(file_size=sizes))
            complete(connection, tables)
            connection.execute(sa.insert(tables.meta), [{"name": "version", "value": "7"}])
        return catalog


def people(world: World, kind: str, identifier: int, *names: str, **extra: Any) -> None:
    for place, name in enumerate(names):
        flags = {"primary_author_status": place == 0, "corresponding_author_status": place == len(names) - 1}
        world.add(
            f"{kind}_author", **{f"{kind}_id": identifier}, name=name, author_list_order=place + 1, email="secret@mail.invalid",
            orcid="0000-0002-1825-0097" if place == 0 else None, affiliation_name="Institute of Frozen Things", **flags, **extra,
        )  # fmt: skip


def deposition(
    world: World, identifier: int, title: str, *, state: str = "public", types: tuple[str, ...] = ("dataset",)
) -> int:
    world.add(
        "deposition",
        id=identifier,
        owner=identifier,
        title=title,
        description=f"{title}: all data.",
        visibility_state=state,
        deposition_publications="10.5555/12345678",
    )
    for kind in types:
        world.add("deposition_type", owner=identifier, deposition_id=identifier, type=kind)
    people(world, "deposition", identifier, "Ada Frost", "Björn Vitreous", owner=identifier)
    return identifier


@dataclass(frozen=True)
class Plan:
    """What one dataset should look like."""

    id: int
    title: str
    organism: int = 0
    runs: tuple[str, ...] = ("run_1", "run_2", "run_10")
    objects: tuple[str, ...] = ("cytosolic ribosome", "membrane")
    voxel: float = 10.0
    sample: str = "cell"
    state: str = "public"
    quality: tuple[int | None, ...] = (5, 4, 3)
    deposition: int = 300
    released: str = DAY
    entries: str | None = "EMPIAR-10988, EMD-12345"
    camera: str = "Gatan"


def dataset(world: World, plan: Plan) -> int:
    """Add a dataset with its runs."""
    world.owner = plan.id
    name, taxid = ORGANISMS[plan.organism]
    photo = world.put(
        f"{plan.id}/Images/snapshot.png", slice_png(plan.id), role="image", kind="dataset", entity_id=plan.id
    )
    world.add(
        "dataset", id=plan.id, deposition_id=plan.deposition, title=plan.title, description=f"{plan.title}. Vitrified, milled and imaged; see 10.5555/87654321.", organism_name=name,
        organism_taxid=taxid, sample_type=plan.sample, cell_name="vegetative cell", cell_type_id="CL:0000000", cell_component_name="cytoplasm", cell_component_id="GO:0005737",
        assay_label="cryo-electron tomography", assay_ontology_id="FBbi:00000256", related_database_entries=plan.entries, dataset_publications="10.5555/87654321", licence="CC0-1.0",
        s3_prefix=f"{plan.id}/", https_prefix=f"{plan.id}/", key_photo_url=photo, key_photo_thumbnail_url=photo, release_date=plan.released, visibility_state=plan.state,
        sample_preparation="Grown to mid-log phase. " * 14,
    )  # fmt: skip
    people(world, "dataset", plan.id, "Ada Frost", "José García", "Wei Zhang", "Olga Ice")
    world.add("dataset_funding", dataset_id=plan.id, funding_agency_name="Council of Cold", grant_id="COLD-1")
    world.put(f"{plan.id}/dataset_metadata.json", b'{"authors": []}', kind="dataset", entity_id=plan.id)
    for place, run in enumerate(plan.runs):
        _run(world, plan, run, place)
    return plan.id


def _run(world: World, plan: Plan, name: str, place: int) -> None:
    prefix = f"{plan.id}/{name}/"
    run = world.add("run", dataset_id=plan.id, name=name, s3_prefix=prefix, https_prefix=prefix)
    world.put(f"{prefix}run_metadata.json", b"{}", run_id=run, entity_id=run)
    series = _series(world, plan, run, prefix, plan.quality[place % len(plan.quality)])
    if name.startswith("mosaic"):
        _series(world, plan, run, prefix, 2, name)
    alignment = world.add(
        "alignment", run_id=run, tiltseries_id=series, deposition_id=plan.deposition, alignment_type="GLOBAL", alignment_method="fiducial_based", is_portal_standard=True,
        affine_transformation_matrix=json.dumps(np.eye(4).tolist()), volume_x_dimension=6300.0, volume_y_dimension=6300.0, volume_z_dimension=2000.0,
    )  # fmt: skip
    world.add("identified_object", run_id=run, object_name="septin", object_id="GO:0031105")
    if name.startswith("bare"):
        return
    spacing = world.add(
        "tomogram_voxel_spacing",
        run_id=run,
        voxel_spacing=plan.voxel,
        s3_prefix=f"{prefix}R/",
        https_prefix=f"{prefix}R/",
    )
    _tomogram(world, plan, (run, alignment, spacing, name), "denoised")
    _tomogram(world, plan, (run, alignment, spacing, name), "raw")
    if name.startswith("silent"):
        return
    for number, thing in enumerate(plan.objects):
        _annotation(world, plan, (run, alignment, spacing, name), thing, number)


def _series(world: World, plan: Plan, run: int, prefix: str, quality: int | None, name: str = "") -> int:
    place = {"kind": "tiltseries", "entity_id": world.last.get("tiltseries", 0) + 1, "run_id": run}
    base = f"{prefix}TiltSeries/{place['entity_id']}/ts"
    series = world.add(
        "tiltseries", run_id=run, deposition_id=plan.deposition, tilt_series_quality=quality, tilt_min=-60.0, tilt_max=60.0, tilt_range=120.0, tilt_step=3.0,
        tilting_scheme="dose-symmetric", pixel_spacing=1.35, total_flux=122.0, camera_manufacturer=plan.camera, camera_model="K3", microscope_manufacturer="TFS", microscope_model="Krios",
        microscope_energy_filter="Gatan BioContinuum", acceleration_voltage=300000, spherical_aberration_constant=2.7, tilt_axis=0.0, size_x=3838, size_y=3710, size_z=41,
        data_acquisition_software="SerialEM", s3_mrc_file=world.put(f"{base}.mrc", size=2_335_000_000, role="tilt_series", **place), file_size_mrc=2_335_000_000.0, is_aligned=False,
        s3_omezarr_dir=world.put(f"{base}.zarr/", size=900_000_000, members=4711, role="tilt_series", **place), file_size_omezarr=900_000_000.0,
    )  # fmt: skip
    for z in range(3):
        frame = world.add(
            "frame",
            run_id=run,
            deposition_id=plan.deposition,
            acquisition_order=z,
            exposure_dose=3.0,
            accumulated_dose=3.0 * z,
        )
        world.add(
            "per_section_parameters",
            run_id=run,
            tiltseries_id=series,
            frame_id=frame,
            z_index=z,
            raw_angle=-60.0 + 3 * z,
            major_defocus=45_000.0,
            minor_defocus=44_000.0,
            excluded=True if name.startswith("mosaic") and z == 2 else None,
        )
    return series


def _tomogram(world: World, plan: Plan, where: tuple[int, int, int, str], processing: str) -> None:
    run, alignment, spacing, name = where
    identifier = world.last.get("tomogram", 0) + 1
    base = f"{plan.id}/{name}/Reconstructions/VoxelSpacing{plan.voxel:.3f}/Tomograms/{identifier}/{name}"
    place = {"kind": "tomogram", "entity_id": identifier, "run_id": run, "role": "tomogram"}
    photo = (
        world.put(f"{base}-photo.png", slice_png(identifier), **{**place, "role": "image"})
        if processing == "denoised"
        else None
    )
    mrc, zarr = (
        world.put(f"{base}.mrc", size=317_521_024, **place),
        world.put(f"{base}.zarr/", size=290_123_456, members=310, **place),
    )
    world.add(
        "tomogram", run_id=run, alignment_id=alignment, deposition_id=plan.deposition, tomogram_voxel_spacing_id=spacing, name=name, size_x=630, size_y=630, size_z=200,
        voxel_spacing=plan.voxel, fiducial_alignment_status="FIDUCIAL", reconstruction_method="WBP", processing=processing, reconstruction_software="IMOD", ctf_corrected=True,
        is_portal_standard=processing == "raw", is_author_submitted=True, is_visualization_default=processing == "denoised", s3_mrc_file=mrc, https_mrc_file=mrc, s3_omezarr_dir=zarr,
        https_omezarr_dir=zarr, file_size_mrc=317_521_024.0, file_size_omezarr=290_123_456.0, key_photo_url=photo, key_photo_thumbnail_url=photo, statistics_p1=-2.5, statistics_p99=2.5,
    )  # fmt: skip
    people(world, "tomogram", identifier, "Olga Ice")


def _annotation(world: World, plan: Plan, where: tuple[int, int, int, str], thing: str, number: int) -> None:
    run, alignment, spacing, name = where
    identifier = world.last.get("annotation", 0) + 1
    base = f"{plan.id}/{name}/Reconstructions/VoxelSpacing{plan.voxel:.3f}/Annotations/{identifier}/{thing.replace(' ', '_')}"
    mask = thing == "membrane"
    world.add(
        "annotation", run_id=run, deposition_id=plan.deposition, tomogram_voxel_spacing_id=spacing, object_name=thing, object_id=OBJECTS[thing], object_count=1 if mask else 120 + number,
        method_type=("manual", "automated", "hybrid")[number % 3], annotation_method="template matching" if number else "picked by hand", annotation_software="PyTom" if number else None,
        ground_truth_status=number == 0, confidence_precision=11.0 if number else 97.5 if thing == "F-actin" else None, confidence_recall=22.0 if number else None, s3_metadata_path=f"{base}.json",
        https_metadata_path=f"{base}.json", annotation_publication="10.5555/12345678",
    )  # fmt: skip
    people(world, "annotation", identifier, "Wei Zhang", "Olga Ice")
    world.add(
        "annotation_method_link",
        annotation_id=identifier,
        link_type="source_code",
        name="PyTom",
        link="https://github.invalid/pytom",
    )
    place = {"kind": "annotation", "entity_id": identifier, "run_id": run, "role": "annotation"}
    world.put(f"{base}.json", b"{}", **{**place, "role": "document"})
    shape = world.add(
        "annotation_shape",
        annotation_id=identifier,
        shape_type="SegmentationMask" if mask else "OrientedPoint" if number else "Point",
    )
    if mask:
        made = [
            ("mrc", world.put(f"{base}.mrc", size=79_380_000, **place), 79_380_000),
            ("zarr", world.put(f"{base}.zarr/", size=1_234_567, members=77, **place), 1_234_567),
        ]
    else:
        data = points(120 + number, oriented=bool(number))
        made = [("ndjson", world.put(f"{base}.ndjson", data, **place), len(data))]
    for form, key, size in made:
        world.add(
            "annotation_file",
            annotation_shape_id=shape,
            alignment_id=alignment,
            tomogram_voxel_spacing_id=spacing,
            format=form,
            s3_path=key,
            https_path=key,
            file_size=float(size),
            source="dataset_author",
        )


TITLES = (
    "S. pombe cryo-FIB lamellae acquired with defocus-only", "Chlamydomonas reinhardtii cells, plasma-FIB milled and imaged on a Krios G4 with a cold field emission gun",
    "Phantom dataset of six macromolecular complexes mixed with lysate", "Mycoplasma pneumoniae cells treated with chloramphenicol", "Yeast nuclear envelopes after glucose starvation",
    "Human platelets spreading on grids", "Purified apo-ferritin for calibration", "Simulated crowded cytosol with ground truth", "Intact mitochondria from HeLa cells",
)  # fmt: skip


def build(
    folder: Path, *, public_url: str | None = None, catalog_url: str | None = None
) -> tuple[Settings, Catalog, World]:
    """Make the world: nine public datasets, one private, one embargoed; a deposition that annotates, a hidden one."""
    settings = Settings(root=folder, public_url=public_url, catalog_url=catalog_url)
    world = World(folder)
    deposition(world, 300, "Lamellae of fission yeast", types=("dataset", "tomogram"))
    deposition(world, 301, "A benchmark of particle picking", types=("annotation",))
    deposition(world, 399, "Hidden deposition of nobody", state="private")
    things = tuple(OBJECTS)
    for place, title in enumerate(TITLES):
        runs = ("run_1", "run_2", "run_10") if place else ("run_1", "run_2", "run_10", "mosaic_3", "bare_4", "silent_5")
        dataset(world, Plan(
            10_000 + place, title, organism=place % len(ORGANISMS), runs=runs, voxel=(10.0, 7.84, 13.48)[place % 3], objects=things[place % 4 : place % 4 + 2 + place % 4],
            quality=((5, 4, None), (3, 2, 1), (4, 4, 4))[place % 3], sample=("cell", "cell", "in_vitro", "in_silico")[place % 4], deposition=301 if place == 2 else 300,
            released=f"2026-0{9 - place % 9}-01T00:00:00+00:00", entries="EMPIAR-10988, EMPIAR-11370" if place % 2 else None, camera=("Gatan", "TFS")[place % 2],
        ))  # fmt: skip
    dataset(
        world,
        Plan(
            10_100,
            "Unreleased secret lamellae",
            state="private",
            organism=4,
            voxel=3.21,
            camera="SecretCam",
            deposition=399,
        ),
    )
    dataset(
        world, Plan(10_101, "Embargoed secret lamellae", state="embargoed", organism=4, voxel=3.22, camera="SecretCam")
    )
    world.rows["dataset"][-1]["visibility_until"] = "2999-01-01T00:00:00+00:00"
    nasty = '<script>alert("x")</script>'
    dataset(
        world,
        Plan(
            10_050,
            f"Nasty {nasty} & 'quotes' \"double\"",
            organism=3,
            runs=("<b>run</b> 1",),
            objects=("F-actin",),
            entries=f"{nasty}, EMPIAR-1",
        ),
    )
    return settings, world.save(settings), world
