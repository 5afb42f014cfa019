# %% [markdown]
# # 02 · From probabilities to bytes
#
# Lesson 01 ended with rounded numbers and an estimate of their bits. Here the bits become bytes: you will choose a
# rounding step, pack ten symbols into one number by hand and a million with the real coder, account for every byte of
# a file, and then break it in the way that only learned codecs break.
#
# - **Goals**: say what a symbol costs, under right and under wrong probabilities; choose a quantization step for
#   R + λD; run a range coder by hand; explain why encoder and decoder must agree on every scale.
# - **You need**: lessons 00 and 01; logarithms; what a probability and a normal distribution are.
# - **Study time**: 45 minutes for the core. Sections marked *deeper* come on top; nothing later needs them.
# - **Run time**: {run_time} for the whole notebook on two CPU cores, as measured when it was built.

# %%
import math
import warnings

import numpy as np
import torch
import torch.nn.functional as F

import ccalib
from ccalib.evaluation.metrics import psnr
from ccalib.files import container
from ccalib.images import from_tensor, pad, to_tensor
from ccalib.lessons import plots
from ccalib.lessons.coding import entropy, stream_account, table_bits
from ccalib.lessons.desync import encoder_scales, nearest, read, to_boundary, wrong_symbols
from ccalib.lessons.pixels import Picture
from ccalib.lessons.text import about, aligned, thousands
from ccalib.lessons.thread import latents_of, open_photo, thread_photo
from ccalib.lessons.widgets import Diagram, Predict, Wipe
from ccalib.lessons.widgets.step import StepChooser, quantized
from ccalib.model import rans, varint
from ccalib.model.gains import lambda_of
from ccalib.model.transforms import klt

my_photo = thread_photo()  # later: the path of a photograph of yours, such as "holiday.jpg"

photo = open_photo(my_photo)
latents = latents_of(my_photo, photo)
codec = ccalib.load("small")
tables = codec.tables()["y"]
x = pad(to_tensor(photo), 64)
Diagram("groups", "coder", "file", "decoder", caption="Lesson 02 looks at rounding and at the range coder.")

# %% [markdown]
# ## 1. What does a symbol cost?
#
# A *symbol* is a rounded number that goes into the file. If the decoder gives it the probability p beforehand, an ideal
# coder spends
#
# $$-\log_2 p \ \text{bits}$$
#
# on it (Shannon, 1948). A sure thing (p = 1) costs nothing. One of eight equal possibilities costs 3 bits.

# %%
Predict(
    "The decoder gave a symbol one chance in a thousand. It comes all the same. What does it cost?",
    ["About 10 bits", "About 1000 bits", "8 bits, like every byte", "It can't be coded"],
    answer=0,
    explanation="log2(1000) is 9.97. The price grows with the logarithm: one chance in a million costs 20 bits, not a "
    "thousand times as much.",
    misconception="What is a thousand times rarer costs a thousand times more.",
)

# %%
for p in (1, 1 / 2, 1 / 8, 1 / 1000, 1 / 1_000_000):
    print(f"p = {p:9.6f}: {math.log2(1 / p):5.2f} bits")

# %% [markdown]
# On average a symbol costs the **entropy** H = −Σ q log₂ q of the shares q with which symbols really occur, if the
# coder believes exactly in them. If it believes in other probabilities p, it pays the **cross-entropy** −Σ q log₂ p,
# which is H plus a fine, the Kullback–Leibler divergence KL(q‖p).
#
# Real symbols: the strongest KLT coordinate of the thread photograph's patches (lesson 01), rounded to steps of 100.
# We let several coders with different beliefs loose on it.

# %%
others = [open_photo(path) for path in sorted(thread_photo().parent.glob("*.png")) if path != thread_photo()]
cloud = torch.cat([F.pixel_unshuffle(pad(to_tensor(one), 16), 16)[0].flatten(1).T for one in others])
basis, mean, energy = klt(cloud, codec.preset.latent)
coordinates = 255 * (F.pixel_unshuffle(x, 16)[0].flatten(1).T - mean) @ basis.T  # on the 0 … 255 scale
coordinates = coordinates.double().numpy()


def shares_of(symbols, low, high):
    """How often each whole number from low to high occurs."""
    return np.bincount(symbols - low, minlength=high - low + 1) / len(symbols)


symbols = np.round(coordinates[:, 0] / 100).astype(int)
elsewhere = 255 * ((cloud - mean) @ basis[0]).double().numpy()  # the same coordinate in the other photographs
elsewhere = np.round(elsewhere / 100).astype(int)
low, high = min(symbols.min(), elsewhere.min()), max(symbols.max(), elsewhere.max())

