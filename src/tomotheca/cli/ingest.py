"""`tomotheca ingest`."""


def ingest() -> None:
    """Say that it is not there yet."""
    raise NotImplementedError
