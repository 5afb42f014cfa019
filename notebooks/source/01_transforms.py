# %% [markdown]
# # 01 · Transforms: what does a latent know?
#
# A codec does not round pixels. It first computes other numbers from them, the *latents*, and rounds those. You will
# build such a transform from one idea of 1933 (the KLT), use it as a codec, and then see what a network adds to it.
#
# - **Goals**: say what a transform is good for; read the energy of latents; show what one latent paints; tell by an
#   experiment whether a decoder is linear.
# - **You need**: lesson 00; what a vector, a matrix product and a variance are.
# - **Study time**: 45 minutes for the core. Sections marked *deeper* come on top; nothing later needs them.
# - **Run time**: {run_time} for the whole notebook on two CPU cores, as measured when it was built.

# %%
import dataclasses

import numpy as np
import torch
import torch.nn.functional as F

import ccalib
from ccalib.evaluation.metrics import psnr
from ccalib.images import from_tensor, pad, to_tensor
from ccalib.lessons import plots
from ccalib.lessons.coding import histogram_bits
from ccalib.lessons.painting import inside, outside, painted, visible
from ccalib.lessons.pixels import Picture
from ccalib.lessons.thread import latents_of, open_photo, thread_photo
from ccalib.lessons.widgets import Diagram, Predict, Wipe
from ccalib.lessons.widgets.explorer import Explorer
from ccalib.model.layers import NAFBlock
from ccalib.model.transforms import Analysis, klt

my_photo = thread_photo()  # later: the path of a photograph of yours, such as "holiday.jpg"

photo = open_photo(my_photo)
latents = latents_of(my_photo, photo)
codec = ccalib.load("small")
M = codec.preset.latent  # numbers a cell
x = pad(to_tensor(photo), 64)  # 1×3×height×width in 0 … 1, sides multiples of 64
rows, columns = x.shape[2] // 16, x.shape[3] // 16
print(f"the photograph has {rows} x {columns} cells of 16x16 pixels; we follow {', '.join(latents)}")
Diagram("g_a", "y", "y_hat", "g_s", caption="Lesson 01 looks at the two transforms and at what lies between them.")

# %% [markdown]
# ## 1. Most of a photograph lies in few directions
#
# Cut photographs into patches of 16×16 pixels. Each patch has 3·16·16 = 768 values (red, green, blue): it is a point in
# a space of 768 dimensions. Neighboring pixels are alike, so the points do not fill that space evenly. They form a
# flat cloud, long in some directions and thin in most.
#
# The **Karhunen–Loève transform** (KLT; statisticians say principal components) turns the axes into the directions of
# the cloud: the first axis along its longest extent, the second along the longest at right angles to it, and so on.
# How long the cloud is along an axis, squared, is the *energy* of that axis: the variance of the patches' coordinate.

# %%
def patches_of(image):
    """All 16×16 patches of a picture (1×3×height×width), each a row of 768 values."""
    return F.pixel_unshuffle(image, 16)[0].flatten(1).T


others = [open_photo(path) for path in sorted(thread_photo().parent.glob("*.png")) if path != thread_photo()]
cloud = torch.cat([patches_of(pad(to_tensor(one), 16)) for one in others])  # not the thread: that would be cheating
basis, mean, energy = klt(cloud, 768)
share = np.cumsum(energy.numpy()) / energy.sum().item()

# %%
most = float(share[11])
Predict(
    "Of the 768 axes, we keep the 12 with the most energy. Which share of the energy is that?",
    ["12 of 768: about 2 %", "About 20 %", "About half", "Far more than half"],
    answer=int(np.searchsorted([0.1, 0.35, 0.65], most)),
    explanation=f"It is {100 * most:.0f} %. A patch is mostly its mean color, a gradient from left to right and one "
    "from top to bottom. Fine detail has far less energy (and yet most of the coordinates).",
    misconception="768 numbers carry 768 equal parts of a picture.",
)

# %%
for count in (1, 3, 12, 48, M, 768):
    print(f"the first {count:3d} of 768 axes hold {100 * share[count - 1]:5.1f} % of the energy")