own = shares_of(symbols, low, high)
values = np.arange(low, high + 1)
bell = np.exp(-0.5 * ((values - symbols.mean()) / symbols.std()) ** 2)
beliefs = {
    "its own shares": own,
    "shares in other photographs": shares_of(elsewhere, low, high) + 1e-4,  # nothing is impossible
    "a normal distribution": bell + 1e-9,
    "all equal": np.ones(len(values)),
}
print(f"{len(symbols)} symbols from {symbols.min()} to {symbols.max()}, entropy {entropy(own):.2f} bits")
costs = {}
for name, p in beliefs.items():
    p = p / p.sum()
    costs[name] = -np.log2(p[symbols - low]).mean()
    fine = abs(costs[name] - entropy(own))
    print(f"coder believes in {name:28s}{costs[name]:5.2f} bits a symbol, a fine of {fine:.2f}")

# %%
Predict(
    "Can a coder with wrong probabilities be shorter, on average over these symbols, than one with their own shares?",
    ["Yes, with luck", "Yes, if its distribution is narrower", "Never", "Only for long files"],
    answer=2,
    explanation="KL is never negative. A narrower belief saves on what is frequent and loses more on what is rare. A "
    "network that predicts probabilities is trained to make this fine small: that is what 'rate' means in its loss.",
    misconception="A sharper distribution is a better one.",
)

# %%
assert min(costs, key=costs.get) == "its own shares"
for factor in (0.5, 0.8, 1.0, 1.25, 2.0):
    p = np.exp(-0.5 * ((values - symbols.mean()) / (factor * symbols.std())) ** 2) + 1e-9
    cost_of_it = -np.log2((p / p.sum())[symbols - low]).mean()
    print(f"a normal distribution {factor:4.2f} times as wide: {cost_of_it:.2f} bits a symbol")

# %% [markdown]
# ## 2. Rounding: the step decides
#
# Before it is coded, a coefficient y is divided by a **step** Δ and rounded. The decoder gets a multiple of Δ back. A
# small step means many different symbols (high rate R) and small errors (low distortion D).

# %%
Predict(
    "You halve the step. The coefficient had many levels already. How many more bits does a symbol cost?",
    ["Twice as many bits as before", "One bit more", "Half a bit more", "That depends on the photograph"],
    answer=1,
    explanation="Every cell is cut into two halves that are about equally probable: one more yes-or-no question. The "
    "squared error falls to a quarter (6.02 dB). Once most symbols are 0, halving costs less than a bit.",
    misconception="Twice the precision is twice the bits.",
)

# %%
coefficient = coordinates[:, 3]
previous = None
for step in (512, 256, 128, 64, 32, 16, 8):
    rate, distortion = quantized(coefficient, step)
    more = "" if previous is None else f"   {rate - previous:+.2f} bits"
    print(f"step {step:3d}: R = {rate:.2f} bits a symbol, D = {distortion:8.1f}, step^2/12 = {step**2 / 12:8.1f}{more}")
    previous = rate

# %% [markdown]
# The error of a fine step is Δ²/12: it lies anywhere in a cell of width Δ with equal chance. A coarse step does less
# harm than that: what is rounded to 0 is wrong only by its own size. (The finest halvings stay below one bit since
# 1,536 symbols can't fill so many levels: a histogram then looks cheaper than it is.)
#
# Which step is right? That depends on what an error costs in bits. The number λ says it: we want the smallest
#
# $$R + \lambda D$$
#
# The λ is our codec's, whose D is a mean over red, green and blue. A patch has three values a pixel, so the squared
# error of one coefficient, beside its bits, counts λ/3 times. Choose a λ, then the step. The orange marks on the left
# are the borders of the cells.

# %%
lambdas = [round(lambda_of(codec.preset, quality), 4) for quality in (1, 3, 5)]
steps = [float(f"{step:.3g}") for step in np.geomspace(8, 512, 49)]
chooser = StepChooser(coefficient, lambdas, steps)
for lam, at, theory in zip(chooser.lambdas, chooser.best, chooser.theory):
    print(f"lambda {lam:.4f}: best of these steps {steps[at]:.0f}, theory for fine steps {theory:.0f}")
chooser

# %% [markdown]
# The theory (the vertical gray line) takes Δ²/12 for the error and one bit for each halving, so it wants the smallest
# λ/3 · Δ²/12 − log₂ Δ. That is at Δ² = 18/(λ ln 2), whatever the coefficient's variance: **at fine steps all
# coefficients want the same step.**
#
# ### The quality slider is a step
#
# Our codec has no step in it: it always rounds to whole numbers. Instead each channel is multiplied by a learned
# **gain** before rounding, and by another learned number after it, which was 1/gain when training began. To the encoder
# a gain g is a step of 1/g. The slider of lesson 00 chooses among seven sets of gains (and in between), one gain a
# channel. If theory were all, they would grow by √(λ of this quality / λ of the last), as they did when training began.

