# %% [markdown]
# # 05 · The CCA loss
#
# Lesson 04 weighed what the group before buys. The paper that this codec comes from (Han and others, 2024) goes one
# step further: if knowledge is worth bits, *train* the encoder so that each group tells more about the next. Its CCA
# loss rewards information gain. Does paying for it make files smaller?
#
# This first half takes the question to the smallest place where it can be answered exactly: two numbers instead of a
# latent. All rates here are counted, none estimated.
#
# - **Goals**: say what the loss pays for; turn a gain up and down without changing the file; predict where the loss
#   pulls a codec, and what that costs.
# - **You need**: lessons 01 (KLT), 02 (R + λD), 04 (information gain); the angle between two arrows.
# - **Study time**: 45 minutes. Sections marked *deeper* come on top.
# - **Run time**: {run_time} for the whole notebook on two CPU cores, as measured when it was built.

# %%
import math

import numpy as np

from ccalib.lessons import plots
from ccalib.lessons.text import aligned
from ccalib.lessons.toy import (
    RHO,
    arrows,
    count,
    rotation_gain,
    scissors_angle,
    scissors_cost,
    scissors_gain,
    variances,
)
from ccalib.lessons.toy_training import train
from ccalib.lessons.widgets import Diagram, Predict, TwoScalars

Diagram("groups", "context", "decoded_groups", caption="Lesson 05 looks at what one group tells about the next.")

# %% [markdown]
# ## 1. Two scalars
#
# The source: pairs x = (x₁, x₂), normally distributed, each with variance 1, and so much alike that their correlation
# is 0.9. (Think of two neighboring pixels.) Its KLT axes are the diagonals.
#
# The codec: two **arrows**. Arrow 1 measures x along its direction, arrow 2 along its own; both readings are rounded: ŷ
# = round(A x), with the arrows as the rows of A. The longer an arrow, the finer its step Δ (the arrow's gain is 1/Δ, as
# in lesson 02). ŷ₁ plays the part of a group, ŷ₂ of the next one. ŷ₁ is coded first, by its own distribution, and ŷ₂ by
# its distribution *given* ŷ₁. The decoder takes the mean of all x that fall into the same cell.
#
# The plane is cut into cells, and the probability of each cell is an integral that we can compute. So every rate is a
# sum over cells.

# %%
high, low = variances()
print(f"correlation {RHO}: variance along the KLT axes {high:.1f} and {low:.1f}")


def pose(first, second, gain):
    """Both arrows, at angles in degrees from the first KLT axis, counted."""
    return count(arrows(np.radians([first, second]), (gain, gain)))


lines = [["arrows at", "R1", "R2|1", "R = R1 + R2|1", "R2 alone", "gain I", "D"]]
for first, second in ((0, 90), (20, 110), (45, 135)):
    c = pose(first, second, 1.6)
    bits = (c.r1, c.r2_given_1, c.rate, c.r2, max(c.gain, 0))
    lines.append([f"{first} and {second}", *(f"{b:.2f}" for b in bits), f"{c.d:.3f}"])
print(aligned(lines))

# %% [markdown]
# The **gain** is what lesson 04 called by that name: I = R₂ − R₂|₁, the bits that knowing ŷ₁ saves of ŷ₂. Turn the
# arrows yourself. Watch R and I.

# %%
TwoScalars()

# %%
fine = {angle: pose(angle, angle + 90, 1 / 0.3) for angle in (0, 45)}
coarse = {angle: pose(angle, angle + 90, 1 / 1.5) for angle in (0, 45)}
Predict(
    "At a fine step you turn both arrows by 45°. The gain goes from nothing to more than a bit. The file …",
    ["… shrinks by about as much", "… stays as long as it was", "… gets longer by about as much", "… can't be decoded"],
    answer=1,
    explanation=f"R is {fine[0].rate:.2f} bits at 0° and {fine[45].rate:.2f} at 45°, while the gain goes from "
    f"{abs(fine[0].gain):.2f} to {fine[45].gain:.2f}. Turned, the second arrow reads much of what the first reads. "
    "Alone it would cost far more than before, and knowing ŷ₁ saves most of that. The file is R₁ + R₂|₁, the entropy "
    "of the same cells, turned.",
    misconception="A larger information gain is a smaller file.",
)

