"""`tomotheca check`."""


def check() -> None:
    """Say that it is not there yet."""
    raise NotImplementedError