# %%
with torch.inference_mode():
    gains = [codec.gains.forward_gain(torch.tensor([float(q)])).flatten().numpy() for q in range(7)]
print("quality   lambda   step: smallest   median   largest   (step / last step: median, theory)")
for q, gain in enumerate(gains):
    step = 1 / gain
    ratio = theory = ""
    if q:
        ratio = f"{np.median(gains[q - 1] / gain):.2f}"
        theory = f"{math.sqrt(lambda_of(codec.preset, q - 1) / lambda_of(codec.preset, q)):.2f}"
    line = f"{q:7d}{lambda_of(codec.preset, q):9.4f}{step.min():16.2f}{np.median(step):9.2f}{step.max():10.2f}"
    print(f"{line}   {ratio:>16s}   {theory}".rstrip())

# %% [markdown]
# Training has left the median near the theory, from quality to quality. But the channels of one quality do not share
# one step, not even at the finest: the theory is for axes of length 1, and what a unit of a trained channel paints may
# be of any size.
#
# ## 3. Training through rounding
#
# A network learns by gradients, and rounding has none. Three ways out, tried on real latents: **noise** (add a random
# number between −½ and ½ instead of rounding), **straight-through** (round, but pretend in the gradient that nothing
# happened), and plain **rounding**, for comparison.

# %%
Predict(
    "What is the gradient of round(y) by y?",
    ["1: on average, round(y) follows y", "0, except at the jumps", "It is random", "It is y − round(y)"],
    answer=1,
    explanation="A small change of y changes nothing, almost everywhere. A network trained with that gradient would "
    "hear nothing about its latents. That 'on average it follows y' is the straight-through idea: it replaces 0 by 1.",
    misconception="Gradients of what is right on average come by themselves.",
)

# %%
quality = torch.tensor([3.0])
with torch.inference_mode():
    y = codec.analyze(x, quality)
spreads = y[0].std(dim=(1, 2))
order = spreads.argsort(descending=True).tolist()
picked = {"strong": order[2], "middling": order[30], "weak": order[120]}
lam = 0.5  # what a squared error of 1 costs, in bits, in units of the rounding step


def cost(v, gain, way):
    """(R, D) of gain·v under a normal distribution of the right width; D in units of v."""
    u = gain * v
    noise = torch.rand(v.shape, generator=torch.Generator().manual_seed(0), dtype=v.dtype) - 0.5
    q = {"noise": u + noise, "rounding": torch.round(u), "straight": u + (torch.round(u) - u).detach()}[way]
    normal = torch.distributions.Normal(0.0, gain * v.std())
    rate = -torch.log2((normal.cdf(q + 0.5) - normal.cdf(q - 0.5)).clamp(min=1e-9)).mean()
    return rate, (q / gain - v).square().mean()


print(f"{'channel':10s}{'spread':>8s}  {'way':10s}{'R':>7s}{'D':>8s}")
for name, channel in picked.items():
    v = (y[0, channel] - y[0, channel].mean()).flatten().double()
    for way in ("rounding", "noise"):
        rate, distortion = cost(v, torch.tensor(1.0, dtype=v.dtype), way)
        print(f"{name:10s}{v.std().item():8.2f}  {way:10s}{rate.item():7.2f}{distortion.item():8.3f}")
print("a noise of -1/2 ... 1/2 has D = 1/12 =", round(1 / 12, 3))

# %% [markdown]
# For strong channels noise is a good stand-in: same rate, same error. For weak ones it is not: rounding sends nearly
# everything to 0, costs little and errs by no more than the channel's own small variance; noise still errs by 1/12. Now
# the gradient: by how much does R + λD change if the channel's gain changes? The truth is measured: the gain 8 % up and
# down, with real rounding.

# %%
print(f"{'channel':10s}" + "".join(f"{way:>10s}" for way in ("truth", "noise", "straight", "rounding")))
agree = {"noise": 0, "straight": 0}
for name, channel in picked.items():
    v = (y[0, channel] - y[0, channel].mean()).flatten().double()
    slopes = {}
    for way in (*agree, "rounding"):
        gain = torch.tensor(1.0, dtype=v.dtype, requires_grad=True)
        rate, distortion = cost(v, gain, way)
        slopes[way] = torch.autograd.grad(rate + lam * distortion, gain)[0].item()
    (up_r, up_d), (down_r, down_d) = (cost(v, torch.tensor(1 + h), "rounding") for h in (0.08, -0.08))
    truth = ((up_r - down_r + lam * (up_d - down_d)) / 0.16).item()
    for way in agree:
        agree[way] += slopes[way] * truth > 0
    shown = [round(slope, 1) + 0.0 for slope in (truth, *slopes.values())]  # no "-0.0"
    print(f"{name:10s}" + "".join(f"{slope:10.1f}" for slope in shown))
