import copy

import pytest
import torch

from ccalib.model.gains import lambda_of
from ccalib.model.presets import TINY
from ccalib.training.data import Crops
from ccalib.training.loop import optimizers
from ccalib.training.losses import Objective, bits, released
from ccalib.training.settings import Settings
from ccalib.training.start import new_codec, seeded
from tests.conftest import shaken


@pytest.fixture(scope="module")
def start(photos):
    """Shaken objectives by kind, all with the same codec; and a step's crops."""

    def make(kind: str) -> Objective:
        objective = Objective(shaken(new_codec(TINY, photos, 0)), kind, weight_power=0.5)
        if objective.auxiliary is not None:
            seeded(objective.auxiliary, 1)
            # another auxiliary model than the main one, so that the gap is not zero
            with torch.no_grad():
                for p in objective.auxiliary.groups.parameters():
                    p.mul_(0.9)
        return objective.train()

    return make, Crops(photos, TINY, 64, 4, seed=0)


def run(objective: Objective, crops: Crops, alpha: float = 0.0):
    x, quality = crops.at(0)  # also seeds the noise
    return objective(x, quality, alpha)


def coded(module) -> dict[str, torch.Tensor]:
    """Gradients of what is coded: the codec without its auxiliary model."""
    return {n: g for n, g in gradients(module).items() if not n.startswith("auxiliary.")}


def gradients(module) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}


def test_honest_at_alpha_zero_is_plain(start):
    make, crops = start
    plain, honest = make("plain"), make("honest")
    loss_plain, loss_honest = run(plain, crops), run(honest, crops, alpha=0.0)
    assert torch.equal(loss_plain[1]["loss"], loss_honest[1]["loss"])
    loss_plain[0].backward()
    loss_honest[0].backward()
    a, b = coded(plain.codec), coded(honest.codec)
    assert a.keys() == b.keys()
    assert all(torch.allclose(a[n], b[n], rtol=1e-5, atol=1e-8) for n in a)


def test_honest_steps_leave_each_other_alone(start):
    """The codec's loss gives the auxiliary model no gradient; the auxiliary model's gives the codec none."""
    make, crops = start
    with_gap, without = make("honest"), make("honest")
    run(with_gap, crops, alpha=0.7)[0].backward()
    run(without, crops, alpha=0.0)[0].backward()
    a, b = gradients(with_gap.auxiliary), gradients(without.auxiliary)
    assert a and all(torch.equal(a[n], b[n]) for n in a)  # whatever α is, it learns from R_aux alone

    frozen = make("honest")
    frozen.auxiliary.requires_grad_(False)
    run(frozen, crops, alpha=0.7)[0].backward()
    c, d = coded(with_gap.codec), coded(frozen.codec)
    assert all(torch.equal(c[n], d[n]) for n in c)  # the codec's gradient doesn't hear of R_aux being minimized


def test_a_step_of_one_optimizer_leaves_the_other_model(start):
    make, crops = start
    objective = make("honest")
    chosen = optimizers(objective, Settings(loss="honest"))
    run(objective, crops, alpha=0.5)[0].backward()
    before = copy.deepcopy(objective.state_dict())
    chosen["codec"].step()
    moved = {n for n, v in objective.state_dict().items() if not torch.equal(v, before[n])}
    assert moved and not any(n.startswith("codec.auxiliary.") for n in moved)
    before = copy.deepcopy(objective.state_dict())
    chosen["auxiliary"].step()
    moved = {n for n, v in objective.state_dict().items() if not torch.equal(v, before[n])}
    assert moved and all(n.startswith("codec.auxiliary.") for n in moved)


@pytest.mark.parametrize("kind", ["plain", "honest", "released"])
def test_each_parameter_is_in_exactly_one_optimizer(start, kind):
    objective = start[0](kind)
    chosen = optimizers(objective, Settings(loss=kind))
    seen = [id(p) for o in chosen.values() for g in o.param_groups for p in g["params"]]
    assert sorted(seen) == sorted(id(p) for p in objective.parameters())


