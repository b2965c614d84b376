"""The pages: what the catalogue knows, drawn for people, and the same as JSON."""

from tomotheca.web.errors import error_page

__all__ = ["error_page"]