kept = (cloud - mean) @ basis[:M].T @ basis[:M] + mean
error = (cloud - kept).square().sum(1).mean().item()
dropped = energy[M:].sum().item()
assert torch.allclose(basis @ basis.T, torch.eye(768), atol=1e-3)  # axes of length 1 at right angles
assert np.isclose(error, dropped, rtol=1e-2)  # what is lost is exactly the energy of the axes that are dropped
print(f"squared error when {M} axes are kept, over the energy of the dropped ones: {error / dropped:.2f}")

# %%
fig = plots.figure(7.2, 2.9)
left, right = fig.subplots(1, 2, width_ratios=[1.1, 1])
plots.dress(left, "energy of the first axes", "how many axes are kept", "% of the energy")
left.semilogx(np.arange(1, 769), 100 * share, color=plots.BLUE, linewidth=2)
left.axvline(M, color=plots.ORANGE, linestyle="--", linewidth=1)
left.text(0.94 * M, 100 * share[0], f"{M}", ha="right", fontsize=8, color=plots.ORANGE)
tiles = [visible(axis.view(3, 16, 16).permute(1, 2, 0).numpy()) for axis in basis[:24]]
mosaic = np.full((4 * 18 - 2, 6 * 18 - 2, 3), 255, dtype=np.uint8)
for i, tile in enumerate(tiles):
    mosaic[i // 6 * 18 : i // 6 * 18 + 16, i % 6 * 18 : i % 6 * 18 + 16] = tile
right.imshow(mosaic, interpolation="nearest")
right.set_title("the first 24 axes, as pictures", fontsize=10, loc="left", color=plots.INK)
right.set_axis_off()
counts = (1, 2, 4, 8, 16, 32, 64, 128, M)
table = {"axes": [f"{n}" for n in counts], "% of the energy": [f"{100 * share[n - 1]:.0f}" for n in counts]}
plots.Plot(fig, plots.in_words("Energy held by the first axes of the KLT:", table))

# %% [markdown]
# The first axes are colors and slow gradients; later ones are waves. That is close to the cosines that JPEG uses, and
# nobody told the KLT about cosines: it found them in photographs.
#
# ## 2. The KLT as a codec
#
# A codec of the 1960s is now four lines: subtract the mean patch, turn the axes, divide each coordinate by a **step**
# and round it. The decoder does the same backwards. The rounded numbers, the *symbols*, are what goes into the file.
#
# How many bits would that file have? For now we say: as many as the **empirical entropy of each channel's histogram**.
# That is what an ideal coder needs if it knows how often each symbol occurs in each channel (a *channel* is one
# coordinate of all patches), and nothing else. It is an estimate, not a file. A real file would also have to hold the
# histograms; and our codec's real files are smaller than this, because its entropy model knows more than
# histograms (lessons 02 to 04). But it is the same yardstick for both transforms, and it looks at the transform only.

# %%
pixels = photo.width * photo.height


def bpp(symbols):
    """Bits per pixel by the histograms of the channels: channels first."""
    return histogram_bits(symbols.numpy()) / pixels


def as_picture(x_hat):
    """A decoded tensor as a photograph of the original size."""
    return from_tensor(x_hat[:, :, : photo.height, : photo.width])


def klt_codec(step, channels=M):
    """(symbols, decoded picture) of the plain KLT."""
    coordinates = (patches_of(x) - mean) @ basis[:channels].T
    symbols = torch.round(coordinates / step)
    decoded = step * symbols @ basis[:channels] + mean
    return symbols.T, F.pixel_shuffle(decoded.T.reshape(1, 768, rows, columns), 16)


for levels in (200, 100, 50, 25):
    symbols, decoded = klt_codec(levels / 255)
    print(f"step {levels:3d}: {bpp(symbols):.2f} bits per pixel, {psnr(photo, as_picture(decoded)):.1f} dB")

# %% [markdown]
# ## 3. The network on top
#
# Our codec **starts** as that KLT. Beside it runs a network; what the two give is added:
#
# $$y = g_a(x) + W x \qquad\qquad \hat x = g_s(\hat y) + V \hat y$$
#
# W and V are the linear path (the *shortcut*). At the start of training W is the KLT and the network gives almost
# nothing. Then everything learns, W and V too. (The shipped weights had 192 channels at first. The others joined later.
# They began as the main axes of what a linear map could still add to the picture.) Three codecs, then, compared **at
# the same bits per pixel**, all by the histograms of their channels:
#
# - the **KLT** of section 2, its step chosen so that its rate is the network's;
# - the **trained shortcut alone**, again with the step that gives this rate;
# - the **whole transform**, shortcut and network, at three of its qualities.

# %%
def at_rate(code, rate, low=0.01, high=2.0):
    """What `code(step)` gives at the step (by bisection) where its rate is `rate`."""
    for _ in range(11):
        step = (low * high) ** 0.5
        low, high = (step, high) if bpp(code(step)[0]) > rate else (low, step)
    return code(step)


@torch.inference_mode()
def whole_codec(quality):
    """(symbols, decoded picture) of shortcut and network."""
    quality = torch.tensor([float(quality)])
    symbols = torch.round(codec.analyze(x, quality))
    return symbols[0], codec.synthesize(symbols, quality)


with torch.inference_mode():
    linear = codec.klt(x)


@torch.inference_mode()
def shortcut_codec(step):
    """(symbols, decoded picture) of the trained linear path alone."""
    symbols = torch.round(linear / (10 * step))  # its coordinates are in other units than the KLT's: any step will do
    return symbols[0], codec.klt.inverse(symbols * (10 * step))


# %%
print("bits per pixel     KLT    shortcut alone    network and shortcut")
gains = {}
for quality in (1, 3, 5):
    symbols, decoded = whole_codec(quality)
    rate, whole = bpp(symbols), as_picture(decoded)
    plain = as_picture(at_rate(klt_codec, rate)[1])
    trained = as_picture(at_rate(shortcut_codec, rate)[1])
    gains[quality] = round(psnr(photo, whole), 1) - round(psnr(photo, plain), 1)  # as printed
    print(f"{rate:14.2f}{psnr(photo, plain):8.1f}{psnr(photo, trained):18.1f}{psnr(photo, whole):24.1f}   dB")
    if quality == 1:
        pictures = [Picture("KLT", plain, psnr=psnr(photo, plain)), Picture("network", whole, psnr=psnr(photo, whole))]

ahead = [f"{gain:+.1f} dB" for gain in gains.values()]
print("network and shortcut against the KLT:", ", ".join(ahead))
print("the whole transform is", "ahead at each rate" if min(gains.values()) > 0 else "not ahead at every rate")

# %% [markdown]
# Look at both at the lowest of these rates. *Where do you see patches, and why do you see fewer (or none) of them on
# the other side?*

# %%
column, row = latents["edge"]
Wipe(*pictures, position=(column + 0.5) * 16 / photo.width, heading="KLT on the left, network on the right: equal bits")

# %% [markdown]
# And the trained shortcut alone? It shares the work with the network, so what it does without it is no fair judgment of
# a linear codec. And it is no KLT any more: W and V do not undo each other.

# %%
product = codec.klt.analysis.weight.flatten(1) @ codec.klt.synthesis.weight.flatten(1).T
off = (product - torch.eye(len(product))).norm() / len(product) ** 0.5
print(f"distance of W V from the identity (0 for the KLT): {off.item():.2f}")

# %% [markdown]
# ## 4. A gallery of latents
#
# One cell of 16×16 pixels is now M numbers, its latent. Taken over all cells, one of the numbers is a channel: a
# small picture, one value a cell. Here are the ten channels with the most energy (variance, in units of the
# rounding step), then those at an eighth, a quarter, a half, three quarters and the end of that order. Each has a color
# scale of its own. The
# codec codes its channels in five groups, from g1 to g5; the groups are in this order for a reason that is in the
# table.

# %%
quality = torch.tensor([3.0])
with torch.inference_mode():
    y_hat = torch.round(codec.analyze(x, quality))
power = y_hat[0].var(dim=(1, 2))
order = power.argsort(descending=True).tolist()
group_of = np.repeat(np.arange(len(codec.preset.sizes)), codec.preset.sizes)

fig = plots.figure(7.2, 2.9)
picked = order[:10] + [order[round(part * M) - 1] for part in (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1)]
for ax, channel in zip(fig.subplots(3, 5).flat, picked):
    spread = max(y_hat[0, channel].abs().max().item(), 1)
    ax.imshow(y_hat[0, channel].numpy(), cmap="cividis", vmin=-spread, vmax=spread, interpolation="nearest")
    ax.set_title(f"channel {channel} (g{group_of[channel] + 1})", fontsize=8, color=plots.INK, pad=2)
    ax.set_axis_off()
whole_power = power.sum().item()
table = {
    "group": [f"g{i + 1}" for i in range(len(codec.preset.sizes))],
    "channels": [f"{size}" for size in codec.preset.sizes],
    "% of the energy": [f"{100 * power[group_of == i].sum().item() / whole_power:.0f}" for i in range(5)],
    "% of symbols that are 0": [f"{100 * (y_hat[0, group_of == i] == 0).float().mean().item():.0f}" for i in range(5)],
}
view = plots.Plot(fig, plots.in_words("Energy of the groups of channels at quality 3:", table))
print(view.words)
view

# %% [markdown]
# ## 5. What does one latent paint?
#
# Take one number of one cell. Decode with it, decode without it (with its channel's mean in its place), subtract: the
# difference is what this number paints.

# %%
cell = latents["edge"]
strongest = order[0]
stroke, corner = painted(codec, y_hat, quality, cell, order[:12])
share = np.mean([inside(one, corner, cell) for one in stroke])
reach = max(outside(one, corner, cell) for one in stroke)

Predict(
    "Which pixels does one latent paint?",
    [
        "Exactly the 16×16 pixels of its cell, like a block of JPEG",
        "Its cell most, and its surroundings as well",
        "One pixel of a smaller picture, which is then enlarged",
        "The whole photograph, a little everywhere",
    ],
    answer=1 if reach >= 1 else 0,
    explanation=f"Of the change that the 12 strongest channels make at the edge, {100 * share:.0f} % (in squares) is "
    f"inside the cell; but pixels outside change too, by up to {reach:.0f} of 255. Neighbors' strokes overlap, and so "
    "the network can smooth the borders between cells. The KLT's strokes end there.",
    misconception="A latent is a block of pixels, or a pixel of a small picture.",
)

# %%
for name, place in latents.items():
    strokes, at = painted(codec, y_hat, quality, place, order[:12])
    largest = max(range(12), key=lambda i: np.abs(strokes[i]).max())
    print(
        f"{name:8s} strongest stroke: channel {order[largest]}, up to {np.abs(strokes[largest]).max():.0f} of 255 "
        f"inside the cell, up to {outside(strokes[largest], at, place):.0f} outside"
    )

with torch.inference_mode():
    single = torch.zeros_like(y_hat)
    single[0, strongest, 8, 8] = 10
    linear_stroke = (codec.klt.inverse(single) - codec.klt.inverse(0 * single)).abs().sum(1)[0]
touched = torch.nonzero(linear_stroke).numpy()
assert (touched // 16 == 8).all()
print("linear path: one latent touches the pixels of its own cell only")

# %% [markdown]
# Explore. Click a channel; switch the place; press **A** to see what the same number paints *alone*, where all other
# latents are at their channel's mean (gray: nothing changes). Does the same channel paint the same thing everywhere?
# Does it alone do what it does in company?

# %%
Explorer(codec, photo, y_hat, quality, latents, order[:16])

# %% [markdown]
# ## 6. Is a picture the sum of its latents?
#
# For a linear decoder, yes: that is what linear means. Two latents together paint the sum of what each paints alone.
# (After the mean is taken off: an empty latent already gives the mean picture, and two of those are too many.)

# %%
with torch.inference_mode():
    top, start = max(min(cell[1] - 8, rows - 16), 0), max(min(cell[0] - 12, columns - 24), 0)
    part = y_hat[:, :, top : top + 16, start : start + 24]
    empty = y_hat.mean(dim=(2, 3), keepdim=True).expand_as(part)
    r, c = cell[1] - top, cell[0] - start
    a, b = (part - empty)[0, :, r, c].abs().argsort(descending=True)[:2].tolist()

    def with_only(*which):
        """An empty latent in which only these (channel, row, column) keep their values."""
        y = empty.clone()
        for channel, i, j in which:
            y[0, channel, i, j] = part[0, channel, i, j]
        return y

    def superposition_error(decode, first, second):
        """How far two latents together are from the sum of both, relative to what they paint together."""
        nothing, one, two, both = (decode(with_only(*w)) for w in ((), (first,), (second,), (first, second)))
        difference = (both - nothing) - (one - nothing) - (two - nothing)
        return (difference.norm() / (both - nothing).norm()).item()

    def shortcut(y):
        return codec.klt.inverse(y * codec.gains.inverse_gain(quality))

    def whole_transform(y):
        return codec.synthesize(y, quality)

    places = [(r, c - 10 if c >= 12 else c + 10), (r, c - 10), (r + 10, c), (r - 10, c)]
    far = next(p for p in places if 0 <= p[0] < part.shape[2] and 0 <= p[1] < part.shape[3])
    pairs = {
        "two channels, same cell": ((a, r, c), (b, r, c)),
        "neighboring cells": ((a, r, c), (a, r, c + 1 if c + 1 < part.shape[3] else c - 1)),
        "ten cells apart": ((a, r, c), (a, *far)),
    }
    paths = (shortcut, whole_transform)
    errors = {name: [superposition_error(path, *pair) for path in paths] for name, pair in pairs.items()}

# %%
linear_holds = max(e[0] for e in errors.values()) < 1e-3
network_holds = max(e[1] for e in errors.values()) < 1e-3
Predict(
    "Is decoding two latents together the sum of decoding each alone (with the mean taken off)?",
    ["Always", "For the KLT path, but not for the network", "For the network, but not for the KLT path", "Never"],
    answer=[[3, 2], [1, 0]][linear_holds][network_holds],
    explanation="A matrix is linear, so the KLT path adds up exactly. In the network, a gate multiplies one half of "
    "the channels with the other, and a ReLU cuts: what one latent paints depends on its company. Only latents so "
    "far apart that no pixel is reached by both still add up.",
    misconception="A latent has one fixed brush stroke, and a picture is the sum of its strokes.",
)

# %%
print(f"{'superposition error':26s}{'KLT path':>10s}{'network':>10s}")
for name, (first, second) in errors.items():
    print(f"{name:26s}{first:10.3f}{second:10.3f}")

# %% [markdown]
# An error of 0: the two together paint the sum of what each paints alone. An error of 1: the difference is as large as
# what they paint together.
#
# ## 7. Remove a group
#
# The groups have few channels first and many last. What is each of them worth? Put every channel of one group at its
# mean, and decode. (A real decoder does better: it predicts a missing group from those it has. That is lesson 04.)

# %%
sizes = codec.preset.sizes
without = []
with torch.inference_mode():
    full = as_picture(codec.synthesize(y_hat, quality))
    for i in range(len(sizes)):
        removed = y_hat.clone()
        chosen = torch.from_numpy(group_of == i)
        removed[:, chosen] = y_hat.mean(dim=(2, 3), keepdim=True)[:, chosen].expand_as(removed[:, chosen])
        without.append(as_picture(codec.synthesize(removed, quality)))
losses = [psnr(photo, full) - psnr(photo, one) for one in without]

Predict(
    f"Group 1 has {sizes[0]} of {sum(sizes)} channels, group 5 has {sizes[-1]}. The loss of which costs more PSNR?",
    [f"Group 5: it has {sizes[-1] / sizes[0]:.0f} times as many channels", "Group 1", "About the same"],
    answer=2 if abs(losses[0] - losses[-1]) < 0.5 else 1 if losses[0] > losses[-1] else 0,
    explanation=f"Without g1 the picture loses {losses[0]:.1f} dB, without g5 {losses[-1]:.1f} dB. What counts is "
    "energy, not the number of channels; section 4 has the table.",
    misconception="Every channel carries the same amount of picture.",
)

# %%
fig = plots.figure(5.2, 2.4)
axes = fig.subplots()
plots.dress(axes, "PSNR lost when one group is removed", ylabel="dB")
names = [f"g{i + 1}\n{size} ch." for i, size in enumerate(sizes)]
axes.bar(names, losses, color=[plots.group_color(i, len(sizes)) for i in range(len(sizes))], edgecolor=plots.INK)
table = {
    "group": [f"g{i + 1}" for i in range(len(sizes))],
    "channels": [f"{size}" for size in sizes],
    "dB lost": [f"{loss:.1f}" for loss in losses],
}
view = plots.Plot(fig, plots.in_words("PSNR lost when one group is removed:", table), colors=32)
print(f"with all groups: {psnr(photo, full):.1f} dB (lesson 04 has what the real file adds)")
print(view.words)
view

# %%
candidates = [Picture(f"without g{i + 1}", without[i], psnr=psnr(photo, without[i])) for i in (0, 2, 4)]
Wipe(Picture("all groups", full, psnr=psnr(photo, full)), *candidates, heading="Without one group")

# %% [markdown]
# ## 8. *Deeper:* the blocks, taken apart
#
# The network is made of strided convolutions and two kinds of blocks. Both add something to what comes in; the second
# even starts as "change nothing". Here is a **residual bottleneck** of the trained analysis, run by hand on the
# features of the photograph: narrow to half of the channels, look around by 3×3, widen again, add.

# %%
with torch.inference_mode():
    features = codec.g_a.down[1](codec.g_a.blocks[0](codec.g_a.down[0](x)))
    bottleneck, naf = codec.g_a.blocks[1]
    narrow = F.relu(bottleneck.reduce(features))
    around = F.relu(bottleneck.spatial(narrow))
    added = bottleneck.expand(around)
    assert torch.allclose(features + added, bottleneck(features), atol=1e-4)
    print("channels:", " -> ".join(str(t.shape[1]) for t in (features, narrow, around, added)))
    print(f"size of what is added, relative to what came in: {(added.norm() / features.norm()).item():.2f}")

# %% [markdown]
# The **NAF block** has no ReLU. Its non-linearity is a *gate*: one half of the channels times the other half. Two
# branches, each with a gate, are added, scaled by β and γ, one number per channel.

# %%
with torch.inference_mode():
    t = features + added
    wide = naf.depthwise(naf.widen(naf.norm1(t)))
    gated = naf.gate(wide)
    half = wide.shape[1] // 2
    assert torch.equal(gated, wide[:, :half] * wide[:, half:])
    first = naf.beta * naf.project(gated)
    second = naf.gamma * naf.ffn_out(naf.gate(naf.ffn_in(naf.norm2(t + first))))
    assert torch.allclose(t + first + second, naf(t), atol=1e-4)
    print("channels:", " -> ".join(str(u.shape[1]) for u in (t, wide, gated, first)))
    relative = [(part.norm() / t.norm()).item() for part in (first, second)]
    doubled = (naf.gate(2 * wide).norm() / gated.norm()).item()
    print(f"added by the first branch {relative[0]:.2f}, by the second {relative[1]:.2f}, relative to what came in")
    print(f"a gate is no line: twice the input gives {doubled:.0f} times the output")

    fresh = NAFBlock(t.shape[1], attention=False)
    unchanged = torch.equal(fresh(t), t)
    print("a fresh block (beta = gamma = 0) changes nothing:", unchanged)
    assert unchanged

# %% [markdown]
# The paper's NAF blocks also have a **channel attention**: each channel is multiplied by a number computed from the
# mean of *all* positions. Ours leave it out. What is the difference? Change one corner of a picture and look at the
# opposite corner.

# %%
torch.manual_seed(0)
for attention in (True, False):
    block = NAFBlock(8, attention=attention)
    torch.nn.init.ones_(block.beta)
    picture = torch.randn(1, 8, 32, 32)
    changed = picture.clone()
    changed[0, 0, 0, 0] += 1
    with torch.inference_mode():
        moved = (block(changed) - block(picture))[..., 31, 31].abs().max().item() > 0
    print(f"attention {'on, ' if attention else 'off,'} the opposite corner", "changes" if moved else "does not change")
    assert moved == attention

# %% [markdown]
# ## 9. *Deeper:* how far does a latent see?
#
# The **receptive field** of a latent is the part of the photograph that it depends on. Ask the gradient: differentiate
# the latent of one cell by all pixels; a pixel that it depends on has a gradient that is not zero. On paper, each
# convolution of kernel k adds (k − 1) times the product of the strides before it.

# %%
def extent(gradient):
    """Side of the square that holds all non-zero values, and of the square in it that holds 99 % in squares."""
    power = gradient.square().sum((0, 1))
    used = torch.nonzero(power.sum(1))
    low, high = int(used.min()), int(used.max()) + 1
    side, total = high - low, power.sum()
    for margin in range(side // 2):
        inner = power[low + margin : high - margin, low + margin : high - margin]
        if inner.sum() < 0.99 * total:
            return side, side - 2 * (margin - 1)
    return side, side


side = min(256, *x.shape[2:])


def field(analysis):
    """Receptive field in pixels of one position of an analysis transform, in side×side of the photograph."""
    torch.manual_seed(0)
    image = (x[:, :, :side, :side] + 0.05 * torch.randn(1, 3, side, side)).requires_grad_()
    y = analysis(image)
    weights = torch.randn(y.shape[1], generator=torch.Generator().manual_seed(1))
    (y[0, :, y.shape[2] // 2, y.shape[3] // 2] * weights).sum().backward()
    return extent(image.grad)


by_formula = 1
for stage, convolution in enumerate(codec.g_a.down):  # four of stride 2
    by_formula += (convolution.kernel_size[0] - 1) * 2**stage
for stage, (bottlenecks, nafs) in enumerate(codec.preset.blocks):
    by_formula += (bottlenecks + nafs) * 2 * 2 ** (stage + 1)  # one 3×3 in each block

measured, most_of_it = field(codec.g_a)
shortcut_field, _ = field(codec.klt)
print(f"network:  {by_formula} pixels by the formula, {measured} by the gradient")
print(f"shortcut: {shortcut_field} pixels by the gradient, its own cell")
assert measured <= by_formula and shortcut_field == 16

with_attention = Analysis(dataclasses.replace(codec.preset, attention=True))
for parameter in with_attention.parameters():
    if parameter.ndim == 4 and parameter.shape[2:] == (1, 1) and parameter.shape[0] == 1:
        torch.nn.init.ones_(parameter)  # beta and gamma: at zero a block would hide what is in it
whole, _ = field(with_attention)
print(f"with channel attention: {whole} of {side} pixels, the whole picture")
assert whole == side

# %% [markdown]
# Depending on a pixel is not the same as depending on it *much*. The square that holds 99 % of the squared gradient is
# smaller:

# %%
print(f"99 % of the squared gradient lies within about {10 * round(most_of_it / 10)} of {measured} pixels")
print("that is", "less than the receptive field" if most_of_it < measured else "all of the receptive field")

# %% [markdown]
# ## Now on yours
#
# Put the path of a photograph of yours into `my_photo` in the first cell, and run all cells again. Is the network as
# far ahead of the KLT as on the mountains? (The KLT comes from the course's other photographs. Take your own instead:
# put `open_photo(path)` of a few into `others`. Does it matter?)
#
# ## Three questions for a class
#
# 1. JPEG uses one fixed set of waves for all photographs of the world. What would you lose, and what would you gain, if
#    every file carried the KLT of its own photograph?
# 2. The KLT's strokes end at the border of a cell, the network's do not. Which artifacts does each of them leave when
#    the rounding is coarse? Find both in the wipe of section 3.
# 3. A decoder that multiplies channels has no fixed strokes. Is the question "what does channel 17 mean?" still a good
#    one? How would you ask it better?
#
# ## What this lesson takes away
#
# The misconception that **a latent is a small piece of the picture**. It is a coordinate: how far the picture goes in
# some direction, and, once a network decodes, in which direction that is depends on its neighbors.
#
# Exercises: [01 · Transforms](exercises/01_transforms.ipynb) (★ the KLT, ★★ the receptive field). Next:
# [02 · From probabilities to bytes](02_bytes.ipynb), on how rounded numbers become a file.
