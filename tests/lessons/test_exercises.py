"""The exercises: solutions pass, stubs fail or say "not attempted", usual wrong answers fail with their own hint."""

import contextlib
import re
import threading
import time

import nbformat
import numpy as np
import pytest
import torch
from scipy.interpolate import PchipInterpolator

from ccalib.errors import CcaError
from ccalib.evaluation import metrics
from ccalib.lessons import build
from ccalib.lessons.exercises import GRADING, CheckFailed, check, instance
from ccalib.lessons.exercises import build as pairs
from ccalib.lessons.exercises.checker import MODULES, NotAttempted, exercise
from ccalib.lessons.exercises.limit import OutOfTime, time_limit

SCRIPTS = sorted((build.NOTEBOOKS / "source" / "exercises").glob("[0-9]*.py"))
ALL = [(name, what) for name in MODULES for what in exercise(name).properties]
NAMES = {"range_coder": ("encode", "decode")}  # the functions of an exercise, where they are not named like it


@pytest.fixture(scope="module")
def written():
    """Folder -> what the scripts define, without their checks."""
    spaces = {}
    for kind in pairs.KINDS:
        spaces[kind] = {}
        for script in SCRIPTS:
            cells = [c.source for c in pairs.versions(script)[kind].cells if c.cell_type == "code"]
            exec("\n".join(c for c in cells if not c.startswith("check(")), spaces[kind])
    return spaces


def answer(space, name):
    return [space[function] for function in NAMES.get(name, (name,))]


@pytest.mark.parametrize(("name", "what"), ALL)
def test_solution_passes_with_fresh_seeds(written, name, what, capsys):
    check(name, what, *answer(written["solutions"], name), grade=True)
    assert f"{name}, {what}: passed" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "what"), ALL)
def test_stub_is_not_attempted_and_fails_when_graded(written, name, what, capsys, monkeypatch):
    stub = answer(written["exercises"], name)
    check(name, what, *stub)
    assert capsys.readouterr().out == f"{name}, {what}: not attempted\n"
    with pytest.raises(CheckFailed, match="not attempted"):
        check(name, what, *stub, grade=True)
    monkeypatch.setenv(GRADING, "1")
    with pytest.raises(CheckFailed, match="not attempted"):
        check(name, what, *stub)


def test_every_exercise_is_asked_in_a_notebook():
    asked = "".join(script.read_text() for script in SCRIPTS)
    assert {(n, w) for n, w in re.findall(r'^check\("(\w+)", "([^"]+)"', asked, re.MULTILINE)} == set(ALL)


def eigen(patches):
    centered = patches - patches.mean(axis=0)
    return np.linalg.eigh(centered.T @ centered / len(patches))[1], patches.mean(axis=0)


def klt_with_mean(patches, M):
    return np.linalg.eigh(patches.T @ patches)[1][:, ::-1].T[:M], patches.mean(axis=0)


def klt_rising(patches, M):
    vectors, mean = eigen(patches)
    return vectors.T[:M], mean


def klt_wrong_axis(patches, M):
    vectors, mean = eigen(patches)
    return vectors[:, ::-1][:M], mean


def klt_lying(patches, M):
    vectors, mean = eigen(patches)
    return vectors[:, ::-1][:, :M], mean


def side_of(x):
    rows = torch.nonzero(x.grad.abs().sum((0, 1, 3)))
    return int(rows[-1] - rows[0]) + 1


def field_of_all(net, size):
    x = torch.randn(1, 3, size, size, requires_grad=True)
    net(x).sum().backward()
    return side_of(x)


def field_at_corner(net, size):
    x = torch.randn(1, 3, size, size, requires_grad=True)
    net(x)[0, :, 0, 0].sum().backward()
    return side_of(x)


