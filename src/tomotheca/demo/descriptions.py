"""What the simulated studies say about themselves, and what their particles are called."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tomotheca.demo.people import Json, authors, dates, funding


@dataclass(frozen=True, slots=True)
class Thing:
    """An object that is annotated."""

    slug: str
    """For ingest ids and file names."""

    name: str
    id: str
    description: str
    state: str | None = None
    oriented: bool = True
    """Whether its picks carry rotations (RELION star) or not (csv)."""

    def block(self) -> Json:
        """Give it as ``annotation_object``."""
        block = {"name": self.name, "id": self.id, "description": self.description}
        return {**block, "state": self.state} if self.state else block


THINGS: dict[str, Thing] = {
    "ribosome": Thing("cytosolic-ribosome", "cytosolic ribosome", "GO:0022626", "80S ribosome"),
    "proteasome": Thing("proteasome", "proteasome complex", "GO:0000502", "26S proteasome", "doubly capped"),
    "fatty_acid_synthase": Thing(
        "fatty-acid-synthase", "fatty acid synthase complex", "GO:0005835", "Fungal fatty acid synthase", oriented=False
    ),
    "spike": Thing("spike-glycoprotein", "Spike glycoprotein", "UniProtKB:P0DTC2", "Spike trimer", "prefusion"),
    "ribonucleoprotein": Thing(
        "viral-ribonucleoprotein", "viral nucleocapsid", "GO:0019013", "Viral ribonucleoprotein", oriented=False
    ),
    "virus_like_particle": Thing("virus-like-capsid", "virus-like capsid", "GO:0170047", "PP7 virus-like particle"),
    "apoferritin": Thing("ferritin-complex", "ferritin complex", "GO:0070288", "Apoferritin", "apo", oriented=False),
    "beta_galactosidase": Thing(
        "beta-galactosidase", "Beta-galactosidase", "UniProtKB:P00722", "Beta-galactosidase", "tetrameric"
    ),
    "membrane": Thing("membrane", "membrane", "GO:0016020", "Lipid bilayers of reticulum and vesicles"),
    "envelope": Thing("viral-envelope", "viral envelope", "GO:0019031", "Bilayer of the viral envelope"),
    "liposome": Thing("liposome", "membrane", "GO:0016020", "Bilayer of a liposome"),
}
"""By the names of the species, and the bilayers."""


@dataclass(frozen=True, slots=True)
class Description:
    """Everything a study says that the simulation does not compute."""

    title: str
    text: str
    bilayer: str
    """Which of `THINGS` its membranes are."""

    begin: datetime
    """When its first series was recorded, had it been."""

    authors: list[Json]
    dates: Json
    sample: Json
    """Fields of the dataset about the sample."""

    hardware: Json
    """Fields of the tilt series about microscope and camera."""

    software: tuple[str, str]
    """Reconstruction and denoising."""

    references: Json = field(default_factory=dict)


SIMULATED = (
    "All images were computed by the demo of Tomotheca from a physical model (specimen of pseudo-atomic particles, projection, contrast transfer,"
    " radiation damage, counting noise, weighted back-projection); no specimen was made and the authors are fictional."
)
ASSAY = {"name": "microscopy assay", "id": "EFO:0002909"}
NORMAL = {"name": "normal", "id": "PATO:0000461"}
UNKNOWN = {"name": "unknown", "id": "unknown"}
MICROSCOPE = {"manufacturer": "SIMULATED", "model": "Numerical Krios 300", "additional_info": "No instrument was used"}
CAMERA = {"manufacturer": "simulated", "model": "simulated", "acquire_mode": "counting"}

DESCRIPTIONS: dict[str, Description] = {
    "pombe_cytosol": Description(
        title="Simulated cryo-electron tomograms of Schizosaccharomyces pombe cytosol",
        text="Thin lamellae of fission yeast with 80S ribosomes, 26S proteasomes and fatty acid synthase among cisternae of the endoplasmic"
        " reticulum and transport vesicles, in the crowded cytosol. Tilt scheme, exposure and magnification follow common practice for such"
        f" lamellae, such as that of the experimental series in EMPIAR-10988. {SIMULATED}",
        bilayer="membrane",
        begin=datetime(2025, 3, 15, 9, 12, 5),
        authors=authors("lindqvist", "okonjo", "haldane"),
        dates=dates("2025-04-02", "2025-05-20", "2025-09-01"),
        sample={
            "sample_type": "in_silico",
            "organism": {"name": "Schizosaccharomyces pombe", "taxonomy_id": 4896},
            "cell_strain": {"name": "Schizosaccharomyces pombe 972h-", "id": "NCBITaxon:284812"},
            "cell_type": {"name": "vegetative cell (sensu Fungi)", "id": "CL:0000334"},
            "cell_component": {"name": "cytosol", "id": "GO:0005829"},
            "assay": ASSAY,
            "development_stage": UNKNOWN,
            "disease": NORMAL,
            "sample_preparation": "Computed: particles of three species were placed at random positions and orientations into a 72 nm slab of ice with bilayers"
            " 4 nm thick, then unnamed small proteins were added as smooth random density.",
            "grid_preparation": "None; the model assumes a lamella of even thickness on a grid that does not absorb.",
            "other_setup": "Seeded random numbers: the same seed gives the same bytes.",
            "funding": funding(("Foundation for Imaginary Science", "FIS-2025-0042"), ("Example Research Council", "ERC-EX-7")),
        },
        hardware={
            "microscope": MICROSCOPE,
            "microscope_optical_setup": {"energy_filter": "simulated, 20 eV slit", "phase_plate": None, "image_corrector": None},
        },
        software=("Tomotheca demo (ramp-weighted back-projection)", "Tomotheca demo (Wiener deconvolution)"),
        references={"related_database_entries": "EMPIAR-10988"},
    ),
    "virions": Description(
        title="Simulated tomograms of enveloped coronavirus particles with spikes in thick ice",
        text="Enveloped virus particles, 70 to 80 nm across, with spike trimers outside and ribonucleoproteins inside, next to ribosomes of lysed host"
        " cells. One position was recorded as a montage of two overlapping tilt series and reconstructed as one long tomogram; another cannot be"
        f" aligned and is kept as an example of unusable data. {SIMULATED}",
        bilayer="envelope",
        begin=datetime(2025, 10, 7, 19, 40, 31),
        authors=authors("vasquez", "petrov", "achterberg", "haldane"),
        dates=dates("2025-11-11", "2026-01-15"),
        sample={
            "sample_type": "in_silico",
            "organism": {"name": "Severe acute respiratory syndrome coronavirus 2", "taxonomy_id": 2697049},
            "cell_component": {"name": "viral envelope", "id": "GO:0019031"},
            "assay": ASSAY,
            "development_stage": UNKNOWN,
            "disease": {"name": "COVID-19", "id": "MONDO:0100096"},
            "sample_preparation": "Computed: spikes stand on lumpy ellipsoidal envelopes along the surface normal, ribonucleoproteins fill the inside.",
            "grid_preparation": "None; the model assumes 135 nm of vitreous ice over a hole.",
            "funding": funding(("Example Research Council", "ERC-EX-19")),
        },
        hardware={
            "microscope": {**MICROSCOPE, "model": "Numerical Titan"},
            "microscope_optical_setup": {"energy_filter": "simulated, 10 eV slit", "phase_plate": None, "image_corrector": None},
        },
        software=("Tomotheca demo (ramp-weighted back-projection)", "Tomotheca demo (Wiener deconvolution)"),
    ),
    "purified_mixture": Description(
        title="Simulated in-vitro mixture of capsids, apoferritin and beta-galactosidase",
        text="A purified mixture of three complexes with a liposome, imaged with a phase plate close to focus: a phantom for particle picking. This dataset"
        f" is hidden until its curator publishes it. {SIMULATED}",
        bilayer="liposome",
        begin=datetime(2026, 2, 2, 11, 3, 44),
        authors=authors("okonjo", "lindqvist"),
        dates=dates("2026-03-01", "2026-03-10"),
        sample={
            "sample_type": "in_silico",
            "organism": {"name": "Escherichia coli", "taxonomy_id": 562},
            "assay": ASSAY,
            "development_stage": UNKNOWN,
            "disease": NORMAL,
            "sample_preparation": "Computed: three purified complexes and a liposome in 47 nm of ice.",
            "grid_preparation": "None; the model assumes ice without support film.",
            "funding": funding(("Foundation for Imaginary Science", "FIS-2026-0003")),
        },
        hardware={
            "microscope": {**MICROSCOPE, "model": "Numerical Glacios 200"},
            "microscope_optical_setup": {"energy_filter": "none", "phase_plate": "simulated Volta phase plate", "image_corrector": None},
        },
        software=("Tomotheca demo (ramp-weighted back-projection)", "Tomotheca demo (Wiener deconvolution)"),
    ),
}  # fmt: skip
"""By the name of the study."""

LICENCE = "CC0-1.0"
