# %% [markdown]
# # Exercises 01 · Transforms
#
# Two exercises for [lesson 01](../01_transforms.ipynb): ★ takes about 5 minutes, ★★ about 15. Write your code where it
# says so. Each cell below it checks one property on random instances and prints a counterexample where it fails.
# Cells that you have not started say "not attempted", so you may run all cells at any time.

# %%
import numpy as np
import torch

from ccalib.lessons.exercises import check

# %% [markdown]
# ## ★ The KLT
#
# `patches` is an array of n rows, one patch of d values in each. Return two arrays:
#
# - `basis`, M×d: the M directions in which the patches vary most, as rows, the strongest first;
# - `mean`, d values: the mean patch.
#
# The coefficients of the patches are then `(patches - mean) @ basis.T`. Use `np.linalg.eigh`.

# %%
def klt(patches, M):
    """The M leading principal components of the patches, as rows, and their mean."""
    ### BEGIN SOLUTION
    mean = patches.mean(axis=0)
    centered = patches - mean
    values, vectors = np.linalg.eigh(centered.T @ centered / len(patches))  # from small to large
    return vectors[:, ::-1][:, :M].T, mean
    ### END SOLUTION


# %%
check("klt", "orthonormal", klt)

# %%
check("klt", "decorrelated", klt)

# %%
check("klt", "error", klt)

# %% [markdown]
# ## ★★ The receptive field, measured
#
# `net` takes images of 1×3×size×size and gives B×C×h×w. Which pixels of its input does **one** position of its output
# depend on? They fill a square. Return the length of its side, in pixels.
#
# Don't look inside `net`: ask it. A pixel that matters has a gradient that is not zero.

# %%
def receptive_field(net, size):
    """Side of the square of input pixels that one output position in the middle depends on."""
    ### BEGIN SOLUTION
    x = torch.randn(1, 3, size, size, requires_grad=True)
    y = net(x)
    y[0, :, y.shape[2] // 2, y.shape[3] // 2].sum().backward()
    rows = torch.nonzero(x.grad.abs().sum(dim=(0, 1, 3)))
    return int(rows.max() - rows.min()) + 1
    ### END SOLUTION


# %%
check("receptive_field", "convolutions", receptive_field)

# %%
check("receptive_field", "gate", receptive_field)

# %%
check("receptive_field", "attention", receptive_field)
