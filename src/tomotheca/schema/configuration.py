"""The `metadata` block of an ingest configuration: the document model without what ingest computes, and strict."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.fields import FieldInfo

from tomotheca.schema.core import fields, is_block, unwrap
from tomotheca.schema.markers import Computed

TEMPLATE = re.compile(r"^(?:(float|int) )?(.*\{[^{}]+\}.*)$", re.DOTALL)
"""A value that is filled in for each run: ``{column}``, ``float {column}``, ``int {column}``."""


class Strict(BaseModel):
    """A block of a configuration: every key must be known."""

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True, populate_by_name=False, defer_build=True
    )


@cache
def configuration(model: type[BaseModel]) -> type[BaseModel]:
    """Derive the strict model of a configuration's metadata from a document model.

    Every field is there that is not marked `Computed`, with the same name in the file, bounds and default, in nested
    blocks too.
    """
    taken = fields(model)
    computed = {name for name, f in taken.items() if Computed in f.markers}
    parts: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if (info.alias or name) not in computed:
            parts[name] = (_strict(info.annotation), _copy(info))
    return create_model(f"{model.__name__}Configuration", __base__=Strict, **parts)


def nested(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Give the model of the block, or of the items of the list, that stands under a name; None for a scalar."""
    info = next((i for n, i in model.model_fields.items() if (i.alias or n) == name), None)
    if info is None:
        return None
    kind, _, _ = unwrap(info.annotation)
    if get_origin(kind) in {list, tuple, dict}:
        kind = unwrap(get_args(kind)[-1] if get_origin(kind) is dict else get_args(kind)[0])[0]
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def names(model: type[BaseModel]) -> list[str]:
    """List the keys that a block may have."""
    return [info.alias or name for name, info in model.model_fields.items()]


def _copy(info: FieldInfo) -> FieldInfo:
    """Keep bounds, alias and default of a field; its annotation is given beside it."""
    copied = FieldInfo.merge_field_infos(info)
    copied.annotation = None
    return copied


def _strict(annotation: Any) -> Any:
    """Replace every block inside an annotation by its strict form."""
    if is_block(annotation):
        return configuration(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[(_strict(arguments[0]), *arguments[1:])]
    if origin in {Union, types.UnionType}:
        return reduce(or_, (_strict(a) for a in arguments))
    if origin is list:
        return list[_strict(arguments[0])]  # type: ignore[misc]  # made at run time
    return annotation


# --- liberties: what configurations may say otherwise than documents -----------------------------------------------------


def fiducials(metadata: dict[str, Any]) -> None:
    """`fiducial_alignment_status` may be true or false."""
    words = {True: "FIDUCIAL", False: "NON_FIDUCIAL", "true": "FIDUCIAL", "false": "NON_FIDUCIAL"}
    value = metadata.get("fiducial_alignment_status")
    lowered = value.lower() if isinstance(value, str) else value
    if isinstance(lowered, bool | str) and lowered in words:
        metadata["fiducial_alignment_status"] = words[lowered]


def visibility(metadata: dict[str, Any]) -> None:
    """`visibility` may be a single word."""
    value = metadata.get("visibility")
    if isinstance(value, str):
        metadata["visibility"] = {"state": value}


def version(metadata: dict[str, Any]) -> None:
    """`version` of an annotation may be a number; it is a word in file names."""
    value = metadata.get("version")
    if isinstance(value, int | float) and not isinstance(value, bool):
        metadata["version"] = str(float(value) if isinstance(value, int) else value)


def size(metadata: dict[str, Any]) -> None:
    """`size` of a tomogram may be given; the file says it."""
    metadata.pop("size", None)


LIBERTIES: Mapping[str, tuple[Callable[[dict[str, Any]], None], ...]] = {
    "tomogram": (fiducials, size),
    "annotation": (version,),
    "dataset": (visibility,),
    "deposition": (visibility,),
}
"""By kind of entity, in the order they are taken."""


def relaxed(kind: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Give a copy of a metadata block in which the liberties of its kind are written out."""
    written = dict(metadata)
    for liberty in LIBERTIES.get(kind, ()):
        liberty(written)
    return written
