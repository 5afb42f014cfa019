"""How many channels each group gets (paper, section 3.3), and which earlier groups it may read."""

from __future__ import annotations

from ccalib.errors import CcaError

SMALLEST_GROUP = 2


def group_sizes(channels: int, groups: int, k: float) -> tuple[int, ...]:
    """Sizes floor(M i^k / sum_j j^k) for i = 1 ... G, the rest to the last; k = 0 gives even groups.

    A group below two channels takes what it lacks from the last. M = 320, G = 5, k = 1.7 gives 8, 28, 56, 92, 136.

    Raises:
        CcaError: the last group can't give so much and stay the largest.
    """
    if groups < 1 or channels < SMALLEST_GROUP * groups:
        raise CcaError(
            f"groups: {groups} groups of at least {SMALLEST_GROUP} channels don't fit into {channels} channels"
        )
    if k < 0:
        raise CcaError(f"k: must be at least 0, not {k}")
    total = sum(i**k for i in range(1, groups + 1))
    sizes = [max(int(channels * i**k / total), SMALLEST_GROUP) for i in range(1, groups)]
    last = channels - sum(sizes)
    if last < max(sizes, default=SMALLEST_GROUP):
        raise CcaError(f"k: {k} leaves {last} channels for the last of {groups} groups of {channels} channels")
    return (*sizes, last)


def support(group: int, lag: int) -> int:
    """How many groups, from the first, group `group` (from 0) may read: lag 0 is the main model, 1 the auxiliary."""
    return max(group - lag, 0)
