"""The server that the tests of this folder share."""

from tests.api.conftest import curator, http, server, world

__all__ = ["curator", "http", "server", "world"]
