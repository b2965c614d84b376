"""Folders as labs leave them, made from real files of other packages and volumes of noise: etomo's, AreTomo3's, and WarpTools'."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.formats import soundfiles

from tomotheca.formats import aretomo, mdoc, mrc, warp

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
    path.parent.mkdir(parents=True, exist_ok=True)
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


def warp_tools(root: Path, find: Find) -> Path:
    """A project of WarpTools with a real series: list of tilts, alignment, movies and their averages, stack and tomograms."""
    for name in ("tomostar", "frames", "warp_frameseries/average", "warp_tiltseries/reconstruction/deconv"):
        (root / name).mkdir(parents=True)
    text = find("cryoet-alignment", "warp/00254.xml").read_text(encoding="utf-8-sig")
    grid = soundfiles.warp_grid("GridCTF", [2 + z / 100 for z in range(41)])
    old = text[text.index("<GridCTF ") : text.index("</GridCTF>") + len("</GridCTF>")]
    (root / "warp_tiltseries/TS_01.xml").write_text(text.replace(old, grid.strip()))
    series = warp.read(root / "warp_tiltseries/TS_01.xml")
    rows = zip(series.movies, series.angles, series.doses if series.doses is not None else (), strict=True)
    lines = "".join(f" ../frames/{movie} {angle:.2f} -4.3 {dose:g} 10 0\n" for movie, angle, dose in rows)
    head = soundfiles.TOMOSTAR[: soundfiles.TOMOSTAR.index("  ../")]
    (root / "tomostar/TS_01.tomostar").write_text(head + lines)
    stack(root / "warp_tiltseries/tiltstack/TS_01/TS_01.st", 41, 1.7)
    for name in ("TS_01.rawtlt", "TS_01.tlt"):
        (root / "warp_tiltseries/tiltstack/TS_01" / name).write_text(
            "".join(f"{angle:.2f}\n" for angle in series.angles)
        )
    volume(root / "warp_tiltseries/reconstruction/TS_01_10.00Apx.mrc", 10.0)
    volume(root / "warp_tiltseries/reconstruction/deconv/TS_01_10.00Apx.mrc", 10.0, seed=2)
    for movie in series.movies:
        (root / "frames" / movie).write_bytes(soundfiles.tiff())
    stem = series.movies[0].rpartition(".")[0]
    mrc.write(root / f"warp_frameseries/average/{stem}.mrc", np.ones((1, 8, 8), np.float32), voxel_size=1.7)
    (root / f"warp_frameseries/{stem}.xml").write_text("<Movie></Movie>")
    (root / "warp_tiltseries.settings").write_text("<Settings></Settings>")
    return root
