# %% [markdown]
# # Exercises 04 · Causal context
#
# Two exercises for [lesson 04](../04_causal_context.ipynb): ★ takes about 5 minutes, ★★ about 15. Write your code where
# it says so. Each cell below it checks one property on random instances and prints a counterexample where it fails.
# Cells that you have not started say "not attempted", so you may run all cells at any time.

# %%
import numpy as np
import torch

from ccalib.lessons.exercises import check

# %% [markdown]
# ## ★ The chain rule
#
# `table` holds the joint probabilities of two symbols: `table[a, b]` is the probability that the first symbol is a and
# the second is b. Return five numbers, in bits:
#
# 1. H(1), the entropy of the first symbol;
# 2. H(2), the entropy of the second;
# 3. H(2|1), what the second still costs when the first is known;
# 4. H(1|2), the other way round;
# 5. I, what each tells about the other.
#
# A pair may have probability 0. It then adds nothing to an entropy.

# %%
def information(table):
    """H(1), H(2), H(2|1), H(1|2) and I of a table of joint probabilities, in bits."""
    ### BEGIN SOLUTION
    def entropy(p):
        p = p[p > 0]
        return -(p * np.log2(p)).sum()

    first, second = table.sum(axis=1), table.sum(axis=0)
    second_given_first = sum(p * entropy(row / p) for p, row in zip(first, table) if p > 0)
    first_given_second = sum(p * entropy(column / p) for p, column in zip(second, table.T) if p > 0)
    gain = entropy(second) - second_given_first
    return entropy(first), entropy(second), second_given_first, first_given_second, gain
    ### END SOLUTION


# %%
check("information", "chain rule", information)

# %%
check("information", "information", information)

# %%
check("information", "extremes", information)

# %% [markdown]
# ## ★★ Find the leak
#
# `model` predicts the mean of every group of a latent:
#
# - `model.sizes` are the channels of the groups, `model.height` and `model.width` the rows and columns of them all;
# - `means = model(groups)` takes a list of tensors, 1×channels×height×width each, and gives a list of the same shapes.
#
# A decoder has the groups before group i when it needs `means[i]`, and nothing else. So `means[i]` may depend on
# `groups[0]` … `groups[i - 1]`, at all of their positions, but neither on `groups[i]` nor on a later one. Return True
# if the model breaks this rule anywhere, else False. Don't look inside: ask it.
#
# The hidden models are of many kinds. Some are causal, and read with convolutions, norms or attention. Some leak: out
# of the group itself, out of a later group, or from a single position to a single position.

# %%
def find_leak(model):
    """Whether some mean depends on its own group or on a later one."""
    ### BEGIN SOLUTION
    groups = [torch.randn(1, size, model.height, model.width) for size in model.sizes]
    means = model(groups)
    for i in range(len(groups)):
        changed = groups[:i] + [torch.randn_like(group) for group in groups[i:]]
        if not torch.equal(model(changed)[i], means[i]):
            return True
    return False
    ### END SOLUTION


# %%
check("find_leak", "own group", find_leak)

# %%
check("find_leak", "later group", find_leak)

# %%
check("find_leak", "one pixel", find_leak)