def test_the_gap_reaches_y_the_hyper_output_and_the_contexts(start):
    """∂R_aux/∂y is not zero: the honest codec's gradient changes with α in all of them."""
    make, crops = start
    a, b = make("honest"), make("honest")
    run(a, crops, alpha=0.0)[0].backward()
    run(b, crops, alpha=0.5)[0].backward()
    contexts = "path.groups.contexts.0.residual_head.2.weight"
    for name in ("g_a.down.0.weight", "h_a.0.weight", "path.h_s.mean.4.weight", contexts):
        ga, gb = gradients(a.codec)[name], gradients(b.codec)[name]
        assert not torch.allclose(ga, gb, rtol=1e-3, atol=0), name


def test_honest_loss_is_affine_in_alpha(start):
    make, crops = start
    objective = make("honest")
    zero, half, one = (run(objective, crops, alpha)[1]["loss"].item() for alpha in (0.0, 0.5, 1.0))
    assert half == pytest.approx((zero + one) / 2, rel=1e-5)
    assert one != pytest.approx(zero, rel=1e-6)


def test_what_is_coded_is_measured_by_all_losses(start):
    make, crops = start
    for kind in ("plain", "honest", "released"):
        objective = make(kind).eval()
        objective.codec.update(force=True)
        with torch.no_grad():
            terms = objective(*crops.at(0), 0.5)[1]
        assert all(torch.isfinite(term).all() for term in terms.values())


def test_losses_are_what_the_equations_say(start):
    """DESIGN 4's formulas from the terms' means: exact where all images share one quality."""
    make, crops = start
    x, _ = crops.at(0)
    quality, alpha = torch.full((4,), 2.5), 0.3
    lam = lambda_of(TINY, 2.5)
    for kind in ("plain", "honest", "released"):
        objective = make(kind)
        objective.weight_power = 0
        terms = {name: t.sum().item() for name, t in objective(x, quality, alpha)[1].items()}
        rate, d = terms["groups"] + terms["rate_z"], terms["distortion"]
        if kind == "plain":
            expected = rate + lam * d
        elif kind == "honest":
            expected = rate + lam * d + alpha * terms["gap"]
        else:
            beta = 0.05 / lam - 1
            expected = (0.05 * d + beta * rate + terms["gap"] + terms["cross"]) / (1 + beta)
            assert terms["gap"] == pytest.approx(terms["groups"] - terms["auxiliary"], rel=1e-4)
        assert terms["loss"] == pytest.approx(expected, rel=1e-5), kind


def test_the_released_loss_never_rewards_bits_of_z():
    """Within the authors' range it is theirs; above it β stays at their smallest."""
    one, none = torch.ones(3), torch.zeros(3)
    lam = torch.tensor([0.05 / 16, 0.05 / 1.3, 0.08])
    of_z, of_d = released(none, one, none, lam, none, none), released(none, none, one, lam, none, none)
    assert torch.allclose(of_d, lam)  # the effective λ is λ
    beta = torch.tensor([15, 0.3, 0.3])
    assert torch.allclose(of_z, beta / (1 + beta))


def test_images_are_weighted_by_lambda(start):
    """With power ½ an image at four times λ counts half."""
    make, crops = start
    objective = make("plain")
    x, quality = crops.at(0)
    lam = lambda_of(TINY, quality)
    singles = []
    for power in (0, 0.5):
        objective.weight_power = power
        rows = []
        for i in range(4):
            torch.manual_seed(i)
            rows.append(objective(x[i : i + 1], quality[i : i + 1])[1]["loss"].item())
        singles.append(torch.tensor(rows))
    assert torch.allclose(singles[1] / singles[0], (lam / TINY.reference_lambda) ** -0.5, rtol=1e-4)


def test_released_auxiliary_is_rewarded_for_a_high_rate(start):
    make, crops = start
    objective = make("released")
    before = run(objective, crops)[1]["gap"].item()
    optimizer = torch.optim.Adam(objective.auxiliary.parameters(), lr=3e-3)
    for _ in range(5):
        optimizer.zero_grad()
        run(objective, crops)[0].backward()
        optimizer.step()
    assert run(objective, crops)[1]["gap"].item() < before


def test_bits_by_group_add_up():
    p = torch.rand(2, 96, 3, 4) * 0.9 + 0.05
    groups = bits(p, TINY.sizes)
    assert groups.shape == (2, 5)
    assert torch.allclose(groups.sum(dim=1), bits(p))
    assert torch.allclose(bits(torch.full((1, 2, 3, 4), 0.25)), torch.tensor([48.0]))
