"""Crops around points, as training programs take them: from a volume that stays in its place, from OME-Zarr, and the whole file first.

A tomogram of float32 noise is taken in twice, in place and copied, with points at random places. Around each point a cube of 64
voxels is cut out of what a server on this machine gives, all ways in the same run and compared with the source:

- ``in place``: one request for each crop, with a range of the MRC file for each of its 64 sections (whole rows, cut here);
- ``OME-Zarr``: slices of level 0 of the copied volume, by zarr through obstore: whole chunks of 128 voxels;
- ``OME-Zarr 0.5``: the same, chunks of 64 voxels, which are ranges of files;
- ``client``: the public Python client downloads the MRC file, then crops are cut out of a memory map.

Run ``python benchmarks/bench_crops.py --help``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import yaml

from bench_convert import make_input, read_through
from tomotheca.formats.mrc import read_header

Array = npt.NDArray[Any]

EDGE = 64
THREADS = 4
"""Crops that are fetched at the same time."""

PEOPLE: dict[str, Any] = {
    "authors": [{"name": "Ada Fictional", "primary_author_status": True, "corresponding_author_status": True}],
    "dates": {"deposition_date": "2026-01-10", "release_date": "2026-02-01", "last_modified_date": "2026-02-01"},
}
UNKNOWN = {"name": "unknown", "id": "unknown"}


def configuration() -> dict[str, Any]:
    """Describe one run with one tomogram and its points."""
    number = {
        "deposition_identifier": 10300,
        "deposition_title": "Crops",
        "deposition_description": "Noise.",
        "deposition_types": ["dataset"],
    }
    dataset = {
        "dataset_identifier": 10001, "dataset_title": "Crops", "dataset_description": "Noise.", "sample_type": "in_silico", "assay": UNKNOWN,
        "development_stage": UNKNOWN, "disease": UNKNOWN,
    }  # fmt: skip
    tomogram = {
        "voxel_spacing": 10.0, "fiducial_alignment_status": False, "reconstruction_method": "WBP", "reconstruction_software": "IMOD",
        "processing": "raw", "tomogram_version": 1, "offset": {"x": 0, "y": 0, "z": 0},
    }  # fmt: skip
    thing = {
        "annotation_ingest_id": "thing-1", "annotation_object": {"id": "GO:0022626", "name": "thing"}, "annotation_method": "at random",
        "method_type": "automated", "version": 1.0,
    }  # fmt: skip
    point = {"file_format": "csv", "glob_string": "{run_name}/points.csv"}
    return {
        "version": "1.3.0",
        "standardization_config": {"deposition_id": 10300, "source_prefix": ""},
        "depositions": [{"metadata": {**PEOPLE, **number}, "sources": [{"literal": {"value": [10300]}}]}],
        "datasets": [{"metadata": {**PEOPLE, **dataset}, "sources": [{"literal": {"value": ["10001"]}}]}],
        "runs": [{"sources": [{"source_glob": {"list_glob": "TS_*"}}]}],
        "voxel_spacings": [{"sources": [{"literal": {"value": [10.0]}}]}],
        "tomograms": [
            {"metadata": {**PEOPLE, **tomogram}, "sources": [{"source_glob": {"list_glob": "{run_name}/*.mrc"}}]}
        ],
        "annotations": [{"metadata": {**PEOPLE, **thing}, "sources": [{"Point": point}]}],
    }


def tomotheca(*words: str | Path) -> None:
    """Run the program."""
    subprocess.run([sys.executable, "-m", "tomotheca", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """Run a server until the block ends and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = [sys.executable, "-m", "tomotheca", "serve", "--root", str(root), "--port", str(port)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{url}/healthz", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def asked(url: str, query: str) -> Any:
    """Ask the API."""
    request = urllib.request.Request(f"{url}/graphql", json.dumps({"query": query}).encode(), {"content-type": "application/json"})  # fmt: skip
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["data"]


def points_of(url: str) -> Array:
    """Fetch the points as the portal serves them: shape ``(n, 3)``, z, y, x of voxels."""
    (file,) = asked(url, "{annotationFiles { httpsPath }}")["annotationFiles"]
    with urllib.request.urlopen(file["httpsPath"]) as lines:
        places = [json.loads(line)["location"] for line in lines]
    return np.rint([[p["z"], p["y"], p["x"]] for p in places]).astype(int)


class InPlace:
    """Crops out of the MRC file that stays in its place."""

    def __init__(self, url: str, source: Path) -> None:
        (found,) = asked(url, "{tomograms { httpsMrcFile }}")["tomograms"]
        self.address = urlsplit(found["httpsMrcFile"])
        with tempfile.NamedTemporaryFile(suffix=".mrc") as head:
            with urllib.request.urlopen(found["httpsMrcFile"]) as whole:
                head.write(whole.read(1024))
            head.flush()
            os.truncate(head.name, source.stat().st_size)
            self.header = read_header(Path(head.name))

    def __call__(self, places: Sequence[Array]) -> list[Array]:
        """Cut crops out, one connection for all of them."""
        connection = http.client.HTTPConnection(self.address.hostname or "", self.address.port)
        try:
            return [self._crop(connection, *map(int, place)) for place in places]
        finally:
            connection.close()

    def _crop(self, connection: http.client.HTTPConnection, z: int, y: int, x: int) -> Array:
        _, height, width = self.header.file_shape
        row = width * self.header.dtype.itemsize
        first = self.header.data_offset + (z * height + y) * row
        starts = range(first, first + EDGE * height * row, height * row)
        ranges = ",".join(f"{start}-{start + EDGE * row - 1}" for start in starts)
        connection.request("GET", self.address.path, headers={"range": f"bytes={ranges}"})
        answer = connection.getresponse()
        if answer.status != 206:
            raise SystemExit(f"the server answers {answer.status}")
        data, at = memoryview(answer.read()), 0
        crop = np.empty((EDGE, EDGE, EDGE), self.header.dtype)
        for section in crop:
            at += bytes(data[at : at + 400]).index(b"\r\n\r\n") + 4
            section[:] = np.frombuffer(data, self.header.dtype, EDGE * width, at).reshape(EDGE, width)[:, x : x + EDGE]
            at += EDGE * row
        return crop


class OmeZarr:
    """Crops out of level 0 of the OME-Zarr image."""

    def __init__(self, url: str, _: Path) -> None:
        import zarr
        from obstore.store import HTTPStore
        from zarr.storage import ObjectStore

        (found,) = asked(url, "{tomograms { httpsOmezarrDir }}")["tomograms"]
        store = HTTPStore(found["httpsOmezarrDir"], client_options={"allow_http": True})
        self.array: Any = zarr.open_group(ObjectStore(store, read_only=True), mode="r")["0"]

    def __call__(self, places: Sequence[Array]) -> list[Array]:
        """Cut crops out."""
        boxes = (tuple(slice(int(n), int(n) + EDGE) for n in place) for place in places)
        return [np.asarray(self.array[box]) for box in boxes]


class Client:
    """Crops out of the file that the public client downloads first."""

    def __init__(self, url: str, source: Path) -> None:
        import cryoet_data_portal as portal

        os.environ["BOTO_ENDPOINT_URL"] = f"{url}/s3"
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        (self.tomogram,) = portal.Tomogram.find(portal.Client(url=f"{url}/graphql"))
        self.folder, self.download = source.parent.parent.parent, 0.0

    def __call__(self, places: Sequence[Array]) -> list[Array]:
        """Download, then cut crops out."""
        import mrcfile

        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            start = time.perf_counter()
            with Path(os.devnull).open("w", encoding="utf-8") as silent, Quiet(silent.fileno()):
                self.tomogram.download_mrcfile(dest_path=folder)
            self.download = time.perf_counter() - start
            (file,) = Path(folder).iterdir()
            with mrcfile.mmap(file) as volume:
                return [np.array(volume.data[tuple(slice(int(n), int(n) + EDGE) for n in p)]) for p in places]


class Quiet:
    """Keeps the client's progress bar off the screen."""

    def __init__(self, silent: int) -> None:
        self.silent = silent

    def __enter__(self) -> None:
        self.kept = os.dup(2)
        os.dup2(self.silent, 2)

    def __exit__(self, *_: object) -> None:
        os.dup2(self.kept, 2)
        os.close(self.kept)


def spread(cut: Callable[[Sequence[Array]], list[Array]], places: Array) -> list[Array]:
    """Cut crops in several threads."""
    shares = [places[n::THREADS] for n in range(THREADS)]
    found: list[Any] = [None] * len(places)
    with ThreadPoolExecutor(THREADS) as pool:
        for n, crops in enumerate(pool.map(cut, shares)):
            found[n::THREADS] = crops
    return found


def rate(cut: Callable[[], list[Array]], source: Path, places: Array) -> float:
    """Give crops per second, after comparing every one with the source."""
    read_through(source)
    start = time.perf_counter()
    crops = cut()
    seconds = time.perf_counter() - start
    header = read_header(source)
    true = np.memmap(source, header.dtype, "r", header.data_offset, header.file_shape)
    for crop, place in zip(crops, places, strict=True):
        if not np.array_equal(crop, true[tuple(slice(n, n + EDGE) for n in place)]):
            raise SystemExit(f"the crop at {place} is not that of the source")
    return len(places) / seconds


def main() -> None:
    """Measure all ways and print a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="512,1024,1024", help="z,y,x of the float32 tomogram (default: 2 GiB)")
    parser.add_argument("--quick", action="store_true", help="a small tomogram, 128 x 512 x 512")
    parser.add_argument("--crops", type=int, default=32, help="crops of one tomogram (default: 32)")
    parser.add_argument("--repeat", type=int, default=3, help="times each way is run; the medians are printed")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    options = parser.parse_args()
    z, y, x = (int(n) for n in ("128,512,512" if options.quick else options.shape).split(","))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        source = prepare(folder, (z, y, x), options.crops)
        taken(folder, "--in-place")
        with serving(folder / "--in-place") as url:
            places, ours, client = points_of(url), InPlace(url, source), Client(url, source)
            rates = {"in place": median(partial(spread, ours, places), source, places, options.repeat)}
            rates["client"] = median(partial(client, places), source, places, options.repeat)
        for way, version in (("OME-Zarr", "0.4"), ("OME-Zarr 0.5", "0.5")):
            taken(folder, "--copy", "--zarr", version)
            with serving(folder / "--copy") as url:
                image = OmeZarr(url, source)
                rates[way] = median(partial(spread, image, places), source, places, options.repeat)
    report(rates, client.download, (z, y, x), options.crops)


def prepare(folder: Path, shape: tuple[int, int, int], crops: int) -> Path:
    """Write a tomogram, points in it and a configuration."""
    source = folder / "source/TS_1/volume.mrc"
    source.parent.mkdir(parents=True)
    make_input(source, shape)
    places = np.random.default_rng(5).integers(0, [n - EDGE + 1 for n in shape], (crops, 3))
    source.with_name("points.csv").write_text("".join(f"{x},{y},{z}\n" for z, y, x in places.tolist()))
    (folder / "c.yaml").write_text(yaml.safe_dump(configuration()))
    return source


def taken(folder: Path, way: str, *words: str) -> None:
    """Take the tomogram in."""
    tomotheca("ingest", folder / "c.yaml", "--source", folder / "source", way, *words, "--root", folder / way)


def median(cut: Callable[[], list[Array]], source: Path, places: Array, repeat: int) -> float:
    """Give the median rate of several runs."""
    return float(np.median([rate(cut, source, places) for _ in range(repeat)]))


def report(rates: dict[str, float], download: float, shape: tuple[int, int, int], crops: int) -> None:
    """Print what was measured."""
    for way, per_second in rates.items():
        print(f"{way:12} {per_second:8.1f} crops/s   {per_second / rates['client']:5.1f} times the client's route")
    even = {way: round(download * r) for way, r in rates.items() if way != "client"}
    print(
        f"the client downloads for {download:.1f} s, as long as "
        + " and ".join(f"{n} crops {w}" for w, n in even.items())
    )
    ratios = {way: round(r / rates["client"], 2) for way, r in rates.items()}
    found = {"rates": {way: round(r, 1) for way, r in rates.items()}, "ratio": ratios, "even": even}
    print(json.dumps({"benchmark": "crops", "shape": shape, "crops": crops, **found}))


if __name__ == "__main__":
    main()
