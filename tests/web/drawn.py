"""Invented pictures and points."""

from __future__ import annotations

import io
import json

import numpy as np
from PIL import Image


def slice_png(seed: int, size: tuple[int, int] = (512, 384)) -> bytes:
    """Draw something that looks like a slice of a tomogram."""
    rng = np.random.default_rng(seed)
    w, h = size
    y, x = np.mgrid[:h, :w]
    image = rng.normal(0, 1, (h, w))
    for _ in range(rng.integers(20, 60)):
        cx, cy, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(5, 12)
        image -= 2.2 * np.exp(-(((x - cx) ** 2 + (y - cy) ** 2) / r**2))
    for _ in range(rng.integers(1, 4)):
        cx, cy, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(60, 180)
        distance = np.hypot(x - cx, y - cy)
        image -= 2.5 * np.exp(-(((distance - r) / 2.5) ** 2)) + 2.0 * np.exp(-(((distance - r - 8) / 2.5) ** 2))
    spectrum = np.fft.rfft2(image)
    ky, kx = np.meshgrid(np.fft.fftfreq(h), np.fft.rfftfreq(w), indexing="ij")
    image = np.fft.irfft2(spectrum * np.exp(-((kx**2 + ky**2) / 0.03)), s=(h, w))
    low, high = np.percentile(image, (1, 99))
    out = io.BytesIO()
    Image.fromarray((np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def points(number: int, *, oriented: bool = False) -> bytes:
    rng = np.random.default_rng(number)
    lines = []
    for x, y, z in rng.uniform((0, 0, 0), (630, 630, 200), (number, 3)):
        point = {
            "type": "orientedPoint" if oriented else "point",
            "location": {"x": round(x, 2), "y": round(y, 2), "z": round(z, 2)},
        }
        lines.append(
            json.dumps(point | ({"xyz_rotation_matrix": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]} if oriented else {}))
        )
    return ("\n".join(lines) + "\n").encode()
