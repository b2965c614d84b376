import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomotheca.formats.reduce import Method, coverage, finished, halve

shapes = st.tuples(st.integers(1, 19), st.integers(1, 19), st.integers(1, 19))
steps = st.sampled_from([(2, 2, 2), (1, 2, 2), (2, 1, 2)])


def true_mean(volume: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Mean of all voxels in each block, counting only those that exist."""
    total, count = volume.astype("f8"), np.ones(volume.shape)
    for axis, factor in enumerate(factors):
        starts = np.arange(0, volume.shape[axis], factor)
        total, count = np.add.reduceat(total, starts, axis), np.add.reduceat(count, starts, axis)
    return total / count


def levels(volume: np.ndarray, step: tuple[int, int, int], method: Method, count: int) -> list[np.ndarray]:
    found = [volume]
    for level in range(count):
        full = tuple(f**level for f in step)
        found.append(halve(found[-1], coverage(volume.shape, full, found[-1].shape, step), method=method))
    return found


@given(shape=shapes, step=steps, dtype=st.sampled_from(["f4", "i2", "u1"]))
def test_every_level_is_the_true_mean_of_level_0(shape, step, dtype):
    volume = np.random.default_rng(sum(shape)).integers(0, 200, shape).astype(dtype)
    for level, found in enumerate(levels(volume, step, "mean", 4)):
        np.testing.assert_allclose(found, true_mean(volume, tuple(f**level for f in step)), rtol=1e-5)


@given(shape=shapes, step=steps)
def test_masks_follow_the_majority_of_level_0(shape, step):
    mask = np.random.default_rng(sum(shape)).integers(0, 2, shape).astype("i1")
    for level, found in enumerate(levels(mask, step, "majority", 4)):
        expected = true_mean(mask, tuple(f**level for f in step)) >= 0.5 - 1e-12
        np.testing.assert_array_equal(finished(found, "majority", np.dtype("i1")), expected)


@given(shape=shapes)
def test_labels_follow_the_commonest(shape):
    labels = np.random.default_rng(sum(shape)).integers(0, 4, shape).astype("u2")
    (found,) = levels(labels, (2, 2, 2), "mode", 1)[1:]
    for index in np.ndindex(found.shape):
        block = labels[tuple(slice(2 * i, 2 * i + 2) for i in index)]
        values, counts = np.unique(block, return_counts=True)
        assert found[index] == values[counts == counts.max()].max()


def test_a_mask_one_voxel_thick_is_not_dilated():
    mask = np.zeros((8, 8, 8), np.int8)
    mask[3] = 1
    one, two = levels(mask, (2, 2, 2), "majority", 2)[1:]
    assert finished(one, "majority", np.dtype("i1")).sum() == 16
    assert finished(two, "majority", np.dtype("i1")).sum() == 0


@pytest.mark.parametrize(("values", "expected"), [([1.4, 1.5, 2.5], [1, 2, 2]), ([-0.6, 0.2, 3], [-1, 0, 3])])
def test_integers_are_rounded_not_cut(values, expected):
    assert finished(np.array(values, "f4"), "mean", np.dtype("i2")).tolist() == expected
