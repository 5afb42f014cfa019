# %% [markdown]
# # 03 · The hyperprior
#
# Lesson 02 ended with a coder that needs the right probabilities. A photograph has sky and grass, and they want
# different ones. May a file spend bytes on saying which? You will first do it by hand, with a few classes of blocks,
# and then take apart how the codec does it: a second, smaller latent that describes the first.
#
# The question of this lesson: **can a file afford to describe itself?**
#
# - **Goals**: say what side information costs and what it has to save; compare models *fitted* to the same latent; read
#   maps of predicted means and scales; explain why y is rounded around its predicted mean.
# - **You need**: lessons 00 to 02; what a normal distribution is.
# - **Study time**: 45 minutes for the core. Sections marked *deeper* come on top; nothing later needs them.
# - **Run time**: {run_time} for the whole notebook on two CPU cores, as measured when it was built.

# %%
import dataclasses
import json

import matplotlib.patches
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import colormaps
from PIL import Image

import ccalib
from ccalib.evaluation.metrics import psnr
from ccalib.images import from_tensor, pad, to_tensor
from ccalib.lessons import plots
from ccalib.lessons.classes import blocks_of, code_book, level_bits
from ccalib.lessons.coding import entropy, table_bits
from ccalib.lessons.pixels import Picture
from ccalib.lessons.silence import learn, without_z
from ccalib.lessons.text import about, aligned, thousands
from ccalib.lessons.thread import latents_of, open_photo, thread_photo
from ccalib.lessons.widgets import Diagram, Predict, Wipe
from ccalib.model.coders import Estimate
from ccalib.model.ruler import Score
from ccalib.training.rulers import load_rulers

my_photo = thread_photo()  # later: the path of a photograph of yours, such as "holiday.jpg"

photo = open_photo(my_photo)
latents = latents_of(my_photo, photo)
codec, rulers = ccalib.load("small"), load_rulers("small")
sizes, tables, gaussian = codec.preset.sizes, codec.tables(), rulers.gaussian
x = pad(to_tensor(photo), 64)
pixels = photo.width * photo.height

QUALITIES = (0, 3, 6)
measured = {q: rulers.measure(codec, x, torch.tensor([float(q)])) for q in QUALITIES}
latent, predictions = measured[3]
y = latent.y
Diagram("h_a", "z", "h_s", "file", caption="Lesson 03 looks at the side information z and at what it predicts.")

# %% [markdown]
# ## 1. By hand: a few classes of blocks
#
# Take one channel of the photograph's latent: the one in group g2 that costs the most. Its symbols are small in the
# sky and large where there is detail. A coder that uses one scale for all of them is wrong nearly everywhere.
#
# So cut the channel into blocks, allow K scales (a *code book*), and write into the file which of them each block uses:
# a label of log₂ K bits. The decoder reads the label first, then the block. Bytes that are not the data, but help to
# predict it, are called **side information**.

# %%
channel = sizes[0] + int(latent.coded[0, sizes[0] : sum(sizes[:2])].sum(dim=(1, 2)).argmax())
centered = y[0, channel] - y[0, channel].mean()
symbols = torch.round(centered).numpy().astype(int)
counts = (1, 2, 3, 4, 6, 8, 12, 16)


def classes(side):
    """{K: (bits of the symbols, bits of the labels)} for blocks of side×side."""
    bits = level_bits(blocks_of(symbols, side), tables["y"])
    found = {}
    for k in counts:
        found[k] = (bits[:, code_book(bits, k)].min(axis=1).sum(), len(bits) * np.log2(k))
    return found


by_side = {side: classes(side) for side in (1, 2, 4, 8, 16) if not any(n % side for n in symbols.shape)}
best = {side: min(found, key=lambda k: sum(found[k])) for side, found in by_side.items()}
costs = by_side[2]
alone, least = sum(costs[1]) / 8, sum(costs[best[2]]) / 8
pays = best[2] > 1
Predict(
    "Blocks of 2×2 latents. Each gets a label with its scale; the labels are written into the file. The file becomes …",
    [
        "… longer: the labels come on top of the same symbols",
        "… shorter at first, then longer again, as K grows",
        "… shorter and shorter, the more scales there are to choose from",
        "… just as long: what the labels cost, the symbols save",
    ],
    answer=1 if pays else 0,
    explanation=f"One scale: {about(alone, 2)} bytes. "
    + (f"The best number of classes is {best[2]}: {about(least, 2)} bytes, labels included. " if pays else "")
    + f"From 8 to 16 classes the symbols save {about((costs[8][0] - costs[16][0]) / 8, 1)} bytes, and the labels cost "
    f"{about((costs[16][1] - costs[8][1]) / 8, 1)} more.",
    misconception="Whatever is not the picture itself makes the file longer.",
)

# %%
fig = plots.figure(6.4, 2.9)
left, right = fig.subplots(1, 2, width_ratios=[1, 1.7])
left.imshow(np.abs(symbols), cmap="cividis", vmax=np.quantile(np.abs(symbols), 0.99), interpolation="nearest")
left.set_title(f"|symbols| of channel {channel}", fontsize=10, loc="left", color=plots.INK)
left.set_axis_off()
plots.dress(right, "blocks of 2×2: symbols and labels", "K, classes to choose from", "bytes")
data_bytes, label_bytes = (np.array([costs[k][i] / 8 for k in counts]) for i in (0, 1))
in_all = data_bytes + label_bytes
right.fill_between(counts, data_bytes, in_all, color=plots.ORANGE, alpha=0.25, linewidth=0)
right.plot(counts, in_all, "o-", color=plots.ORANGE, label="symbols and labels")
right.plot(counts, data_bytes, "s-", color=plots.BLUE, label="symbols alone", markersize=4)
right.axhline(alone, color=plots.GRAY, linestyle="--", linewidth=1, label="one scale for all")
right.annotate("best", (best[2], least), (best[2], 0.5 * (least + in_all.max())), ha="center", fontsize=8,
               color=plots.INK, arrowprops={"arrowstyle": "->", "color": plots.INK})  # fmt: skip
