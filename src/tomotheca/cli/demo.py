"""`tomotheca demo`."""


def demo() -> None:
    """Say that it is not there yet."""
    raise NotImplementedError
