"""Write a portal-sized catalogue dump: make_dump.py DIR [N_DATASETS=500] [RUNS_PER_DATASET=40].

One NDJSON file per entity, public snake_case field names, foreign keys as <x>_id: the format of `tomotheca dump`.
Deterministic. 500 datasets give 20,000 runs, tilt series, alignments and spacings, 30,000 tomograms, 60,000
annotations, 80,000 shapes, about 100,000 files, 213,000 authors, 80,000 frames and per-section rows.
"""

import json
import sys
from datetime import date, timedelta
from pathlib import Path

BUCKET, WEB = "s3://tomotheca", "http://localhost:8000/files"
ORGANISMS = [
    ("Homo sapiens", 9606),
    ("Saccharomyces cerevisiae", 4932),
    ("Mus musculus", 10090),
    ("Chlamydomonas reinhardtii", 3055),
    ("Escherichia coli", 562),
    ("Schizosaccharomyces pombe", 4896),
]
SAMPLES = ["cell_line", "organism", "virus", "organelle", "in_vitro"]
OBJECTS = [
    ("GO:0022626", "cytosolic ribosome", "Manual", "manual"),
    ("GO:0016020", "membrane", "crYOLO", "automated"),
    ("GO:0005874", "microtubule", "template matching", "hybrid"),
]
EYE = "[[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]"
IDS: dict[str, int] = {}


