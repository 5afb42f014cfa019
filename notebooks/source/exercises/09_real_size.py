# %% [markdown]
# # Exercises 09 · The real size
#
# Two exercises for [lesson 09](../09_real_size.ipynb): ★ takes about 5 minutes, ★★ about 15. Write your code where it
# says so. Each cell below it checks one property on random instances and prints a counterexample where it fails. Cells
# that you have not started say "not attempted", so you may run all cells at any time.

# %%
import numpy as np

from ccalib.lessons.exercises import check

# %% [markdown]
# ## ★ The work of a stack of layers
#
# `layers` is a list of convolutions, the first of which reads the photograph. Each is a tuple
#
# `(kind, inputs, outputs, kernel, stride, groups)`
#
# - `kind` is `"conv"`, which divides height and width by `stride`, or `"transposed"`, which multiplies them by it;
# - `kernel` is the side of the kernel;
# - with `groups`, the channels are split into as many parts, and each output channel reads the inputs of its part only
#   (groups = inputs is a depthwise convolution).
#
# Return **thousands of multiplications for each pixel of the photograph**. A convolution multiplies at each of its
# output positions; in a transposed one, each *input* position meets every weight once. Heights and widths divide as
# they should, and borders count like the rest. Your number is compared with hooks on the real layers.

# %%
def kmac(layers):
    """Thousands of multiply-accumulates of a stack of convolutions for each pixel of the photograph."""
    ### BEGIN SOLUTION
    total, pixels = 0, 1  # pixels of the photograph for each position of the present layer's input
    for kind, inputs, outputs, kernel, stride, groups in layers:
        weights = kernel * kernel * (inputs // groups) * outputs
        if kind == "conv":
            pixels *= stride**2
            total += weights / pixels
        else:
            total += weights / pixels
            pixels /= stride**2
    return total / 1000
    ### END SOLUTION


# %%
check("kmac", "strides", kmac)

# %%
check("kmac", "groups", kmac)

# %%
check("kmac", "transposed", kmac)

# %%
check("kmac", "mirror", kmac)

# %% [markdown]
# ## ★★ A sum that does not depend on its order
#
# 0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1, if they are floats. In a decoder that is enough to lose a picture. Write a
# sum that has the same bits in every order: round each of `values` to the nearest multiple of `step` (a power of two),
# and add the rounded ones as 64-bit floats.
#
# Why does that work? A 64-bit float holds every whole number up to 2⁵³. As long as no partial sum, in whatever order,
# is over 2⁵³ steps, every addition is exact. That is sure if the absolute values of all rounded numbers add up to at
# most 2⁵³ steps. If they don't, raise a `ValueError`.

# %%
def grid_sum(values, step):
    """Sum of the values, each rounded to a multiple of step; a ValueError if some order might not be exact."""
    ### BEGIN SOLUTION
    steps = np.round(np.asarray(values, dtype=np.float64) / step)
    if sum(abs(int(n)) for n in steps) > 2**53:
        raise ValueError("more than 2**53 steps: the sum would depend on its order")
    return float(steps.sum() * step)
    ### END SOLUTION


# %%
check("grid_sum", "any order", grid_sum)

# %%
check("grid_sum", "on the grid", grid_sum)

# %%
check("grid_sum", "error", grid_sum)

# %%
check("grid_sum", "too full", grid_sum)
