"""GraphQL: a query is a few SQL statements."""

from tomotheca.api.graphql.http import routes
from tomotheca.api.graphql.service import GraphQL

__all__ = ["GraphQL", "routes"]