# %% [markdown]
# ## 2. What the loss says
#
# In lesson 04's words, with q for the model that may not read the group before: the gain of a group is E[log₂ p(yᵢ |
# earlier groups) − log₂ q(yᵢ | earlier groups, but not the last)] (section 3.2 of the paper). Summed over groups it is
# R_aux − R. The loss adds its negative to the one that we know:
#
# $$J = R + \lambda D - \alpha\, I, \qquad I = R_{aux} - R_y$$
#
# (This is the reading of the paper's text, in which the model q is as good as it can be. The authors' program does
# something else; that belongs to the second half.) Here, with two scalars, R_aux = R₁ + R₂, and I is exact.
#
# Before any experiment there is a fact: **a term added to R + λD can't lower the smallest R + λD.** Whoever minimizes J
# ends at some R + λD that is as good or worse. If the loss helps a real codec, then because training does not find the
# minimum, or because its models can't. Keep that in mind.
#
# ## 3. Turning: a gain for nothing
#
# Both arrows stay at right angles, φ away from the KLT. At a fine step, theory has a formula:
#
# $$I(\varphi) = \tfrac12 \log_2\!\Big(1 + \frac{(\lambda_1-\lambda_2)^2 \sin^2 2\varphi}{4\,\lambda_1\lambda_2}\Big)$$

# %%
angles = np.arange(0, 91, 5)
turned = {step: [pose(a, a + 90, 1 / step) for a in angles] for step in (0.3, 1.5)}
fig = plots.figure(7.0, 2.7)
left, right = fig.subplots(1, 2)
for axes, what, title in ((left, "gain", "gain I"), (right, "rate", "rate R, above its smallest")):
    for step, color in ((0.3, plots.BLUE), (1.5, plots.ORANGE)):
        values = np.array([getattr(c, what) for c in turned[step]])
        axes.plot(angles, values - (values.min() if what == "rate" else 0), color=color, label=f"step {step}")
    plots.dress(axes, title, "both turned by (degrees)", "bits")
