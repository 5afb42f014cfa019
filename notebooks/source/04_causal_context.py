# %% [markdown]
# # 04 · Causal context
#
# The decoder of lesson 03 predicts every latent from z. But it does not get the latents all at once: when it comes to
# group 5, it has four groups already. What may a latent know before it is decoded, and what is that worth? You will
# walk the groups by hand, test what depends on what, weigh every group's knowledge in bits, and then look into single
# latents of a real file.
#
# - **Goals**: compute an information gain by hand; say exactly what the prediction of a latent may read; explain why
#   "with" and "without" take two fitted models; read the inspector.
# - **You need**: lessons 00 to 03; what a conditional probability is.
# - **Study time**: 45 minutes for the core. Sections marked *deeper* come on top; nothing later needs them.
# - **Run time**: {run_time} for the whole notebook on two CPU cores, as measured when it was built.

# %%
import json
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import torch
import traitlets

import ccalib
from ccalib.evaluation.metrics import psnr
from ccalib.files import container
from ccalib.images import from_tensor, pad, to_tensor
from ccalib.lessons import plots
from ccalib.lessons.bought import MASKED, purchases
from ccalib.lessons.coding import entropy
from ccalib.lessons.inspection import inspect_photo
from ccalib.lessons.pixels import Picture
from ccalib.lessons.reach import extent, possible, side_of, sources
from ccalib.lessons.text import about, aligned
from ccalib.lessons.thread import latents_of, open_photo, thread_photo
from ccalib.lessons.widgets import Bought, Diagram, Inspector, Predict, Wipe
from ccalib.model import rans
from ccalib.training.rulers import load_rulers

my_photo = thread_photo()  # later: the path of a photograph of yours, such as "holiday.jpg"

photo = open_photo(my_photo)
latents = latents_of(my_photo, photo)
codec = ccalib.load("small")
sizes = codec.preset.sizes
names = [f"g{i + 1}" for i in range(len(sizes))]
print("channels of the groups:", ", ".join(f"{name} {size}" for name, size in zip(names, sizes)))
Diagram("context", "decoded_groups", "h_s", "groups", caption="Lesson 04 looks at what a group's prediction reads.")

# %% [markdown]
# ## 1. What one number tells about another
#
# Eight cells of a photograph. A is 1 if the cell lies on an edge, B is 1 if some latent of the cell is not zero.
# Counted:
#
# | | B = 0 | B = 1 |
# |---|---|---|
# | **A = 0** | 4 | 0 |
# | **A = 1** | 2 | 2 |
#
# Alone, B costs H(B) bits: it is 1 in two of eight cells. If A is known already, B is coded with other probabilities
# in either row, and costs less on average: the **conditional entropy** H(B|A), which is the mean of the rows'
# entropies, each weighted by how often its row occurs. The difference is the **information gain**
#
# $$I(A;B) = H(B) - H(B|A)$$

# %%
Predict(
    "A is known first, and saves some bits of B. Now turn it round: B first, then A. What does B save of A?",
    [
        "Exactly as many bits",
        "Fewer: an edge explains a latent, a latent does not explain an edge",
        "More: B is rarer, so knowing it says more",
        "That depends on the table",
    ],
    answer=0,
    explanation="Both ways cost H(A, B) in the end, the entropy of the pair. So H(A) + H(B|A) = H(B) + H(A|B), and the "
    "two gains are the same number. (Lesson 05: that is why two groups can't show that information has moved to the "
    "front.)",
    misconception="Information flows one way, from what is known to what is predicted.",
)

# %%
def information(table):
    """H(A), H(B), H(B|A), H(A|B), each in bits; A numbers the rows of a table of counts, B its columns."""
    p = np.array(table) / np.sum(table)
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    b_given_a = sum(share * entropy(row) for share, row in zip(rows, p) if share > 0)
    a_given_b = sum(share * entropy(column) for share, column in zip(columns, p.T) if share > 0)
    return entropy(rows), entropy(columns), b_given_a, a_given_b


