# %% [markdown]
# # Exercises 02 · From probabilities to bytes
#
# Two exercises for [lesson 02](../02_bytes.ipynb): ★ takes about 5 minutes, ★★ about 15. Write your code where it says
# so. Each cell below it checks one property on random instances and prints a counterexample where it fails. Cells that
# you have not started say "not attempted", so you may run all cells at any time.

# %%
import numpy as np

from ccalib.lessons.exercises import check

# %% [markdown]
# ## ★ The length of a code
#
# `symbols` is an array of whole numbers from 0 to K − 1. `p` holds K probabilities. How many bits does an ideal coder
# write for **all** the symbols, if it believes in `p`?

# %%
def code_length(symbols, p):
    """Bits for all the symbols, when symbol s is believed to have probability p[s]."""
    ### BEGIN SOLUTION
    return -np.log2(p[symbols]).sum()
    ### END SOLUTION


# %%
check("code_length", "eight equal symbols", code_length)

# %%
check("code_length", "cross-entropy", code_length)

# %%
check("code_length", "minimal", code_length)

# %% [markdown]
# ## ★★ A range coder
#
# Write the coder of lesson 02 that keeps a message in one whole number, its *state* x. Python's integers have no limit,
# so you need not send bytes away as you go.
#
# `frequencies` holds a whole number for each symbol; together they sum to T. Symbol s has f = frequencies[s] of them,
# and they start at c, the sum of the frequencies before it. Pushing s onto the state is
#
# $$x \leftarrow \lfloor x / f \rfloor \cdot T + c + (x \bmod f)$$
#
# Find out how to take it off again. A state becomes bytes by `x.to_bytes((x.bit_length() + 7) // 8, "big")` and comes
# back by `int.from_bytes(data, "big")`. A symbol of frequency 0 can't be written: raise a `ValueError`.

# %%
def encode(symbols, frequencies):
    """Bytes for a list of symbols."""
    ### BEGIN SOLUTION
    total, x = sum(frequencies), 1
    for s in reversed(symbols):  # the state is a stack: what goes in last comes out first
        f, c = frequencies[s], sum(frequencies[:s])
        if f == 0:
            raise ValueError(f"symbol {s} has frequency 0")
        x = x // f * total + c + x % f
    return x.to_bytes((x.bit_length() + 7) // 8, "big")
    ### END SOLUTION


def decode(data, count, frequencies):
    """The list of `count` symbols that were encoded."""
    ### BEGIN SOLUTION
    total, x, symbols = sum(frequencies), int.from_bytes(data, "big"), []
    for _ in range(count):
        place, s, c = x % total, 0, 0
        while place >= c + frequencies[s]:
            c += frequencies[s]
            s += 1
        x = x // total * frequencies[s] + place - c
        symbols.append(s)
    return symbols
    ### END SOLUTION


# %%
check("range_coder", "round trip", encode, decode)

# %%
check("range_coder", "size", encode, decode)

# %%
check("range_coder", "zero frequency", encode, decode)