def main(out: Path, n: int, per: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    files: dict[str, object] = {}

    def put(entity: str, **row: object) -> int:
        row.setdefault("id", IDS.get(entity, 0) + 1)
        IDS[entity] = max(IDS.get(entity, 0), int(row["id"]))  # type: ignore[call-overload]
        f = files.get(entity) or files.setdefault(entity, open(out / f"{entity}.ndjson", "w"))
        f.write(json.dumps(row, separators=(",", ":")) + "\n")  # type: ignore[attr-defined]
        return int(row["id"])  # type: ignore[call-overload]

    def day(g: int) -> str:
        return f"{date(2023, 1, 1) + timedelta(days=g % 900)}T00:00:00+00:00"

    def dates(g: int) -> dict[str, str]:
        return {"deposition_date": day(g), "release_date": day(g), "last_modified_date": day(g)}

    def authors(entity: str, key: str, owner: int, count: int, of: str) -> None:
        for a in range(1, count + 1):
            put(
                entity,
                **{key: owner},
                author_list_order=a,
                name=f"Author {a} of {of} {owner}",
                orcid=f"0000-0002-0000-000{a % 10}",
                primary_author_status=a == 1,
                corresponding_author_status=a == count,
            )

    depositions = max(n // 10, 1)
    for g in range(1, depositions + 1):
        d = put(
            "deposition",
            id=10300 + g,
            title=f"Deposition {g}",
            description=f"Description of deposition {g}" + " lorem ipsum" * 20,
            deposition_publications=f"10.1101/2022.04.{g}",
            related_database_entries=f"EMPIAR-{10000 + g}",
            key_photo_url=f"{WEB}/d.png",
            key_photo_thumbnail_url=f"{WEB}/dt.png",
            **dates(g),
        )
        authors("deposition_author", "deposition_id", d, 5, "dep")
        put("deposition_type", deposition_id=d, type="dataset")

    for g in range(1, n + 1):
        ds, dep = 10000 + g, 10301 + g % depositions
        organism, taxid = ORGANISMS[g % 6]
        put(
            "dataset",
            id=ds,
            deposition_id=dep,
            title=f"Cryo electron tomograms of sample {g}",
            description=f"Long description {g}" + " lorem ipsum dolor" * 25,
            organism_name=organism,
            organism_taxid=taxid,
            sample_type=SAMPLES[g % 5],
            tissue_name="tissue",
            tissue_id="UBERON:0000000",
            cell_name="cell",
            cell_type_id="CL:0000000",
            cell_strain_name="strain",
            cell_strain_id="NCBITaxon:1",
            cell_component_name="comp",
            cell_component_id="GO:0005737",
            sample_preparation="plunge",
            grid_preparation="lacey",
            key_photo_url=f"{WEB}/k.png",
            key_photo_thumbnail_url=f"{WEB}/kt.png",
            dataset_publications=f"10.1101/2022.04.{g}",
            related_database_entries=f"EMPIAR-1{g}",
            s3_prefix=f"{BUCKET}/{ds}/",
            https_prefix=f"{WEB}/{ds}/",
            file_size=1e11 + g,
            assay_label="cryo-EM",
            assay_ontology_id="EFO:0600000",
            development_stage_name="unknown",
            development_stage_ontology_id="unknown",
            disease_name="normal",
            disease_ontology_id="PATO:0000461",
            **dates(g),
        )
        authors("dataset_author", "dataset_id", ds, 6, "ds")
        for a in (1, 2):
            put("dataset_funding", dataset_id=ds, funding_agency_name=f"Agency {a}", grant_id=f"G-{a}")
        for k in range(1, per + 1):
            run(put, dates, authors, ds=ds, dep=dep, r=(g - 1) * per + k, k=k)
    for f in files.values():
        f.close()  # type: ignore[attr-defined]


def run(put, dates, authors, *, ds: int, dep: int, r: int, k: int) -> None:  # type: ignore[no-untyped-def]
    name = f"TS_{k:03d}"
    s3, web = f"{BUCKET}/{ds}/{name}", f"{WEB}/{ds}/{name}"
    put("run", id=r, dataset_id=ds, name=name, s3_prefix=s3 + "/", https_prefix=web + "/")
    put(
        "tiltseries",
        id=r,
        run_id=r,
        deposition_id=dep,
        s3_omezarr_dir=f"{s3}/ts.zarr",
        https_omezarr_dir=f"{web}/ts.zarr",
        file_size_omezarr=1e9,
        s3_mrc_file=f"{s3}/ts.mrc",
        https_mrc_file=f"{web}/ts.mrc",
        file_size_mrc=1e9,
        s3_angle_list=f"{s3}/ts.rawtlt",
        https_angle_list=f"{web}/ts.rawtlt",
        acceleration_voltage=300000,
        spherical_aberration_constant=2.7,
        microscope_manufacturer="TFS",
        microscope_model="TITAN KRIOS",
        microscope_energy_filter="GIF",
        camera_manufacturer="Gatan",
        camera_model=["K2", "K3", "K3 BIOQUANTUM"][r % 3],
        tilt_min=-60,
        tilt_max=60,
        tilt_range=120,
        tilt_step=3,
        tilting_scheme="dose-symmetric",
        tilt_axis=85,
        total_flux=120,
        data_acquisition_software="SerialEM",
        binning_from_frames=1,
        tilt_series_quality=1 + r % 5,
        is_aligned=False,
        pixel_spacing=1.5 + (r % 7) * 0.3,
        aligned_tiltseries_binning=4,
        size_x=4096,
        size_y=4096,
        size_z=41,
    )
    put(
        "alignment",
        id=r,
        deposition_id=dep,
        tiltseries_id=r,
        run_id=r,
        alignment_type="GLOBAL",
        alignment_method="fiducial_based",
        volume_x_dimension=6000,
        volume_y_dimension=6000,
        volume_z_dimension=3000,
        volume_x_offset=0,
        volume_y_offset=0,
        volume_z_offset=0,
        x_rotation_offset=0,
        tilt_offset=0,
        affine_transformation_matrix=EYE,
        s3_alignment_metadata=f"{s3}/al.json",
        https_alignment_metadata=f"{web}/al.json",
        is_portal_standard=False,
    )
    put(
        "tomogram_voxel_spacing",
        id=r,
        run_id=r,
        voxel_spacing=7.84 + r % 5,
        s3_prefix=f"{s3}/Reconstructions/VoxelSpacing/",
        https_prefix=f"{web}/Reconstructions/VoxelSpacing/",
    )
    for t in range(2 if r % 2 == 0 else 1):
        tomogram = put(
            "tomogram",
            alignment_id=r,
            deposition_id=dep,
            run_id=r,
            tomogram_voxel_spacing_id=r,
            name=name,
            size_x=960,
            size_y=928,
            size_z=500,
            voxel_spacing=7.84,
            fiducial_alignment_status="FIDUCIAL",
            reconstruction_method=["WBP", "SIRT", "SART"][r % 3],
            processing=["raw", "denoised"][t],
            tomogram_version=1,
            processing_software=f"sw{t}",
            reconstruction_software="IMOD",
            is_portal_standard=False,
            is_author_submitted=True,
            is_visualization_default=t == 0,
            s3_omezarr_dir=f"{s3}/t{t}.zarr",
            https_omezarr_dir=f"{web}/t{t}.zarr",
            file_size_omezarr=1e9,
            s3_mrc_file=f"{s3}/t{t}.mrc",
            https_mrc_file=f"{web}/t{t}.mrc",
            file_size_mrc=1e9,
            scale_0_dimensions="960,928,500",
            scale_1_dimensions="480,464,250",
            scale_2_dimensions="240,232,125",
            ctf_corrected=True,
            offset_x=0,
            offset_y=0,
            offset_z=0,
            key_photo_url=f"{web}/k.png",
            key_photo_thumbnail_url=f"{web}/kt.png",
            neuroglancer_config=json.dumps(
                {"layers": [{"name": "layer", "type": "image", "source": {"url": "zarr://x"}}] * 20}
            ),
            **dates(r),
        )
        authors("tomogram_author", "tomogram_id", tomogram, 3, "tomogram")
    for o, (object_id, object_name, method, kind) in enumerate(OBJECTS):
        a = put(
            "annotation",
            run_id=r,
            deposition_id=dep,
            tomogram_voxel_spacing_id=r,
            s3_metadata_path=f"{s3}/{o}.json",
            https_metadata_path=f"{web}/{o}.json",
            annotation_method=method,
            annotation_ingest_id=f"obj-{100 + o}",
            ground_truth_status=o == 0,
            object_id=object_id,
            object_name=object_name,
            object_count=(r * 7 + o * 13) % 900,
            confidence_precision=90,
            confidence_recall=70,
            annotation_software="sw",
            is_curator_recommended=o == 0,
            method_type=kind,
            **dates(r),
        )
        authors("annotation_author", "annotation_id", a, 2, "annotation")
        if o == 0:
            put(
                "annotation_method_link",
                annotation_id=a,
                link_type="source_code",
                name="code",
                link=f"https://example.org/{a}",
            )
        for shape, formats in [("Point", ["ndjson"]), ("SegmentationMask", ["mrc", "zarr"]), ("Point", ["ndjson"])][
            o : o + 1
        ] + ([("OrientedPoint", ["ndjson"])] if o == 0 else []):
            s = put("annotation_shape", annotation_id=a, shape_type=shape)
            for fmt in formats:
                put(
                    "annotation_file",
                    alignment_id=r,
                    annotation_shape_id=s,
                    tomogram_voxel_spacing_id=r,
                    format=fmt,
                    s3_path=f"{s3}/{s}.{fmt}",
                    https_path=f"{web}/{s}.{fmt}",
                    file_size=1e6,
                    is_visualization_default=True,
                    source="dataset_author",
                )
    if r % 10 == 0:
        for i in range(40):
            f = put(
                "frame",
                deposition_id=dep,
                run_id=r,
                acquisition_order=i,
                accumulated_dose=i * 3,
                exposure_dose=3,
                is_gain_corrected=True,
                s3_frame_path=f"{s3}/{i}.eer",
                https_frame_path=f"{web}/{i}.eer",
                file_size=1e8,
            )
            put(
                "per_section_parameters",
                frame_id=f,
                run_id=r,
                tiltseries_id=r,
                z_index=i,
                raw_angle=-60 + i * 3,
                major_defocus=30000,
                minor_defocus=29000,
            )
    if r % 5 == 0:
        put("identified_object", run_id=r, object_id=OBJECTS[0][0], object_name=OBJECTS[0][1])


if __name__ == "__main__":
    main(
        Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 500, int(sys.argv[3]) if len(sys.argv) > 3 else 40
    )