table = [[4, 0], [2, 2]]
h_a, h_b, b_given_a, a_given_b = information(table)
print(f"H(A) = {h_a:.3f}   H(B) = {h_b:.3f}   H(A, B) = {entropy(table):.3f}")
print(f"A first: H(A) + H(B|A) = {h_a:.3f} + {b_given_a:.3f} = {h_a + b_given_a:.3f}")
print(f"B first: H(B) + H(A|B) = {h_b:.3f} + {a_given_b:.3f} = {h_b + a_given_b:.3f}")
print(f"gain: H(B) - H(B|A) = {h_b - b_given_a:.3f}, H(A) - H(A|B) = {h_a - a_given_b:.3f}")
assert np.isclose(h_a + b_given_a, entropy(table)) and np.isclose(h_b + a_given_b, entropy(table))

# %% [markdown]
# That is all of the theory. What follows is the same difference with groups of latents in place of A and B, and a
# network in place of the table.
#
# ## 2. The loop over groups, by hand
#
# Here is a real file of the thread photograph, opened up: its bytes, and what a decoder makes of them. And here is
# the loop that reads it. Encoder and decoder run the same one. (`path` is the codec's entropy path: hyper synthesis
# and contexts, in exact arithmetic.)

# %%
rulers = load_rulers("small")
inspection = inspect_photo(photo, 3, rulers, "small", Path(my_photo).stem)
data, info, path = inspection.data, inspection.info, codec.coding_path()

x, quality = pad(to_tensor(photo), 64), torch.tensor([info.quality])
with torch.inference_mode():
    y = codec.analyze(x, quality).to(inspection.z_hat)


Step = namedtuple("Step", "mean log_scale symbol rounded")


@torch.inference_mode()
def walk(z_hat, groups):
    """A Step for each group, and the decoded groups, from z and the groups of the latent (None: nothing is there)."""
    hyper, decoded, steps = path.h_s(z_hat), [], []  # z is known first
    for context, wanted in zip(path.groups.contexts, groups):
        mean, log_scale, features = context(hyper, decoded)  # reads z and the groups in `decoded`, nothing else
        symbol = torch.zeros_like(mean) if wanted is None else torch.round(wanted - mean)  # goes into the file
        rounded = mean + symbol
        decoded.append(rounded + context.residual(features, rounded))  # section 4 says what a residual is
        steps.append(Step(mean, log_scale, symbol, rounded))
    return steps, decoded


steps, decoded = walk(inspection.z_hat, y.split(sizes, dim=1))

# %% [markdown]
# Is that really the codec? Compare with the file: symbol by symbol, bit by bit, byte by byte.

# %%
lines = [["group", "reads", "channels", "% of symbols not 0", "bits a latent", "% of the file"]]
for i, step in enumerate(steps):
    span, segment, symbol = inspection.span(i), info.segments[i + 1], step.symbol
    bits = -torch.log2(codec.gaussian.coded_likelihood(symbol, step.log_scale)).sum().item()
    level = codec.gaussian.level(step.log_scale)  # the scale table's row
    written = rans.encode(symbol[0].int().numpy(), level[0].numpy(), codec.tables()["y"])

    assert np.array_equal(symbol[0].numpy(), inspection.file.symbol[span])  # the file's symbols
    assert np.isclose(bits, inspection.file.bits[span].sum(), rtol=1e-12)  # what they cost by the coder's tables
    assert written == container.payload(data, segment)  # and the very bytes of the segment
    assert torch.equal(decoded[i], inspection.decoded[i])

    reads = " ".join(["z", *names[:i]])
    shares = (100 * (symbol != 0).double().mean().item(), bits / symbol.numel(), 100 * segment.length / len(data))
    lines.append([names[i], reads, str(sizes[i]), f"{shares[0]:.0f}", f"{shares[1]:.2f}", f"{shares[2]:.0f}"])
print(aligned(lines))
print("a dozen lines give every symbol, every bit and every byte of the five segments")

# %% [markdown]
# ## 3. Causality, tested
#
# A decoder can't use what it hasn't got. Its rule is not "above and to the left", as in older codecs that go pixel by
# pixel. It goes group by group, and a group is a set of *channels*, at all positions.

