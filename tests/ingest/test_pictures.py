"""Key photos from elsewhere: a bucket's copy, a web address, and neither."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.api.serving import run_cli

SNAPSHOT = "10900/Images/snapshot.png"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """Address of a server with one picture."""
    folder = tmp_path / "web"
    folder.mkdir()
    picture(folder / "photo.png", "red")
    (folder / "big.png").write_bytes(bytes(1000))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, directory=str(folder), **named)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def picture(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (400, 300), colour).save(path)


def photo(lab: Any, address: str) -> None:
    lab.config["dataset_keyphotos"] = [{"sources": [{"literal": {"value": {"snapshot": address, "thumbnail": None}}}]}]


def ingest(lab: Any, *words: object, code: int = 0) -> str:
    root = lab.folder / "portal"
    done = run_cli(
        "ingest", lab.save(), "--source", lab.folder / "source", "--no-index", "--root", root, *map(str, words)
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def colour(lab: Any) -> tuple[int, ...]:
    with Image.open(lab.folder / "portal/archive" / SNAPSHOT) as image:
        found = image.convert("RGB").getpixel((5, 5))
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize("address", ["photos-bucket/a/b.png", "s3://photos-bucket/a/b.png"])
def test_a_copy_of_a_bucket(lab: Any, address: str) -> None:
    picture(lab.folder / "copy/a/b.png", "blue")
    photo(lab, address)
    said = ingest(lab)
    assert "give --bucket photos-bucket=FOLDER" in " ".join(said.split())
    ingest(lab, "--bucket", f"photos-bucket={lab.folder / 'copy'}")
    assert colour(lab) == (0, 0, 255)


def test_nothing_outside_of_the_copy_is_taken(lab: Any) -> None:
    picture(lab.folder / "secret.png", "blue")
    (lab.folder / "copy").mkdir()
    photo(lab, "photos-bucket/../secret.png")
    said = ingest(lab, "--bucket", f"photos-bucket={lab.folder / 'copy'}")
    assert "leads out of" in " ".join(said.split())


def test_a_bucket_that_is_none_is_refused(lab: Any) -> None:
    assert "NAME=FOLDER" in ingest(lab, "--bucket", "photos", code=2)


def test_a_web_address_is_fetched_once_and_only_if_asked(lab: Any, web: str) -> None:
    photo(lab, f"{web}/photo.png")
    assert "give --fetch to have it fetched" in " ".join(ingest(lab).split())
    ingest(lab, "--fetch")
    assert colour(lab) == (255, 0, 0)
    (Path(lab.folder) / "web/photo.png").unlink()
    ingest(lab, "--fetch")
    assert colour(lab) == (255, 0, 0)


def test_what_cannot_be_fetched_is_a_note(lab: Any, web: str) -> None:
    photo(lab, f"{web}/none.png")
    said = " ".join(ingest(lab, "--fetch").split())
    assert "cannot be fetched: HTTP Error 404" in said
    assert (lab.folder / "portal/archive" / SNAPSHOT).exists()


def test_what_is_no_picture_is_refused(lab: Any, web: str) -> None:
    photo(lab, f"{web}/big.png")
    assert "big.png" in ingest(lab, "--fetch", code=1)
