# %% [markdown]
# # 09 · The real size
#
# The codec that you have opened, trained and judged is a small one. The paper's is ten times as large, does thirty
# times the work, and makes files that are clearly smaller. One question: **what does the codec of the paper cost, and
# what would it take to use it?**
#
# - **Goals**: say where a codec's parameters, its arithmetic and its time sit, and why these are three different
#   places; count multiplications by hand; explain why a file may not decode on another machine, and which cure works;
#   read a table of costs with the right mistrust.
# - **You need**: lessons 00, 02 (the break-it lab) and 04 (groups); BD-rate from lessons 05 or 08.
# - **Study time**: 45 minutes for the core. Sections marked *deeper* come on top; nothing later needs them.
# - **Run time**: {run_time} for the whole notebook on two CPU cores, as measured when it was built.

# %%
import copy
import dataclasses
import json
import math
import os
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import ccalib
from ccalib.evaluation.complexity import count_macs
from ccalib.evaluation.metrics import psnr
from ccalib.images import from_tensor, pad, to_tensor
from ccalib.lessons import plots
from ccalib.lessons.costs import costs, largest_layer, main_parts, pass_through, sketch, timed_parts
from ccalib.lessons.desync import nearest, read, wrong_symbols
from ccalib.lessons.orders import decoder_scales, levels, reordered, with_path
from ccalib.lessons.pixels import Picture
from ccalib.lessons.published import CODECS, TIMES, TIMES_SOURCE, against_vtm, curve, networks
from ccalib.lessons.schedules import scheduled
from ccalib.lessons.text import aligned
from ccalib.lessons.thread import latents_of, open_photo, thread_photo
from ccalib.lessons.widgets import Diagram, Predict, Wipe
from ccalib.model.codec import Codec
from ccalib.model.context import HalfTanh
from ccalib.model.exact import ACTIVATION_STEP, WEIGHT_STEP, exact_copy
from ccalib.model.layers import ChannelNorm, SimpleGate
from ccalib.model.presets import PAPER, PRESETS, SMALL
from ccalib.official import load as load_released

my_photo = thread_photo()  # later: the path of a photograph of yours, such as "holiday.jpg"

photo = open_photo(my_photo)
latents = latents_of(my_photo, photo)
results = Path(thread_photo()).parents[1] / "results"
timed = json.loads((results / "complexity.json").read_text())
Diagram("g_a", "h_a", "h_s", "context", "g_s", caption="Lesson 09 weighs every network of the codec.")

# %% [markdown]
# ## 1. Where are the parameters?
#
# `paper` is the released model of Han and others (2024), built by the same code as `small`, from another preset. Its
# weights can't ship with a course, but its *shape* can: nothing is needed to count.

# %%
paper = sketch(PAPER)  # shapes, and no numbers in them
parts = main_parts(paper)
found = costs(paper, parts)
holds_most = max(found, key=lambda name: found[name].parameters)
Predict(
    "Nine tenths of the multiplications of the paper's codec are in its transforms, analysis and synthesis. "
    "Which part has the most parameters?",
    ["The analysis", "The synthesis", "The contexts of the five groups", "The hyperprior's networks"],
    answer=["analysis", "synthesis", "contexts"].index(holds_most) if "hyper" not in holds_most else 3,
    explanation=f"The {holds_most}, with {found[holds_most].parameters / 1e6:.0f} million. A weight of the first "
    "layers is used at one position in four; a weight of a context at one in 256. Many weights, used rarely: much "
    "to store and little to do.",
    misconception="The part with the most weights does the most work.",
)

# %%
parameters_in_all = sum(cost.parameters for cost in found.values())
kmac_in_all = sum(cost.kmac for cost in found.values())
bars = {
    "parameters": [100 * cost.parameters / parameters_in_all for cost in found.values()],
    "multiplications": [100 * cost.kmac / kmac_in_all for cost in found.values()],
}
fig = plots.figure(7.2, 1.9)
axes = fig.subplots()
starts = np.zeros(len(bars))
for i, name in enumerate(parts):
    widths, color = np.array([values[i] for values in bars.values()]), plots.group_color(i, len(parts))
    axes.barh(list(bars), widths, left=starts, color=color, label=name, edgecolor="white")
    for row, (start, width) in enumerate(zip(starts, widths)):
        if width > 6:
            axes.text(start + width / 2, row, f"{width:.0f} %", ha="center", va="center", fontsize=8,
                      color=plots.ink_on(color))  # fmt: skip
    starts += widths
plots.dress(axes, "paper: what each part holds, and what it does", "%")
axes.set_xlim(0, 100)
axes.invert_yaxis()
axes.legend(fontsize=8, frameon=False, ncols=5, loc="upper center", bbox_to_anchor=(0.45, -0.3))
table = {
    "part": [*parts, "sum"],
    "parameters": [f"{n:,}" for n in [*(c.parameters for c in found.values()), parameters_in_all]],
    "%": [f"{share:.0f}" for share in [*bars["parameters"], 100]],
    "kMAC a pixel": [f"{n:.1f}" for n in [*(c.kmac for c in found.values()), kmac_in_all]],
    "% ": [f"{share:.0f}" for share in [*bars["multiplications"], 100]],
}
view = plots.Plot(fig, plots.in_words("`paper`, a photograph of 768x512 written and read once:", table), colors=48)
print(view.words)
view

# %% [markdown]
# A **MAC** is a multiplication and an addition; FLOP count both. Everything is given for one pixel of the photograph,
# so that sizes can be compared. Is the count right? A hook on every convolution made it. Torch can count, too, by
# another way, and the authors' program has been counted by itself:


# %%
def by_torch(run):
    """Multiply–accumulates of everything that torch computes while `run()` runs, by torch's own counter."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops() / 2


official = timed["official"]
mine = kmac_in_all * 1000 * 768 * 512
torchs = by_torch(lambda: pass_through(paper, 512, 768))
assert torchs == round(mine)
all_parameters = sum(p.numel() for p in paper.parameters())
assert all_parameters == official["parameters"]
print(f"by hooks {2 * mine / 1e9:.1f} GFLOP, by torch {2 * torchs / 1e9:.1f}, the authors' code {official['gflop']}")
print(f"parameters with the prior of z: {all_parameters:,}, the authors' code {official['parameters']:,}")

# %% [markdown]
# ## 2. The layers, from the code
#
# The paper's Table 3 lists the layers of its transforms. Here it is again, made by asking the model, with what each
# row costs. The law behind the last two columns fits in a line: **at 1/s of the side, a weight is used once in s²
# pixels**.


# %%
def text_of(layer):
    """A convolution in words."""
    kind = "transposed conv" if isinstance(layer, nn.ConvTranspose2d) else "conv"
    stride = f", stride {layer.stride[0]}" if layer.stride[0] > 1 else ""
    return f"{kind} {layer.kernel_size[0]}x{layer.kernel_size[1]}{stride}, {layer.in_channels} to {layer.out_channels}"


rows, sides = {}, {}  # what the lines of the table are counted on, and at which 1/s of the side a weight is used
for stage, layer in enumerate(paper.g_a.down):
    rows[f"g_a  {text_of(layer)}"], sides[f"g_a  {text_of(layer)}"] = layer, 2 ** (stage + 1)
    for kind in ("ResidualBottleneck", "NAFBlock") if stage < 3 else ():
        blocks = [block for block in paper.g_a.blocks[stage] if type(block).__name__ == kind]
        name = f"     {len(blocks)} {kind}s of {layer.out_channels}"
        rows[name], sides[name] = nn.ModuleList(blocks), 2 ** (stage + 1)
side = 16
for layer in paper.h_a:
    if isinstance(layer, nn.Conv2d):
        side *= layer.stride[0]
        rows[f"h_a  {text_of(layer)}"], sides[f"h_a  {text_of(layer)}"] = layer, side
for layer in paper.path.h_s.mean:
    if isinstance(layer, nn.ConvTranspose2d):
        rows[f"h_s  {text_of(layer)}"], sides[f"h_s  {text_of(layer)}"] = layer, side  # read before it grows
        side //= layer.stride[0]

lines = [["layers", "at 1/s", "parameters", "kMAC a pixel", "MAC a pixel for each weight"]]
for name, cost in costs(paper, rows).items():
    used = 1000 * cost.kmac / cost.parameters
    lines.append([name, f"1/{sides[name]}", f"{cost.parameters:,}", f"{cost.kmac:.2f}", f"{used:.4f}"])
    assert abs(used * sides[name] ** 2 - 1) < (0.2 if "NAF" in name else 0.02)  # the law
print(aligned(lines))
print("(g_s is the mirror of g_a; h_s has a second copy, for the scales. A seventh of a NAF block's weights is its")
print("channel attention, which works once for the whole photograph, and so hardly counts)")
assert abs(found["synthesis"].kmac - found["analysis"].kmac) < 1e-9

# %% [markdown]
# So a million parameters cost 250 kMAC a pixel at half the side, and 4 at a sixteenth. Whoever wants a better codec
# for little work puts weights where the picture is small: into contexts. That is what the paper did, and why
# `small` has no blocks at all at half the side.
#
# ## 3. The presets compared
#
# The paper's Table 2 compares codecs by parameters, arithmetic, latency and BD-rate. Here is its first half for our
# presets. Counts are made now. Times are from a file, because they belong to a machine.

# %%
counted = {name: costs(net := sketch(preset), main_parts(net)) for name, preset in PRESETS.items()}
entries = timed["presets"]
macs = {name: sum(cost.kmac for cost in one.values()) for name, one in counted.items()}
both_ms = {name: entry["encode_ms"] + entry["decode_ms"] for name, entry in entries.items()}
work, wait = macs["paper"] / macs["small"], both_ms["paper"] / both_ms["small"]
Predict(
    f"The paper's codec does {work:.0f} times the multiplications of ours. On the same two CPU cores, to write and to "
    "read a photograph takes …",
    ["… more than that many times as long", f"… about {work:.0f} times as long", "… clearly fewer times as long"],
    answer=0 if wait > 1.1 * work else 1 if wait > 0.9 * work else 2,
    explanation=f"Measured: {wait:.0f} times as long. A processor is not a counter of multiplications. In wide layers "
    "every number that is fetched from memory is used hundreds of times; in narrow ones it mostly waits. "
    "(Section 9.) And the range coder, norms and gates have no multiplications in this count, but take time.",
    misconception="Time is arithmetic divided by speed.",
)

# %%
lines = [["preset", "parameters", "transforms", "h_a", "entropy path", "KLT", "kMAC/pixel", "write ms", "read ms"]]
lines[0].append("GMAC/s")
for name, one in counted.items():
    entry = entries[name]
    transforms = one["analysis"].kmac + one["synthesis"].kmac
    path_kmac = one["hyper synthesis"].kmac + one["contexts"].kmac
    klt_kmac = one["KLT"].kmac if "KLT" in one else 0
    done = macs[name] + path_kmac  # the entropy path runs twice, once to write and once to read
    speed = done * 1000 * np.prod(timed["size"]) / (both_ms[name] / 1000) / 1e9
    assert entry["parameters"] == sum(p.numel() for p in sketch(PRESETS[name]).parameters())
    shown = [f"{n:.1f}" for n in (transforms, one["hyper analysis"].kmac, path_kmac, klt_kmac, macs[name])]
    ms = [f"{entry[f'{way}_ms']:,.0f}" for way in ("encode", "decode")]
    lines.append([name, f"{entry['parameters']:,}", *shown, *ms, f"{speed:.0f}"])
print(aligned(lines))
print(f"times: whole files of {timed['size'][0]}x{timed['size'][1]} on {timed['hardware']}")
random = [name for name, entry in entries.items() if entry["weights"] == "random"]
print("timed with random weights (a network takes as long with them):", ", ".join(random) or "none")

# %% [markdown]
# The last column is what the processor really did in a second. The authors give latencies of their own machine, for all
# codecs of their table. A table with times of two machines in one column is a table of machines.
#
# ## 4. `paper`, once
#
# Enough of paper. Here it runs: 65 million random weights, a piece of the photograph of 256×256 pixels, written and
# read. It has learned nothing, so its file is worthless, and its time is the real one. (Processor time, of all threads
# together: other programs on your machine hardly disturb it.)

# %%
torch.manual_seed(0)
big = Codec(PAPER).eval()
big.update()
column, row = latents["edge"]
left, top = (min(max(16 * at - 120, 0), max(length - 256, 0)) for at, length in zip((column, row), photo.size))
piece = pad(to_tensor(photo.crop((left, top, left + 256, top + 256))), 64)

# %%
# NBVAL_IGNORE_OUTPUT
# times are this machine's; that the reader gets what the writer wrote is asserted
contexts = big.path.groups.contexts
measured = {
    "analysis": [big.g_a],
    "hyper analysis": [big.h_a],
    "hyper synthesis": [big.path.h_s],
    "contexts": [*contexts, *(context.residual_head for context in contexts)],
    "synthesis": [big.g_s],
}
kept = {}


def there_and_back():
    kept["strings"], kept["written"] = big.encode(piece)
    z_shape = (piece.shape[2] // 64, piece.shape[3] // 64)
    kept["x_hat"], kept["read"] = big.decode(kept["strings"], z_shape)


spent = timed_parts(measured, there_and_back)
assert all(np.array_equal(a, b) for a, b in zip(kept["written"], kept["read"]))
assert kept["x_hat"].shape == piece.shape and min(spent.values()) >= 0

runs_of = {"hyper synthesis": 2, "contexts": 2}  # to write and to read
lines = [["part", "seconds", "% of the time", "% of the multiplications done"]]
done = {name: found[name].kmac * runs_of.get(name, 1) for name in measured}
for name, seconds in spent.items():
    share = f"{100 * done[name] / sum(done.values()):.0f}" if name in done else ""
    lines.append([name, f"{seconds:.2f}", f"{100 * seconds / sum(spent.values()):.0f}", share])
print(aligned(lines))
gmac = sum(done.values()) * 1000 * piece.shape[2] * piece.shape[3] / 1e9
whole = sum(spent.values())
print(f"{whole:.1f} s of processor time for {gmac:.0f} GMAC: {gmac / whole:.0f} GMAC/s on a core of this machine")

# %% [markdown]
# Parameters and multiplications have very different shares. The time of this one codec follows its multiplications
# by and large; between codecs it does not (section 3), and section 9 says why. A 4000×3000 photograph has
# 183 times as many pixels as this piece. Multiply, and you know why such codecs are shown on GPUs.
#
# ## 5. One step after another
#
# A GPU does thousands of multiplications at once, if it has them all at once. A decoder does not: group 3 can't begin
# before group 2 is decoded. So it takes **sequential steps**. Here are the steps of two codecs of 2018 with the same
# transforms. The *scale hyperprior* reads z, then all latents in one step. The *joint autoregressive* codec reads
# its latents one by one, each predicted from its neighbors above and to the left.

# %%
nets = networks()
zoo_kmac = {name: by_torch(lambda net=net: net(torch.zeros(1, 3, 64, 64))) / 64**2 / 1000 for name, net in nets.items()}
more = zoo_kmac["mbt2018"] / zoo_kmac["hyperprior"]
slower = TIMES["mbt2018"][1] / TIMES["hyperprior"][1]
Predict(
    f"The second codec does {100 * (more - 1):.0f} % more multiplications than the first. Measured by CompressAI on "
    "a GPU, decoding a Kodak image with it takes …",
    [f"… about {100 * (more - 1):.0f} % longer", "… twice as long", "… ten times as long",
     "… more than a hundred times as long"],
    answer=3 if slower > 100 else 2 if slower > 5 else 1 if slower > 1.5 else 0,
    explanation=f"{TIMES['mbt2018'][1]:.1f} s against {TIMES['hyperprior'][1]:.2f} s: {slower:.0f} times as long. "
    "Every latent is a step of its own with a tiny network, and almost "
    "all of the machine waits.",
    misconception="More processors make a decoder faster.",
)  # fmt: skip

# %%
steps = {
    "scale hyperprior": (1 + 1, zoo_kmac["hyperprior"], TIMES["hyperprior"]),
    "joint autoregressive": (1 + 48 * 32, zoo_kmac["mbt2018"], TIMES["mbt2018"]),
    "`paper`": (1 + PAPER.groups, macs["paper"], None),
    "`small`": (1 + SMALL.groups, macs["small"], None),
    "VTM (VVC)": (None, None, TIMES["vtm"]),
}
lines = [["768x512 pixels", "steps to decode", "kMAC a pixel", "encode s", "decode s"]]
for name, (count, kmac, seconds) in steps.items():
    times = [f"{s:.2f}" for s in seconds] if seconds else ["", ""]
    lines.append([name, f"{count:,}" if count else "", f"{kmac:.0f}" if kmac else "", *times])
print(aligned(lines))
print("counted here; times published:", TIMES_SOURCE)

# %% [markdown]
# (VTM, the reference program of the VVC standard, is there to remind you: a decoder of a standard takes a tenth of a
# second on a CPU. Its encoder takes minutes.)
#
# Groups of channels are the way out: z and five groups, six steps, for any size of the photograph. Each context reads
# more than the last and has more to predict, so the later steps cost more:

# %%
lines = [["kMAC a pixel", *(f"g{i + 1}" for i in range(PAPER.groups)), "the largest / the smallest"]]
for preset in (PAPER, SMALL):
    net = sketch(preset)
    each = {f"g{i + 1}": context for i, context in enumerate(net.path.groups.contexts)}
    spread = [cost.kmac for cost in costs(net, each).values()]
    lines.append([preset.name, *(f"{k:.2f}" for k in spread), f"{max(spread) / min(spread):.1f}"])
    assert abs(sum(spread) - counted[preset.name]["contexts"].kmac) < 1e-9
print(aligned(lines))

# %% [markdown]
# And on your machine? Here is the context of the last group of `small`, at all positions at once and then position by
# position, as a codec without groups would have to run it. The same network, the same number of multiplications.

# %%
# NBVAL_IGNORE_OUTPUT
# times are this machine's; which way is slower is asserted
codec = ccalib.load("small")
x, quality = pad(to_tensor(photo), 64), torch.tensor([3.0])
context, cells = codec.path.groups.contexts[-1], (x.shape[2] // 16, x.shape[3] // 16)
wide = (torch.zeros(1, SMALL.hyper_out, *cells),) * 2
seen = [torch.zeros(1, size, *cells) for size in SMALL.sizes[:-1]]
one_by_one = (wide[0][..., :1, :1],) * 2, [group[..., :1, :1] for group in seen]
with torch.inference_mode():
    context(wide, seen)
    started = time.process_time()
    context(wide, seen)
    at_once = time.process_time() - started
    context(*one_by_one)
    started = time.process_time()
    for _ in range(100):
        context(*one_by_one)
    single = (time.process_time() - started) / 100 * cells[0] * cells[1]
assert single > at_once
print(f"{cells[0]}x{cells[1]} positions at once: {1000 * at_once:.0f} ms; one by one: {1000 * single:,.0f} ms")
print(f"{single / at_once:.0f} times as long")

# %% [markdown]
# ## 6. The same file on another machine
#
# Lesson 02 broke a decoder by nudging one scale. Does that happen by itself? The paper's program computes its contexts
# in ordinary 32-bit floats. A float sum depends on the order in which it is added, in its last bits, and the order is
# chosen by the processor, the library, the number of threads.
#
# You have one machine. But another order is easily made: shuffle the input channels of every convolution, and its
# weights with them. The same function, on paper.

# %%
Predict(
    "A decoder must get every level of the scale table right, or it reads garbage from there on. Which of these makes "
    "it certain that two machines agree?",
    [
        "Compute in 64-bit floats instead of 32",
        "Round each scale to a few digits before it is used",
        "Make every sum exact, so that its order can't matter",
        "None: it is a matter of luck on any machine",
    ],
    answer=2,
    explanation="With 64 bits a disagreement is hundreds of millions of times rarer, and still there for somebody's "
    "photograph. Rounding a scale that came out a little different moves the border to another place, and near each "
    "border is some number. Where sums have no rounding error, there is nothing to disagree about.",
    misconception="More digits make it safe.",
)  # fmt: skip

# %%
# NBVAL_IGNORE_OUTPUT
# how far floats differ, and whether that hits a level, is this processor's affair; that exact sums agree is asserted
warnings.filterwarnings("ignore", message="TF32")  # torch on a switch that this processor lacks
in_floats = with_path(codec, codec.path)  # writes and reads as the paper's program does
strings, _ = in_floats.encode(x, quality)
streams, z_shape = [segment[0] for segment in strings], (x.shape[2] // 64, x.shape[3] // 64)
right = read(in_floats, streams, z_shape, quality)


threads = torch.get_num_threads()


def decoded_by(path, onednn=True, threads=threads):
    """All scales as a decoder computes them with this path: in 32-bit floats, and in exact arithmetic."""
    torch.set_num_threads(threads)
    with torch.backends.mkldnn.flags(enabled=onednn):
        return decoder_scales(codec, path, right), decoder_scales(codec, exact_copy(path), right)


def wrong_levels(a, b):
    """How many levels of the table differ."""
    return int((levels(codec, a) != levels(codec, b)).sum())


home, home_exact = decoded_by(codec.path)
in_table = home > math.log(codec.gaussian.own_scales[0])  # below it there is no border to cross
machines = {f"sums in another order, {seed}": reordered(codec.path, seed) for seed in (1, 2, 3, 4)}
machines["channels-last layout"] = copy.deepcopy(codec.path).to(memory_format=torch.channels_last)
settings = {"without oneDNN": {"onednn": False}, "another number of threads": {"threads": 1 if threads > 1 else 2}}
machines |= dict.fromkeys(settings, codec.path)
lines = [["another machine", "differs by", "levels wrong", "rounded to 1/64 first", "exact"]]
strangers, typical = [], []
for name, path in machines.items():
    floats, exact = decoded_by(path, **settings.get(name, {}))
    assert np.array_equal(exact, home_exact)  # every scale, in every bit
    rounded = [np.round(64 * scales) / 64 for scales in (floats, home)]
    counts = [wrong_levels(floats, home), wrong_levels(*rounded), wrong_levels(exact, home_exact)]
    strangers += [path] if counts[0] and path is not codec.path else []
    typical.append(np.abs(floats - home)[in_table].sum() / codec.gaussian.step)
    lines.append([name, f"{np.abs(floats - home).max():.0e}", *map(str, counts)])
torch.set_num_threads(threads)
print(aligned(lines))
print(f"{len(home):,} scales a photograph, {in_table.sum():,} of them above the smallest; wrong levels to be expected: "
      f"{np.mean(typical):.1f}")  # fmt: skip
wide = [decoder_scales(codec, path.double(), right) for path in (copy.deepcopy(codec.path), reordered(codec.path, 1))]
rare = np.abs(wide[0] - wide[1])[in_table].sum() / codec.gaussian.step
print(f"in 64-bit floats: one in {1 / max(rare, 1e-15):.0e} photographs")

# %% [markdown]
# The differences are in the last digits of a 32-bit float, and they hit a level in some photographs and on some
# machines. That is the worst kind of error: tests pass, and a user's picture is lost. The last column is 0 on every
# processor: the cell asserts that all scales are equal *in every bit*.
#
# What one wrong level does, you know. Here is the file that was written in floats, read in floats by the first machine
# above that gets a level wrong (or, if none did today, with the nearest level nudged, as in lesson 02).

# %%
if strangers:
    garbled = read(with_path(codec, strangers[0]), streams, z_shape, quality)
else:
    garbled = read(in_floats, streams, z_shape, quality, nearest(right, codec.gaussian, 2))
shares, first = wrong_symbols(garbled, right)
assert first is None or shares[first[0]] > 0
pictures = [from_tensor(reading.x_hat[:, :, : photo.height, : photo.width]) for reading in (right, garbled)]
Wipe(Picture("read where it was written", pictures[0]), Picture("read on the other machine", pictures[1]),
     heading="One file, two machines: drag the line")  # fmt: skip

# %% [markdown]
# Google's researchers described this failure, and proposed networks of integers as a cure (Ballé, Johnston and Minnen,
# "Integer Networks for Data Compression with Latent-Variable Models", ICLR 2019). Ours is a cousin: weights are
# multiples of 1/1024 and activations of 1/64, so that products and sums are exact in 64-bit floats. Is that *proved*?
# Two things could still go wrong. A sum could need more than the 53 bits of a 64-bit float. And GELU and tanh are no
# sums: their last bit may differ between machines. They read multiples of 1/64 and are rounded to such right after, so
# we can ask for all inputs how near they come to a border.

# %%
exact_path, worst = codec.coding_path(), []
unit = WEIGHT_STEP * ACTIVATION_STEP


def note(layer, given, output):
    """Bits that the largest possible sum of this layer needs, for the inputs that came."""
    weights = layer.weight.abs().sum(dim=(0, 2, 3) if isinstance(layer, nn.ConvTranspose2d) else (1, 2, 3))
    worst.append(math.log2(float(weights.max() * given[0].abs().max()) / unit))


convolutions = [m for m in exact_path.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
handles = [layer.register_forward_hook(note) for layer in convolutions]
decoder_scales(codec, exact_path, right)
for handle in handles:
    handle.remove()
print(f"the largest sum of {len(convolutions)} convolutions could need {max(worst):.0f} of 53 bits")
assert max(worst) < 53

inputs = torch.arange(-(2**14), 2**14 + 1, dtype=torch.float64) / 64  # beyond ±256 GELU is x or 0, and tanh ±1
for name, function in (("GELU", nn.GELU()), ("half tanh", HalfTanh())):
    values = function(inputs) / ACTIVATION_STEP
    border = (values - torch.floor(values) - 0.5).abs().min().item()
    print(f"{name}: of {len(inputs):,} inputs, the nearest to a border of rounding stays {border:.0e} of a step away")
    assert border > 1e-9  # a last bit is 1e-13 of a step

# %% [markdown]
# ## 7. What came after
#
# The paper is of 2024. The second half of its Table 2 is BD-rate against cost. We build it from what was published:
# curves over Kodak, all against one anchor, **VTM** as CompressAI ran it; parameters and multiplications where a
# source gives them. `paper` has no trained weights here, so its row has the authors' curve and our count.


# %%
def cost_of(entry):
    """Parameters in millions and kMAC a pixel, ours for CCA, else published."""
    if entry.curve == "cca":
        return all_parameters / 1e6, macs["paper"]
    return entry.parameters, entry.kmac


published = {entry.name: (*cost_of(entry), against_vtm(curve(entry.curve))) for entry in CODECS}
known = {name: values for name, values in published.items() if values[1] is not None}
best, busiest = min(known, key=lambda name: known[name][2]), max(known, key=lambda name: known[name][1])
largest = max(known, key=lambda name: known[name][0])
Predict(
    "Codecs of 2018 to 2025, with their multiplications and their BD-rates. Which of them has the smallest files?",
    ["The one with the most multiplications", "The one with the most parameters", "Another one"],
    answer=0 if best == busiest else 1 if best == largest else 2,
    explanation=f"{best} has the smallest files ({known[best][2]:+.0f} % against VTM) with {known[best][1]:,.0f} kMAC "
    f"a pixel; {busiest} takes {known[busiest][1]:,.0f} for {known[busiest][2]:+.0f} %. {largest} has the "
    f"most parameters, {known[largest][0]:.0f} million. More work came with "
    "smaller files from 2018 to today, but among the recent ones work alone does not tell the order.",
    misconception="The codec that works hardest is the best one.",
)

# %%
ours = [(point["bpp"], point["psnr"]) for point in json.loads((results / "kodak.json").read_text())["curves"]["ccalib"]]
lines = [["codec", "year", "parameters", "kMAC a pixel", "BD-rate against VTM", "source of the cost"]]
sources = list(dict.fromkeys(entry.source for entry in CODECS if entry.kmac))
for entry in CODECS:
    millions, kmac, rate = published[entry.name]
    cost = [f"{millions:.1f} M", f"{kmac:,.0f}"] if kmac else ["", ""]
    source = f"[{sources.index(entry.source) + 1}]" if entry.source in sources else "counted here" if kmac else "none"
    lines.append([entry.name, str(entry.year), *cost, f"{rate:+.1f} %", source])
millions, rate = entries["small"]["parameters"] / 1e6, against_vtm(ours)
lines.append(["`small`, run here", "", f"{millions:.1f} M", f"{macs['small']:,.0f}", f"{rate:+.1f} %", "counted here"])
print(aligned(lines))
for number, source in enumerate(sources, 1):
    print(f"[{number}] {source}")
print("BD-rate: PSNR over Kodak; curves as published, except the last row; below 0 is better than VTM")

# %%
places = {"HPCM-Base": (-62, -4), "FTIC": (-18, 7), "CCA": (4, 6), "HPCM-Large": (6, -10)}  # of crowded labels
fig = plots.figure(7.0, 3.2)
axes = fig.subplots()
for name, (_, kmac, rate) in known.items():
    axes.plot(kmac, rate, "o", color=plots.BLUE)
    axes.annotate(name, (kmac, rate), fontsize=8, color=plots.INK, xytext=places.get(name, (5, 4)),
                  textcoords="offset points")  # fmt: skip
axes.plot(macs["small"], against_vtm(ours), "s", color=plots.ORANGE)
axes.annotate("small (run here)", (macs["small"], against_vtm(ours)), fontsize=8, color=plots.ORANGE, xytext=(7, -3),
              textcoords="offset points")  # fmt: skip
axes.axhline(0, color=plots.GRAY, linewidth=1)
axes.set_xscale("log")
axes.margins(x=0.12, y=0.12)
plots.dress(axes, "work and files", "kMAC a pixel, to write and to read (log scale)", "BD-rate against VTM (%)")
front = [n for n, (_, k, r) in known.items() if not any(k2 < k and r2 < r for _, k2, r2 in known.values())]
table = {"no other is better with less work": front, "kMAC a pixel": [f"{known[n][1]:,.0f}" for n in front],
         "BD-rate (%)": [f"{known[n][2]:+.0f}" for n in front]}  # fmt: skip
view = plots.Plot(fig, plots.in_words("The front of the published codecs:", table), colors=48)
print(view.words)
view

# %% [markdown]
# Read it with the right mistrust. The curves are of several laboratories with several training sets. And a MAC is not
# the same to all. Two of the rows we can count ourselves, with CompressAI's networks:

# %%
lines = [["", "parameters published", "counted", "kMAC a pixel published", "by torch", "by hooks on convolutions"]]
blank = torch.zeros(1, 3, 64, 64)
for entry in CODECS:
    if entry.curve in nets:
        net = nets[entry.curve]
        millions, by_all = sum(p.numel() for p in net.parameters()) / 1e6, zoo_kmac[entry.curve]
        by_hooks = count_macs({"all": net}, lambda net=net: net(blank))["all"] / 64**2 / 1000
        shown = (f"{entry.parameters:.2f}", f"{millions:.2f}", *(f"{k:.0f}" for k in (entry.kmac, by_all, by_hooks)))
        lines.append([entry.name, *shown])
        assert abs(millions - entry.parameters) < 0.01 and abs(by_all / entry.kmac - 1) < 0.2
print(aligned(lines))

# %% [markdown]
# The parameters agree, the multiplications don't: torch's counter sees the normalization of these
# codecs (GDN, which multiplies all channels with all), a hook on convolutions doesn't, and the survey counted in a way
# of its own. Never compare the last tenth of such a column.
#
# What the newer codecs change, in a line each:
#
# - **TCM** (Liu and others, CVPR 2023) mixes windows of attention with convolutions in its transforms.
# - **DCAE** (Lu and others, CVPR 2025) lets each group look things up in a learned dictionary, which both sides have.
# - **HPCM** (Li and others, ICCV 2025) codes a coarse lattice of the latent first and finer ones after it, in eleven
#   steps that share networks, and hands what was learned in one step to the next.
# - **JPEG AI** (ISO/IEC 6048-1:2025) is the first standard of the kind: what you have seen in this course now has a
#   bitstream that two companies can agree on (jpeg.org/jpegai).
#
# And the other direction: TinyLIC reports files as small as VTM's with 50 kMAC a pixel in its decoder, about twice
# what `small` has there, and 10 kMAC for files 15 % larger (table 1.2 of github.com/NJUVISION/TinyLIC). The next good
# codec may well be a small one.
#
# ---
#
# ## Stop here
#
# One slide to take along:
#
# 1. **Parameters, multiplications and time are three different things.** Weights sit in the contexts, multiplications
#    in the first and last layers, and time where memory is slow or steps wait for each other.
# 2. **A weight at 1/s of the side is used once in s² pixels.**
# 3. **Latency is steps.** Groups of channels make them few; latent by latent makes them many.
# 4. **A file is a promise between machines.** Floats break it rarely, and therefore badly. Exact sums keep it.
# 5. **Compare costs only from one counter, and times only from one machine.**
#
# What follows is *deeper*: the authors' own weights, what limits a processor, and how costs grow.
#
# ## 8. *Deeper:* the released weights
#
# The authors offer trained weights for download (their links are at github.com/LabShuHangGU/CCA). If you have such a
# checkpoint, set the environment variable `CCA_CHECKPOINT` to its path before you start Jupyter, and this cell codes
# the piece of section 4 with it.

# %%
checkpoint = os.environ.get("CCA_CHECKPOINT", "")
if not Path(checkpoint).is_file():
    print("no released checkpoint found; go on, nothing below needs one")
else:
    released = load_released(checkpoint)
    strings, _ = released.encode(piece)
    x_hat, _ = released.decode(strings, (piece.shape[2] // 64, piece.shape[3] // 64))
    size, pixels = sum(len(segment[0]) for segment in strings), piece.shape[2] * piece.shape[3]
    print(f"{8 * size / pixels:.2f} bits per pixel, {psnr(from_tensor(piece), from_tensor(x_hat)):.1f} dB")

# %% [markdown]
# (In a program of yours it is `ccalib.official.load(path)`, too. The package's tests compare this preset with numbers
# of the authors' program on regenerated weights. The published checkpoints themselves we have not run.)
#
# ## 9. *Deeper:* what limits a processor
#
# A processor has two limits: so many multiplications a second, and so many bytes a second to and from memory. Which one
# holds a layer back depends on its **intensity**, the operations for each byte of input and output:

# %%
channels = PAPER.widths[0]
layers = {  # and FLOP, values read and values written at each position
    "conv 3x3": (nn.Conv2d(channels, channels, 3, padding=1), 18 * channels**2, channels, channels),
    "conv 1x1": (nn.Conv2d(channels, channels, 1), 2 * channels**2, channels, channels),
    "depthwise 3x3": (nn.Conv2d(channels, channels, 3, padding=1, groups=channels), 18 * channels, channels, channels),
    "LayerNorm": (ChannelNorm(channels), 7 * channels, channels, channels),
    "gate": (SimpleGate(), channels // 2, channels, channels // 2),
}
intensity = {name: flop / (4 * (read_ + written)) for name, (_, flop, read_, written) in layers.items()}
lines = [[f"{channels} channels", "FLOP a position", "FLOP a byte"]]
lines += [[name, f"{layers[name][1]:,}", f"{ratio:.2f}"] for name, ratio in intensity.items()]
print(aligned(lines))
assert intensity["conv 3x3"] > 100 * intensity["depthwise 3x3"]

# %% [markdown]
# A dense 3×3 convolution does hundreds of operations for each byte, a gate a fraction of one. The **roofline** of a
# core is the smaller of its peak and of intensity times bandwidth. Measured here, now:


# %%
# NBVAL_IGNORE_OUTPUT
# speeds are this machine's; that they were measured is asserted
def fastest(run):
    """Processor seconds of the quickest of several runs."""
    seconds = []
    for _ in range(12):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    return min(seconds)


threads, speeds = torch.get_num_threads(), {}
torch.set_num_threads(1)
with torch.inference_mode():
    for name, (layer, flop, *_) in layers.items():
        at = 32 if intensity[name] > 10 else 128  # what is limited by memory should not fit into a cache
        data = torch.rand(1, channels, at, at).to(memory_format=torch.channels_last)
        layer = layer.to(memory_format=torch.channels_last)
        speeds[name] = flop * at**2 / fastest(lambda layer=layer, data=data: layer(data))
    target = torch.empty_like(data)
    bandwidth = 2 * 4 * data.numel() / fastest(lambda: target.copy_(data))
torch.set_num_threads(threads)
assert min(speeds.values()) > 0
peak = max(speeds.values())
lines = [["", "GFLOP/s", "% of the dense peak"]]
for name, speed in speeds.items():
    lines.append([name, f"{speed / 1e9:.1f}", f"{100 * speed / peak:.0f}"])
lines.append(["`paper`, section 4", f"{2 * gmac / whole:.1f}", f"{100 * 2e9 * gmac / whole / peak:.0f}"])
print(aligned(lines))
print(f"one core; memory: {bandwidth / 1e9:.0f} GB/s")
fig = plots.figure(5.6, 2.8)
axes = fig.subplots()
at = np.geomspace(min(intensity.values()) / 2, 2 * max(intensity.values()), 200)
axes.loglog(at, np.minimum(peak, bandwidth * at) / 1e9, color=plots.GRAY, label="roof")
for name, speed in speeds.items():
    axes.plot(intensity[name], speed / 1e9, "o", color=plots.BLUE)
    axes.annotate(name, (intensity[name], speed / 1e9), fontsize=8, color=plots.INK, xytext=(5, -10),
                  textcoords="offset points")  # fmt: skip
axes.margins(0.2)
plots.dress(axes, "the roofline of a core", "FLOP for each byte (log scale)", "GFLOP/s (log scale)")
plots.Plot(fig, "The roofline of a core: the table above, drawn.", colors=48)

# %% [markdown]
# (A point above the roof has its data in a cache.) So a NAF block, with its norm, its depthwise convolution and its
# gates, takes far more time than its multiplications say. That is why a count of MACs predicts time only among networks
# of one kind.
#
# ## 10. *Deeper:* how costs grow
#
# Counting is free, so let us stretch the codec in each direction and count again.

# %%
Predict(
    "You double the widths of both transforms, and nothing else. Their multiplications grow …",
    ["… twofold", "… fourfold, nearly", "… eightfold", "… not at all: only parameters do"],
    answer=1,
    explanation="A convolution multiplies each of its inputs with each of its outputs, and both have doubled. Nearly, "
    "because the first layer still reads three colors, and the last still writes M channels.",
    misconception="Twice as wide is twice the work.",
)

# %%
wide_preset = dataclasses.replace(PAPER, widths=tuple(2 * w for w in PAPER.widths))
doubled = {
    "as it is": PAPER,
    "widths of the transforms": wide_preset,
    "M, channels of the latent": scheduled(PAPER, 2 * PAPER.latent, PAPER.groups, PAPER.k),
    "widths of the contexts": dataclasses.replace(
        PAPER, context_width=2 * PAPER.context_width, head_widths=tuple(2 * w for w in PAPER.head_widths)
    ),
    "number of groups": scheduled(PAPER, PAPER.latent, 2 * PAPER.groups, PAPER.k),
}
lines, grown = [["doubled", "parameters", "kMAC a pixel: transforms", "contexts", "all"]], {}
for name, preset in doubled.items():
    one = costs(net := sketch(preset), main_parts(net), 256, 256)
    sums = [one["analysis"].kmac + one["synthesis"].kmac, one["contexts"].kmac, sum(c.kmac for c in one.values())]
    grown[name] = np.array([sum(c.parameters for c in one.values()), *sums])
    if name == "as it is":
        lines.append([name, f"{grown[name][0] / 1e6:.1f} M", *(f"{k:.0f}" for k in sums)])
    else:
        lines.append([name, *(f"x {ratio:.2f}" for ratio in grown[name] / grown["as it is"])])
print(aligned(lines))
assert 3.5 < grown["widths of the transforms"][1] / grown["as it is"][1] <= 4

# %% [markdown]
# Widths cost nearly their square in the transforms, and less in the contexts. More channels M or more groups cost
# contexts, and more groups cost steps, too. And the photograph? Work for each pixel stays the same, but memory grows
# with it. The largest layer has to hold its input and its output at once:

# %%
lines = [["photograph", "megapixels", "kMAC a pixel", "`paper`: largest layer", "`small`", "which layer of `paper`"]]
for width, height in ((256, 256), (768, 512), (1920, 1088), (4032, 3008)):
    one = costs(paper, parts, height, width)
    sizes = {name: largest_layer(sketch(PRESETS[name]), height, width) for name in ("paper", "small")}
    lines.append([f"{width}x{height}", f"{width * height / 1e6:.1f}", f"{sum(c.kmac for c in one.values()):.1f}",
                  *(f"{found_[0] / 1e9:.2f} GB" for found_ in sizes.values()), sizes["paper"][1]])  # fmt: skip
print(aligned(lines))
memory = json.loads((results / "kodak.json").read_text())["memory"]["ccalib"]
bound = largest_layer(sketch(SMALL), memory["height"], memory["width"])[0] / 1e6
print(f"`small`, {memory['width']}x{memory['height']}: at least {bound:.0f} MB by this bound; decoding was measured "
      f"to take {memory['decode_mb']:.0f} MB, weights and all")  # fmt: skip
assert memory["decode_mb"] > bound

# %% [markdown]
# For a photograph of twelve megapixels that layer alone asks for as much memory as a good laptop can spare. The way out
# is tiles, and a tile sees nothing of its neighbors: one more trade.
#
# ## Now on yours
#
# Put the path of a photograph of yours into `my_photo` in the first cell, and run all cells again. Does a level come
# out wrong in section 6? Take your largest photograph, look up its megapixels in section 10, and multiply the
# times of section 3. And on the fastest computer that you can get at: how many GMAC/s does section 4 give there, and
# which part is slow now?
#
# ## Three questions for a class
#
# 1. A company wants the best codec whose *decoder* does at most 20 kMAC a pixel; the encoder may do anything. What do
#    you change in `paper`? What can an encoder do with ten times the work, if the decoder stays as it is?
# 2. A table in a paper says "ours: 87 ms, theirs: 290 ms". Which four things do you ask before you believe that
#    theirs is slower?
# 3. Somebody's codec decodes its own files on every machine they own. They conclude that it always will. How many
#    photographs and machines would they need to see one failure, if one photograph in ten fails? If one in a million?
#
# ## What this lesson takes away
#
# The misconception that **a codec has a size**. It has parameters, multiplications, steps, bytes of memory and
# seconds, each in another place, and a number of one kind says little about another. And that **what is right to seven
# digits is right**: a decoder needs the same bits.
#
# ## The end of the course
#
# Look back at the diagram on top. You can now
#
# - take any photograph to a file and say what every byte of it is for (00, 02);
# - say what a latent knows, what it costs, and what its context bought (01, 03, 04);
# - tell a gain from a saving, and a result from a hope (05, 06);
# - train a codec on your own photographs, and judge it fairly, your own included (07, 08);
# - say what it would take to use one (09).
#
# Where to go from here: train `small` on your photographs over a weekend (`ccalib train --help`), or change one thing
# in `ccalib/model` and measure it with `ccalib ablation`: the ruler and the seeds are there to keep you honest. Read
# the paper again (arXiv 2410.04847); it should read differently now. Then those of section 7. CompressAI
# (github.com/InterDigitalInc/CompressAI) has trained weights of several older codecs, and its tools take ours as it
# is. And if a file of yours will not decode on a friend's machine one day, you know where to look.
#
# Exercises: [09 · The real size](exercises/09_real_size.ipynb) (★ the work of a stack of layers, ★★ a sum that does not
# depend on its order).