def field_of_zeros(net, size):
    x = torch.zeros(1, 3, size, size, requires_grad=True)
    y = net(x)
    y[0, :, y.shape[2] // 2, y.shape[3] // 2].sum().backward()
    return side_of(x)


def pushed(symbols, frequencies, remainder=1):
    x, total = 1, sum(frequencies)
    for s in symbols:
        x = x // frequencies[s] * total + sum(frequencies[:s]) + remainder * (x % frequencies[s])
    return x.to_bytes((x.bit_length() + 7) // 8, "big")


def encode_forward(symbols, frequencies):
    return pushed(symbols, frequencies)


def encode_without_remainder(symbols, frequencies):
    return pushed(symbols[::-1], frequencies, remainder=0)


def encode_as_bytes(symbols, frequencies):
    return bytes(symbols)


def decode_bytes(data, count, frequencies):
    return list(data)


def classes(cost):
    """`best_classes` with another idea of what a table costs."""
    return lambda tables: min(((t.shape[1], cost(t)) for t in tables), key=lambda pair: pair[1])


classes_with_free_labels = classes(lambda t: t.min(axis=1).sum())
classes_labeled_once = classes(lambda t: t.min(axis=1).sum() + np.log2(t.shape[1]))
classes_shared = classes(lambda t: t.sum(axis=0).min() + len(t) * np.log2(t.shape[1]))


def mass(y, mean, scale):
    normal = torch.distributions.Normal(mean, scale)
    return normal.cdf(y + 0.5) - normal.cdf(y - 0.5)


def bits_in_nats(y, mean, scale):
    away = (y - mean).abs()
    upper, lower = (torch.special.log_ndtr((side - away) / scale) for side in (0.5, -0.5))
    return -(upper + torch.log(-torch.expm1(lower - upper)))


def bits_of_density(y, mean, scale):
    return -torch.distributions.Normal(mean, scale).log_prob(y) / np.log(2)


def bits_underflowing(y, mean, scale):
    return -torch.log2(mass(y, mean, scale))


def bits_clamped(y, mean, scale):
    return -torch.log2(mass(y, mean, scale).clamp(min=1e-300))


def information_of(table, log=np.log2, weighted=True):
    """The solution, with a mistake switched on."""
    entropy = lambda p: -(p[p > 0] * log(p[p > 0])).sum()
    given = lambda t: [(row.sum() if weighted else 1 / len(t)) * entropy(row / row.sum()) for row in t if row.sum()]
    first, second = entropy(table.sum(axis=1)), entropy(table.sum(axis=0))
    return first, second, sum(given(table)), sum(given(table.T)), second - sum(given(table))


def information_in_nats(table):
    return information_of(table, log=np.log)


def information_unweighted(table):
    return information_of(table, weighted=False)


def information_wrong_axis(table):
    return information_of(table.T)


def information_with_nan(table):
    entropy = lambda p: -(p * np.log2(p)).sum()
    with np.errstate(all="ignore"):
        first, second, both = entropy(table.sum(axis=1)), entropy(table.sum(axis=0)), entropy(table)
    return first, second, both - first, both - second, first + second - both


def moved_by(model, change):
    """Whether any mean moves when `change(groups, i)` is done to random groups."""
    groups = [torch.randn(1, size, model.height, model.width) for size in model.sizes]
    means = model(groups)
    return any(not torch.equal(model(change(groups, i))[i], means[i]) for i in range(len(groups)))


def leak_in_raster_order(model):  # as if group i − 1 could be read up to the middle row only
    def change(groups, i):
        below = groups[i - 1].clone()
        below[:, :, model.height // 2 :] += 1
        return [*groups[: i - 1], below, *groups[i:]] if i else groups

    return moved_by(model, change)


def leak_of_middle_pixel(model):
    def change(groups, i):
        changed = [group.clone() for group in groups]
        for group in changed[i:]:
            group[:, :, model.height // 2, model.width // 2] += 1
        return changed

    return moved_by(model, change)


def leak_of_own_group(model):
    return moved_by(model, lambda groups, i: [*groups[:i], groups[i] + 1, *groups[i + 1 :]])


def leak_at_zero(model):
    groups = [torch.zeros(1, size, model.height, model.width, requires_grad=True) for size in model.sizes]
    for i, mean in enumerate(model(groups)):
        found = torch.autograd.grad(mean.sum(), groups[i:], allow_unused=True) if mean.requires_grad else []
        if any(gradient is not None and gradient.any() for gradient in found):
            return True
    return False


def gain_of(factor=0.5, log=np.log2, readings=True):
    """`information_gain` with a mistake switched on."""

    def information_gain(C, A):
        S = A @ C @ A.T if readings else C
        return factor * log(S[0, 0] * S[1, 1] / np.linalg.det(S))

    return information_gain


def honest(reward=True, one_loss=False, own_detached=True):
    """`honest_step` with a mistake switched on."""

    def honest_step(codec, auxiliary, x, noise, lam, alpha):
        out = codec(x, noise)
        inputs = out["hyper"], out["noisy"]
        r_aux = auxiliary(*(inputs if reward else [t.detach() for t in inputs]))
        loss = out["rate"] + lam * out["distortion"] + alpha * (out["rate_y"] - r_aux)
        own = auxiliary(*([t.detach() for t in inputs] if own_detached else inputs))
        mine, its = list(codec.parameters()), list(auxiliary.parameters())
        if one_loss:
            gradients = torch.autograd.grad(loss + own, [*mine, *its])
            return gradients[: len(mine)], gradients[len(mine) :]
        gradients = torch.autograd.grad(loss if own_detached else loss + own, mine, retain_graph=True)
        return gradients, torch.autograd.grad(own, its)

    return honest_step


def sizes_counted_from_zero(M, G, k):
    total = sum(i**k for i in range(G))
    sizes = [int(M * i**k / total) for i in range(G - 1)]
    return [*sizes, M - sum(sizes)]


def sizes_all_rounded_down(M, G, k):
    return [int(M * i**k / sum(j**k for j in range(1, G + 1))) for i in range(1, G + 1)]


def sizes_with_empty_groups(M, G, k):
    sizes = sizes_all_rounded_down(M, G, k)
    return [*sizes[:-1], M - sum(sizes[:-1])]


def kmac_of(residual=True, reads=True, cell=256):
    """`context_kmac` with a mistake switched on."""

    def context_kmac(sizes):
        found = []
        for i, s in enumerate(sizes):
            macs = 80 * (128 + reads * sum(sizes[:i])) + 20 * 80**2 + 9 * (80 * 80 + 160 * s)
            macs += residual * 9 * ((80 + s) * 80 + 80 * s)
            found.append(macs / cell / 1000)
        return found

    return context_kmac


def rate_of(first=1, last=0, share=lambda decay: decay):
    """`learning_rate` with a mistake switched on."""

    def learning_rate(step, steps, warmup, decay):
        start = steps - round(share(decay) * steps)
        if step >= start:
            return (steps - last - step) / (steps - last - start)
        return min((step + first) / warmup, 1)

    return learning_rate


def latent_without_straight_through(y, mean, noise):
    return y + noise, torch.round(y - mean) + mean


def latent_noisy_for_both(y, mean, noise):
    return y + noise, y + noise


def latent_rounded_plainly(y, mean, noise):
    return y + noise, y + (torch.round(y) - y).detach()


def figures_with(originals, decoded, files, crop=True, to_8=lambda v: np.round(255 * np.clip(v, 0, 1)), pooled=False):
    """The solution, with a mistake switched on."""
    rates, errors = [], []
    for a, b, data in zip(originals, decoded, files):
        height, width = (a if crop else b).shape[:2]
        rates.append(8 * len(data) / (height * width))
        errors.append(np.square(a - to_8(b[: a.shape[0], : a.shape[1]])).mean())
    return np.mean(rates), (10 * np.log10(255**2 / (np.mean(errors) if pooled else np.array(errors)))).mean()


def figures_padded(originals, decoded, files):
    return figures_with(originals, decoded, files, crop=False)


def figures_pooled(originals, decoded, files):
    return figures_with(originals, decoded, files, pooled=True)


def figures_in_floats(originals, decoded, files):
    return figures_with(originals, decoded, files, to_8=lambda v: 255 * v)


def figures_truncated(originals, decoded, files):
    return figures_with(originals, decoded, files, to_8=lambda v: np.floor(255 * np.clip(v, 0, 1)))


def lines_of(anchor, test):
    curves = [np.array(sorted((db, np.log10(rate)) for rate, db in curve)).T for curve in (anchor, test)]
    return [PchipInterpolator(*curve) for curve in curves]


def bd_swapped(anchor, test):
    return metrics.bd_rate(test, anchor)["percent"]


def bd_of_logarithms(anchor, test):
    a, b = lines_of(anchor, test)
    low, high = max(a.x[0], b.x[0]), min(a.x[-1], b.x[-1])
    return 100 * float(b.integrate(low, high) - a.integrate(low, high)) / (high - low)


def bd_of_ratios(anchor, test):
    a, b = lines_of(anchor, test)
    db = np.linspace(max(a.x[0], b.x[0]), min(a.x[-1], b.x[-1]), 5000)
    return 100 * np.mean(10 ** (b(db) - a(db)) - 1)


def bd_over_own_range(anchor, test):
    a, b = (float(line.integrate(line.x[0], line.x[-1])) / (line.x[-1] - line.x[0]) for line in lines_of(anchor, test))
    return 100 * (10 ** (b - a) - 1)


def kmac_with(shrink=True, grouped=True, inputs_seen=True):
    """Lesson 09's `kmac` with a mistake switched on."""

    def kmac(layers):
        total, pixels = 0, 1
        for kind, inputs, outputs, kernel, stride, groups in layers:
            after = pixels / stride**2 if kind == "transposed" else pixels * stride**2
            at = pixels if kind == "transposed" and inputs_seen else after
            weights = kernel**2 * inputs * outputs / (groups if grouped else 1)
            total, pixels = total + weights / (at if shrink else 1), after
        return total / 1000

    return kmac


def on_grid(rounded=np.round, late=False, guard=None):
    """`grid_sum` with a mistake switched on."""

    def grid_sum(values, step):
        if late:
            return float(np.round(np.sum(values) / step) * step)
        steps = rounded(np.asarray(values) / step)
        if guard is not None and guard(steps) > 2**53:
            raise ValueError("too full")
        return float(steps.sum() * step)

    return grid_sum


WRONG = [
    ("klt", "decorrelated", [klt_with_mean], "The mean is still in"),
    ("klt", "decorrelated", [klt_rising], "from small to large"),
    ("klt", "error", [klt_rising], "from small to large"),
    ("klt", "decorrelated", [klt_wrong_axis], "Wrong axis"),
    ("klt", "orthonormal", [klt_lying], "Wrong axis"),
    ("receptive_field", "convolutions", [field_of_all], "the whole image"),
    ("receptive_field", "convolutions", [field_at_corner], "at the border"),
    ("receptive_field", "gate", [field_of_zeros], "all zeros"),
    ("code_length", "eight equal symbols", [lambda s, p: -np.log(p[s]).sum()], "nats"),
    ("code_length", "cross-entropy", [lambda s, p: -np.log(p[s]).sum()], "nats"),
    ("code_length", "cross-entropy", [lambda s, p: p[s].sum()], "logarithm is missing"),
    ("code_length", "eight equal symbols", [lambda s, p: (1 / p[s]).sum()], "logarithm is missing"),
    ("code_length", "cross-entropy", [lambda s, p: -np.log2(p[s]).mean()], "the mean"),
    ("range_coder", "round trip", [encode_forward, "decode"], "stack"),
    ("range_coder", "round trip", [encode_without_remainder, "decode"], "remainder"),
    ("range_coder", "size", [encode_as_bytes, decode_bytes], "costs the same"),
    ("best_classes", "useless classes", [lambda tables: (4, tables[2].min(axis=1).sum())], "Labels are free"),
    ("best_classes", "brute force", [classes_with_free_labels], "Labels are free"),
    ("best_classes", "brute force", [classes_labeled_once], "paid for once"),
    ("best_classes", "brute force", [classes_shared], "One class for all"),
    ("bits", "sums to 1", [bits_in_nats], "nats"),
    ("bits", "large scale", [bits_in_nats], "nats"),
    ("bits", "sums to 1", [bits_of_density], "the density at y"),
    ("bits", "far away", [bits_underflowing], "log_ndtr"),
    ("bits", "far away", [bits_clamped], "log_ndtr"),
    ("information", "chain rule", [information_in_nats], "nats"),
    ("information", "extremes", [information_in_nats], "nats"),
    ("information", "information", [information_unweighted], "weight it by its probability"),
    ("information", "chain rule", [information_unweighted], "weight it by its probability"),
    ("information", "chain rule", [information_wrong_axis], "Wrong axis"),
    ("find_leak", "own group", [leak_in_raster_order], "at every position, on all sides"),
    ("find_leak", "later group", [lambda model: True], "at every position, on all sides"),
    ("find_leak", "one pixel", [leak_of_middle_pixel], "from one position to one position"),
    ("find_leak", "later group", [leak_of_own_group], "through a later group"),
    ("find_leak", "later group", [leak_at_zero], "through a later group"),
    ("information_gain", "turned", [gain_of(log=np.log)], "nats"),
    ("information_gain", "a copy", [gain_of(log=np.log)], "nats"),
    ("information_gain", "symmetric", [gain_of(factor=1)], "one half"),
    ("information_gain", "at the KLT", [gain_of(readings=False)], "covariance of x"),
    ("honest_step", "the codec is rewarded", [honest(reward=False)], "no gradient"),
    ("honest_step", "the auxiliary learns", [honest(one_loss=True)], "paid for being bad"),
    ("honest_step", "the codec is rewarded", [honest(own_detached=False)], "moves the codec"),
    ("honest_step", "alpha 0 is plain", [honest(own_detached=False)], "moves the codec"),
    ("group_sizes", "sum", [sizes_all_rounded_down], "what is left"),
    ("group_sizes", "released sizes", [sizes_all_rounded_down], "what is left"),
    ("group_sizes", "released sizes", [sizes_counted_from_zero], "from 1 to G"),
    ("group_sizes", "empty group", [sizes_with_empty_groups], "raise a ValueError"),
    ("context_kmac", "one group", [kmac_of(residual=False)], "residual's head is missing"),
    ("context_kmac", "hooks", [kmac_of(reads=False)], "reads all earlier groups"),
    ("context_kmac", "earlier groups", [kmac_of(reads=False)], "reads all earlier groups"),
    ("context_kmac", "hooks", [kmac_of(cell=1)], "16×16 pixels"),
    ("learning_rate", "warm-up", [rate_of(first=0)], "Your first step"),
    ("learning_rate", "any step", [rate_of(first=0)], "Your first step"),
    ("learning_rate", "decay", [rate_of(last=1)], "Your last step"),
    ("learning_rate", "any step", [rate_of(share=lambda decay: 1 - decay)], "the share at the end"),
    ("training_latent", "gradient of y", [latent_without_straight_through], "the encoder hears nothing"),
    ("training_latent", "gradient of the mean", [latent_without_straight_through], "the encoder hears nothing"),
    ("training_latent", "values", [latent_noisy_for_both], "Noise is for the rate only"),
    ("training_latent", "values", [latent_rounded_plainly], "You rounded y itself"),
    ("figures_of_set", "one photograph", [figures_padded], "over padded pixels"),
    ("figures_of_set", "set", [figures_padded], "over padded pixels"),
    ("figures_of_set", "set", [figures_pooled], "You pooled the set"),
    ("figures_of_set", "eight bits", [figures_in_floats], "A picture has 8 bits"),
    ("figures_of_set", "eight bits", [figures_truncated], "A picture has 8 bits"),
    ("bd_rate", "factor", [bd_swapped], "are swapped"),
    ("bd_rate", "library", [bd_swapped], "are swapped"),
    ("bd_rate", "factor", [bd_of_logarithms], "difference of log₁₀ rate"),
    ("bd_rate", "library", [bd_of_ratios], "difference of log₁₀ rate"),
    ("bd_rate", "library", [bd_over_own_range], "only one of the curves has"),
    ("kmac", "strides", [kmac_with(shrink=False)], "a quarter of the positions"),
    ("kmac", "mirror", [kmac_with(shrink=False)], "a quarter of the positions"),
    ("kmac", "groups", [kmac_with(grouped=False)], "depthwise convolution reads one"),
    ("kmac", "transposed", [kmac_with(inputs_seen=False)], "Each of its *inputs*"),
    ("kmac", "mirror", [kmac_with(inputs_seen=False)], "Each of its *inputs*"),
    ("grid_sum", "any order", [lambda values, step: float(np.sum(values))], "Round every value first"),
    ("grid_sum", "on the grid", [on_grid(late=True)], "Round every value first"),
    ("grid_sum", "error", [on_grid(rounded=np.floor)], "up to a whole step"),
    ("grid_sum", "on the grid", [on_grid(rounded=np.trunc)], "up to a whole step"),
    ("grid_sum", "too full", [on_grid()], "sum of *absolute* values"),
    ("grid_sum", "too full", [on_grid(guard=lambda steps: abs(steps.sum()))], "sum of *absolute* values"),
]


@pytest.mark.parametrize(("name", "what", "functions", "hint"), WRONG)
def test_wrong_answers_get_their_own_hint(written, name, what, functions, hint, capsys):
    functions = [written["solutions"][f] if isinstance(f, str) else f for f in functions]
    check(name, what, *functions)
    said = capsys.readouterr().out
    hints = [line for line in said.splitlines() if line.startswith("  hint: ")]
    assert "FAILED at instance" in said and "seed" in said and "  of:     " in said and "  got:    " in said
    assert len(hints) == 1 and hint in hints[0]
    with pytest.raises(CheckFailed, match="hint: "):
        check(name, what, *functions, grade=True)


def refused(*_):
    raise ValueError("whatever it is")


NOTHING = [  # answers that don't look at what they are given
    ("information", "information", lambda table: (0, 0, 0, 0, 0)),
    ("code_length", "minimal", lambda symbols, p: 0.0),
    ("bd_rate", "antisymmetric", lambda anchor, test: 0.0),
    ("grid_sum", "any order", lambda values, step: 0.0),
    ("range_coder", "zero frequency", refused),
]


@pytest.mark.parametrize(("name", "what", "constant"), NOTHING)
def test_a_constant_is_no_answer(written, name, what, constant, capsys):
    functions = answer(written["solutions"], name)
    check(name, what, constant, *functions[1:])
    assert "FAILED at instance" in capsys.readouterr().out


def test_a_gradient_that_is_alpha_everywhere_is_no_step(written, capsys):
    (step,) = answer(written["solutions"], "honest_step")

    def filled(*given):
        alpha, found = given[-1], step(*given)
        return type(found)([torch.full_like(g, alpha) for g in part] for part in found)

    check("honest_step", "affine in alpha", filled)
    assert "FAILED at instance" in capsys.readouterr().out


def test_any_step_of_a_plan_meets_warm_up_and_decay():
    """Whatever the seed: a check that misses the warm-up lets wrong answers pass."""
    for seed in range(200):
        plans = [instance("learning_rate", "any step", seed, number) for number in range(20)]
        assert any(step < warmup for step, _, warmup, _ in plans), seed
        assert any(step >= steps - round(decay * steps) for step, steps, _, decay in plans), seed


@pytest.mark.parametrize("name", MODULES)
def test_three_hints_each_earned(name):
    hints = [mistake.hint for mistake in exercise(name).mistakes]
    assert len(set(hints)) == 3
    earned = {text for asked, _, _, text in WRONG if asked == name}
    assert len(earned) == 3 and all(any(text in hint for text in earned) for hint in hints)


def test_partial_credit(written):
    """A wrong answer loses the points of the properties that it breaks, not the others."""
    check("klt", "orthonormal", klt_rising, grade=True)
    check("code_length", "minimal", lambda s, p: -np.log(p[s]).sum(), grade=True)
    encode, decode = answer(written["solutions"], "range_coder")
    with pytest.raises(CheckFailed, match="ZeroDivisionError"):
        check("range_coder", "zero frequency", encode_forward, decode, grade=True)


def test_counterexample_can_be_repeated(capsys):
    check("klt", "error", klt_rising, seed=7)
    said = capsys.readouterr().out
    call = re.search(r'instance\("klt", "error", 7, (\d+)\)', said)
    patches, M = instance("klt", "error", 7, int(call.group(1)))
    assert f"{len(patches)} patches of {patches.shape[1]} values, M = {M}" in said
    again, _ = instance("klt", "error", 7, int(call.group(1)))
    assert np.array_equal(patches, again)
    check("klt", "error", klt_rising, seed=7)
    assert capsys.readouterr().out == said


def test_grading_draws_fresh_seeds(capsys, written):
    for _ in range(4):
        check("code_length", "minimal", written["solutions"]["code_length"], grade=True)
    seeds = re.findall(r"seed (\d+)", capsys.readouterr().out)
    assert len(set(seeds)) > 1


def endless(patches, M):
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.001)


def asleep(patches, M):
    time.sleep(60)


@pytest.mark.parametrize("function", [endless, asleep])
def test_stops_what_never_ends(function, capsys, monkeypatch):
    monkeypatch.setattr("ccalib.lessons.exercises.checker.LIMIT_S", 0.3)
    started = time.perf_counter()
    check("klt", "error", function)
    assert time.perf_counter() - started < 3
    assert "stopped after 0.3 s at instance 1" in capsys.readouterr().out
    with pytest.raises(CheckFailed, match="stopped"):
        check("klt", "error", function, grade=True)


def test_stops_an_endless_loop_in_another_thread():
    ended = []

    def run():
        try:
            with time_limit(0.2):
                while True:
                    pass
        except OutOfTime:
            ended.append(True)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(5)
    assert ended == [True]


def test_limit_leaves_quick_code_alone():
    with time_limit(0.2):
        pass
    time.sleep(0.3)  # no late alarm


def raises(error):
    def function(*arguments):
        raise error

    return function


def test_says_what_broke(capsys):
    check("klt", "error", raises(KeyError("x")))
    assert "got:    KeyError: 'x'" in capsys.readouterr().out
    check("klt", "error", lambda patches, M: None)
    assert "is a `return` missing?" in capsys.readouterr().out
    check("klt", "error", lambda patches, M: ...)
    assert capsys.readouterr().out == "klt, error: not attempted\n"
    check("klt", "error", lambda patches, M: raises(NotImplementedError("a library's"))())
    assert "got:    NotImplementedError: a library's" in capsys.readouterr().out
    check("klt", "error", lambda patches, M: (np.zeros((1, 1)), np.zeros(2)))
    assert "basis (1, 1)" in capsys.readouterr().out
    check("code_length", "minimal", lambda s, p: p)
    assert "not one number" in capsys.readouterr().out
    check("range_coder", "size", lambda s, f: s, lambda d, n, f: d)
    assert "not bytes" in capsys.readouterr().out
    check("information", "chain rule", information_with_nan)
    assert "0·log₂ 0 counts as 0" in capsys.readouterr().out
    check("find_leak", "own group", lambda model: 1)
    assert "neither True nor False" in capsys.readouterr().out
    check("bd_rate", "itself", lambda anchor, test: "-12 %")
    assert "not one finite number" in capsys.readouterr().out
    check("bd_rate", "no overlap", raises(ValueError("always")))
    assert "FAILED" in capsys.readouterr().out
    for answer in (False, -1):
        check("group_sizes", "empty group", lambda channels, count, k, answer=answer: answer)
        assert "FAILED" in capsys.readouterr().out
    check("honest_step", "affine in alpha", lambda codec, auxiliary, *_: tuple(
        [p.detach().numpy() for p in model.parameters()] for model in (codec, auxiliary)))  # fmt: skip
    assert "FAILED" in capsys.readouterr().out
    assert issubclass(NotAttempted, Exception) and not issubclass(OutOfTime, Exception)


def test_freezing_a_model_is_a_way_to_the_right_step(written):
    solution = written["solutions"]["honest_step"]

    def frozen_in_the_end(codec, auxiliary, *rest):
        found = solution(codec, auxiliary, *rest)
        auxiliary.requires_grad_(False)
        return found

    for what in exercise("honest_step").properties:
        check("honest_step", what, frozen_in_the_end, grade=True)


def test_unknown_names_are_errors():
    with pytest.raises(CcaError, match="no 'kmt'; there are klt"):
        check("kmt", "error")
    with pytest.raises(CcaError, match="klt: no property 'size'; there are orthonormal"):
        check("klt", "size")


def test_solutions_are_cut_out():
    source = f"def f(x):\n    {pairs.BEGIN}\n    return x\n    {pairs.END}\n\n\ny = 1"
    assert pairs.cleared(source) == "def f(x):\n    # your code here\n    raise NotImplementedError\n\n\ny = 1"
    assert pairs.cleared("y = 1\n") == "y = 1"
    for broken in (f"{pairs.BEGIN}\nx", f"{pairs.END}", f"{pairs.BEGIN}\n{pairs.BEGIN}\n{pairs.END}"):
        with pytest.raises(CcaError, match="partner"):
            pairs.cleared(broken)
    for script in SCRIPTS:
        kinds = pairs.versions(script)
        texts = {kind: "".join(cell.source for cell in notebook.cells) for kind, notebook in kinds.items()}
        assert pairs.BEGIN in texts["solutions"] and "SOLUTION" not in texts["exercises"]
        assert texts["exercises"].count("NotImplementedError") == texts["solutions"].count(pairs.BEGIN)


def test_stored_pairs_are_those_of_the_scripts(tmp_path, capsys):
    assert pairs.main(["--check"]) == 0
    name = SCRIPTS[0].stem
    for part in ("source/exercises", "solutions", "exercises"):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "source" / "exercises" / f"{name}.py").write_text(SCRIPTS[0].read_text())
    assert "exercises: not built yet" in pairs.problems(name, tmp_path)
    for kind in pairs.KINDS:
        stored = nbformat.read(build.NOTEBOOKS / kind / f"{name}.ipynb", as_version=4)
        if kind == "exercises":
            stored.cells[-1].outputs[0].text = "klt, error: FAILED"
        nbformat.write(stored, tmp_path / kind / f"{name}.ipynb")
    assert pairs.problems(name, tmp_path) == ["exercises: not every check says 'not attempted'"]
    capsys.readouterr()


def test_what_a_student_wrote_is_kept_beside_the_new_notebook(tmp_path, monkeypatch, capsys):
    name = SCRIPTS[0].stem
    for part in ("source/exercises", "exercises"):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "source" / "exercises" / f"{name}.py").write_text(SCRIPTS[0].read_text())
    ready = {kind: nbformat.read(build.NOTEBOOKS / kind / f"{name}.ipynb", as_version=4) for kind in pairs.KINDS}

    def execute(notebook, folder, label):
        notebook.cells = ready[label.split("/")[0]].cells
        return notebook

    monkeypatch.setattr(build, "execute", execute)
    mine = tmp_path / "exercises" / f"{name}.ipynb"
    nbformat.write(ready["solutions"], mine)  # solved
    before = mine.read_bytes()
    assert pairs.main([name, "--folder", str(tmp_path)]) == 0
    copy = mine.with_suffix(".ipynb.bak")
    assert copy.read_bytes() == before and str(copy) in capsys.readouterr().out
    assert pairs.make(name, tmp_path) == [] and copy.read_bytes() == before  # untouched now: no other copy
