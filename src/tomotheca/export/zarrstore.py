"""Array directories of the archive as the zarr library reads them. Importing zarr takes half a second: only who reads voxels does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest

from tomotheca.catalog.files import within
from tomotheca.errors import NotFoundError, StorageError
from tomotheca.export.reading import read_part

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer, BufferPrototype

    from tomotheca.catalog.catalog import Row
    from tomotheca.store.files import Files


class MembersStore(Store):
    """An array directory of the archive as zarr reads it: only what its list of members has."""

    supports_writes = supports_deletes = supports_listing = False

    def __init__(self, files: Files, entry: Row) -> None:
        super().__init__(read_only=True)
        self._files, self._entry = files, entry

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MembersStore) and other._entry["key"] == self._entry["key"]

    __hash__ = None  # type: ignore[assignment]  # a store is compared, never a key

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Give the bytes of a member, or None."""
        data = await asyncio.to_thread(self._read, key, byte_range)
        return None if data is None else prototype.buffer.from_bytes(data)

    def _read(self, key: str, part: ByteRequest | None) -> bytes | None:
        try:
            file = within(self._files, self._entry, self._entry["key"] + key)
        except NotFoundError:
            return None
        start, stop = 0, file.size
        match part:
            case RangeByteRequest():
                start, stop = part.start, min(part.end, stop)
            case OffsetByteRequest():
                start = part.offset
            case SuffixByteRequest():
                start = max(0, stop - part.suffix)
        return read_part(self._files, file, start, stop)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Give parts of several members."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Say whether there is such a member."""
        return await asyncio.to_thread(self._read, key, RangeByteRequest(0, 0)) is not None

    async def set(self, key: str, value: Any) -> None:
        """Refuse."""
        raise _closed(key)

    async def delete(self, key: str) -> None:
        """Refuse."""
        raise _closed(key)

    async def list(self) -> AsyncIterator[str]:
        """Refuse: nobody needs it."""
        raise _closed("")
        yield ""

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Refuse."""
        raise _closed(prefix)

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Refuse."""
        raise _closed(prefix)


def _closed(key: str) -> StorageError:
    return StorageError(f"{key or 'the archive'}: an archive that is served is read by name and never written")
