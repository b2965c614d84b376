"""Settings that are tables: weights of completeness, and pages of terms."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


def table(value: Any) -> Any:
    """Read a table that stands in the environment, where it is JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        message = 'write a JSON object, such as {"name": "value"}'
        raise ValueError(message) from error


class Weights(BaseModel):
    """What each thing that a run may hold counts for when it is said how complete the run is."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    frames: int = Field(20, ge=0)
    """Raw frames."""

    gain: int = Field(5, ge=0)
    """Gain reference, or frames that are corrected."""

    mdoc: int = Field(10, ge=0)
    """File of the acquisition."""

    tilt_series: int = Field(15, ge=0)
    """Tilt series."""

    angles: int = Field(5, ge=0)
    """List of the tilt angles."""

    dose: int = Field(10, ge=0)
    """Dose of sections."""

    ctf: int = Field(10, ge=0)
    """Defocus of sections."""

    alignment: int = Field(10, ge=0)
    """Alignment of the tilt series."""

    tomogram: int = Field(10, ge=0)
    """Tomogram."""

    annotation: int = Field(5, ge=0)
    """Annotation."""

    @model_validator(mode="after")
    def _weigh_something(self) -> Self:
        if not self.total:
            message = "give at least one weight above 0"
            raise ValueError(message)
        return self

    @property
    def total(self) -> int:
        """What a complete run has."""
        return sum(dict(self).values())

    def __str__(self) -> str:
        """Write the weights as they may stand in the environment."""
        return json.dumps(dict(self))


PLACES = frozenset({"id", "prefix", "accession"})
"""What a template of links may have in braces."""


def templates(given: Mapping[str, str]) -> dict[str, str]:
    """See that templates of links can be used; prefixes are in capitals from here on."""
    for prefix, template in given.items():
        if not re.fullmatch(r"[A-Za-z]+", prefix):
            message = f"{prefix}: a prefix is made of letters"
            raise ValueError(message)
        if not re.match(r"https?://[^/?#\s{}]+[/?#]", template) or re.search(r"\s", template):
            message = f"{prefix}: a link begins with https:// or http:// and a host"
            raise ValueError(message)
        if not _fills_in(template):
            message = f"{prefix}: a link has {{id}}, {{accession}} or {{prefix}} in it, and nothing else in braces"
            raise ValueError(message)
    return {prefix.upper(): template for prefix, template in given.items()}


def _fills_in(template: str) -> bool:
    try:
        parts = [part[1:] for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError:
        return False
    return bool(parts) and all(name in PLACES and not form and not turned for name, form, turned in parts)