right.set_xscale("log", base=2)
right.set_xticks(counts, [str(k) for k in counts])
right.minorticks_off()
right.set_ylim(data_bytes.min() - 0.05 * alone, max(in_all) + 0.6 * (max(in_all) - data_bytes.min()))
right.legend(fontsize=8, frameon=False, loc="upper center")
words = {
    "K": [str(k) for k in counts],
    "symbols": [about(v, 2) for v in data_bytes],
    "labels": [about(v, 2) for v in label_bytes],
    "in all": [about(v, 2) for v in in_all],
}
view = plots.Plot(fig, plots.in_words(f"Bytes of channel {channel} with K classes of 2x2 blocks:", words), colors=64)
print(view.words)
for side, found in by_side.items():
    k = best[side]
    saved = 100 * (1 - sum(found[k]) / sum(found[1]))
    result = "one scale for all (K = 1)" if k == 1 else f"K = {k}, saving {saved:.0f} %"
    print(f"blocks of {side}x{side}: best {result}")
view

# %% [markdown]
# That is the shape of every side information: what it saves soon ends, what it costs grows on. Somewhere between lies
# the best (the ★ exercise finds it for you). And size matters: a label for a single latent takes nearly all that it
# saves; a label for too large a block no longer knows what is in it.
#
# ## 2. What the codec sends instead
#
# Ballé and others (2018) let a network choose the labels. The **hyper analysis** h_a looks at y and computes a second
# latent **z**, one column of numbers for 4×4 cells. It is rounded and written first. The **hyper synthesis** h_s
# makes of it, for every latent, what the coder needs: a scale, and (Minnen and others, 2018) a **mean** as well, that
# is, a first guess of the value. Nobody tells z what to hold. It is trained for one number: the file's length, its own
# bytes included (and λ times the error).

# %%
info = {q: ccalib.inspect(ccalib.encode(photo, q)) for q in QUALITIES}
z_bytes = {q: one.segments[0].length for q, one in info.items()}
assert info[3].segments[0].name == "z"
medians = codec._medians()
z = torch.round(latent.z_hat - medians)
y_count, z_count = y[0].numel(), z[0].numel()
print(f"y: {y.shape[1]} x {y.shape[2]} x {y.shape[3]} = {thousands(y_count)} numbers")
print(f"z:  {z.shape[1]} x  {z.shape[2]} x {z.shape[3]} = {thousands(z_count)} numbers, one column for 64x64 pixels")
print(f"in the file at quality 3, z takes {about(100 * z_bytes[3] / info[3].size, 1)} % of the bytes")
awake = int((z[0].flatten(1) != 0).any(dim=1).sum())
share = latent.z_coded[0].sum(dim=(1, 2)).sort(descending=True).values
print(f"about {about(awake, 1)} of its {z.shape[1]} channels are ever non-zero here; "
      f"the 10 that cost most hold {100 * share[:10].sum() / share.sum():.0f} % of its bits")  # fmt: skip

# %% [markdown]
# ### Is z a thumbnail?
#
# z has as many columns as a copy of the photograph has pixels, if the copy is shrunk by 64. Is it one? Two linear fits,
# made on the course's other photographs and tried on this one: the thumbnail's colors from z; and z from the thumbnail
# (from each of its pixels and the eight around it). R² is the share of the variance that a fit explains.

# %%
def z_symbols(image):
    """z of a picture at quality 3, as whole numbers: 1×N×h×w."""
    with torch.inference_mode():
        return torch.round(codec.hyper_analyze(codec.analyze(image, torch.tensor([3.0]))) - medians)


def rows(maps):
    """1×C×h×w → a row of C numbers for each position."""
    return maps[0].flatten(1).T.double().numpy()


def thumbnail(image):
    """The picture shrunk by 64."""
    return F.avg_pool2d(image, 64)


def surrounded(maps):
    """Each position together with the eight around it: 1×C×h×w → 1×9C×h×w."""
    return F.unfold(F.pad(maps, (1, 1, 1, 1), mode="replicate"), 3).view(1, -1, *maps.shape[2:])


def explained(seen, wanted, seen_here, wanted_here, strength):
    """R² on this photograph of a linear fit (ridge regression) made on the others."""
    seen_mean, wanted_mean = seen.mean(axis=0), wanted.mean(axis=0)
    a, b = seen - seen_mean, wanted - wanted_mean
    weights = np.linalg.solve(a.T @ a + strength * np.eye(a.shape[1]), a.T @ b)
    left = wanted_here - ((seen_here - seen_mean) @ weights + wanted_mean)
    return 1 - np.square(left).sum() / np.square(wanted_here - wanted_here.mean(axis=0)).sum()


others = [pad(to_tensor(open_photo(p)), 64) for p in sorted(thread_photo().parent.glob("*.png")) if p != thread_photo()]
z_others = np.concatenate([rows(z_symbols(one)) for one in others])
small_others = np.concatenate([rows(thumbnail(one)) for one in others])
around_others = np.concatenate([rows(surrounded(thumbnail(one))) for one in others])
small_from_z = explained(z_others, small_others, rows(z), rows(thumbnail(x)), 10.0)
z_from_small = explained(around_others, z_others, rows(surrounded(thumbnail(x))), rows(z), 0.01)

Predict(
    "Is z a thumbnail of the photograph?",
    [
        "Yes: z could be computed from the shrunk photograph",
        "It holds one, and more than that",
        "No: it says how wide the distributions are, not what is in the picture",
        "No: it is a code that has nothing to do with positions",
    ],
    answer=2 if small_from_z < 0.5 else 0 if z_from_small > 0.95 else 1,
    explanation=f"A linear fit finds {100 * small_from_z:.0f} % of the thumbnail's variance in z, and "
    f"{100 * z_from_small:.0f} % of z's variance in the thumbnail. z is whatever makes the file shorter. A mean color "
    "does, since it predicts means of latents; what else does is in the table below.",
    misconception="The side information is a small copy of the picture.",
)

