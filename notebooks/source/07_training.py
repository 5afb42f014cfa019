# %% [markdown]
# # 07 · Training
#
# So far the weights were there. Now you make some. You will watch a codec learn from nothing, take the terms of its
# loss away one at a time, kill a training in the middle and go on as if nothing had happened.
#
# The question of this lesson: **what does each term of the loss do, and what happens without it?**
#
# - **Goals**: read a training's curves; say what rate, distortion, z's rate and noise are each good for; explain how
#   one training serves every rate; stop and resume a training without a trace; start one on photographs of your own.
# - **You need**: lessons 02 (noise, straight-through rounding), 03 (z), 04 (groups); what a gradient step is.
# - **Study time**: 45 minutes for the core. Sections marked *deeper* come on top; nothing later needs them.
# - **Run time**: {run_time} for the whole notebook on two CPU cores, as measured when it was built.

# %%
import dataclasses
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import torch
from IPython.display import display

from ccalib import images, weights
from ccalib.images import to_tensor
from ccalib.lessons import plots
from ccalib.lessons.live import Watched, checkpoint_of, point
from ccalib.lessons.text import about, aligned
from ccalib.lessons.thread import IMAGES, open_photo, thread_photo
from ccalib.lessons.widgets import Dashboard, Diagram, Predict
from ccalib.model.codec import Codec
from ccalib.model.gains import lambda_of
from ccalib.model.presets import TINY
from ccalib.training import checkpoint
from ccalib.training.command import prepare_process
from ccalib.training.data import Crops, load_photos
from ccalib.training.loop import Trainer, optimizers
from ccalib.training.losses import Objective, bits, distortion
from ccalib.training.schedule import plan_for
from ccalib.training.settings import Settings

my_photos = IMAGES  # later: a folder with photographs of yours, such as Path("holiday")
my_photo = thread_photo()  # one that is not trained on

