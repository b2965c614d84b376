"""Where an archive is: the one place that chooses between a folder and an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from tomotheca.settings import Settings
    from tomotheca.store.files import Files


def open_files(settings: Settings) -> Files:
    """Give the files of the archive that the settings name; it need not exist.

    Raises
    ------
    SettingsError
        If the archive is named by an address that cannot be used.
    """
    if not settings.archive_is_remote:
        return LocalFiles(settings.archive_folder)
    from tomotheca.store.objects import ObjectFiles  # noqa: PLC0415 - only for those who have one

    return ObjectFiles(settings.archive_name, endpoint=settings.archive_endpoint, lock_folder=settings.state_folder)
