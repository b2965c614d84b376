"""GraphQL: a query is a few SQL statements."""

from tomotheca.api.graphql.http import PATH, Door, page_routes, routes
from tomotheca.api.graphql.service import GraphQL

__all__ = ["PATH", "Door", "GraphQL", "page_routes", "routes"]
