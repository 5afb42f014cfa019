# %% [markdown]
# # Exercises 08 · Judging a codec
#
# Two exercises for [lesson 08](../08_judging.ipynb): ★ takes about 5 minutes, ★★ about 15. Write your code where it
# says so. Each cell below it checks one property on random instances and prints a counterexample where it fails. Cells
# that you have not started say "not attempted", so you may run all cells at any time.

# %%
import numpy as np
from scipy.interpolate import PchipInterpolator

from ccalib.lessons.exercises import check

# %% [markdown]
# ## ★ The figures of a set
#
# A network has decoded some photographs. Return the two numbers of the set: bits per pixel, and PSNR in dB. You get
# three lists, one entry for each photograph:
#
# - `originals`: arrays H×W×3 of whole numbers from 0 to 255 (`uint8`);
# - `decoded`: arrays of floats, as they come from the network. They are padded to the right and at the bottom, so they
#   are at least as large as the originals. 0 is black and 1 is white; some values lie beyond.
# - `files`: the bytes of the files.
#
# Pixels that were padded don't count. What is judged is a picture of 8 bits. And a set's figures are means over its
# photographs.

# %%
def figures_of_set(originals, decoded, files):
    """Mean bits per pixel and mean PSNR (dB) of a set."""
    ### BEGIN SOLUTION
    rates, qualities = [], []
    for original, values, data in zip(originals, decoded, files):
        height, width, _ = original.shape
        picture = np.round(255 * np.clip(values[:height, :width], 0, 1))
        error = np.mean((original.astype(float) - picture) ** 2)
        rates.append(8 * len(data) / (height * width))
        qualities.append(10 * np.log10(255**2 / error) if error > 0 else np.inf)
    return np.mean(rates), np.mean(qualities)
    ### END SOLUTION


# %%
check("figures_of_set", "one photograph", figures_of_set)

# %%
check("figures_of_set", "eight bits", figures_of_set)

# %%
check("figures_of_set", "set", figures_of_set)

# %% [markdown]
# ## ★★ BD-rate
#
# `anchor` and `test` are lists of points (bits per pixel, dB) in any order, at least four each. Return the BD-rate of
# the test against the anchor in percent: below 0 where the test needs fewer bits.
#
# `PchipInterpolator(x, y)` draws the line through points with rising x; it can be called, and it has a method
# `integrate(low, high)`. Where the curves share no decibels there is no answer: raise a `ValueError`.

# %%
def bd_rate(anchor, test):
    """BD-rate of the test against the anchor, in percent."""
    ### BEGIN SOLUTION
    def line(curve):
        quality, log_rate = np.array(sorted((db, np.log10(rate)) for rate, db in curve)).T
        return PchipInterpolator(quality, log_rate), quality[0], quality[-1]

    (a, low_a, high_a), (b, low_b, high_b) = line(anchor), line(test)
    low, high = max(low_a, low_b), min(high_a, high_b)
    if low >= high:
        raise ValueError("the curves share no decibels")
    difference = (b.integrate(low, high) - a.integrate(low, high)) / (high - low)
    return 100 * (10**difference - 1)
    ### END SOLUTION


# %%
check("bd_rate", "itself", bd_rate)

# %%
check("bd_rate", "factor", bd_rate)

# %%
check("bd_rate", "antisymmetric", bd_rate)

# %%
check("bd_rate", "library", bd_rate)

# %%
check("bd_rate", "no overlap", bd_rate)
