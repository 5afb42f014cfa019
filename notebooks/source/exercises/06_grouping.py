# %% [markdown]
# # Exercises 06 · Uneven grouping
#
# Two exercises for [lesson 06](../06_grouping.ipynb): ★ takes about 5 minutes, ★★ about 15. Write your code where it
# says so. Each cell below it checks one property on random instances and prints a counterexample where it fails. Cells
# that you have not started say "not attempted", so you may run all cells at any time.

# %%
from ccalib.lessons.exercises import check

# %% [markdown]
# ## ★ The schedule
#
# M channels in G groups. Group i, from 1 to G − 1, gets M·iᵏ / (1ᵏ + 2ᵏ + … + Gᵏ) channels, rounded down; the last
# group gets what is left. Return the G sizes. If a group would be left without a channel, raise a `ValueError` instead.
#
# (The package is more helpful: it takes channels from the last group. Here an empty group is an error.)

# %%
def group_sizes(M, G, k):
    """Channels of each group, first to last; a ValueError if one is empty."""
    ### BEGIN SOLUTION
    total = sum(i**k for i in range(1, G + 1))
    sizes = [int(M * i**k / total) for i in range(1, G)]
    sizes.append(M - sum(sizes))
    if min(sizes) < 1:
        raise ValueError(f"an empty group: {sizes}")
    return sizes
    ### END SOLUTION


# %%
check("group_sizes", "sum", group_sizes)

# %%
check("group_sizes", "released sizes", group_sizes)

# %%
check("group_sizes", "order", group_sizes)

# %%
check("group_sizes", "empty group", group_sizes)

# %% [markdown]
# ## ★★ What does a context cost?
#
# `sizes` are the channels of the groups, in the order of decoding (not always rising). Every group has a context of the
# shape that `small` has. For a group of s channels it runs, at every position of the latent:
#
# 1. a 1×1 convolution from all that it reads to 80 channels: it reads the hyper output (128 channels) and all earlier
#    groups;
# 2. two blocks, each a 3×3 convolution from 80 to 80 channels and then a 1×1 from 80 to 80;
# 3. the head: a 3×3 convolution from 80 to 80, and a 3×3 from 80 to 2s (a mean and a scale for each channel);
# 4. the residual's head: a 3×3 convolution from 80 + s (the trunk and the group's rounded channels) to 80, and a 3×3
#    from 80 to s.
#
# Count multiplications: a convolution of n×n from a to b channels takes n·n·a·b at each position. Return for every
# group **thousands of multiplications for each pixel of the photograph**; a position stands for 16×16 pixels. (Leave
# out what is no convolution.) Your numbers are compared with hooks on the real networks.

# %%
def context_kmac(sizes):
    """Thousands of multiply–accumulates a pixel of each group's context."""
    ### BEGIN SOLUTION
    found, seen = [], 0
    for s in sizes:
        macs = 80 * (128 + seen) + 2 * (9 + 1) * 80**2
        macs += 9 * (80 * 80 + 80 * 2 * s)
        macs += 9 * ((80 + s) * 80 + 80 * s)
        found.append(macs / (16 * 16) / 1000)
        seen += s
    return found
    ### END SOLUTION


# %%
check("context_kmac", "one group", context_kmac)

# %%
check("context_kmac", "hooks", context_kmac)

# %%
check("context_kmac", "earlier groups", context_kmac)