for way, count in agree.items():
    print(f"{way}: the right sign in {count} of {len(picked)} channels")

# %% [markdown]
# Plain rounding hears little, and of the weak channel even the wrong sign: not that symbols would change, hardly more
# than that the normal distribution would be as wide as the gain says. Our codec trains with both others: likelihoods
# see noise (a smooth stand-in for the rate), and everything that *reads* a rounded number sees straight-through
# rounding, so that it learns on the values it will get.
#
# ## 4. A range coder by hand
#
# Entropy speaks of fractions of bits, files have whole ones. The trick: do not code symbols one by one, code the whole
# message as **one number**. Ten symbols, and ten digits: let `a` have 6 chances of 10, `b` 2, `c` and `d` 1 each.
# All messages of one symbol share the numbers from 0.0 to 1.0: a has 0.0–0.6, b 0.6–0.8, c 0.8–0.9, d 0.9–1.0. Each
# further symbol divides the interval it finds in the same proportions. Only whole numbers are needed: after k symbols,
# count in units of 10⁻ᵏ.

# %%
chances = {"a": 6, "b": 2, "c": 1, "d": 1}
starts = {"a": 0, "b": 6, "c": 8, "d": 9}
message = "abacabadaa"

low, width = 0, 1
print("symbol   from            width")
for k, s in enumerate(message, 1):
    low, width = 10 * low + width * starts[s], width * chances[s]
    print(f"  {s}      0.{low:0{k}d}{'':{11 - k}s}{width:>8d} / 10^{k}")

