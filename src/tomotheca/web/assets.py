"""Where templates find static files, and whether the viewer was built."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode

STATIC = Path(__file__).parent / "static"
VENDOR = STATIC / "vendor"
VIEWER = VENDOR / "viewer"

STATIC_URL = "/static/"
VIEWER_URL = "/viewer/"

PAGE_CSP = "default-src 'self'"
"""Policy of every page but the viewer's frame."""

VIEWER_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'self'"
)
"""Policy of everything below ``VIEWER_URL``: its workers compile WebAssembly, its widgets set inline styles."""


def url(name: str) -> str:
    """Return the address of a static file, which changes when the file does.

    ``name`` is relative to the static folder: ``app.css``, ``vendor/htmx.min.js``. A file that was not built
    (see ``is_built``) has its plain address.
    """
    path = STATIC / name
    if not path.is_file():
        return STATIC_URL + name
    return f"{STATIC_URL}{name}?v={_digest(path, path.stat().st_mtime_ns)}"


def is_built() -> bool:
    """Tell whether the browser assets, and with them the viewer, are part of this installation."""
    return (VIEWER / "index.html").is_file()


def viewer_url(state_path: str) -> str:
    """Return the address of the viewer's frame showing the state at ``state_path`` (a path on this site)."""
    return f"{VIEWER_URL}?{urlencode({'state': state_path})}"


@cache
def _digest(path: Path, modified_ns: int) -> str:
    return sha256(path.read_bytes()).hexdigest()[:12]