# %%
Predict(
    "A latent of g3 is predicted. May the prediction use what is in the cell to the right of it?",
    [
        "No: that cell comes later",
        "Only what is in the row above, not what is to the right",
        "Yes, g1 and g2 of that cell, but not its g3",
        "Yes, all of that cell",
    ],
    answer=2,
    explanation="When g3 begins, g1 and g2 have been decoded for the whole photograph, left and right, above and "
    "below. What is not there is g3, anywhere, and what comes after it. All latents of a group are decoded at once, in "
    "parallel.",
    misconception="A causal decoder goes through a picture like a reader through a page.",
)

# %% [markdown]
# **Test 1: change a group, see which predictions move.** On a part of the photograph around the edge, noise is added
# to all latents of one group. We walk again, and compare the means and scales of every group with those before.

# %%
column, row = latents["edge"]
left = max(min(column // 4 * 4 - 8, inspection.grid[0] - 20), 0)
top = max(min(row // 4 * 4 - 8, inspection.grid[1] - 16), 0)
part = y[:, :, top : top + 16, left : left + 20].split(sizes, dim=1)
z_part = inspection.z_hat[:, :, top // 4 : top // 4 + 4, left // 4 : left // 4 + 5]
before, known = walk(z_part, part)

rng = torch.Generator().manual_seed(0)
moves = np.zeros((len(sizes), len(sizes)), dtype=bool)
for j in range(len(sizes)):
    noisy = [g + 5 * torch.randn(g.shape, generator=rng, dtype=g.dtype) if i == j else g for i, g in enumerate(part)]
    after, _ = walk(z_part, noisy)
    for i in range(len(sizes)):
        moves[j, i] = any(not torch.equal(a, b) for a, b in zip(after[i][:2], before[i][:2]))

lines = [["changed", *(f"{name} predicted" for name in names)]]
lines += [[names[j], *("moves" if m else "0" for m in moves[j])] for j in range(len(sizes))]
print(aligned(lines))
assert np.array_equal(moves, np.triu(np.ones_like(moves), k=1))  # exactly the later groups, and exactly 0 elsewhere

# %% [markdown]
# Zeros on and below the diagonal: no prediction moves, not by the last bit, when its own group or a later one
# changes. And every later group listens to every earlier one.
#
# **Test 2: change one latent, see where predictions move.** Now a single latent of g1, in the cell at the edge. All
# else is held fixed, so that we see the direct effect only.

# %%
def moved(changed, group, at, by=4.0):
    """h×w: how far means of `group` move, summed over channels, if the latent `at` (channel, row, column) does."""
    with torch.inference_mode():
        hyper, other = path.h_s(z_part), [d.clone() for d in known[:group]]
        other[changed][0][at] += by
        means = [path.groups.contexts[group](hyper, seen)[0] for seen in (other, known[:group])]
    return (means[0] - means[1]).abs().sum(dim=1)[0].numpy()


here = (row - top, column - left)
channel = int(np.abs(inspection.file.symbol[inspection.span(0), row, column]).argmax())
maps = [moved(0, group, (channel, *here)) for group in range(1, len(sizes))]

side = possible(path.groups.contexts[1])
print(f"the network's 3x3 convolutions, {(side - 1) // 2} in a row, reach {side}x{side} cells")

fig = plots.figure(7.2, 2.2)
worst = max(m.max() for m in maps)
for axes, m, name in zip(fig.subplots(1, len(maps)), maps, names[1:]):
    shown = axes.imshow(np.log2(m + 2**-7), cmap="cividis", vmin=-7, vmax=np.log2(worst), interpolation="nearest")
    axes.plot(here[1], here[0], "+", color=plots.ORANGE, markersize=9)
    axes.set_title(f"mean of {name}", fontsize=9, loc="left", color=plots.INK)
    axes.set_xticks([])
    axes.set_yticks([])
fig.colorbar(shown, ax=fig.axes, shrink=0.8, label="log2 of the change")
r, c = here


def beside(m, down, right):
    """What moves in a neighboring cell, as text; the photograph may end there."""
    i, j = r + down, c + right
    return f"{m[i, j]:.2f}" if 0 <= i < m.shape[0] and 0 <= j < m.shape[1] else "–"


table = {
    "group": names[1:],
    "moves in cells": ["x".join(map(str, extent(m))) for m in maps],
    "own cell": [f"{m[r, c]:.2f}" for m in maps],
    "left": [beside(m, 0, -1) for m in maps],
    "right": [beside(m, 0, 1) for m in maps],
    "above": [beside(m, -1, 0) for m in maps],
    "below": [beside(m, 1, 0) for m in maps],
}
view = plots.Plot(fig, plots.in_words("How far means move when one latent of g1 does, by 4:", table), colors=64)
print(view.words)
assert all(max(extent(m)) <= side for m in maps)
if c + 1 < maps[0].shape[1]:
    assert sum(m[r, c + 1] for m in maps) > 0  # the cell to the right listens as well
view

# %% [markdown]
# The change is felt on all sides, to the left as to the right: that is what "earlier groups at every position" means.
# And it ends: *allowed* is the whole photograph, *possible* is what the network's convolutions reach.
#
# ## 4. A correction that costs no bits
#
# The loop has one line left: the **latent residual prediction**. A rounded latent is off by up to ½. The true value
# is lost, but what is known by now (the context, and the rounded group itself) may hint at a better one. A head of
# the network computes a correction of at most ½, and the decoder adds it. Nobody told that head to come close to the
# true latent: it was trained for a good *picture* at a small rate, with the rest of the codec.
#
# One experiment, on and off: same file, same symbols. We look at the latent and at the picture.

# %%
original = y.split(sizes, dim=1)
errors = {"off": [step.rounded for step in steps], "on": decoded}


def as_picture(groups):
    """Decoded groups as a photograph of the original size."""
    with torch.inference_mode():
        x_hat = codec.synthesize(torch.cat(groups, dim=1), quality)
    return from_tensor(x_hat[:, :, : photo.height, : photo.width])


mse = {how: [(g - o).square().mean().item() for g, o in zip(groups, original)] for how, groups in errors.items()}
shown = {how: psnr(photo, as_picture(groups)) for how, groups in errors.items()}
lines = [["squared error of y", *names]]
lines += [[f"residual {how}", *(f"{e:.3f}" for e in mse[how])] for how in errors]
lines += [["change in %", *(f"{100 * (on / off - 1):+.0f}" for on, off in zip(mse["on"], mse["off"]))]]
print(aligned(lines))
print(f"anywhere in an interval of 1, all equal: 1/12 = {1 / 12:.3f}")
closer = [name for name, off, on in zip(names, mse["off"], mse["on"]) if on < off]
gained = shown["on"] - shown["off"]
print(f"PSNR of the picture: {shown['off']:.1f} dB without, {shown['on']:.1f} dB with, {gained:+.1f} dB for no bits")
print("the correction brings the latent closer to the true one in:", ", ".join(closer) or "no group")
print("and makes the picture", "better" if gained > 0.05 else "worse" if gained < -0.05 else "neither better nor worse")

# %% [markdown]
# Compare the last two lines. Where they disagree, the correction is no longer a guess at y: it is part of the
# decoder, and moves ŷ to where the synthesis makes most of it. (This codec was trained with it on. What would be lost
# by training without it is another question.)
#
# ## 5. What is known after each group
#
# The same predictions decode a file that is cut (lesson 00): a missing group is the one whose symbols are all zero,
# so it is its prediction. How good are these guesses? We compare with putting plain zeros in place of what is
# missing.

# %%
guessed, empty = [], []
for held in range(len(sizes) + 1):
    _, filled = walk(inspection.z_hat, [*original[:held], *[None] * (len(sizes) - held)])
    guessed.append(as_picture(filled))
    empty.append(as_picture([*decoded[:held], *(0 * d for d in decoded[held:])]))
assert np.array_equal(np.asarray(guessed[2]), np.asarray(ccalib.decode(data, groups=2)))  # the real decoder's picture

named = {"missing groups guessed": guessed, "missing groups zero": empty}
curves = {name: [psnr(photo, picture) for picture in pictures] for name, pictures in named.items()}
fig = plots.figure(5.4, 2.6)
axes = fig.subplots()
plots.dress(axes, "after each group", "", "PSNR in dB")
axes.set_xticks(range(len(sizes) + 1), ["z", *names])
for (name, values), color, mark in zip(curves.items(), (plots.BLUE, plots.ORANGE), "os"):
    axes.plot(values, color=color, marker=mark, label=name)
axes.legend(fontsize=8, frameon=False)
ends = [100 * (info.segments[i].start + info.segments[i].length) / len(data) for i in range(len(sizes) + 1)]
table = {"known up to": ["z", *names], "% of the file": [f"{end:.0f}" for end in ends]}
table |= {name: [f"{value:.1f}" for value in values] for name, values in curves.items()}
view = plots.Plot(fig, plots.in_words("PSNR (dB) after each group:", table), colors=48)
print(view.words)
view

# %%
sides = {"the rest zero": empty[1], "the rest guessed": guessed[1]}
pictures = [Picture(f"z and g1; {name}", picture, psnr=psnr(photo, picture)) for name, picture in sides.items()]
Wipe(*pictures, heading="Zero or guessed: drag the line")

# %% [markdown]
# ## 6. A ruler for knowledge
#
# What is the group just before worth? Section 1 says: the bits of a group without it, minus the bits with it. "With"
# is at hand: the codec always reads it. "Without" is not: nobody trained a codec that doesn't.
#
# The honest way is a **ruler**: on the frozen latents of this codec, fit *two* fresh entropy models, alike in shape,
# data and number of steps, each from random values of its own. One reads z and all earlier groups. The other may not
# read the group just before. The difference of their bits is what that group bought. As g1 has no group before it, its
# two models may read the same. By how much their bits differ is luck: its "gain" is the **ruler's error**.
#
# The quick way is to take the trained codec and set the group just before to zero.

# %%
refitted, *more = purchases(inspection, rulers)
masked = next(p for p in more if p.ruler == MASKED)
truth, quick = refitted.gain[1:].sum(), masked.gain[1:].sum()
ratio = quick / truth
Predict(
    "You set the group before to zero in the trained codec, and count how many more bits the next group takes. "
    "What have you measured?",
    [
        "What that group is worth",
        "More than it is worth",
        "Less than it is worth",
    ],
    answer=1 if ratio > 1.1 else 2 if ratio < 0.9 else 0,
    explanation=f"On this photograph it gives {about(abs(ratio), 1)} times what the two fitted models give. The codec "
    "never saw a group of zeros beside real ones. It reads them as a fact (here all is flat) and is sure of the wrong "
    "thing. A model that never had the group makes up for a part of the loss from what it still has.",
    misconception="To learn what a part is worth, take it out and see what breaks.",
)

# %%
def in_bytes(bits):
    """Bits as bytes, rounded to two digits, with a sign."""
    return f"{'-' if bits < 0 else '+'}{about(abs(bits) / 8, 2)}"


error = abs(refitted.gain[0]) / refitted.with_[0]
lines = [["bytes bought by the group before (rounded)", *names[1:], "sum"]]
for name, p in (("fitted without it", refitted), ("masked (the wrong ruler)", masked)):
    lines.append([name, *map(in_bytes, p.gain[1:]), in_bytes(p.gain[1:].sum())])
saved = refitted.gain[1:] / refitted.without[1:]
lines.append(["fitted, % of the bits without it", *(f"{100 * share:+.0f}" for share in saved), ""])
lines.append(["% of latents that cost more", *(f"{100 * share:.0f}" for share in refitted.negative[1:]), ""])
print(aligned(lines))
beyond = [n for n, g, w in zip(names[1:], refitted.gain[1:], refitted.with_[1:]) if abs(g) > error * w]
print(f"the ruler's error: its two fits differ by {100 * error:.1f} % in g1, where they should not")
print("gains larger than that error:", ", ".join(beyond) or "none")
over = refitted.with_.sum() / inspection.file.bits.sum() - 1
print(f"the fit that reads everything takes {100 * over:.0f} % more bits than the codec itself")

# %% [markdown]
# A ruler's networks are smaller than the codec's, and fitted for a short time. That is why only the *difference* of
# the two counts: what they lack, they lack alike.
#
# Some latents cost *more* with the group before. A prediction is a bet: it can be narrower and wrong. On average over
# many latents, a good model gains. On single ones it may lose. (A little of that is luck: each model rounds around its
# own mean, so a latent between two intervals may fall into either.)
#
# ## 7. The inspector
#
# Now look at single latents. The inspector shows one latent of the real file, and everything about it:
#
# - **When?** What is known when its group is decoded, and the bytes of each segment (its width is its channels).
# - **Where?** Its cell on the photograph, with the bits of each cell.
# - **Which number?** All channels of its group in this cell: what each cost, and what the group before bought.
# - **How likely?** The probabilities of the ruler with the group before (filled) and without it (outlined).
# - **From what?** What its prediction *may* read beside what it *does* read.
# - **How much?** From this latent to the bytes of the file.
#
# Start with the **tour**: six latents, each with a question. Guess before you look. Then go on your own: click the
# photograph, the strip, the bars; or use the keys (arrows: cell; PgUp, PgDn: channel; `[` and `]`: group; P: the
# group before on and off; H: heat map).
#
# Find (1) a latent that was cheap with the group before and expensive without it; (2) the costliest latent of the
# sky; (3) the group in which the two probabilities of *How likely?* should never differ, and how far they do. Press P
# often.

# %%
inspector = Inspector(inspection, latents)
inspector

# %% [markdown]
# The numbers of the latent that is selected, from the kernel. Select another one and run this cell again.

# %%
# NBVAL_IGNORE_OUTPUT
# one symbol that your processor rounds differently changes bits and bytes a little; that they add up is asserted
ledger = inspection.ledger(*inspector.cell, inspector.channel)
group, others = names[inspector.group], ledger.payload - ledger.segment
print(inspector.sentence)
print(f"this latent {ledger.latent:.2f} bits, its channel {ledger.channel:,.1f}, its group {ledger.group:,.1f}")
print(f"{group}: {ledger.group:,.1f} bits + {ledger.overhead:.1f} of the coder's ends = 8 x {ledger.segment:,} bytes")
print(f"file: {ledger.segment:,} + {others:,} of other segments + {ledger.header} of header = {ledger.file:,} bytes")

bits_of_group = inspection.file.bits[inspection.span(inspector.group)]
assert np.isclose(ledger.group, sum(channel.sum() for channel in bits_of_group))
# the stream's ends, and rounding (lesson 02); a group of zeros alone has no stream
assert not ledger.segment or 0 <= ledger.overhead < 64 + 0.005 * ledger.group
assert ledger.segment + others + ledger.header == ledger.file == len(data)

# %% [markdown]
# The sky, the edge and the texture, with all their latents:

# %%
per_cell, paid = inspection.gain[sizes[0] :].sum(axis=0), inspection.file.bits.sum(axis=0)
lines = [["cell", "bits in the file", "ruler: bits that groups bought for the next", "% of those without"]]
for name, (c, r) in latents.items():
    share = per_cell[r, c] / inspection.without.bits[:, r, c].sum()
    lines.append([name, about(paid[r, c], 2), f"{per_cell[r, c]:+.0f}", f"{100 * share:+.0f}"])
print(aligned(lines))

# %% [markdown]
# One cell has few latents that cost anything. So a cell may lose, while the whole photograph gains (section 6).
#
# ## 8. What did the previous group buy?
#
# One bar with the group before, one without it, and the bracket between them, for every group. (Its percentage is of
# the bits of all groups; in section 6 each was of the group's own.) Move over a group: its
# gains appear on the photograph (blue: bought; orange and hatched: cost) and as a histogram. Click a cell there, and
# the inspector goes to it. Press R for the wrong ruler.

# %%
bought = Bought([refitted, *more], {inspection.name: inspection.photo})
traitlets.link((inspector, "cell"), (bought, "cell"))
bought

# %%
gains_sum, everything = refitted.gain[1:].sum(), (refitted.z_only - refitted.with_)[1:].sum()
part_of = gains_sum / everything
Predict(
    "Add up what each group's predecessor bought, from g2 to g5. Is that the value of all context, compared with a "
    "model that reads z only?",
    ["Yes, by definition", "No, all context is worth more", "No, all context is worth less"],
    answer=0 if 0.95 < part_of < 1.05 else 1 if part_of < 1 else 2,
    explanation=f"The gains add up to {100 * part_of:.0f} % of what all context saves. Each gain asks what the last of "
    "the earlier groups adds when the others are there already; what the others save is in none of these gains. So all "
    "context has a fit of its own: the hatched bars.",
    misconception="The worth of parts adds up to the worth of the whole.",
)

# %%
print(f"the gains of {names[1]} to {names[-1]} add up to {in_bytes(gains_sum)} bytes")
print(f"all context is worth {in_bytes(everything)} bytes there")

# %% [markdown]
# One photograph is an anecdote. The same three models over the course's images, from the results that the ruler's fit
# wrote down:

# %%
results = json.loads((Path(thread_photo()).parents[1] / "results" / "rulers_small.json").read_text())
course = results["sets"]["images"]
mean = course["qualities"]["3"]["mean"]
models = {"z only": "hyperprior", "all but the group before": "auxiliary", "all earlier groups": "main"}
lines = [["bits per pixel, mean of the images", *names, "sum"]]
for words, model in models.items():
    lines.append([words, *(f"{bpp:.3f}" for bpp in mean[model]), f"{sum(mean[model]):.3f}"])
print(aligned(lines))
saved = 1 - sum(mean["main"]) / sum(mean["hyperprior"])
print(f"{len(course['images'])} images; all context saves {100 * saved:.1f} % of what z alone would cost")

# %% [markdown]
# ## 9. The heat map is the file
#
# Where did the bytes go? Every bit of the file belongs to a latent, to z, to the coder's ends or to the header. A
# hyper-latent stands for 4×4 cells, so each of them gets a sixteenth. The map has the latents and z. With the ends and
# the header, which have no place in the picture, its sum is the file.

# %%
cells = inspection.cell_bits()
ideal = [inspection.z_bits.sum(), *inspection.per_group(inspection.file.bits).sum(axis=(1, 2))]
coder_ends = [8 * segment.length - bits for segment, bits in zip(info.segments, ideal)]
ends = [(e, bits) for e, bits, segment in zip(coder_ends, ideal, info.segments) if segment.length]
assert np.isclose(cells.sum(), sum(ideal)) and all(0 <= e < 64 + 0.005 * bits for e, bits in ends)
total = cells.sum() + sum(coder_ends) + 8 * info.header
assert round(total) == 8 * len(data)

fig = plots.figure(5.2, 3.2)
axes = fig.subplots()
shown = axes.imshow(cells, cmap="cividis", interpolation="nearest", vmax=np.quantile(cells, 0.995))
axes.set_axis_off()
axes.set_title("bits of each cell of 16×16 pixels", fontsize=10, loc="left", color=plots.INK)
fig.colorbar(shown, ax=axes, shrink=0.8)
running = np.cumsum(np.sort(cells.ravel())[::-1]) / cells.sum()
table = {
    "cells": [f"the costliest {share} %" for share in (1, 10, 50)],
    "% of all cells' bits": [f"{100 * running[len(running) * share // 100 - 1]:.0f}" for share in (1, 10, 50)],
}
view = plots.Plot(fig, plots.in_words("Where the bits are:", table), colors=64)
print(view.words)
parts = {"cells": cells.sum(), "the coder's ends": sum(coder_ends), "header": 8 * info.header}
print("of the file:", ", ".join(f"{name} {100 * bits / total:.1f} %" for name, bits in parts.items()))
print("their sum is the file, to the byte:", round(total) == 8 * len(data))
view

# %% [markdown]
# ## 10. *Deeper:* what one prediction reads
#
# Allowed is the whole photograph. The gradient says what is used: |∂μ/∂ŷ|, here of the costliest latent of g5 at each
# of our three places. First *how far* it reads.

# %%
last = inspection.span(len(sizes) - 1)
lines = [["costliest latent of g5", *(f"reads {name}" for name in names[:-1]), f"99 % of {names[-2]}'s"]]
for name, (c, r) in latents.items():
    channel = last.start + int(inspection.file.bits[last, r, c].argmax())
    maps = inspection.support(c, r, channel).groups
    assert all(max(extent(one)) <= side for one in maps)
    most = side_of(maps[-1], (r, c))
    lines.append([name, *("x".join(map(str, extent(one))) for one in maps), f"{most}x{most}"])
print(aligned(lines))
print(f"possible: {side}x{side} cells; allowed: all {inspection.grid[1]}x{inspection.grid[0]}")

# %% [markdown]
# (Fewer rows or columns than possible: the cell lies near the border of the photograph.)
#
# Then *which group* matters. For every group, its means are differentiated by z and by all latents of the earlier
# groups; each slope counts squared, times how much that latent varies. A row says where a group's prediction comes
# from.

# %%
found = sources(codec.path, z_part, known)
lines = [["predicted", *(f"% from {name}" for name in ["z", *names[:-1]])]]
for name, shares in zip(names, found):
    lines.append([name, *(f"{100 * share:.0f}" for share in shares), *[""] * (len(names) - len(shares))])
print(aligned(lines))
strongest = [name for name, shares in zip(names[1:], found[1:]) if shares.argmax() == len(shares) - 1]
print("the group just before is the strongest for:", ", ".join(strongest) or "none")

# %% [markdown]
# (Strong is not the same as worth much: what a strong group says may be known from the others, too. Bits are measured
# by the ruler only.)
#
# ## 11. *Deeper:* what order costs
#
# Groups are decoded one after the other: z, then five steps, whatever the size of the photograph. All latents of a
# group are decoded in parallel. (A codec that goes latent by latent would need as many steps as there are cells.) And
# every step has a network of its own to run.

# %%
# NBVAL_IGNORE_OUTPUT
# times are this machine's; what holds on every one is asserted
spent = []
with torch.inference_mode():
    hyper = path.h_s(inspection.z_hat)
    for i, context in enumerate(path.groups.contexts):
        started = time.perf_counter()
        context(hyper, decoded[:i])
        spent.append(time.perf_counter() - started)
cells_in_all = inspection.grid[0] * inspection.grid[1]
print(f"sequential steps: 1 for z + {len(sizes)} for the groups; latent by latent: {cells_in_all:,}")
shares = [f"{name} {100 * seconds / sum(spent):.0f} %" for name, seconds in zip(names, spent)]
print("share of the contexts' time:", ", ".join(shares))
assert len(spent) == len(sizes) < cells_in_all and min(spent) > 0

# %% [markdown]
# ## Now on yours
#
# Put the path of a photograph of yours into `my_photo` in the first cell, and run all cells again. Take the tour:
# which latent is your best bargain, and what is in the picture there? Does the group before buy more in smooth or in
# busy pictures?
#
# ## Three questions for a class
#
# 1. A friend proposes to predict a latent of g3 from the g3 to its left *and* from g1 and g2. What would the decoder
#    have to do differently, and what would it cost in steps?
# 2. A latent costs 6 bits with the group before and 2 without it. Is the codec broken? What would have to be true on
#    average over all latents?
# 3. Somebody reports what each group is worth by setting it to zero in the trained model. Which two experiments would
#    you ask for before you believe it?
#
# ## What this lesson takes away
#
# The misconception that **context is what lies around a pixel**. Here it is what has been *decoded before*: whole
# groups of channels, at every position. And that **a part's worth is what breaks without it**: it is what the best
# model with it saves over the best model without it.
#
# Exercises: [04 · Causal context](exercises/04_causal_context.ipynb) (★ the chain rule, ★★ find the leak). Next:
# [05 · The CCA loss](05_cca_loss.ipynb), on moving knowledge into early groups.