# %%
digits = next(n for n in range(11) if -(-low // 10 ** (10 - n)) * 10 ** (10 - n) < low + width)
number = -(-low // 10 ** (10 - digits))  # the shortest decimal fraction inside
bits = next(n for n in range(40) if -(-low * 2**n // 10**10) * 10**10 < (low + width) * 2**n)
ideal = sum(-math.log2(chances[s] / 10) for s in message)
print(f"any number from 0.{low:010d} to 0.{low + width:010d} names this message: 0.{number:0{digits}d} is the shortest")
print(f"-log2 of the interval's width: {-math.log2(width / 10**10):.2f} bits; sum of -log2 p: {ideal:.2f} bits")
print(f"the shortest binary fraction inside has {bits} bits; ten symbols at two bits each would have 20")

value, back = number * 10 ** (10 - digits), ""
low, width = 0, 10**10
for _ in message:  # the decoder: in which of the ten parts of the interval does the number lie?
    tenth = (value - low) * 10 // width
    s = max((s for s in starts if starts[s] <= tenth), key=starts.get)
    low, width = low + width * starts[s] // 10, width * chances[s] // 10
    back += s
print("decoded:", back)
assert back == message

# %% [markdown]
# The width of the interval is the product of the probabilities: that is why its logarithm is the sum of the costs, and
# why nothing is lost by fractions of bits until the very end, where at most two bits are.
#
# ### The same with a stack
#
# The coder in our files (rANS: range asymmetric numeral systems, Duda 2013) keeps one whole number, its *state* x. A
# symbol with f chances of T, starting at c, is pushed by one line and popped by one. Small numbers, written out:

# %%
T, state = 10, 1
print("push   state")
for s in reversed(message):  # it is a stack: what goes in last comes out first
    f, c, before = chances[s], starts[s], state
    state = state // f * T + c + state % f
    print(f"  {s}    {state:8d}   grew {state / before:.1f} times; a large one grows {T / f:.1f} times")
print(f"log2 of the state: {math.log2(state):.2f}; sum of -log2 p: {ideal:.2f}")
print("(small states round a lot, here " + ("in our favor)" if math.log2(state) < ideal else "against us)"))

back, x_state = "", state
for _ in message:
    place = x_state % T
    s = max((s for s in starts if starts[s] <= place), key=starts.get)
    x_state = x_state // T * chances[s] + place - starts[s]
    back += s
assert back == message and x_state == 1
print("popped:", back, "and the state is 1 again")

# %% [markdown]
# ## 5. A million symbols
#
# `compressai.ans` is that stack with a state of 64 bits: when it grows too large, its lower 32 bits go into the file.
# Probabilities are whole numbers of 65,536. We call it as our codec does. The symbols are rounded normal variables;
# their standard deviation is called the **scale**.

# %%
Predict(
    "A million symbols that cost 0.1 bits each by their probabilities. How large is the file?",
    [
        "A million bits: a symbol takes a bit at least",
        "About a hundred thousand bits",
        "Zero bytes: nearly all symbols are 0",
        "It can't be decoded, there are fewer bits than symbols",
    ],
    answer=1,
    explanation="The state grows by a factor of 1.07 for each of them. About ten symbols share a bit. (Huffman codes "
    "give each symbol bits of its own, and there a symbol does take one at least.)",
    misconception="A symbol takes a whole number of bits.",
)

# %%
rng = np.random.default_rng(0)
scales = np.array(codec.gaussian.own_scales)
for wanted, believed in ((0.22, 0.22), (1.0, 1.0), (1.0, 4.0), (20.0, 20.0)):
    drawn = np.round(wanted * rng.standard_normal(1_000_000)).astype(np.int32)
    row = np.full(drawn.shape, np.abs(np.log(scales / believed)).argmin(), dtype=np.int32)
    data = rans.encode(drawn, row, tables)
    assert np.array_equal(rans.decode(data, row, tables), drawn)
    bits = table_bits(drawn, row, tables).sum()
    print(
        f"scale {wanted:5.2f}, coder believes {believed:5.2f}: {thousands(len(data)):>9s} bytes, "
        f"{8 * len(data) / 1e6:.3f} bits a symbol, {len(data) - bits / 8:.1f} bytes over the ideal"
    )

# %% [markdown]
# A million symbols, and a few bytes too many: the coder is not where rate is lost. The third line is section 1 with
# real bytes: right symbols, wrong belief.
#
# ## 6. *Deeper:* tables, levels, tails
#
# The coder wants whole numbers. So a normal distribution is kept as a table of 65,536 chances over the symbols; and as
# nobody can keep a table for every scale, there are 64, from 0.11 to 256, each 13 % wider than the last. The network
# predicts a log-scale, and the coder takes the nearest level. What does that cost?

# %%
worst = codec.gaussian.step / 2  # a log-scale is off by at most half a level
fine = max(d + (math.exp(-2 * d) - 1) / 2 for d in (worst, -worst)) / math.log(2)  # KL, in bits: too wide, too narrow
assert np.allclose(np.diff(np.log(scales)), codec.gaussian.step)
print(f"{len(scales)} levels, each {100 * (scales[1] / scales[0] - 1):.0f} % wider than the last")
print(f"fine for the nearest level: at most {fine:.4f} bits a symbol")

lines = [["level", "scale", "symbols held", "chances of 0", "bits: of 0", "of 3 scales", "of 12 scales"]]
for level in (0, 10, 20, 30, 40):
    scale, count = scales[level], int(tables.length[level]) - 2
    far = [0, max(1, round(3 * scale)), max(2, round(12 * scale))]
    bits = table_bits(np.array(far), np.full(3, level), tables)
    at = -int(tables.offset[level])
    zero = int(tables.cdf[level, at + 1] - tables.cdf[level, at])
    lines.append([str(level), f"{scale:.2f}", str(count), thousands(zero), *(f"{b:.2f}" for b in bits)])
print(aligned(lines))

# %% [markdown]
# (A symbol "of 3 scales" is the nearest whole number, at least 1; "of 12", at least 2.) A table ends somewhere. What
# lies beyond is coded as an **escape** (the table's last entry) followed by the distance, 4 bits at a time. So a
# surprise has a price that grows slowly, where a normal distribution would ask for the square.

# %%
level = int(np.abs(np.log(scales)).argmin())
far = np.arange(0, 41)
real = table_bits(far, np.full(far.shape, level), tables)
normal = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), float(scales[level]))
upper, lower = (torch.special.log_ndtr(-(torch.from_numpy(far) + side) / float(scales[level])) for side in (-0.5, 0.5))
pure = -(upper + torch.log1p(-torch.exp(lower - upper))).numpy() / math.log(2)
fig = plots.figure(5.6, 2.5)
axes = fig.subplots()
plots.dress(axes, f"what a symbol costs at scale {scales[level]:.2f}", "symbol", "bits")
axes.plot(far, pure, "--", color=plots.ORANGE, label="normal distribution")
axes.step(far, real, where="mid", color=plots.BLUE, linewidth=2, label="the coder, with escapes")
axes.set_ylim(0, 80)
axes.legend(fontsize=8, frameon=False)
shown = (0, 1, 2, 3, 4, 5, 6, 8, 12, 20, 40)
columns = {"symbol": [str(s) for s in shown]}
columns |= {name: [f"{bits[s]:.1f}" for s in shown] for name, bits in (("coder", real), ("normal", pure))}
view = plots.Plot(fig, plots.in_words(f"Bits of a symbol at scale {scales[level]:.2f}:", columns), colors=32)
print(view.words)
view

# %% [markdown]
# ## 7. *Deeper:* every byte of a file
#
# Here is a file, and the ledger of its header.

# %%
data = ccalib.encode(photo, quality=3)
info = ccalib.inspect(data)
numbers = [round(64 * info.quality), info.width, info.height, len(info.segments) - 1]
ledger = {
    "magic and version": 4,
    "fingerprint of the weights": 8,
    "quality, width, height, groups": sum(len(varint.put(n)) for n in numbers),
    "lengths of the segments": sum(len(varint.put(s.length)) for s in info.segments),
    "checksums of bytes, 4 each": 4 * len(info.segments),
    "checksums of symbols, 2 each": 2 * len(info.segments),
    "checksum of the header": 2,
}
for name, count in ledger.items():
    print(f"{name:32s}{count:3d} bytes")
assert sum(ledger.values()) == info.header
print(f"{'header':32s}{info.header:3d} bytes")

# %% [markdown]
# The rest are the segments: z and the five groups, each a stream of its own. The estimate of a stream is the sum of
# −log₂ P over its symbols, P from the integer tables. The real stream is longer, and we can say by what: its state
# **starts** at 2³¹ and not at 1 (31 bits); it ends with all 64 bits of its state, of which the highest are **unused**;
# and whole-number division **rounds**.

# %%
payloads = [container.payload(data, segment) for segment in info.segments]
shape = (x.shape[2] // 64, x.shape[3] // 64)
reading = read(codec, payloads, shape, quality)
rows = [codec._z_rows((1, codec.preset.hyper, *shape)), *reading.levels]
both = [codec.tables()["z"], *[tables] * 5]
accounts = [stream_account(*four) for four in zip(payloads, reading.symbols, rows, both)]
total = info.header + sum(account.length for account in accounts)
assert total == len(data)

# %%
# NBVAL_IGNORE_OUTPUT
# one symbol that your processor rounds differently changes what is unused; the sums are asserted
print("segment   8 x bytes over the ideal = start + unused + rounding, in bits")
for segment, account in zip(info.segments, accounts):
    if not account.length:
        print(f"{segment.name:9s}all symbols are 0: no stream, no bytes, {account.ideal:.1f} bits below the estimate")
        continue
    over = 8 * account.length - account.ideal
    print(f"{segment.name:9s}{over:6.1f} = {account.start:.0f} + {account.unused:4.1f} + {abs(account.rounding):.1f}")
    assert 8 * account.length == round(account.ideal + account.start + account.unused + account.rounding)
    assert abs(account.rounding) < 0.002 * account.ideal + 1

# %%
ideal = sum(account.ideal for account in accounts)
print(f"estimate + header + the streams' ends = the file, to the byte: {total == len(data)}")
print(f"the estimate is {100 * (1 - ideal / 8 / len(data)):.1f} % below the file")

# %% [markdown]
# ## 8. The break-it lab
#
# ### Flip one bit
#
# A file has six segments: z, and the five groups g1 to g5. A bit turns over on a disk. First with our file format,
# which tests a checksum before the range coder sees anything.

# %%
segment = info.segments[2]  # g2
damaged = bytearray(data)
damaged[segment.start + segment.length // 2] ^= 1
try:
    ccalib.decode(bytes(damaged))
except ccalib.CcaError as error:
    print("CcaError:", error)

# %% [markdown]
# Now take the guards away and let the decoder go on.

# %%
hit = info.segments.index(segment) - 1  # 0 is g1, and −1 is z
broken = read(codec, [bytes(damaged)[s.start : s.start + s.length] for s in info.segments], shape, quality)
shares, first = wrong_symbols(broken, reading)
for group, share in enumerate(shares, 1):
    print(f"g{group}: {about(100 * share, 1) if share else '0':>3s} % of the symbols are wrong")
if first:  # (a bit at the very end may come out right by chance)
    place = first[1] / reading.symbols[1 + first[0]].size
    print(f"the first wrong symbol is in g{first[0] + 1}, after {100 * place:.0f} % of its symbols")
    assert not any(shares[: max(hit, 0)]) and first[0] == max(hit, 0)


def as_picture(x_hat):
    """A decoded tensor as a photograph of the original size."""
    return from_tensor(x_hat[:, :, : photo.height, : photo.width])


whole = as_picture(reading.x_hat)
assert np.array_equal(np.asarray(whole), np.asarray(ccalib.decode(data)))
damage = as_picture(broken.x_hat)
Wipe(
    Picture("intact", whole, psnr=psnr(photo, whole)),
    Picture("one bit flipped", damage, psnr=psnr(photo, damage)),
    heading="One bit, no checksum: drag the line",
)

# %% [markdown]
# From the flipped bit on, the state is another number, and everything popped from it is noise. The groups after it are
# predicted from that noise: their scales are wrong, and so they come apart from their first symbol.
#
# ### One scale, a millionth off
#
# No bit has to flip. For each symbol the network predicts a scale. The coder has tables for 64 scales, the **levels**,
# and takes the nearest; half-way between two of them, in the logarithm, is a boundary. The decoder computes the scales
# again, with the same network, from the same numbers. On another processor sums are taken in another order, and a float
# comes out a millionth different. That changes a level of the scale table only if the log-scale lies within that
# millionth of a boundary. How likely is that?

# %%
floats = np.concatenate([s.ravel() for s in encoder_scales(codec, y, exact=False)])
exacts = np.concatenate([s.ravel() for s in reading.scales])
expected = len(floats) * 1e-6 / codec.gaussian.step
Predict(
    f"{about(len(floats), 2)} scales, each a millionth different (in its logarithm) on the other machine; boundaries "
    f"are {codec.gaussian.step:.2f} apart. How many levels come out different?",
    ["None, to all practical purposes", "A few", "Thousands", "Half of them"],
    answer=1 if expected >= 0.5 else 0,
    explanation=f"Each has a chance of 0.000001 / {codec.gaussian.step:.2f} to have a boundary in that gap: about "
    f"{about(expected, 1)} in this photograph, if all move one way. One can be enough, as you will see.",
    misconception="What is a millionth off does no harm.",
)

# %%
far_float, far_exact = (np.sort(np.abs(to_boundary(s, codec.gaussian))) for s in (floats, exacts))
fig = plots.figure(5.6, 2.8)
axes = fig.subplots()
plots.dress(axes, "scales within ε of a boundary", "ε (of the log-scale)", "how many")
axes.loglog(far_float, np.arange(1, len(far_float) + 1), color=plots.ORANGE, label="32-bit floats")
axes.loglog(far_exact, np.arange(1, len(far_exact) + 1), color=plots.BLUE, label="our exact arithmetic")
line = np.array([1e-7, codec.gaussian.step / 2])
axes.loglog(line, len(floats) * 2 * line / codec.gaussian.step, ":", color=plots.GRAY, label="evenly spread")
axes.set_xlim(1e-7, 0.1)
axes.set_ylim(0.7, 2 * len(floats))
axes.legend(fontsize=8, frameon=False)
epsilons = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
within = {
    "eps": [f"{e:g}" for e in epsilons],
    "evenly spread": [about(len(floats) * 2 * e / codec.gaussian.step, 1) for e in epsilons],
    "floats": [about(int((far_float < e).sum()), 1) if e > 1e-5 else "(a few)" for e in epsilons],
    "exact": [about(int((far_exact < e).sum()), 1) for e in epsilons],
}
view = plots.Plot(fig, plots.in_words("Scales within eps of a boundary, on either side:", within), colors=48)
print(view.words)
view

# %% [markdown]
# In floats, the count falls in a straight line: however small ε, a large enough photograph has a scale within it. In
# the exact arithmetic of our codec (activations are multiples of 1/64, weights of 1/1024, and their sums have no
# rounding error) a scale can only be one of finitely many numbers, and the nearest of them keeps a distance:

# %%
closest = float(far_exact[0])
print(f"closest exact scale: {closest:.0e} from a boundary")
print("farther than floats differ between machines (some 1e-6):", closest > 2e-5)

# %% [markdown]
# Do floats really differ, here, on this machine? Compute the scales with and without the library that makes
# convolutions fast (oneDNN). What this prints is your processor's; that the exact scales are equal is asserted on every
# one.

# %%
# NBVAL_IGNORE_OUTPUT
# how far floats differ is this processor's affair; what must hold everywhere is asserted
small = y[:, :, :16, :16]
warnings.filterwarnings("ignore", message="TF32")  # torch on a switch that this processor lacks
with torch.backends.mkldnn.flags(enabled=False):
    plain, plain_exact = (encoder_scales(codec, small, exact) for exact in (False, True))
fast, fast_exact = (encoder_scales(codec, small, exact) for exact in (False, True))
difference = max(np.abs(a - b).max() for a, b in zip(plain, fast))
assert all(np.array_equal(a, b) for a, b in zip(plain_exact, fast_exact))
assert difference < 1e-2
print(f"largest difference of a log-scale: {difference:.0e} in floats, 0 in exact arithmetic")

# %% [markdown]
# ### A real desynchronization
#
# Take a part of the photograph, code it, and let the decoder get **one** scale wrong: the one nearest to a boundary, by
# just enough to cross it. Once for each group. Every other scale is computed honestly, from whatever was decoded.

# %%
top = min(max(16 * latents["edge"][1] - 96, 0) // 64 * 64, x.shape[2] - 64)
left = min(max(16 * latents["edge"][0] - 128, 0) // 64 * 64, x.shape[3] - 64)
part = x[:, :, top : top + 192, left : left + 256]
strings, _ = codec.encode(part, quality)
streams, z_shape = [segment[0] for segment in strings], (part.shape[2] // 64, part.shape[3] // 64)
right = read(codec, streams, z_shape, quality)

rows_of_table, pictures = [], []
for group in range(5):
    nudge = nearest(right, codec.gaussian, group)
    wrong = read(codec, streams, z_shape, quality, nudge)
    changed = [int((a != b).sum()) for a, b in zip(wrong.levels, right.levels)]
    assert changed[:group] == [0] * group and changed[group] == 1  # this one scale and nothing before it
    shares, first = wrong_symbols(wrong, right)
    size = right.symbols[1 + group].size
    rows_of_table.append((group, nudge, first, size, shares))
    pictures.append(from_tensor(wrong.x_hat))

print("one wrong level in    at symbol    first wrong symbol    % wrong in g1   g2   g3   g4   g5")
for group, nudge, first, size, shares in rows_of_table:
    started = "none" if first is None else f"g{first[0] + 1}, {first[1]} of {size}"
    cells = "".join(f"{'.' if share == 0 else f'{10 * round(10 * share)}':>5s}" for share in shares)
    print(f"g{group + 1}{nudge.index:29d}{started:>22s}{'':11s}{cells}")

# %% [markdown]
# Read the table row by row. Before the wrong level everything is right. The symbol at the wrong level itself may even
# come out right; but the state behind it is now another number, and from there on the decoder reads garbage: the rest
# of that group, then every later group, whose scales are computed from it. How much of that is *wrong* depends on the
# group. Where most symbols are 0, and the scales say so, garbage is mostly 0, too, and right by chance. (Shares are
# rounded to tens: 0 is less than 5 %, a dot is none.)

# %%
avalanche = [shares for *_, shares in rows_of_table]
later = [share for group, shares in enumerate(avalanche) for share in shares[group + 1 :]]
before = [share for group, shares in enumerate(avalanche) for share in shares[:group]]
print("groups before the wrong level:", "damaged" if any(before) else "all intact")
print(f"later groups damaged: {sum(share > 0 for share in later)} of {len(later)}")

candidates = [Picture(f"wrong level in g{g + 1}", pictures[g]) for g in (0, 2, 4)]
Wipe(Picture("intact", from_tensor(right.x_hat)), *candidates, zoom=2, heading="One wrong scale level")

# %% [markdown]
# No checksum of the *bytes* sees this: the file is intact. That is why a `.cca` file also holds a checksum of each
# segment's **symbols**, and why our codec computes its scales in exact arithmetic.
#
# ## Now on yours
#
# Put the path of a photograph of yours into `my_photo` in the first cell, and run all cells again. Then flip bits by
# hand: change `segment` in section 8 to z, or to g5, or flip the last byte instead of the middle one. Predict the
# picture before you look.
#
# ## Three questions for a class
#
# 1. A friend has a codec whose estimated rate is 5 % below its file size. Name three places where the 5 % could be, and
#    an experiment for each.
# 2. Two coders, one with a step of 1 and perfect probabilities, one with a step of 2 and bad ones, give files of the
#    same size. Which picture is better? What else do you need to know?
# 3. To survive a flipped bit, you could restart the coder every row. What does that cost in bytes (section 7), and what
#    does it save? Would it also help against a wrong scale?
#
# ## What this lesson takes away
#
# The misconception that **compression is packing**: that some clever program finds the shortest form of given data. The
# packing is solved, to a few bytes in a file. What makes files small is the prediction, and it has to be the same
# on both sides, to the last bit.
#
# Exercises: [02 · From probabilities to bytes](exercises/02_bytes.ipynb) (★ the length of a code, ★★ a range coder).
# Next: [03 · The hyperprior](03_hyperprior.ipynb), on where the probabilities come from.