# %%
print(f"thumbnail from z: R2 = {small_from_z:.2f}")
print(f"z from thumbnail: R2 = {z_from_small:.2f}")

# %% [markdown]
# What do single channels of z go along with? The correlation, over all these photographs, with five simple properties
# of 64×64 pixels, for the channels that cost the most; and for each property the channel that follows it best.

# %%
def properties(image):
    """Five numbers for each 64×64 pixels, as columns."""
    gray = image.mean(dim=1, keepdim=True)
    mean = thumbnail(gray)
    rough = (F.avg_pool2d((gray[..., 1:, 1:] - gray[..., :-1, :-1]).square(), 64, ceil_mode=True) + 1e-4).log()
    half_x, half_y = F.avg_pool2d(gray, (64, 32)), F.avg_pool2d(gray, (32, 64))
    across, down = half_x[..., 1::2] - half_x[..., ::2], half_y[..., 1::2, :] - half_y[..., ::2, :]
    blue = thumbnail(image[:, 2:] - image[:, :1])
    return np.concatenate([rows(one) for one in (mean, blue, across, down, rough)], axis=1)


names = ("brightness", "blue minus red", "left to right", "top to bottom", "roughness")
z_all = np.concatenate([z_others, rows(z)])
what = np.concatenate([properties(one) for one in [*others, x]])
spread = z_all.std(axis=0)
together = np.nan_to_num(np.corrcoef(z_all[:, spread > 0].T, what.T)[: (spread > 0).sum(), -len(names) :])
correlations = np.zeros((len(spread), len(names)))
correlations[spread > 0] = together
dear = latent.z_coded[0].sum(dim=(1, 2)).argsort(descending=True)[:8].tolist()
lines = [["channel of z", *names]]
lines += [[str(one), *(f"{v:.1f}" if abs(v) > 0.25 else "." for v in correlations[one])] for one in dear]
print(aligned(lines))
print("(dots: less than 0.25 either way)")
for name, column in zip(names, correlations.T):
    most = column[np.abs(column).argmax()]
    follower = f"is followed best by channel {np.abs(column).argmax()}" if abs(most) > 0.25 else "is followed by none"
    print(f"{name} {follower}: {most:.1f}")

# %% [markdown]
# Not every channel has a plain meaning: some that cost much follow none of the five.
#
# ### A picture from z alone
#
# Cut the file after z. The decoder then takes every symbol of y as 0, so each latent is what is predicted for it:
# its mean. Beside it a real thumbnail, enlarged.

# %%
strings, _ = codec.encode(x, torch.tensor([3.0]))
x_hat, _ = codec.decode([strings[0], *[None] * len(sizes)], z.shape[2:], torch.tensor([3.0]))


def as_picture(tensor):
    """A decoded tensor as a photograph of the original size."""
    return from_tensor(tensor[:, :, : photo.height, : photo.width])


from_z = as_picture(x_hat)
small = from_tensor(thumbnail(x))
enlarged = small.resize((x.shape[3], x.shape[2]), Image.Resampling.BICUBIC).crop((0, 0, *photo.size))
print(f"from z alone, {about(z_bytes[3], 2)} bytes:  {psnr(photo, from_z):.0f} dB")
print(f"thumbnail, {small.width} x {small.height} pixels: {psnr(photo, enlarged):.0f} dB")
Wipe(
    Picture("thumbnail, enlarged", enlarged, psnr=psnr(photo, enlarged)),
    Picture("z alone", from_z, psnr=psnr(photo, from_z)),
    heading="The shrunk photograph, and what z alone predicts",
)

# %% [markdown]
# ### Turn one knob
#
# Change one number of z by one rounding step and look at what is predicted for y. (The prediction here is by the
# *ruler* of section 4 that sees nothing but z.) We do it for every channel that is in use, at the edge, and show the
# one that moves means the most and the one that moves scales the most.

