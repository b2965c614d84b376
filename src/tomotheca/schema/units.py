"""Quantities of the field: the unit and the bounds live in the type."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le

from tomotheca.schema.markers import Unit

Angstrom = Annotated[float, Unit("Å")]
Spacing = Annotated[float, Ge(0.001), Unit("Å")]
PixelSpacing = Annotated[float, Ge(0.001), Unit("Å/px")]
Degrees = Annotated[float, Unit("°")]
AxisAngle = Annotated[float, Ge(-360), Le(360), Unit("°")]
TiltAngle = Annotated[float, Ge(-90), Le(90), Unit("°")]
TiltStep = Annotated[float, Ge(0), Le(90), Unit("°")]
Radians = Annotated[float, Unit("rad")]
Volts = Annotated[int, Ge(20000), Unit("V")]
Millimetres = Annotated[float, Ge(0), Unit("mm")]
Dose = Annotated[float, Ge(0), Unit("e⁻/Å²")]
DoseRate = Annotated[float, Gt(0), Unit("e⁻/Å²/s")]
Percent = Annotated[float, Ge(0), Le(100), Unit("%")]
Voxels = Annotated[int, Unit("px")]
Binning = Annotated[float, Ge(0)]
Count = Annotated[int, Ge(0)]
