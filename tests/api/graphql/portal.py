"""An application with nothing but GraphQL, for granian: the catalogue is named in the environment."""

from __future__ import annotations

import os

from starlette.applications import Starlette

from tomotheca.api.graphql import GraphQL
from tomotheca.api.graphql.http import service_routes
from tomotheca.catalog.catalog import Catalog
from tomotheca.settings import Settings

app = Starlette(
    routes=service_routes(
        GraphQL(Catalog(os.environ["CATALOG"], public_url="http://portal.test", bucket="lab"), Settings())
    )
)
