# %% [markdown]
# # Exercises 07 · Training
#
# Two exercises for [lesson 07](../07_training.ipynb): ★ takes about 5 minutes, ★★ about 15. Write your code where it
# says so. Each cell below it checks one property on random instances and prints a counterexample where it fails. Cells
# that you have not started say "not attempted", so you may run all cells at any time.

# %%
import torch

from ccalib.lessons.exercises import check

# %% [markdown]
# ## ★ The plan of the learning rate
#
# A training takes `steps` steps, numbered from 0. Return the factor of the learning rate at one of them:
#
# - over the first `warmup` steps it rises evenly: 1/warmup, 2/warmup, …, 1;
# - then it is 1;
# - the last `round(decay * steps)` steps are the decay. It starts at 1 and falls evenly, so that 0 would be reached at
#   step number `steps`, which is no longer taken.
#
# (The warm-up ends before the decay begins.)

# %%
def learning_rate(step, steps, warmup, decay):
    """The factor of the learning rate at a step, above 0 and at most 1."""
    ### BEGIN SOLUTION
    start = steps - round(decay * steps)
    if step >= start:
        return (steps - step) / (steps - start)
    return min((step + 1) / warmup, 1)
    ### END SOLUTION


# %%
check("learning_rate", "warm-up", learning_rate)

# %%
check("learning_rate", "decay", learning_rate)

# %%
check("learning_rate", "any step", learning_rate)

# %% [markdown]
# ## ★★ A latent in training
#
# `y` is a latent, `mean` what is predicted for it, `noise` uniform noise between −0.5 and 0.5; three tensors of one
# shape. Return two tensors:
#
# - `scored`, whose likelihood is the rate: y with the noise;
# - `decoded`, what the synthesis and the later groups read: y rounded around its mean, exactly as in a file.
#
# Both have to move with y: the derivative of each with respect to `y` is 1. Neither moves with `mean`. (Work out what
# straight-through rounding around the mean does to the mean's gradient before you look at what the check says.)

# %%
def training_latent(y, mean, noise):
    """What is scored and what is decoded in training."""
    ### BEGIN SOLUTION
    def rounded(x):
        return x + (torch.round(x) - x).detach()

    return y + noise, rounded(y - mean) + mean
    ### END SOLUTION


# %%
check("training_latent", "values", training_latent)

# %%
check("training_latent", "gradient of y", training_latent)

# %%
check("training_latent", "gradient of the mean", training_latent)
