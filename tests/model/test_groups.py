import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccalib import CcaError
from ccalib.model.groups import group_sizes, support


def test_released_sizes():
    assert group_sizes(320, 5, 1.7) == (8, 28, 56, 92, 136)
    assert group_sizes(192, 5, 1.7) == (5, 16, 33, 55, 83)
    assert group_sizes(96, 5, 1.7) == (2, 8, 16, 27, 43)


def test_even_groups():
    assert group_sizes(320, 5, 0) == (64,) * 5


@given(st.integers(2, 400), st.integers(1, 12), st.floats(0, 3))
def test_any_schedule_is_sound_or_refused(channels, groups, k):
    try:
        sizes = group_sizes(channels, groups, k)
    except CcaError:
        return
    assert sum(sizes) == channels and len(sizes) == groups
    assert min(sizes) >= 2
    assert list(sizes[:-1]) == sorted(sizes[:-1]) and sizes[-1] >= sizes[-2:][0]


def test_a_group_below_two_channels_takes_from_the_last():
    plain = [int(64 * i**2.5 / sum(j**2.5 for j in range(1, 6))) for i in range(1, 6)]
    assert plain[0] == 0  # the formula alone would leave the first group empty
    assert group_sizes(64, 5, 2.5)[0] == 2


@pytest.mark.parametrize("channels, groups, k", [(8, 5, 0), (10, 5, -1), (4, 0, 1)])
def test_impossible_schedules_are_refused(channels, groups, k):
    with pytest.raises(CcaError):
        group_sizes(channels, groups, k)


def test_support():
    assert [support(i, 0) for i in range(5)] == [0, 1, 2, 3, 4]
    assert [support(i, 1) for i in range(5)] == [0, 0, 1, 2, 3]
