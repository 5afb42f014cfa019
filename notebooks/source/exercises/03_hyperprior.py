# %% [markdown]
# # Exercises 03 · The hyperprior
#
# Two exercises for [lesson 03](../03_hyperprior.ipynb): ★ takes about 5 minutes, ★★ about 15. Write your code where it
# says so. Each cell below it checks one property on random instances and prints a counterexample where it fails. Cells
# that you have not started say "not attempted", so you may run all cells at any time.

# %%
import math

import numpy as np
import torch

from ccalib.lessons.exercises import check

# %% [markdown]
# ## ★ How many classes?
#
# Section 1 of the lesson gave each block of latents one of K classes. `tables` is a list of NumPy arrays, one for each
# K that is tried. In a table with K columns, `table[b, c]` is the number of bits that the latents of block b cost when
# they are coded with class c. The label of a block costs log₂ K bits, and every block may choose.
#
# Which K is the cheapest, and how many bits does it take for all the blocks, labels included?

# %%
def best_classes(tables):
    """(K, bits): the best number of classes, and the bits of all latents and labels with it."""
    ### BEGIN SOLUTION
    totals = []
    for table in tables:
        blocks, k = table.shape
        totals.append((table.min(axis=1).sum() + blocks * np.log2(k), k))
    bits, k = min(totals)
    return k, bits
    ### END SOLUTION


# %%
check("best_classes", "one class", best_classes)

# %%
check("best_classes", "useless classes", best_classes)

# %%
check("best_classes", "brute force", best_classes)

# %% [markdown]
# ## ★★ The bits of a latent
#
# A latent that comes out as y stands for everything between y − ½ and y + ½. Under a normal distribution of the given
# mean and scale (its standard deviation) that interval has a probability P. Give the bits, −log₂ P, of every latent.
#
# All three arguments are tensors of one shape and of 64-bit floats. Training needs the gradient as well, also where a
# network was badly wrong: 10,000 from the mean, bits and gradient must still be right. There P is far below the
# smallest number that a computer knows, but its logarithm is an ordinary number. `torch.special.ndtr` is the
# cumulative normal distribution Φ, and `torch.special.log_ndtr` its logarithm, exact also where Φ itself is 0.

# %%
def bits(y, mean, scale):
    """Bits of each latent, the same shape as y."""
    ### BEGIN SOLUTION
    away = (y - mean).abs()  # the distribution is symmetric: take the side where both values of Φ are small
    upper = torch.special.log_ndtr((0.5 - away) / scale)
    lower = torch.special.log_ndtr((-0.5 - away) / scale)
    return -(upper + torch.log(-torch.expm1(lower - upper))) / math.log(2)
    ### END SOLUTION


# %%
check("bits", "sums to 1", bits)

# %%
check("bits", "symmetric", bits)

# %%
check("bits", "large scale", bits)

# %%
check("bits", "far away", bits)