prepare_process(None)  # tiny numbers count as 0: without this the first steps are several times slower
folder = tempfile.TemporaryDirectory()  # goes when the kernel goes
scratch = Path(folder.name)
files = [file for file in images.find([my_photos]) if file.resolve() != Path(my_photo).resolve()]
photos = load_photos(files, scratch / "cache", 64, progress=False)
photo = open_photo(my_photo, longest=384)
x = to_tensor(photo.crop((0, 0, photo.width // 64 * 64, photo.height // 64 * 64)))
TRAINED = IMAGES.parent / "weights" / "ablation" / "k1.7-plain-s0.safetensors"
trained = weights.load(TRAINED)
print(f"{len(photos)} photographs to train on, and one to look at: {x.shape[3]} x {x.shape[2]} pixels")
print(f"the codec: {trained.preset.name}, {sum(p.numel() for p in trained.parameters()):,} parameters")
Diagram("g_a", "h_a", "h_s", "context", "g_s", caption="Lesson 07 changes the weights of all parts that have some.")

# %% [markdown]
# ## 1. One step
#
# A training step takes a few crops, each with a quality of its own, sends them through the codec and asks in which
# direction every weight should move to make one number smaller: the mean of
#
# $$L = R_y + R_z + \lambda D$$
#
# R in bits per pixel, D the mean squared error (0 … 255). Here are the terms as the course's loop computes them, and
# one step of it. The package's loop (`ccalib/training/loop.py`) is this one with a plan for the learning rate, an
# average of the weights, checkpoints, a log and several processes around it.

# %%
def loss_terms(codec, crops, quality):
    """R_y and R_z in bits per pixel, and D: one number a crop each."""
    out, pixels = codec(crops, quality), crops.shape[2] * crops.shape[3]
    rate_y, rate_z = (bits(out["likelihoods"][name]) / pixels for name in ("y", "z"))
    return rate_y, rate_z, distortion(crops, out["x_hat"])


def take_step(codec, optimizers, crops, quality, on=(1, 1, 1)):
    """One step; `on` switches R_y, R_z and D on or off."""
    rate_y, rate_z, d = loss_terms(codec, crops, quality)
    lam = lambda_of(codec.preset, quality)
    loss = on[0] * rate_y + on[1] * rate_z + on[2] * lam * d
    weight = (lam / codec.preset.reference_lambda) ** -0.5  # section 4 says why
    ((weight * loss).mean() + codec.z_prior.loss()).backward()  # z_prior.loss() keeps z's tables centered
    torch.nn.utils.clip_grad_norm_([p for group in optimizers["codec"].param_groups for p in group["params"]], 1.0)
    for optimizer in optimizers.values():
        optimizer.step()
        optimizer.zero_grad()


def started(state):
    """A codec in training, with the weights of a checkpoint."""
    objective = Objective(Codec(TINY), "plain")
    objective.load_state_dict(state["objective"])
    return objective.train()


finished, source = checkpoint_of(trained), Crops(photos, TINY, 64, 8, seed=0)
objective = started(finished)
crops, quality = source.at(step=0)
rate_y, rate_z, d = loss_terms(objective.codec, crops, quality)
mine = (rate_y + rate_z + lambda_of(TINY, quality) * d).mean()
crops, quality = source.at(step=0)  # the same crops, and the same noise once more
packages = objective(crops, quality)[1]["plain"]
assert torch.isclose(mine, packages, rtol=1e-4)
print("the package's loss is the same, for the same crops and noise:", bool(torch.isclose(mine, packages, rtol=1e-4)))
print("qualities of the 8 crops:", ", ".join(f"{q:.1f}" for q in quality))

# %% [markdown]
# ## 2. Watch it learn
#
# First from **random weights**: nothing is known of pictures, not even that neighbors look alike. The dashboard fills
# while the training runs. Its picture is never trained on; it is shown as the codec of that step decodes it. The
# curves are those of the crops of the last steps, and jump, because each step sees others. Afterwards drag anywhere
# on the curves, or press *play*.

# %%
RANDOM = dataclasses.replace(TINY, klt=False, hyper_klt=False)
QUALITY = 3.0
known = dict(batch=8, crop=64, ema=0.9, warmup=5)  # few and small crops, so that half a minute is enough


def watched(name, preset, steps, lr, shots, state=None):
    """A training of `preset` with a dashboard; `train()` starts it."""
    dashboard = Dashboard(name, preset.groups, steps)
    plan = plan_for(steps, 0 if state else known["warmup"], 0.3)
    return Watched(scratch / name, preset, photos, Settings(lr=lr, **known), plan, dashboard, x, QUALITY, 4, shots,
                   state)  # fmt: skip


def live(trainer):
    """Show the dashboard, train, and leave the finished one as a still picture too."""
    place = display(trainer.dashboard, display_id=True)
    trainer.train()
    place.update(trainer.dashboard)
    return trainer.points


from_random = live(watched("tiny from random weights", RANDOM, 64, 3e-3, (0, 8, 16, 28, 44)))

# %% [markdown]
# The first thing it learns is a mean color; then, where it is light and where dark. Other colors come later. Look at
# the bits per pixel of the pictures: they fall at first. As long as a latent carries nothing, the quickest way down is
# to keep it quiet. Then they rise, because by now they buy something. (In the end they may fall once more, and the
# picture gets better all the same: predicting is learned, too.)
#
# Now with a start. The **KLT** of lesson 01 is computed from patches of the photographs, and runs beside the network,
# whose own last layers begin small. The first picture is that of a transform coder, before the first step. (z starts
# as a second KLT, from which lesson 03 took its section 7.)

# %%
from_klt = live(watched("tiny from the KLT", TINY, 36, 1e-3, (0, 9, 18)))

# %%
named = [("random, first", from_random[0]), ("random, 64 steps", from_random[64]), ("KLT, first", from_klt[0]),
         ("KLT, 36 steps", from_klt[36]), ("finished weights", point(trained, x, QUALITY))]  # fmt: skip
lines = [["on the photograph not trained on", "bpp", "dB", "R + lambda D, times the last, at least"]]
for name, p in named:
    times = p.loss / named[-1][1].loss
    at_least = f"{math.floor(10 * times) / 10:.1f}" if times < 2 else f"{math.floor(times)}"
    lines.append([name, f"{p.bpp:.1f}", f"{p.psnr:.0f}", at_least])
lines[2][1:] = ["", f"over {10 * math.floor(from_random[64].psnr / 10)}", ""]  # more depends on the processor
print(aligned(lines))
assert from_klt[0].loss < from_random[64].loss / 2 and from_klt[36].loss < from_klt[0].loss

# %% [markdown]
# What the KLT has before its first step, a random start does not reach in this time by far. The KLT start then
# gains on both sides: the rate falls by a fifth in so short a time, and so does the squared error.
#
# (Of the random start only a coarse figure is printed. Large steps from nowhere magnify the last digits of a float: on
# another type of processor it ends a decibel or two away. The others agree to all printed digits.)
#
# ### From a checkpoint
#
# The finished weights were trained on hundreds of photographs, for thousands of steps. Give them 24 steps more, on the
# few photographs here.

# %%
further = watched("tiny from finished weights", TINY, 24, 1e-3, (0, 6, 12), finished)
further.train()
before, after = further.points[0].loss, further.points[24].loss
change = 100 * (after / before - 1)
Predict(
    "24 more steps, on other photographs, at the learning rate that trainings begin with. What happens to R + λD of a "
    "photograph that is not among them?",
    ["It falls: more training is better", "It stays within 0.5 %", "It rises: the finished codec gets worse"],
    answer=0 if change < -0.5 else 2 if change > 0.5 else 1,
    explanation=f"It changes by about {about(change, 1)} %. The finished weights came to rest while the learning rate "
    "fell to 0. A large rate shakes them again, and a few photographs are no replacement for hundreds. These are "
    "for watching a training, not for making a codec.",
    misconception="More training always makes it better.",
)

# %%
worse = "rises" if change > 0.5 else "falls" if change < -0.5 else "stays"
print(f"R + lambda D on the photograph not trained on {worse}")
further.dashboard

# %% [markdown]
# So a training has two phases: a long one at a constant rate, and a shorter decay in which it comes to rest. Who wants
# to go on later goes on from the end of the *constant* phase. The package keeps that checkpoint (`constant.pt`) and
# refuses to continue from a checkpoint whose rate has begun to fall. (Finished weights it takes; they warm up anew.)
#
# ## 3. Take a term away
#
# Each of the following trainings starts with the finished weights and sees the same crops and the same noise. Only the
# switches differ. So that a few steps show it, the gains (lesson 02's step sizes) learn faster here than they usually
# do: with them a codec trades bits against error most directly.

# %%
STEPS = 20


def arm(on, rounded=False):
    """The codec after a few steps with some terms off, at QUALITY on the photograph that is not trained on."""
    objective = started(finished)
    objective.codec.frozen = rounded  # then rates are those of the rounded latent, without noise
    todo = optimizers(objective, Settings(lr=2e-3, gain_rate=15))
    for step in range(STEPS):
        take_step(objective.codec, todo, *source.at(step), on)
    return point(objective.codec, x, QUALITY)


whole = arm((1, 1, 1))
arms = {"before": point(trained, x, QUALITY), "all terms": whole, "without D": arm((1, 1, 0)),
        "without R": arm((0, 0, 1)), "without R_z": arm((1, 0, 1))}  # fmt: skip
free = arms["without R"]
longer, better = 100 * (free.bpp / whole.bpp - 1), free.psnr - whole.psnr
Predict(
    f"Only the error counts from now on: the rate is taken out of the loss (λ = ∞). After {STEPS} steps …",
    [
        "… the picture is much better, in a file a little longer",
        "… the picture is a little better, in a file much longer",
        "… both stay: the codec was already as good as it can be",
    ],
    answer=1 if longer > 5 and better < 2 else 0 if better >= 2 else 2,
    explanation=f"The file is at least {10 * int(longer // 10)} % longer than with all terms, for less than "
    f"{max(math.ceil(better), 1)} dB. What limits the picture is what the transform leaves out, and finer steps don't "
    "bring it back. The rate was the only term that said when to stop.",
    misconception="The rate term holds back the picture; without it the picture would soon be perfect.",
)

# %%
fig = plots.figure(6.4, 2.9)
axes = fig.subplots()
plots.dress(axes, f"{STEPS} steps without a term, from the same weights", "bits per pixel", "PSNR (dB)")
spots = {"before": (6, 6, "left"), "all terms": (-6, -12, "right"), "without R_z": (6, -12, "left")}
for name, p in arms.items():
    axes.plot(p.bpp, p.psnr, "o", color=plots.GRAY if name == "before" else plots.BLUE, markersize=7)
    dx, dy, side = spots.get(name, (0, -16, "center"))
    axes.annotate(name, (p.bpp, p.psnr), xytext=(dx, dy), textcoords="offset points", ha=side, fontsize=9,
                  color=plots.INK)  # fmt: skip
    axes.annotate("", (p.bpp, p.psnr), (arms["before"].bpp, arms["before"].psnr),
                  arrowprops={"arrowstyle": "->", "color": plots.GRAY, "alpha": 0.6})  # fmt: skip
axes.margins(0.18, 0.25)
table = {
    "": list(arms),
    "bpp": [f"{p.bpp:.1f}" for p in arms.values()],
    "dB, change": [f"{p.psnr - arms['before'].psnr:+.1f}" for p in arms.values()],
    "z, all terms = 1": [f"{v:.{int(v < 1.5)}f}" for v in (p.z / whole.z for p in arms.values())],
}
view = plots.Plot(fig, plots.in_words(f"After {STEPS} steps, on the photograph not trained on:", table), colors=48)
print(view.words)
assert arms["without D"].bpp < whole.bpp and arms["without D"].psnr < whole.psnr - 1
assert free.bpp > whole.bpp
if Path(my_photo) == thread_photo():  # how much z grows, others decide for themselves: a fog has little to tell
    assert free.z > 1.5 * whole.z and arms["without R_z"].z > 1.03 * whole.z
view

# %% [markdown]
# - **Without D** the cheapest latent is one that is always as predicted. Steps grow, the picture dissolves, and given
#   time the file would be empty: nothing else ever said what the bits are for.
# - **Without R** steps shrink. Halving a step costs every latent that is not mostly 0 about one bit, each time; the
#   error that it takes away gets smaller each time. z, which nobody pays for, is no longer careful either.
# - **Without R_z** the sum hides it, since z is a small part of the file. z is written all the same, and what is not
#   in the loss grows. A term that is left out by mistake looks like progress in the loss; only the bytes of real
#   files show it (lesson 08).
#
# With all terms, too, the picture loses: steps this large shake finished weights (section 2). So compare each arm
# with *all terms*, not with *before*.
#
# ## 4. One training, every rate
#
# λ says what an error costs in bits. A paper's codec is trained once for each λ. This one has seven pairs of **gains**
# for each channel, at qualities 0 to 6: y is multiplied by one before rounding, ŷ by the other (at first its inverse)
# after decoding, and between two qualities they are interpolated. Every crop of a batch draws its own quality, one from
# each eighth of the range if there are eight, and is charged with that λ.

# %%
tried = {q: point(trained, x, q) for q in (0, 1, 2, 2.5, 3, 4, 5, 6)}
between = min(tried[2].bpp, tried[3].bpp) < tried[2.5].bpp < max(tried[2].bpp, tried[3].bpp)
sharper = min(tried[2].psnr, tried[3].psnr) < tried[2.5].psnr < max(tried[2].psnr, tried[3].psnr)
Predict(
    "Gains are stored for qualities 0, 1, … 6. You ask for 2.5. What do you get?",
    [
        "An error: no gains were trained for it",
        "The file of quality 2 or of quality 3",
        "A file between the two, with a picture between the two",
        "A file between the two, with a picture worse than either",
    ],
    answer=2 if between and sharper else 3 if between else 1,
    explanation=f"{tried[2].bpp:.2f}, {tried[2.5].bpp:.2f} and {tried[3].bpp:.2f} bits per pixel at 2, 2.5 and 3. In "
    "training hardly any crop had a whole number as its quality, so the interpolated gains are the ones that were "
    "trained.",
    misconception="A network can do only the seven settings that it was trained for.",
)

# %%
reference = TINY.reference_lambda
gain = trained.gains.log_gain.detach().mean(dim=1).exp()
lines = [["quality", "lambda", "gain: start", "learned", "bpp", "dB", "R + lambda D", "share", "share, weighted"]]
whole_q = [q for q in tried if q == int(q)]
weighted = {q: (tried[q].lam / reference) ** -0.5 * tried[q].loss for q in whole_q}
plain = {q: tried[q].loss for q in whole_q}
for q in whole_q:
    p, shares = tried[q], [100 * of[q] / sum(of.values()) for of in (plain, weighted)]
    lines.append([str(q), f"{p.lam:.4f}", f"{(p.lam / reference) ** 0.5:.2f}", f"{gain[q]:.2f}", about(p.bpp, 2),
                  f"{p.psnr:.1f}", about(p.loss, 2), *(f"{s:.0f} %" for s in shares)])  # fmt: skip
print(aligned(lines))
assert all(a.bpp < b.bpp and a.psnr < b.psnr for a, b in zip(map(tried.get, whole_q), map(tried.get, whole_q[1:])))

# %% [markdown]
# Each quality of the table came out of the same training. High-rate theory sets the gain to √(λ/λ₀) at the start (λ₀
# the middle of the range), and training moves it from there: here by less than a tenth.
#
# The last two columns are why the loss has a weight of (λ/λ₀)^−½. Without it the sum over a batch is mostly that of
# the highest qualities, and the low ones would learn by accident. With a power of −1 it would be the other way round.
#
# ## 5. Noise, and the bits of a file
#
# In a file y is rounded. In training its rate is computed from y plus uniform noise, because rounding has no slope:
# what the decoder reads is rounded all the same, straight through (lesson 02, section 3; exercise ★★). Is the
# training's rate that of the file?

# %%
def rates(quality):
    """Bits per pixel of y, with noise as in training (mean of three draws) and rounded as in a file."""
    codec, q = started(finished).codec, torch.tensor([float(quality)])
    torch.manual_seed(0)
    with torch.inference_mode():
        noisy = np.mean([loss_terms(codec, x, q)[0].item() for _ in range(3)])
    return noisy, sum(tried[quality].groups)


pairs = {q: rates(q) for q in (0, 3, 6)}
excess = {q: 100 * (noisy / coded - 1) for q, (noisy, coded) in pairs.items()}
largest = max(excess.values(), key=abs)
Predict(
    "The rate that training sees, from y plus noise, against the rate that coding pays, from the rounded y. Is it …",
    ["… the same on average: noise is what rounding does", "… larger, mostly at low qualities", "… smaller",
     "… larger, mostly at high qualities"],
    answer=0 if abs(largest) < 3 else 2 if largest < 0 else 1 if excess[0] >= excess[6] else 3,
    explanation="At qualities 0, 3 and 6 the noisy rate is "
    + ", ".join(f"{about(e, 1)} %" for e in excess.values())
    + " away from the coded one. Where the scale is far below a step, nearly all symbols are 0 and cost next to "
    "nothing, while noise spreads each over a whole step, most of which the narrow distribution calls unlikely.",
    misconception="Training minimizes the length of the file.",
)  # fmt: skip

# %%
lines = [["quality", "R_y with noise", "R_y rounded", "noise says"]]
for q, (noisy, coded) in pairs.items():
    more = f"{'+' if noisy > coded else '-'}{about(abs(excess[q]), 1)} %"
    lines.append([str(q), about(noisy, 2), about(coded, 2), more])
print(aligned(lines))

# %% [markdown]
# Then why not score the rounded latent, with straight-through gradients? Take one latent whose prediction has a scale
# of half a step, and ask for the slope of its bits.

# %%
def slopes(away, scale, draws=20_001):
    """d bits / d y of a latent `away` from its mean: averaged over noise, and rounded, straight through."""
    found = []
    for noise in (torch.linspace(-0.5, 0.5, draws), None):
        y = torch.tensor(float(away), requires_grad=True)
        place = y + noise if noise is not None else y + (torch.round(y) - y).detach()
        zero = torch.zeros_like(place)
        likelihood = trained.gaussian.likelihood(place, zero, zero + np.log(scale))
        found.append(torch.autograd.grad(-torch.log2(likelihood).mean(), y)[0].item())
    return found


lines = [["y - mean", "slope, noise", "slope, rounded"]]
for away in (0.1, 0.2, 0.3, 0.4, 0.6, 0.9, 1.4):
    lines.append([f"{away:.1f}", *(f"{s + 0.0:.2f}" for s in slopes(away, 0.5))])
print(aligned(lines))
assert slopes(0.4, 0.5)[1] == 0 and slopes(0.4, 0.5)[0] > 0.5
with torch.inference_mode():
    chances = trained(x, torch.tensor([QUALITY]))["likelihoods"]["y"]
cheap = 100 * (chances > 0.5).double().mean().item()  # what costs less than a bit is the likeliest symbol: 0
print(f"at quality 3, at least {about(cheap, 1)} % of the symbols are 0")

# %% [markdown]
# A latent that rounds to 0 hears **nothing** from its rounded rate, however near it is to the border: at the middle of
# the distribution the slope is 0. And most symbols are zeros. With noise each of them is pulled towards its prediction
# all the time, a little more, the farther away it is. That is what noise is for: not a better estimate, but a slope.

# %%
silent = arm((1, 1, 1), rounded=True)
ratio = silent.bpp / whole.bpp
verdict = "shorter" if ratio < 0.99 else "longer" if ratio > 1.01 else "the same to 1 %"
like = "the same to 0.1 dB" if abs(silent.psnr - whole.psnr) < 0.1 else "not the same"
print(f"{STEPS} steps on rounded rates instead of noisy ones: the file is {verdict}, PSNR is {like}")

# %% [markdown]
# (Starting from finished weights a few steps can't say more. The package has a switch that scores rounded latents for
# the end of a training, when the analysis is frozen and only the decoder's side learns; section 7 says what it
# bought.)
#
# ## 6. Kill it
#
# A long training is killed sooner or later. Here one runs undisturbed for 12 steps. A second one, with the same
# settings, is cut off by a power failure after step 8; its last checkpoint is of step 6. A third trainer, which knows
# nothing but that file, goes on.

# %%
class PowerFailure(Exception):
    pass


class Fails(Trainer):
    """A trainer whose machine loses power after 8 steps; a checkpoint was written after 6."""

    def _step(self):
        if self.step == 6:
            self.save()
        if self.step == 8:
            raise PowerFailure
        return super()._step()


settings, plan = Settings(batch=4, crop=64, log_every=2), plan_for(12, 2, 0.3)
rest = {"plan": plan, "progress": False}
undisturbed = Trainer(scratch / "undisturbed", TINY, photos, settings, state=finished, **rest)
undisturbed.train()
try:
    Fails(scratch / "cut", TINY, photos, settings, state=finished, **rest).train()
except PowerFailure:
    print("killed after 8 steps")
stored = checkpoint.load(scratch / "cut" / "last.pt")
print(f"the checkpoint is of step {stored['step']}; it holds: {', '.join(sorted(stored))}")
resumed = Trainer(scratch / "cut", TINY, photos, settings, state=stored, resume=True, **rest)
resumed.train()
pairs = zip(undisturbed.objective.parameters(), resumed.objective.parameters())
same = all(torch.equal(a, b) for a, b in pairs)
Predict(
    "The resumed training has taken steps 7 and 8 a second time. How far are its weights from those of the undisturbed "
    "one?",
    ["Far: it saw other crops and other noise", "A little: rounding errors", "Not a single bit is different"],
    answer=2 if same else 1,
    explanation="Crops, qualities and noise of a step are drawn from a generator that is seeded with (seed, step), and "
    "the checkpoint holds the rest: weights, their average, the optimizers' memory, the plan. So a step taken again is "
    "the same step.",
    misconception="A random training can't be repeated exactly.",
)

# %%
lines = [(scratch / run / "log.jsonl").read_text().splitlines() for run in ("undisturbed", "cut")]
logs = [[json.loads(line)["loss"] for line in one] for one in lines]
print("every weight is bit-equal:", same)
print("every logged loss is the same:", logs[0] == logs[1], f"({len(logs[0])} lines each)")
assert same and logs[0] == logs[1]

# %% [markdown]
# The log, too, has no trace: lines that were written after the checkpoint are dropped when a run resumes. (On another
# processor floats differ in their last digits, and after some hundreds of steps it is another training, as good as
# this one. *The same machine* repeats; another one does not, and need not.)
#
# ## 7. What this project's trainings have taught
#
# **What pays per minute?** Larger crops or more channels may make each step better, and there is time for fewer. So
# each training of `small` in the next table began anew and had 15 minutes of two cores, counted in steps: what a step
# of each takes was measured beforehand, in turns (`make trials`). One thing differs from the reference (the package's
# defaults), or two that belong together. (Muon is another optimizer than Adam.) BD-rate (lesson 08): percent of bits at
# equal PSNR, below 0 is better; single runs, on validation photographs.

# %%
DIFFERS = {
    "reference": "8 crops of 128²", "seed-1": "another seed",
    "crop-192": "4 crops of 192²", "crop-256": "2 crops of 256²",
    "no-klt": "no KLT, neither for y nor for z", "no-hyper-klt": "no KLT for z",
    "m-192": "192 latent channels, not 320; k = 1.7", "narrow": "transforms 3/4 as wide",
    "kernel-5": "last kernel 5×5, not 3×3", "muon": "Muon, not Adam",
    "lr-double": "twice the learning rate", "lr-half": "half the learning rate",
    "klt-free": "KLT learns 5 times as fast", "klt-still": "KLT never learns",
    "gains-free": "gains learn 10 times as fast", "unweighted": "all λ weigh alike",
    "m-256": "256 latent channels, k = 1.9", "m-128": "128 latent channels, k = 1.4",
    "lambdas": "λ from 0.0018 to 0.05", "batch-4": "4 crops of 128²",
    "no-ema": "no average of weights", "long-ema": "an average over 1,000 steps, not 100",
}  # fmt: skip
equal = json.loads((IMAGES.parent / "results" / "minutes.json").read_text())
timed = {run["name"]: run for run in equal}
asked = ["seed-1", "crop-192", "no-klt"]
moved = [abs(timed[name]["bd_rate"]) for name in asked]
others = [f"{DIFFERS[name]} {timed[name]['bd_rate']:+.1f} %" for name in asked]
Predict(
    "A training of 15 minutes is repeated with one thing changed. Which change moves the result most?",
    ["Another seed: other weights, crops and noise", "Larger crops, fewer of them", "No KLT: a random start"],
    answer=int(np.argmax(moved)),
    explanation=f"BD-rate against the reference: {', '.join(others)}.",
    misconception="Early in a training, chance decides more than the recipe.",
)

# %%
lines = [["run", "what differs", "s a step", "steps", "BD-rate"]]
for run in sorted(equal, key=lambda run: run["bd_rate"]):
    lines.append([run["name"], DIFFERS[run["name"]], f"{run['seconds_per_step']:.2f}", f"{run['steps']:,}",
                  f"{run['bd_rate']:+.1f} %"])  # fmt: skip
print(aligned(lines))
print(f"{equal[0]['images']} validation photographs, estimated rates; step times: {equal[0]['paced_on']}")
least = max(0.5, 2 * abs(timed["seed-1"]["bd_rate"]))  # one pair of seeds is a rough yardstick
for what, sign in (("better", -1), ("worse", 1)):
    found = [run["name"] for run in equal if sign * run["bd_rate"] > least]
    print(f"{what} by more than {least:.1f} %:", ", ".join(found) or "none")

# %% [markdown]
# Another seed moved hardly anything. That was one pair of seeds, so don't believe differences below half a percent.
# The KLT is worth more than all else that was tried: without it fifteen minutes are spent on finding what it knows
# from the start (that of z alone is worth a few percent). An average over 1,000 steps still remembers the start when
# so short a training ends. Larger crops don't pay in the first minutes: each step sees fewer photographs. Nor do half
# as many crops a step, though more steps fit. A learning rate of half or twice the size costs something. So does Muon,
# whose steps take longer.
#
# Two changes clearly pay. Gains begin with the formula of section 4, and in fifteen minutes they come nearer to what
# suits them if they learn faster. And the network may be *smaller*: narrower transforms are done sooner, and more
# steps fit. (Whether y has 320 channels or 128 hardly matters so early.) A narrower range of λ helps a little, on the
# rates that both reach: the one network has fewer of them to serve.
#
# But what pays at the start need not pay in the tenth hour. Which of two widths is better then, this table can't tell.
# What can be tried again is **the end**. Where the last decay of the shipped weights began there is a checkpoint
# (`.training`), and each training of the next table goes on from it: the rate falls to zero within 15 minutes of one
# core (`make endings`). The first one has the crops with which the shipped weights went on. (It is shorter, though; its
# optimizer is new and warms up first; and it runs in bfloat16, as do the four others.) In two, the analysis is frozen
# for the last 40 % of the steps, and bits are counted as the file will have them: the switch of section 5.

# %%
ENDS = {"as-it-was": "4 crops of 192²", "end-128": "8 crops of 128²", "end-256": "2 crops of 256²",
        "end-frozen": "4 crops of 192², frozen", "end-256-frozen": "2 crops of 256², frozen"}  # fmt: skip
endings = json.loads((IMAGES.parent / "results" / "endings.json").read_text())
start = endings[0]["from_steps"]
lines = [["run", "what differs", "s a step", "steps", "BD-rate"]]
lines += [[run["name"], ENDS[run["name"]], f"{run['seconds_per_step']:.2f}", f"{run['steps'] - run['from_steps']:,}",
           f"{run['bd_rate']:+.1f} %"] for run in endings]  # fmt: skip
print(aligned(lines))
print(f"all go on from step {start:,}; {endings[0]['images']} validation photographs, estimated rates; "
      f"step times: {endings[0]['paced_on']}")  # fmt: skip
farthest = max(abs(run["bd_rate"]) for run in endings)
print(f"the farthest from the first: {farthest:.1f} %;", "less" if farthest < least else "more",
      f"than the {least:.1f} % from which a difference counted above")  # fmt: skip

# %% [markdown]
# At the end the crops matter no more: what cost percents at the start is within half of one percent here. Nor does
# freezing help, though in theory it should: the decoder is trained on exactly what it will get. (Frozen steps are
# cheaper; no more of them were made for it.) These are five single runs, so read no order into them. A null result
# belongs in a table, too.
#
# ## 8. Overnight, on your own photographs
#
# *Not run here.* One command trains `small`, on a folder with several hundred photographs or more, in the background;
# the same command once more resumes it.
#
#     make train PHOTOS="$HOME/Pictures" MINUTES=600
#
# It measures its own speed for the first steps, turns minutes into steps once, and keeps one photograph in sixteen out
# for validation. What to expect is in the log of the shipped weights: several runs, one after the other, the first of
# them with fewer channels. Scrub through it:

# %%
log = IMAGES.parent / "weights" / "small.log.jsonl"
entries = [json.loads(line) for line in log.read_text().splitlines()]
steps, hours = entries[-1]["step"], entries[-1]["seconds"] / 3600
sums = np.array([entry["plain"] for entry in entries if entry["kind"] == "train"])
spikes = int((sums > 3 * np.median(sums)).sum())
print(f"small: {steps:,} steps in {about(hours, 2)} hours, on the machines that its card names")
print(f"lines of the log with more than three times the median R + lambda D: {spikes} of {len(sums)}")
Dashboard.from_log(log, "small", heading="The training of the shipped weights, from its log")

# %% [markdown]
# A long training has bad moments: a batch whose gradient points somewhere odd, and for some steps everything is worse
# (the curves are cut off there). The clipped gradient keeps such a step short, and a memory of a hundred steps instead
# of Adam's usual thousand forgets it soon. Other jumps are no accidents: a run was continued with other crops, another
# range of λ or more channels, sometimes with a warm-up, and twice a falling learning rate brought it to rest. The
# [card](../data/weights/small.md) lists what was done. See what the last fall does to R + λD.
#
# ## 9. *Deeper:* two processes, and a GPU
#
# *Not run here.* On a machine with two GPUs, or with two sockets, two processes share the work:
#
#     accelerate launch --multi_gpu --num_processes 2 -m ccalib train PHOTOS --run runs/two --minutes 600
#
# `--batch` counts per process, so this is a batch twice as large. What is equal, then? Each process takes its own
# crops; their qualities are drawn together, so that both halves *together* cover the range evenly; the gradients are
# averaged before the step, so that all processes keep the same weights. For a mean over crops that average is the
# gradient of the whole batch:

# %%
shares = [Crops(photos, TINY, 64, 2, seed=0, processes=2).at(0, process) for process in (0, 1)]
print("qualities:", " | ".join(", ".join(f"{q:.1f}" for q in quality) for _, quality in shares))
eighths = sorted(int(q / TINY.qualities * 4) for _, quality in shares for q in quality)
assert eighths == [0, 1, 2, 3]


def gradient(crops, quality):
    """Of the loss without noise, so that the halves and the whole see the same."""
    objective = started(finished)
    objective.codec.frozen = True
    objective(crops, quality)[0].backward()
    return torch.cat([p.grad.flatten() for p in objective.parameters() if p.grad is not None])


halves = [gradient(*share) for share in shares]
together = gradient(*(torch.cat(parts) for parts in zip(*shares)))
apart = ((halves[0] + halves[1]) / 2 - together).norm() / together.norm()
print("mean of the halves' gradients = gradient of the whole batch, to 1 in 1,000:", bool(apart < 1e-3))
assert apart < 1e-3

# %% [markdown]
# What changes on a GPU?
#
# - **The command does not.** The loop finds the GPU. Widths of 32 to 128 channels leave a large one mostly idle; raise
#   `--batch` and `--crop` until it is busy, and the learning rate stays a thing to try.
# - **Speed**: convolutions in bfloat16 where the hardware has it; rates and the loss stay in single precision (an
#   average of likelihoods near 1 has no bits to spare).
# - **Repeating**: some GPU kernels add in an order that changes from run to run. Then a resumed training is as good as
#   the undisturbed one, and no longer bit-equal.
# - **Files**: not at all, for `small` and `tiny`. Weights of the entropy path are rounded after training, and coding
#   computes in exact numbers (lesson 02, break-it lab), so a codec trained there decodes here.
#
# ---
#
# ## One slide to take along
#
# 1. **Each term holds another one back.** Without D the file empties; without R it swells for nothing; what is not in
#    the loss grows.
# 2. **Noise is there for its slope.** The rounded rate of a zero has none, and most symbols are zeros.
# 3. **One training serves every rate**: a λ for each crop, gains for each quality, and a weight so that low rates
#    count.
# 4. **A good start is free.** The KLT takes seconds, and spares the network what linear algebra knows.
# 5. **(seed, step) decides everything**, so a killed training leaves no trace.
#
# ## Now on yours
#
# Put a folder of yours into `my_photos` in the first code cell, and a photograph that is not in it into `my_photo`.
# Run sections 1 to 3 again. A folder with a single subject learns faster. What does it do to the photograph of
# another one?
#
# ## Three questions for a class
#
# 1. You train at one λ only, with gains for one quality. A colleague needs half the bits. What is possible without
#    training anew, and what will be wrong with it?
# 2. A log shows R falling from step to step while D rises, and R + λD stays. Is that a good or a bad sign? Which plot
#    do you ask for?
# 3. Without R_z, z took more bits, and the loss didn't say so. Which two numbers, printed once an hour, would have?
#
# ## What this lesson takes away
#
# The misconception that **training makes a codec good at everything that we want**. It makes one number smaller: what
# is not in it is not cared for, what is estimated badly is optimized badly, and the photographs it has seen are the
# only ones it knows.
#
# Exercises: [07 · Training](exercises/07_training.ipynb) (★ the plan of the learning rate, ★★ a latent in training).
# Next: [08 · Judging a codec](08_judging.ipynb), on numbers that look like measurements.
