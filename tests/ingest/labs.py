"""Two folders as labs leave them, made from real files of other packages and volumes of noise: etomo's, and AreTomo3's."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tomotheca.formats import aretomo, mdoc, mrc

Find = Callable[[str, str], Path]
"""Gives a real file by package and path."""

FOLDERS = {
    "mdocfile": "mdocfile-*/tests/test_data",
    "cryoet-alignment": "cryoet_alignment-*/tests/data",
    "alnfile": "alnfile-*/test_data",
}
PIXEL = 3.42


def finder(real_files: Path) -> Find:
    def find(package: str, name: str) -> Path:
        (folder,) = real_files.glob(FOLDERS[package])
        return folder / name

    return find


def stack(path: Path, sections: int, pixel: float) -> None:
    images = np.random.default_rng(sections).normal(100, 10, (sections, 30, 28)).astype(np.int16)
    mrc.write(path, images, voxel_size=pixel, stack=True)


def volume(path: Path, spacing: float, seed: int = 1) -> None:
    voxels = np.random.default_rng(seed).normal(0, 1, (12, 28, 30)).astype(np.float32)
    mrc.write(path, voxels, voxel_size=spacing)


def imod(root: Path, find: Find) -> Path:
    """One run with a real mdoc file and its movies, one with a real alignment of etomo and picks."""
    first = root / "TS_01"
    (first / "frames").mkdir(parents=True)
    shutil.copy(find("mdocfile", "tilt_series.mdoc"), first / "TS_01.mrc.mdoc")
    document = mdoc.read(first / "TS_01.mrc.mdoc")
    angles = sorted(s.tilt_angle or 0.0 for s in document.images)
    (first / "TS_01.rawtlt").write_text("".join(f"{a:.2f}\n" for a in angles))
    stack(first / "TS_01.mrc", len(angles), 5.4)
    volume(first / "TS_01_rec.mrc", 21.6)
    volume(first / "TS_01_rec_denoised.mrc", 21.6, seed=2)
    (first / "TS_01.log").write_text("a working file")
    for section in document.images[:-1]:
        mrc.write(first / "frames" / str(section.frame_name), np.ones((2, 8, 8), np.int16), voxel_size=1.35, stack=True)
    second = root / "tilt_1"
    second.mkdir()
    for name in ("tilt_1.xf", "tilt_1.tlt", "tilt_1.xtilt", "tilt.com", "newst.com"):
        shutil.copy(find("cryoet-alignment", f"convert/imod_1/{name}"), second / name)
    stack(second / "tilt_1.st", 59, PIXEL)
    stack(second / "tilt_1_ali.mrc", 59, 4 * PIXEL)
    volume(second / "tilt_1_rec.mrc", 0)  # a header that does not say: the command file does
    (second / "tilt_1_ribosome.csv").write_text("1,2,3\n20,20,8\n")
    (second / "notes.txt").write_text("something that nobody knows")
    return root


def are_tomo(root: Path, find: Find) -> Path:
    """Two runs with real alignments, global and local, with dark frames; the mdoc files are a real one's, as long as the alignments."""
    root.mkdir(parents=True)
    for name, source in (("Position_1", "global_no_local.aln"), ("Position_2", "global_and_local.aln")):
        shutil.copy(find("alnfile", source), root / f"{name}.aln")
        alignment = aretomo.read(root / f"{name}.aln")
        angles = sorted(
            [*(float(t) - alignment.alpha_offset for t in alignment.tilts), *(d.tilt for d in alignment.dark)]
        )
        real = mdoc.read(find("mdocfile", "tilt_series.mdoc"))
        sections = []
        for z, angle in enumerate(angles):
            own = {
                "TiltAngle": f"{angle:.2f}",
                "ExposureDose": "2.5",
                "PixelSpacing": "1.96",
                "SubFramePath": f"D:\\{name}_{z:03d}.eer",
            }
            sections.append(dataclasses.replace(real.images[0], number=z, values={**real.images[0].values, **own}))
        text = mdoc.dumps(
            dataclasses.replace(real, values={**real.values, "PixelSpacing": "1.96"}, sections=tuple(sections))
        )
        (root / f"{name}.mdoc").write_text(text)
        stack(root / f"{name}.mrc", len(angles), 1.96)
        stack(root / f"{name}_CTF.mrc", len(angles), 1.96)
        for i, part in enumerate(("Vol", "EVN_Vol", "ODD_Vol")):
            volume(root / f"{name}_{part}.mrc", 7.84, seed=i)
        shutil.copy(find("cryoet-alignment", "test_CTF.txt"), root / f"{name}_CTF.txt")
        (root / f"{name}_Imod").mkdir()
        (root / f"{name}_Imod" / f"{name}_st.tlt").write_text("1\n")
    shutil.copy(find("cryoet-alignment", "TiltSeries_Metrics.csv"), root)
    return root