# %%
column, row = (place // 4 for place in latents["edge"])
top, left = (min(max(place - 2, 0), limit - 5) for place, limit in zip((row, column), z.shape[2:]))
near = latent.z_hat[:, :, max(top, 0) : top + 5, max(left, 0) : left + 5]
row, column = row - max(top, 0), column - max(left, 0)
used = (z[0].flatten(1) != 0).any(dim=1).nonzero().flatten()
turned = near.repeat(len(used) + 1, 1, 1, 1)  # the last stays as it is
turned[torch.arange(len(used)), used, row, column] += 1
mean, log_scale = (torch.cat(part, dim=1) for part in zip(*rulers.predict("hyperprior", turned, [])))
moved = {"means": (mean - mean[-1:])[:-1], "scales": ((log_scale - log_scale[-1:]) / np.log(2))[:-1]}

fig = plots.figure(6.4, 2.9)
words = {"z channel": [], "moves": [], "g1 mean, most": [], "log2 scale, most": [], "% inside 4x4": []}
for kind, axes in zip(moved, fig.subplots(1, 2)):
    strongest = int(moved[kind].abs().sum(dim=(1, 2, 3)).argmax())
    drawn = moved[kind][strongest].abs().sum(dim=0).numpy()
    image = axes.imshow(drawn, cmap="cividis", interpolation="nearest")
    corner = (4 * column - 0.5, 4 * row - 0.5)
    axes.add_patch(matplotlib.patches.Rectangle(corner, 4, 4, fill=False, edgecolor="white", linewidth=1.5))
    unit = "steps" if kind == "means" else "doublings"
    title = f"z channel {used[strongest]}: |change of {kind}|,\nsum over channels, {unit}"
    axes.set_title(title, fontsize=9, loc="left", color=plots.INK)
    axes.set_axis_off()
    fig.colorbar(image, ax=axes, shrink=0.8).ax.tick_params(labelsize=7)
    inside = drawn[4 * row : 4 * row + 4, 4 * column : 4 * column + 4].sum() / drawn.sum()
    words["z channel"].append(str(int(used[strongest])))
    words["moves"].append(kind)
    words["g1 mean, most"].append(f"{moved['means'][strongest, : sizes[0]].abs().max():.1f}")
    words["log2 scale, most"].append(f"{moved['scales'][strongest].abs().max():.1f}")
    words["% inside 4x4"].append(about(100 * inside, 1))
view = plots.Plot(fig, plots.in_words("One number of z, one step more:", words), colors=96)
print(view.words)
view

# %% [markdown]
# One number of z moves many predictions at once: in many channels, in its own 4×4 cells and around them. That is how a
# few numbers can serve many.
#
# ## 3. Rounding around the mean
#
# If the coder has a guess μ of the latent, there are two ways of rounding. The plain one takes the nearest whole
# number. The other sends the rounded *difference* from the guess, and the decoder adds the guess again:
#
# $$\text{plain: } \hat y = \mathrm{round}(y) \qquad\qquad \text{centered: } \hat y = \mathrm{round}(y - \mu) + \mu$$

# %%
Predict(
    "The predicted mean of a latent is 3.4, its real value 3.5. The file holds the symbol 0 for it. What does the "
    "decoder take for the latent?",
    ["0", "3", "3.4", "3.5"],
    answer=2,
    explanation="The symbol is round(3.5 − 3.4) = 0, and the decoder adds the mean that it has computed itself. Only "
    "symbols are whole numbers; the decoded latents lie anywhere. The error is 0.1.",
    misconception="What is decoded from whole numbers is whole numbers.",
)

# %%
def rounded(values, mean, log_scale):
    """{way: (bits, squared error) of each latent}."""
    ways = {"plain": torch.round(values), "centered": torch.round(values - mean) + mean}
    return {
        way: (-torch.log2(gaussian.likelihood(value, mean, log_scale)), (value - values).square())
        for way, value in ways.items()
    }


generator = torch.Generator().manual_seed(0)
print("A guess of 3.4, and latents that are normally distributed around it:")
lines = [["scale", "bits: plain", "centered", "error: plain", "centered"]]
for scale in (0.15, 0.3, 0.6, 1.2, 2.4):
    guess, drawn = torch.full((200_000,), 3.4), torch.randn(200_000, generator=generator)
    both = rounded(guess + scale * drawn, guess, torch.full_like(guess, scale).log())
    cells = [f"{both[way][i].mean():.2f}" for i in (0, 1) for way in both]
    lines.append([f"{scale:.2f}", *cells])
print(aligned(lines))

# %% [markdown]
# Where the scale is large, both cost the same and err by 1/12 = 0.08. Where it is small, the guess is nearly right. The
# centered way sends a 0 that costs next to nothing, and its error is what the guess missed. The plain way has to choose
# between 3 and 4: it pays for the choice, and errs by up to a half either way.
#
# Do latents live there? Now the real ones, at three qualities, with two predictions: that of the ruler that sees z
# only, and the codec's own, which also sees the groups before (lesson 04) and guesses better.

# %%
predicted = {"z only": {q: predictions_of["hyperprior"] for q, (_, predictions_of) in measured.items()}, "codec": {}}
for q, (one, _) in measured.items():
    score = Score(codec.gaussian, one, sizes)
    with torch.inference_mode():
        codec.path.groups.walk(codec.path.h_s(one.z_hat), score, one.y, read=one.decoded)
    predicted["codec"][q] = score.prediction()

lines = [["mean and scale from", "quality", "bytes: plain", "centered", "error: plain", "centered"]]
effect, results = {}, {}
for name, by_quality in predicted.items():
    for q, p in by_quality.items():
        results[name, q] = both = rounded(measured[q][0].y, p.mean, p.log_scale)
        total = {way: bits.sum().item() / 8 for way, (bits, _) in both.items()}
        effect[name, q] = 100 * (1 - total["centered"] / total["plain"])
        errors = [f"{error.mean():.3f}" for _, error in both.values()]
        lines.append([name, str(q), *(about(total[way], 3) for way in both), *errors])
print(aligned(lines))
for name in predicted:
    shown = ", ".join(f"{round(effect[name, q], 1) + 0.0:+.1f} %" for q in QUALITIES)
    print(f"{name}: centering saves at qualities 0, 3, 6: {shown}")

# %% [markdown]
# Is that a lot or a little? It can only matter where two things come together: a small scale, and a mean that is far
# from a whole number. Here are the codec's latents whose mean is at least 0.2 off, by their predicted scale; and how
# many of them there are.

# %%
edges = np.array([0.0, 0.2, 0.3, 0.45, 0.7, 1.1, 1.7, 1e9])
centers = [0.15, 0.25, 0.37, 0.56, 0.88, 1.4, 2.2]
pooled = {key: [] for key in ("scale", "off", "plain", "centered")}
for q, p in predicted["codec"].items():
    pooled["scale"].append(p.log_scale.exp().clamp(min=0.11).flatten())
    pooled["off"].append((p.mean - torch.round(p.mean)).abs().flatten())
    for way, both in results["codec", q].items():
        pooled[way].append(torch.stack([part.flatten() for part in both]))
scale_of, off = torch.cat(pooled["scale"]), torch.cat(pooled["off"])
curves = {way: torch.cat(pooled[way], dim=1) for way in ("plain", "centered")}
matters = off >= 0.2
chosen = [matters & (scale_of >= low) & (scale_of < high) for low, high in zip(edges, edges[1:])]
kept = [i for i, mask in enumerate(chosen) if mask.sum() >= 30]

fig = plots.figure(7.0, 2.7)
words = {"scale": [f"{edges[i]:.2f} up" for i in kept]}
words["% of all latents"] = [about(100 * chosen[i].float().mean().item(), 1) for i in kept]
for k, (axes, title) in enumerate(zip(fig.subplots(1, 2), ("bits of a latent", "squared error"))):
    plots.dress(axes, f"{title}, mean at least 0.2 off", "predicted scale")
    for (way, values), color, marker in zip(curves.items(), (plots.ORANGE, plots.BLUE), "so"):
        line = [values[k][chosen[i]].mean().item() for i in kept]
        axes.semilogx([centers[i] for i in kept], line, color=color, marker=marker, label=way)
        words[f"{('bits', 'error')[k]}, {way}"] = [f"{v:.{k + 1}f}" for v in line]
    axes.set_xticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    axes.minorticks_off()
    axes.set_ylim(0)
    axes.legend(fontsize=8, frameon=False)
title = "Latents whose predicted mean is 0.2 or more from a whole number:"
view = plots.Plot(fig, plots.in_words(title, words), colors=48)
print(view.words)
small_scale = scale_of < 0.45
where = 100 * (matters & small_scale).sum().item() / small_scale.sum().item()
print(f"of all latents with a scale below 0.45, {about(where, 1)} % have such a mean")
view

# %% [markdown]
# A small scale mostly goes with a mean near 0, which is a whole number: there both ways are the same. So the effect on
# the whole file is what the few others make of it, and with the better guesses it is larger. What no table shows: in
# training, straight-through rounding takes the mean off and adds it again, and in the gradient the two cancel. ŷ passes
# all of its gradient to y and none to the mean, which learns from the rate alone. (An exercise of lesson 07 shows it.)
#
# ## 4. The same latent under three models
#
# What does z buy? To find out, we keep the latent as it is and *fit* three fresh entropy models to it, on the same
# training photographs with the same number of steps. Such a model is called a **ruler** here. They differ in what
# they may use:
#
# | ruler | reads | predicts |
# |---|---|---|
# | factorized | nothing | one distribution per channel, of any shape, for all places and photographs |
# | scale | z | a normal distribution: its scale; the mean is a constant of the channel |
# | hyperprior | z | a normal distribution: its scale and its mean |
#
# The factorized one is told the quality (by the gain), and so is the scale model's constant mean. What is predicted
# from z has to learn the quality from z. None sees other latents of the photograph.

# %%
def per_group(bits):
    """Bytes of each group."""
    return [part.sum().item() / 8 for part in bits.split(sizes, dim=1)]


RULERS = ("factorized", "scale", "hyperprior")
by_model = {
    q: {name: per_group(fitted[name].bits) for name in RULERS} | {"codec": per_group(one.coded)}
    for q, (one, fitted) in measured.items()
}
total = {q: {name: sum(parts) for name, parts in models.items()} for q, models in by_model.items()}
by_scale = total[3]["factorized"] - total[3]["scale"]
by_mean = total[3]["scale"] - total[3]["hyperprior"]
Predict(
    "Which of the two saves more in this photograph at quality 3: to know the scales (factorized to scale), or to know "
    "the means as well (scale to hyperprior)?",
    ["The scales", "The means", "Both about the same"],
    answer=2 if abs(by_scale - by_mean) < 0.2 * max(abs(by_scale), abs(by_mean)) else int(by_mean > by_scale),
    explanation=f"Scales: {about(by_scale, 2)} bytes, means: another {about(by_mean, 2)} bytes. (Below zero means that "
    "it got worse.) The factorized model is no straw man: its distributions have any shape, and a pointed one "
    "with long tails already suits a channel that is small here and large there.",
    misconception="What a prediction is worth is plain to see: no need to fit a model without it.",
)

# %%
print("bytes of this photograph at quality 3")
models = by_model[3]
lines = [["group", "channels", *RULERS, "saved", "the codec"]]
for name, count, *parts in [*((f"g{i + 1}", sizes[i], *(m[i] for m in models.values())) for i in range(len(sizes))),
                            ("y", sum(sizes), *total[3].values())]:  # fmt: skip
    saved = parts[0] - parts[2]
    lines.append([name, str(count), *(about(v, 3) for v in parts[:3]), about(saved, 2), about(parts[3], 3)])
in_bpp = [8 * v / pixels for v in (*parts[:3], saved, parts[3])]
lines.append(["y, bpp", "", *(f"{v:.2f}" for v in in_bpp)])
print(aligned(lines))
net = {q: total[q]["factorized"] - total[q]["hyperprior"] - z_bytes[q] for q in QUALITIES}
print(f"z itself: about {about(z_bytes[3], 2)} bytes in the real file")
print(f"net: about {about(net[3], 2)} bytes saved" if net[3] > 0 else f"net: about {about(-net[3], 2)} bytes lost")

# %% [markdown]
# Look at the rows. Where does z help, and where hardly, or not at all? This z was trained inside a codec that predicts
# g2 to g5 from the groups before them as well. What those groups tell anyway, z need not say a second time, and so it
# serves the first group before all others. A codec without that context would have asked more of it. So the hyperprior
# ruler is no verdict on hyperpriors: it says what *this* z is worth *alone*. (The last column is the whole codec, whose
# context is the subject of lesson 04. Its bits are by the coder's whole-number tables, the rulers' in floats: a small
# difference.)
#
# ### At every quality, over several photographs
#
# One photograph is an anecdote. The same three rulers on the course's photographs, at all seven qualities, stored in
# `data/results` by the command `ccalib rulers`. *Net* is factorized minus hyperprior minus z. One column uses z for the
# first group only, and the factorized model for the rest:

# %%
stored = json.loads((thread_photo().parents[1] / "results" / "rulers_small.json").read_text())
assert stored["codec"]["fingerprint"] == codec.fingerprint  # these weights and no others
one_set = stored["sets"]["images"]
mean_bpp = {q: {name: sum(parts) for name, parts in of["mean"].items()} for q, of in one_set["qualities"].items()}

lines = [["quality", *RULERS, "z", "net", "net, %", "z for g1 only, %", "z, % of the file"]]
gain, gain_first = [], []
for q, bpp in mean_bpp.items():
    saved = bpp["factorized"] - bpp["hyperprior"] - bpp["z"]
    gain.append(100 * saved / bpp["factorized"])
    of = one_set["qualities"][q]["mean"]
    gain_first.append(100 * (of["factorized"][0] - of["hyperprior"][0] - bpp["z"]) / bpp["factorized"])
    part = 100 * bpp["z"] / (bpp["z"] + bpp["codec"])
    cells = [f"{bpp[name]:.3f}" for name in (*RULERS, "z")]
    lines.append([q, *cells, f"{saved:+.3f}", f"{gain[-1]:+.1f}", f"{gain_first[-1]:+.1f}", f"{part:.1f}"])
count, steps = len(one_set["images"]), stored["card"]["steps"]
print(f"bits per pixel, means over {count} photographs; rulers fitted in {thousands(steps)} steps")
print(aligned(lines))
for title, values in (("all groups", gain), ("g1 only, the rest factorized", gain_first)):
    pays_at = [q for q, value in zip(mean_bpp, values) if value > 0]
    print(f"z for {title}: it pays for itself at qualities {', '.join(pays_at) or '(none)'}")

# %%
fig = plots.figure(6.4, 2.6)
left, right = fig.subplots(1, 2)
plots.dress(left, "z alone: net saving over factorized", "quality", "%")
qs = [float(q) for q in mean_bpp]
left.bar(qs, gain, color=[plots.BLUE if value > 0 else plots.ORANGE for value in gain])
left.axhline(0, color=plots.INK, linewidth=0.8)
here = [100 * net[q] / total[q]["factorized"] for q in QUALITIES]
left.plot(QUALITIES, here, "D", color=plots.INK, markersize=5, label="this photograph")
left.legend(fontsize=8, frameon=False)
left.set_ylim(min(0, *gain, *here) - 1, max(0, *gain, *here) + 4)
plots.dress(right, "z's share of the file", "quality", "%")
shares = [100 * bpp["z"] / (bpp["z"] + bpp["codec"]) for bpp in mean_bpp.values()]
right.plot(qs, shares, "o-", color=plots.BLUE, label=f"mean of {count} photographs")
real = [100 * z_bytes[q] / info[q].size for q in QUALITIES]
right.plot(QUALITIES, real, "D", color=plots.INK, markersize=5, label="this photograph, real file")
right.set_ylim(0)
right.legend(fontsize=8, frameon=False)
words = {"quality": [str(q) for q in QUALITIES], "z, bytes": [about(z_bytes[q], 2) for q in QUALITIES]}
words["% of the file"] = [f"{v:.1f}" for v in real]
words["net, %"] = [f"{v:.0f}" for v in here]
view = plots.Plot(fig, plots.in_words("This photograph:", words), colors=48)
print(view.words)
view

# %% [markdown]
# Where a model that reads z is worse than one that reads nothing, z is not to blame: a perfect model could always
# ignore it. There something costs more than z tells: the shape of the distribution (a normal one, against any), that z
# has to tell the quality as well, or too short a fit. And where z does not pay alone, the codec may be right to send it
# all the same: it may pay in company, with the context that it was trained with.
#
# ## 5. Maps of what is predicted
#
# z starts with the first group. So take the channel of g1 that would cost the most without it, by the factorized ruler.
# What z says of it, for each of its places:

# %%
p = predictions["hyperprior"]
shown = int(predictions["factorized"].bits[0, : sizes[0]].sum(dim=(1, 2)).argmax())
maps = {
    "latent y": (y[0, shown], "gray"),
    "predicted mean": (p.mean[0, shown], "gray"),
    "predicted scale (log)": (p.log_scale[0, shown], "gray"),
    "bits": (p.bits[0, shown], "cividis"),
}
most = y[0, shown].abs().max().item()
fig = plots.figure(7.0, 4.6)
for axes, (title, (values, colors)) in zip(fig.subplots(2, 2).flat, maps.items()):
    limits = {"vmin": -most, "vmax": most} if title in ("latent y", "predicted mean") else {}
    limits |= {"vmin": 0, "vmax": values.quantile(0.99).item()} if title == "bits" else {}
    image = axes.imshow(values.numpy(), cmap=colormaps[colors].resampled(32), interpolation="nearest", **limits)
    axes.set_title(f"channel {shown}: {title}", fontsize=9, loc="left", color=plots.INK)
    axes.set_axis_off()
    for name, (place_x, place_y) in latents.items():
        axes.plot(place_x, place_y, "s", fillstyle="none", color=plots.ORANGE, markersize=7)
        if title == "latent y":
            axes.text(place_x + 1.2, place_y - 1.2, name, fontsize=8, color="white",
                      bbox={"facecolor": "black", "edgecolor": "none", "pad": 1, "alpha": 0.6})  # fmt: skip
    fig.colorbar(image, ax=axes, shrink=0.85).ax.tick_params(labelsize=7)


def correlation(a, b):
    return np.corrcoef(a[0, shown].flatten().numpy(), b[0, shown].flatten().numpy())[0, 1]


off_mean = (y - p.mean).abs()
words = {"": ["mean and latent", "scale and |latent - mean|"]}
words["correlation"] = [f"{correlation(p.mean, y):.1f}", f"{correlation(p.log_scale.exp(), off_mean):.1f}"]
view = plots.Plot(fig, plots.in_words(f"Channel {shown}, predicted from z alone:", words), colors=160)
print(view.words)
for title, one in (("this channel", shown), ("the channel of section 1", channel)):
    cells = [f"{name} {about(predictions[name].bits[0, one].sum().item() / 8, 2)}" for name in RULERS]
    print(f"bytes of {title}: {', '.join(cells)}")
print(f"(by hand, section 1: {about(least, 2)}, labels included; what z costs is not in the others)")
view

# %% [markdown]
# The mean is a guess, the scale says how far to trust it (the correlations say how well both do), and the bits are what
# is left. Now our three latents. For each: what the three models expected of this channel at this place, and what came
# (the black line). A curve shows the probability of the unit interval around a value; −log₂ of it, at the dot, is the
# price.

# %%
reach = 1.5 * most + 10
values = torch.linspace(-reach, reach, 2001)
everywhere = values.expand(1, y.shape[1], 1, -1)
flat = dataclasses.replace(latent, y=everywhere, noisy=everywhere)  # scored as they are, not rounded
free = torch.exp2(-rulers.models["factorized"](flat, gaussian, rulers.center).bits[0, shown, 0])  # the same everywhere

fig = plots.figure(7.4, 2.8)
columns = ("latent", "value", "bits: factorized", "scale", "hyperprior", "its mean", "its scale")
words = {name: [] for name in columns}
styles = {"factorized": (plots.GRAY, ":"), "scale": (plots.ORANGE, "--"), "hyperprior": (plots.BLUE, "-")}
for axes, (name, (place_x, place_y)) in zip(fig.subplots(1, 3), latents.items()):
    at = (0, shown, place_y, place_x)
    plots.dress(axes, name, "value of the latent", "probability" if name == list(latents)[0] else "")
    for model, (color, style) in styles.items():
        guess = predictions[model]
        if model == "factorized":
            chances = free
        else:
            normal = (part[at].expand_as(values) for part in (guess.mean, guess.log_scale))
            chances = gaussian.likelihood(values, *normal)
        axes.plot(values, chances, style, color=color, label=model, linewidth=1.8)
        center = guess.mean[at] if guess.mean is not None else (rulers.center * latent.gain)[0, shown, 0, 0]
        axes.plot(torch.round(y[at] - center) + center, torch.exp2(-guess.bits[at]), "o", color=color, markersize=5)
        words[("bits: " if model == "factorized" else "") + model].append(f"{guess.bits[at]:.1f}")
    axes.axvline(y[at], color=plots.INK, linewidth=0.8)
    width = max(4 * p.log_scale[at].exp().item(), 1.5 * (y[at] - p.mean[at]).abs().item(), 3)
    axes.set_xlim(p.mean[at].item() - width, p.mean[at].item() + width)
    axes.set_ylim(0)
    words["latent"].append(name)
    words["value"].append(f"{y[at]:.1f}")
    words["its mean"].append(f"{round(p.mean[at].item(), 1) + 0.0:.1f}")
    words["its scale"].append(f"{p.log_scale[at].exp():.1f}")
fig.legend(*fig.axes[0].get_legend_handles_labels(), fontsize=8, frameon=False, loc="outside lower center", ncols=3)
view = plots.Plot(fig, plots.in_words(f"Channel {shown} of three latents:", words), colors=64)
print(view.words)
view

# %% [markdown]
# A narrow curve is a bet. It is cheap where it is right; and where it is wrong, the factorized model, which never bets,
# may be cheaper at this one place. On the average over all places the bets must win, or the model was badly fitted.
#
# ## 6. Where the bytes of z go
#
# z describes y. Who describes z? Something has to come first, with nothing to go by: for z there is one fixed
# distribution per channel, the same at every place, for every photograph and every quality. It was learned
# (CompressAI's `EntropyBottleneck`, a small monotone network per channel) and then written down as tables of whole
# numbers. The tables are in the weights, on both sides: in the file they take no bytes.

# %%
z_tables = tables["z"]
entries = np.asarray(z_tables.length) - 2
cost_of_z = table_bits(z[0].numpy().astype(int), codec._z_rows(tuple(z.shape)), z_tables).sum() / 8
own = sum(one.size * entropy(np.unique(one, return_counts=True)[1]) for one in z[0].flatten(1).numpy()) / 8
print(f"{len(entries)} tables of {entries.min()} to {entries.max()} symbols, {thousands(int(entries.sum()))} in all")
print(f"z by these tables: about {about(cost_of_z, 2)} bytes; its segment in the file: about {about(z_bytes[3], 2)}")
print(f"by each channel's own histogram in this photograph, known for free: about {about(own, 2)} bytes")

# %% [markdown]
# ### What if z says nothing?
#
# Put each channel of z at the median of its fixed distribution (a number in the weights, which both sides have),
# everywhere, in encoder and decoder, and code the rest as always, with the codec's own model and through the exact path
# that real files take.

# %%
path = codec.coding_path()
with torch.inference_mode():
    silent = Estimate(codec.gaussian)
    decoded = path.walk(medians.expand_as(latent.z_hat).double(), silent, y.double())
    picture_without = as_picture(codec.synthesize(torch.cat(decoded, dim=1).float(), torch.tensor([3.0])))
without = [-torch.log2(part).sum().item() / 8 for part in silent.likelihoods]
with_z = by_model[3]["codec"]
picture_with = as_picture(codec.synthesize(torch.cat(latent.decoded, dim=1), torch.tensor([3.0])))
longer = sum(without) - sum(with_z) - z_bytes[3]
lost = psnr(photo, picture_with) - psnr(photo, picture_without)
Predict(
    "Encoder and decoder both put z at its medians. All five groups are written. What comes out?",
    [
        "Noise: without z the file can't be decoded",
        "A blurred picture in a shorter file",
        "Nearly the same picture, in a longer file",
        "Nearly the same picture, in a shorter file",
    ],
    answer=(2 if longer > 0 else 3) if lost < 1 else 1,
    explanation="z takes part in no pixel directly. It makes predictions, and a symbol repairs what a prediction got "
    f"wrong: the picture changes by {abs(lost):.1f} dB. What changes is the price: {about(sum(without), 2)} bytes for "
    f"y instead of {about(sum(with_z), 2)}, where z cost {about(z_bytes[3], 2)}.",
    misconception="Side information is a part of the picture.",
)

# %%
lines = [["", *(f"g{i + 1}" for i in range(len(sizes))), "z", "in all"]]
lines.append(["bytes with z", *(about(v, 2) for v in with_z), about(z_bytes[3], 2), about(sum(with_z) + z_bytes[3], 2)])
lines.append(["z at its medians", *(about(v, 2) for v in without), "0", about(sum(without), 2)])
print(aligned(lines))
print(f"PSNR: {psnr(photo, picture_with):.1f} dB with z, {psnr(photo, picture_without):.1f} dB without")
ratio = longer / z_bytes[3]
print(f"the file is {'longer' if longer > 0 else 'shorter'} by about {about(abs(ratio), 1)} times what z had cost")
never_had = by_model[3]["factorized"][0]
print(f"g1 without z: {about(without[0], 2)} bytes here; by the factorized ruler, {about(never_had, 2)} bytes")

# %% [markdown]
# Is that what z is worth, then? **No.** This model was never trained with a silent z: what it does with one is an
# accident, not the price of doing without. (Compare the first group with the last line.) The honest question is what a
# model *fitted* without z would pay, and section 4 has asked it, for models without context. To take something away
# from a trained network and to call the damage its value is a common mistake; lesson 04 meets it again.
#
# ## 7. *Deeper:* why z needs a linear start
#
# In a first version of this codec z fell silent: after training it cost almost nothing, said nothing, and the first
# group was coded almost without help. Since then z **starts** as what lesson 01 built for pixels: the KLT, here of 4×4
# blocks of the first group, with its inverse as the means of that group. The network beside it learns the rest.
#
# Why would a network not find out by itself that z pays? Watch one that begins at random. It learns R_z + R_y for
# blocks of the first group of the course's photographs, and so does the KLT start.

# %%
with torch.inference_mode():
    first = [codec.analyze(one, torch.tensor([3.0]))[:, : sizes[0]] for one in others]
blocks = torch.cat([F.unfold(one, 4, stride=4)[0].T for one in first])[::2].clone()
nothing_said = without_z(blocks)
runs = {"random": learn(blocks, 32, linear=False, steps=100, shown=25)}
runs["KLT"] = learn(blocks, 32, linear=True, steps=25, shown=25)
lines = [["start", "updates", "z", "first group", "both"]]
lines.append(["no z", "", "0", *[about(nothing_said, 2)] * 2])
for name, stages in runs.items():
    for stage in stages:
        lines.append([name, str(stage.step), about(stage.z, 2), about(stage.y, 2), about(stage.z + stage.y, 2)])
print("bits of a block of 4x4 cells")
print(aligned(lines))
before, after = runs["random"][0], runs["random"][1]
print(f"in the first {after.step} updates, z loses {about(100 * (1 - after.z / before.z), 1)} % of its bits")
klt = runs["KLT"][0]
print("at its start, the KLT is", "better" if klt.z + klt.y < nothing_said else "worse", "than no z")

# %% [markdown]
# At a random start z is pure cost: the synthesis can't read it yet. The gradient of R_z says so at once and loudly:
# be quiet. The gradient of R_y, which would praise z, comes through a synthesis that knows nothing. So z shrinks first,
# and what is quiet teaches its reader little. (In variational autoencoders this is called posterior collapse.) With the
# KLT the reader knows z's language from the first moment.
#
# What is left of that start in the trained codec? The linear path still runs beside the network. How much of the first
# group's variance does each explain?

# %%
with torch.inference_mode():
    linear = codec.path.h_s.linear(latent.z_hat)
group = y[:, : sizes[0]]
own = predicted["codec"][3].mean[:, : sizes[0]]


def explains(guess):
    """R² over the first group: 1 is perfect, 0 as good as each channel's mean, below 0 worse."""
    left = (group - guess).square().sum()
    return 1 - (left / (group - group.mean(dim=(2, 3), keepdim=True)).square().sum()).item()


print(f"the linear path of z alone:      R2 = {explains(linear):.2f}")
print(f"all of the codec's means for g1: R2 = {explains(own):.2f}")

# %% [markdown]
# ## 8. *Deeper:* the rate of z is a divergence
#
# Ballé and others read the hyperprior as a variational autoencoder. In training, z is not rounded but gets noise, so
# that what is sent is a draw from q(z̃|x): a uniform distribution of width 1 around z. Its density is 1, and so
#
# $$\mathrm{KL}\big(q(\tilde z|x)\,\|\,p(\tilde z)\big) = \mathbb{E}\big[\log_2 q - \log_2 p\big]
# = \mathbb{E}\big[-\log_2 p(\tilde z)\big].$$
#
# The divergence of the encoder's distribution from the prior *is* the rate of z, in bits, and R + λD is the negative
# evidence lower bound, up to constants. In numbers: the average over noise, and what the rounded z costs.

# %%
torch.manual_seed(0)
with torch.inference_mode():
    continuous = codec.hyper_analyze(y)
    draws = [-torch.log2(codec.z_prior(continuous, training=True)[1]).sum().item() / 8 for _ in range(20)]
divergence, coded = np.mean(draws), latent.z_coded.sum().item() / 8
print(f"KL, mean over 20 draws of noise: {about(divergence, 2)} bytes")
print(f"the rounded z, by its density:   {about(coded, 2)} bytes")

# %% [markdown]
# Where the two differ, it is for the reason of lesson 02, section 3: noise costs something even where rounding to 0
# costs next to nothing.
#
# ## Now on yours
#
# Put the path of a photograph of yours into `my_photo` in the first cell, and run all cells again. Take one with large
# smooth areas, then one that is full of detail everywhere. For which does z pay more? Decide before you look at
# section 4.
#
# ## Three questions for a class
#
# 1. z describes y, and a fixed table describes z. Why not a third latent that describes z? What would it have to save,
#    and how many numbers of z are there to save it on?
# 2. The decoder of section 1 knows the block to the left before it reads the next one. Could it guess the label,
#    instead of being told? What does that cost, and what happens at the border between sky and rock?
# 3. A colleague sets z to zero in a trained codec, sees the file double, and writes: "the hyperprior is worth half of
#    the file". Which experiment do you ask for?
#
# ## What this lesson takes away
#
# The misconception that **every byte that is not the thing itself is waste**. A file can afford to describe itself as
# long as the description is shared by many symbols, and each of them gets cheaper by more than its share. And it can
# only be judged against a model that was fitted to do without.
#
# Exercises: [03 · The hyperprior](exercises/03_hyperprior.ipynb) (★ how many classes, ★★ the bits of a latent). Next:
# [04 · Causal context](04_causal_context.ipynb), on what the groups already decoded know about the next.
