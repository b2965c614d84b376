"""GraphQL: a query is a few SQL statements."""

from tomotheca.api.graphql.http import PATH, Door, door_routes, routes
from tomotheca.api.graphql.service import GraphQL

__all__ = ["PATH", "Door", "GraphQL", "door_routes", "routes"]
