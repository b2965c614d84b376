"""Angles of RELION and back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tomotheca.formats.relion import euler_to_matrices
from tomotheca.formats.relionwrite import matrices_to_euler

ANGLE = st.sampled_from([0.0, 90.0, 180.0, -180.0, 1e-9]) | st.floats(-180, 180)


@given(st.lists(st.tuples(ANGLE, ANGLE, ANGLE), min_size=1, max_size=20))
def test_60_every_rotation_comes_back(angles: list[tuple[float, float, float]]) -> None:
    matrices = euler_to_matrices(np.array(angles))
    found = matrices_to_euler(matrices)
    assert ((found[:, 1] >= 0) & (found[:, 1] <= 180)).all()
    np.testing.assert_allclose(euler_to_matrices(found), matrices, atol=1e-6)
