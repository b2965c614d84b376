"""Where a desk may lie: on a local disk, since SQLite's write-ahead log needs memory that two processes share."""

from __future__ import annotations

import re
from pathlib import Path

from tomotheca.errors import SettingsError

NETWORK = {
    "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs", "pvfs2",
    "orangefs", "davfs", "fuse.sshfs", "fuse.s3fs", "fuse.goofys", "fuse.rclone", "fuse.glusterfs", "fuse.ceph", "fuse.davfs2", "fuse.gcsfuse",
    "fuse.mount-s3", "fuse.cvmfs2", "fuse.juicefs",
}  # fmt: skip
MOUNTS = Path("/proc/mounts")


def refuse_network(path: Path, *, mounts: Path = MOUNTS) -> None:
    """See that a database may lie at a path.

    Raises
    ------
    SettingsError
        If its file system is one of the network.
    """
    if (kind := file_system(path, mounts=mounts)) in NETWORK:
        message = (
            f"{path} lies on a network file system ({kind}), where SQLite's write-ahead log can lose data: "
            "set TOMOTHECA_STATE to a folder on a local disk"
        )
        raise SettingsError(message)


def file_system(path: Path, *, mounts: Path = MOUNTS) -> str:
    """Give the type of the file system that a path lies on; empty where the system does not say."""
    try:
        text = mounts.read_text(errors="surrogateescape")
    except OSError:
        return ""
    real = path.absolute().resolve()
    best, kind = Path(), ""
    for line in text.splitlines():
        _, point, found, *_ = line.split(" ", 3)
        mount = Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), point))
        if real.is_relative_to(mount) and len(mount.parts) >= len(best.parts):
            best, kind = mount, found
    return kind
