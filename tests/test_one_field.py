"""A field is declared once, in the schema: one that is added there is everywhere, and nothing else had to know of it."""

from __future__ import annotations

from typing import Annotated, ClassVar

import sqlalchemy as sa
from annotated_types import Gt
from graphql import GraphQLInputObjectType, GraphQLObjectType

from tomotheca.api.graphql import types
from tomotheca.catalog import tables
from tomotheca.catalog.catalog import connect
from tomotheca.catalog.query import Compiler
from tomotheca.catalog.viewer import CURATOR
from tomotheca.schema import Context, Schema
from tomotheca.schema.configuration import configuration
from tomotheca.schema.core import Document, Entity
from tomotheca.schema.markers import Drawer, Facet, Unit
from tomotheca.schema.reference import json_schema, table
from tomotheca.web.filters import registry
from tomotheca.web.values import sections


class Scratch(Document, Entity):
    """A run with one more field."""

    kind: ClassVar = "run"
    root: ClassVar = "runs"
    title: ClassVar = "Run"
    filename: ClassVar = "run_metadata.json"

    ice_thickness: Annotated[
        float, Gt(0), Unit("nm"), Drawer("Specimen", "Ice thickness"), Facet("Ice (nm)", "ice", "Sample", "F99")
    ]
    """Thickness of the ice."""


SCHEMA = Schema([Scratch])
NAME = "ice_thickness"
DOCUMENT = {"id": 7, NAME: 150}


def test_it_is_in_the_configuration_and_the_json_schema() -> None:
    assert NAME in configuration(Scratch).model_fields
    assert json_schema(Scratch)["properties"][NAME]["exclusiveMinimum"] == 0


def test_it_goes_from_the_document_into_sql_and_can_be_asked_for() -> None:
    made = tables.build(SCHEMA)
    engine = connect("sqlite://")
    rows = list(SCHEMA.rows(Scratch, DOCUMENT, Context(key="1/R/run_metadata.json")))
    assert rows == [("run", {"id": 7, NAME: 150.0})]
    with engine.begin() as connection:
        made.metadata.create_all(connection)
        connection.execute(made.kinds["run"].insert(), [{**rows[0][1], "_owner": 1}])
        ask = Compiler(SCHEMA, made, CURATOR, {"s3": "", "https": ""})
        run = ask.table("run")
        wanted = (
            sa.select(run.c[NAME])
            .where(*ask.where("run", run, {NAME: {"_gt": 100}}))
            .order_by(*ask.order("run", run, [(NAME, "desc")]))
        )
        assert connection.execute(wanted).scalars().all() == [150.0]


def test_it_is_in_the_graphql_type_and_its_inputs() -> None:
    built = types.build(SCHEMA)
    run, where, order = (built.type_map[name] for name in ("Run", "RunWhereClause", "RunOrderByClause"))
    assert isinstance(run, GraphQLObjectType)
    assert str(run.fields["iceThickness"].type) == "Float!"
    for given in (where, order):
        assert isinstance(given, GraphQLInputObjectType)
        assert "iceThickness" in given.fields


def test_it_is_in_the_drawer_the_filter_panel_and_the_documentation() -> None:
    found = sections(SCHEMA.columns("run"), {NAME: 150.0})["Specimen"]
    assert [(f.label, f.values[0].pieces[0].text) for f in found] == [("Ice thickness", "150\u00a0nm")]
    ice = next(f for f in registry(SCHEMA, "run") if f.parameter == "ice")
    assert ice.clause([ice.parse(">=100")]) == {NAME: {"_gte": 100}}
    assert any("`ice_thickness`" in line and "nm" in line for line in table(SCHEMA, Scratch))
