# %% [markdown]
# # Exercises 05 · The CCA loss
#
# Two exercises for [lesson 05](../05_cca_loss.ipynb): ★ takes about 5 minutes, ★★★ about 40. Write your code where it
# says so. Each cell below it checks one property on random instances and prints a counterexample where it fails. Cells
# that you have not started say "not attempted", so you may run all cells at any time.

# %%
import numpy as np
import torch

from ccalib.lessons.exercises import check

# %% [markdown]
# ## ★ The gain of two arrows
#
# x is a pair of numbers, normally distributed with covariance `C` (2×2). Two arrows, the rows of `A`, read it: y = A x.
# At a fine step the gain I(ŷ₁; ŷ₂) is that of the readings themselves, I(y₁; y₂). Return it in bits.
#
# The entropy of a normal distribution with covariance S is ½ log₂ det(S) plus a constant for each of its numbers. What
# is the covariance of y?

# %%
def information_gain(C, A):
    """I(y1; y2) in bits, y = A x, x normal with covariance C."""
    ### BEGIN SOLUTION
    S = A @ C @ A.T
    return 0.5 * np.log2(S[0, 0] * S[1, 1] / np.linalg.det(S))
    ### END SOLUTION


# %%
check("information_gain", "at the KLT", information_gain)

# %%
check("information_gain", "symmetric", information_gain)

# %%
check("information_gain", "turned", information_gain)

# %%
check("information_gain", "a copy", information_gain)

# %% [markdown]
# ## ★★★ One step of the honest loss
#
# A small codec of two groups, and its auxiliary model, both `torch.nn.Module`:
#
# - `out = codec(x, noise)` is a dictionary of tensors: `out["hyper"]` (what z says) and `out["noisy"]` (group 2 with
#   noise), and in bits or squared error, ready to add: `out["rate"]` (all of R), `out["rate_y"]` (group 2 given group
#   1), `out["distortion"]`;
# - `auxiliary(hyper, noisy)` gives R_aux: the bits of group 2 by a model that does not read group 1.
#
# The codec minimizes R + λD + α (R_y − R_aux). The auxiliary model minimizes R_aux, whatever the codec wants of it. So
# there are two losses, and neither may move the other's parameters. But the codec must feel how R_aux depends on *its*
# y. Return two lists of gradients: of the codec's loss for each of `codec.parameters()`, and of the auxiliary model's
# loss for each of `auxiliary.parameters()`. (`torch.autograd.grad` may help. Change no parameter.)

# %%
def honest_step(codec, auxiliary, x, noise, lam, alpha):
    """Gradients of the codec's parameters and of the auxiliary model's, for one step of the honest loss."""
    ### BEGIN SOLUTION
    out = codec(x, noise)
    r_aux = auxiliary(out["hyper"], out["noisy"])
    loss = out["rate"] + lam * out["distortion"] + alpha * (out["rate_y"] - r_aux)
    own = torch.autograd.grad(r_aux, list(auxiliary.parameters()), retain_graph=True)
    return torch.autograd.grad(loss, list(codec.parameters())), own
    ### END SOLUTION


# %%
check("honest_step", "alpha 0 is plain", honest_step)

# %%
check("honest_step", "the auxiliary learns", honest_step)

# %%
check("honest_step", "the codec is rewarded", honest_step)

# %%
check("honest_step", "affine in alpha", honest_step)
