"""The demo's input: simulated cryo-electron tomography, written as a lab would have it.

`build` makes folders of tilt series, tomograms and picks with configurations for `tomotheca ingest`. Nothing here
writes to an archive.
"""

from tomotheca.demo.build import Plan, build
from tomotheca.demo.lab import Deposition

__all__ = ["Deposition", "Plan", "build"]
