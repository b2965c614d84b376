"""The REST interface: addresses, parameters, answers and their description, all derived from the schema."""

from tomotheca.api.rest.routes import routes

__all__ = ["routes"]