left.plot(angles, [rotation_gain(math.radians(a)) for a in angles], ":", color=plots.GRAY, label="theory, fine step")
left.legend(fontsize=8, frameon=False)
shown = (0, 15, 30, 45)
table = {"turned by": [str(a) for a in shown], "theory I": [f"{rotation_gain(math.radians(a)):.2f}" for a in shown]}
for step in turned:
    at = [turned[step][a // 5] for a in shown]
    table[f"I, step {step}"] = [f"{max(c.gain, 0):.2f}" for c in at]
    table[f"R, step {step}"] = [f"{c.rate:.2f}" for c in at]
    table[f"D, step {step}"] = [f"{c.d:.4f}" for c in at]
view = plots.Plot(fig, plots.in_words("Turning both arrows:", table), colors=48)
print(view.words)
assert abs(fine[45].rate - fine[0].rate) < 0.01 and fine[45].gain > 1.1  # a gain that costs nothing and saves nothing
assert coarse[45].rate > coarse[0].rate + 0.3  # where the KLT wins
view

# %% [markdown]
# At the fine step the blue line on the right is flat: more than a bit of gain, for nothing, and of no use. At the
# coarse step the KLT is clearly better, because there most readings of the weak axis are 0 and cost little; turned,
# both arrows carry both axes.
#
# So rewarding I moves the arrows **off** the KLT: at high rates without harm, at low rates with harm.
#
# ## 4. The scissors
#
# Why stop at right angles? Let the arrows close, like scissors, to an angle δ. At a fine step and at equal D the file
# then costs −log₂ sin δ bits more. The gain grows faster, and J looks for the balance:

# %%
Predict(
    "α goes to 1: a bit of gain is paid like a bit of the file. Where do the arrows go?",
    ["To right angles, 45° off the KLT", "They close: both measure the same", "Back to the KLT", "They turn forever"],
    answer=1,
    explanation="Two arrows in the same direction know everything of each other: I grows without limit, and so does "
    "the rate at which D is still reached. At α = 1 each bit more in the file is paid back in full.",
    misconception="The loss can't do harm, since information can't hurt.",
)

# %%
lines = [["alpha", "angle of the arrows", "the file is longer by", "gain, theory", "gain, counted"]]
for alpha in (0, 0.25, 0.5, 0.75, 0.9):
    delta = scissors_angle(alpha)
    half = math.degrees(delta) / 2
    counted = pose(-half, half, 25 / math.sin(delta))  # a very fine step
    assert abs(counted.gain - scissors_gain(delta)) < 0.02
    bits = (abs(scissors_cost(delta)), scissors_gain(delta), counted.gain)
    lines.append([f"{alpha:g}", f"{2 * half:.0f}", *(f"{b:.2f}" for b in bits)])
print(aligned(lines))

# %% [markdown]
# Try it: α up, then *roll* lets the arrows go downhill on J, angles and lengths alike. The curve on the right is J when
# both arrows turn together; the ball is where they are. (The step here is not fine, so the angles differ from the
# table: the balance depends on the rate.)

# %%
TwoScalars((45, 135), alpha=0.5)

# %% [markdown]
# ## 5. The copy
#
# At a low rate the weak axis is not worth coding: its reading is always 0, a **dead channel**. Compare it with a second
# arrow that repeats the first:

# %%
dead, copy = count(arrows((0, math.pi / 2), (0.4, 0.05))), count(arrows((0, 0), (0.4, 0.4)))
lines = [["second channel", "R1", "R2|1", "R", "D", "gain I"]]
for name, c in (("dead", dead), ("a copy of the first", copy)):
    bits = (c.r1, abs(c.r2_given_1), c.rate)
    lines.append([name, *(f"{b:.2f}" for b in bits), f"{c.d:.2f}", f"{max(c.gain, 0):.2f}"])
print(aligned(lines))
assert abs(copy.rate - dead.rate) < 0.01 and abs(copy.d - dead.d) < 0.01 and copy.gain > 0.5
for alpha in (0.1, 0.5):
    better = dead.cca(2.0, alpha) - copy.cca(2.0, alpha)
    print(f"alpha {alpha}: the copy's J is {better:.2f} bits lower")

# %% [markdown]
# The same file, the same picture, and a gain that bought **nothing**: what the first symbol "saves" of the second is
# what the copy would have cost without it. For any α > 0 the loss prefers the copy. And then? R₂|₁ stays 0, I stays R₁,
# and J = (1 − α)R + λD: from there on the codec is a plain one with λ/(1 − α). So two codecs trained with and without
# the loss must be compared as *curves* of rate and distortion. At single points, the one is simply set to another λ.
#
# ## 6. Trained, live
#
# Does training find this? Five seeds at once, each starting a little off the KLT (on it, dI/dφ = 0 and nothing would
# move): arrows, decoder and three small entropy models learn together, with noise and straight-through rounding, as the
# real codec does. Then its arrows are counted exactly.

# %%
LAMBDA = 50.0
runs = {alpha: train(alpha, LAMBDA, seeds=5, steps=600) for alpha in (0.0, 0.25, 0.5, 0.75)}
lines = [["alpha", "seed", "angles, start", "angles, end", "gap of the models", "exact I", "R", "D", "R + lambda D"]]
for alpha, seeds in runs.items():
    for number, run in enumerate(seeds if alpha in (0.0, 0.5) else seeds[:1]):
        c = run.exact()
        ends = [" and ".join(f"{round(a / 5) * 5 + 0:d}" for a in run.angles(at)) for at in (0, -1)]
        bits = (f"{value:.1f}" for value in (run.gap[-1], max(c.gain, 0), c.rate))
        lines.append([f"{alpha:g}", str(number), *ends, *bits, f"{c.d:.3f}", f"{c.rate + LAMBDA * c.d:.2f}"])
print(aligned(lines))
print("(angles to the nearest 5 degrees)")
plain, honest = runs[0.0], runs[0.5]
assert all(run.opening() > 80 for run in plain) and all(run.opening() < 65 for run in honest)
spread = [run.exact().gain for run in plain]
valley = [run.exact().rate + LAMBDA * run.exact().d for run in plain]
assert max(valley) - min(valley) < 0.02
print(f"plain: gains from {abs(min(spread)):.1f} to {max(spread):.1f} bits, at the same R + lambda D to 0.02")

# %%
fig = plots.figure(7.0, 2.8)
left, right = fig.subplots(1, 2)
for alpha, color in ((0.0, plots.BLUE), (0.5, plots.ORANGE)):
    for run in runs[alpha]:
        left.plot(run.steps, [run.opening(i) for i in range(len(run.steps))], color=color, linewidth=1)
plots.dress(left, "angle between the arrows (blue: plain, orange: α = 0.5)", "step", "degrees")
left.title.set_fontsize(8)
for alpha, seeds in runs.items():
    color = {0.0: plots.BLUE, 0.5: plots.ORANGE}.get(alpha, plots.GRAY)
    ends = [run.exact() for run in seeds]
    right.plot([c.gain for c in ends], [c.rate + LAMBDA * c.d for c in ends], "o", color=color, markersize=4)
    right.annotate(f"α = {alpha:g}", (ends[0].gain, ends[0].rate + LAMBDA * ends[0].d), fontsize=8, color=color,
                   xytext=(0, 7), textcoords="offset points", ha="center")  # fmt: skip
plots.dress(right, "what the gain costs", "exact gain I (bits)", "R + λD (bits)")
right.margins(y=0.2)
ends = [seeds[0].exact() for seeds in runs.values()]
table = {
    "alpha": [f"{a:g}" for a in runs],
    "angle of the arrows": [f"{round(seeds[0].opening() / 5) * 5:d}" for seeds in runs.values()],
    "exact I": [f"{max(c.gain, 0):.1f}" for c in ends],
    "R + lambda D": [f"{c.rate + LAMBDA * c.d:.2f}" for c in ends],
}
view = plots.Plot(fig, plots.in_words("Seed 0 at the end of training:", table), colors=64)
print(view.words)
view

# %% [markdown]
# The plain codec stops anywhere in a flat valley near the KLT: its gain is an accident of the start. With the loss all
# seeds go to the same place, arrows around the strong axis and closed as far as α says, and R + λD is **worse** the
# larger the gain. (Not because training failed: the exact J is smallest there.)
#
# ### What the trained gap measures
#
# In a real codec no table of cells is at hand; the gain is read off two trained models. Their gap is
#
# $$\text{gap} = I + \mathrm{KL}_{aux} - \mathrm{KL}_{main}$$
#
# the exact gain, plus what the auxiliary model wastes, minus what the main one wastes.

# %%
worst = 0.0
for seeds in runs.values():
    for run in seeds:
        worst = max(worst, abs(run.gap[-1] - run.exact().gain))
print(f"largest difference of gap and exact I over {sum(map(len, runs.values()))} runs: {worst:.1f} bits")
assert worst < 0.15

# %% [markdown]
# Here the two models are good, and the gap is the gain. But note the signs: an auxiliary model that is *bad* makes the
# gap large. Whoever lets the codec and the auxiliary model share one optimizer that rewards the gap has asked the
# auxiliary model to be bad. (The second half shows a program that does.)
#
# ## 7. *Deeper:* moving early takes three
#
# The paper says that its loss moves information into *earlier* groups. Two groups can't show that: I(ŷ₁; ŷ₂) is the
# same both ways. With three, the loss counts what 1 tells 2, and what 2 tells 3 *beyond* 1: I(2;1) + I(3;2|1). Three
# scalars, at a fine step, arrows at right angles, turned at random: the rate is always the same.

# %%
three = np.array([[1.0, 0.9, 0.7], [0.9, 1.0, 0.9], [0.7, 0.9, 1.0]])
rng = np.random.default_rng(0)


def chain(a):
    """I(2;1), I(3;2|1) and the sum of all entropies less the joint one, in bits, at a fine step."""
    s = a @ three @ a.T
    det = np.linalg.det
    two, skip = det(s[:2, :2]), det(s[np.ix_([0, 2], [0, 2])])
    first = 0.5 * math.log2(s[0, 0] * s[1, 1] / two)
    second = 0.5 * math.log2(skip * two / (s[0, 0] * det(s)))
    return first, second, 0.5 * math.log2(s[0, 0] * s[1, 1] * s[2, 2] / det(s))


turns = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(4000)]
found = np.array([chain(a) for a in turns])
best = found[:, :2].sum(axis=1).argmax()
klt = chain(np.linalg.eigh(three)[1].T)
print(f"KLT: I(2;1) = {abs(klt[0]):.2f}, I(3;2|1) = {abs(klt[1]):.2f}")
print(f"largest sum among random turns: {found[best, 0]:.1f} + {found[best, 1]:.1f}, "
      f"of {found[best, 2]:.1f} bits that the three share in all")  # fmt: skip
print("the same rate for all of them:", bool(np.ptp([np.linalg.det(a @ three @ a.T) for a in turns]) < 1e-9))

# %% [markdown]
# ---
#
# ## Stop here
#
# One slide to take along:
#
# 1. **A gain is not a saving.** At fine steps I can go from 0 to more than a bit while the file stays as it is.
# 2. **Paying for gain closes the arrows**, the more, the larger α; the file gets longer for it.
# 3. **A copy earns the whole reward and does nothing.** From then on the codec is plain, at λ/(1 − α).
# 4. **The loss can't lower the best R + λD.** If it helps a real codec, it helps the *training*, or a model that is too
#    weak; or it only moved λ. Three explanations, three experiments.
#
# The second half takes these to photographs, with codecs trained with and without the loss. It is not written yet: its
# codecs are still to be trained.
#
# ## Three questions for a class
#
# 1. Turn the arrows by 45° at a fine step: R₁ falls and R₂ rises. Where did the first arrow's bits go?
# 2. A paper reports: "with our loss, the second group saves 40 % more bits given the first". What do you ask for?
# 3. At which α does a copy become better than the KLT at λ = 50? Find it with the widget. Why is it easier at λ = 2?
#
# ## What this lesson takes away
#
# The misconception that **more shared information means fewer bits**. What two symbols share is coded once either way.
# The file is as long as their joint entropy; the gain is only the part of it that one could have coded twice.

