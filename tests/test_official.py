"""The `paper` preset against figures that the authors' released code gives on the same weights (tests/official)."""

import json

import numpy as np
import pytest
import torch

from ccalib import CcaError, official, weights
from ccalib.model.auxiliary import Auxiliary
from ccalib.model.codec import Codec
from ccalib.model.coders import Estimate
from ccalib.model.presets import PAPER
from ccalib.training.losses import Objective, bits
from tests.official import make, recipe

pytestmark = pytest.mark.slow
PIXELS = 128 * 192


@pytest.fixture(scope="module", params=["plain", "conditioned"])
def released(request):
    """(figures, arrays, codec, its output in evaluation mode) for one kind of weights."""
    kind = request.param
    codec = official.load({"state_dict": recipe.checkpoint(kind)})
    with torch.inference_mode():
        out = codec(recipe.image())
    figures = json.loads((recipe.HERE / f"{kind}.json").read_text())
    return figures, np.load(recipe.HERE / f"{kind}.npz"), codec, out


def close(ours: torch.Tensor, theirs: np.ndarray) -> float:
    """‖a − b‖ / ‖b‖ over the values that are kept."""
    a = ours.double().numpy().reshape(-1)[:: make.STRIDE]
    return float(np.linalg.norm(a - theirs) / np.linalg.norm(theirs))


def test_latent_and_reconstruction(released):
    _, arrays, _, out = released
    assert close(out["y"], arrays["y"]) < 1e-4
    assert close(out["x_hat"], arrays["x_hat"]) < 1e-4


def test_parameters_and_symbols_of_the_first_and_the_last_group(released):
    _, arrays, codec, out = released
    for group, name in ((0, "1"), (4, "5")):
        with torch.inference_mode():
            context = codec.path.groups.contexts[group]
            mean, scale, _ = context(out["hyper"], out["decoded"][:group])
            symbols = torch.round(out["y"].split(PAPER.sizes, dim=1)[group] - mean)
        assert close(mean, arrays[f"mean_{name}"]) < 1e-4
        assert close(scale, arrays[f"scale_{name}"]) < 1e-4
        assert np.array_equal(symbols.numpy().reshape(-1)[:: make.STRIDE], arrays[f"symbols_{name}"])


def test_every_sum_of_bits(released):
    figures, _, _, out = released
    assert list(PAPER.sizes) == figures["size_slices"]
    near = lambda value: pytest.approx(value, rel=1e-3)
    assert bits(out["likelihoods"]["z"]).item() == near(figures["bits_z"])
    assert bits(out["likelihoods"]["y"], PAPER.sizes)[0].tolist() == near(figures["bits_y_per_group"])
    assert set(out["likelihoods"]) == {"y", "z"} and set(out["aux_likelihoods"]) == {"y", "factorized"}
    assert bits(out["aux_likelihoods"]["y"], PAPER.sizes)[0].tolist() == near(figures["bits_aux_per_group"])
    assert bits(out["aux_likelihoods"]["factorized"]).item() == near(figures["bits_y_factorized"])


def test_the_released_losss_terms(released):
    figures, _, codec, _ = released
    with torch.inference_mode():
        _, terms = Objective(codec, "released").eval()(recipe.image())
    theirs = figures["loss_terms"]
    bpp = terms["groups"].sum() + terms["rate_z"]
    assert bpp.item() == pytest.approx(theirs["bpp"], rel=1e-3)
    assert terms["gap"].item() == pytest.approx(theirs["cca"], abs=1e-3 * theirs["bpp"])
    assert terms["cross"].item() == pytest.approx(theirs["aux_cross_entropy"], rel=1e-3)
    assert terms["distortion"].item() / 255**2 == pytest.approx(theirs["mse"], rel=1e-3)


def test_bytes_and_decoding(released):
    figures, _, codec, out = released
    coded = codec.compress(recipe.image())
    *groups, z = [len(strings[0]) for strings in coded["strings"]]
    assert z == pytest.approx(figures["bytes_z"], rel=5e-3)
    assert sum(groups) == pytest.approx(figures["bytes_y"], rel=5e-3)
    assert torch.equal(codec.decompress(**coded)["x_hat"], out["x_hat"].clamp(0, 1))


def test_training_mode(released):
    """Likelihoods see noise; readers see straight-through rounding, so the reconstruction is evaluation's own."""
    _, _, codec, out = released
    try:
        codec.train()
        torch.manual_seed(3)
        noisy = codec(recipe.image())
        coder = Estimate(codec.gaussian)
        coder.gaussian = type("Given", (), {"log_scale": False, "likelihood": codec.gaussian.likelihood})
        expected = []
        for i, context in enumerate(codec.path.groups.contexts):
            mean, scale, _ = context(noisy["hyper"], noisy["decoded"][:i])
            part = noisy["noisy"].split(PAPER.sizes, dim=1)[i]
            expected.append(codec.gaussian.likelihood(part, mean, scale))
    finally:
        codec.eval()
    assert torch.allclose(noisy["x_hat"], out["x_hat"], rtol=1e-4, atol=1e-4)
    shift = noisy["noisy"] - noisy["y"]
    assert shift.abs().max() <= 0.5 and shift.std().item() == pytest.approx(12**-0.5, rel=0.02)
    assert torch.allclose(noisy["likelihoods"]["y"], torch.cat(expected, dim=1), rtol=1e-4)
    assert not torch.equal(noisy["aux_likelihoods"]["y"], out["aux_likelihoods"]["y"])


def test_gradients_pass_rounding_and_return_from_the_floor(released):
    _, _, codec, _ = released
    last = codec.path.groups.contexts[0].scale_head[-1]
    kept = last.bias.detach().clone()
    codec.train()
    try:
        out = codec(recipe.image().requires_grad_(True))
        slope = torch.autograd.grad(out["x_hat"].sum(), out["y"])[0]  # distortion alone reaches y only through rounding
        assert slope.abs().sum() > 0
        with torch.no_grad():
            last.bias.fill_(-50.0)  # far below the floor of 0.11
        last.bias.requires_grad_(True)
        rate = bits(codec(recipe.image())["likelihoods"]["y"], PAPER.sizes)[0, 0]
        slope = torch.autograd.grad(rate, last.bias)[0]
        # a larger scale would cost less, and the bound lets that gradient through
        assert (slope <= 0).all() and (slope < 0).sum() >= 4
    finally:
        last.bias.requires_grad_(False).copy_(kept)
        codec.eval()


def test_a_file_with_released_weights(tmp_path, monkeypatch, picture):
    """Stored once, the weights serve `ccalib.encode` like any others."""
    from ccalib import decode, encode

    codec = official.load(recipe.checkpoint("conditioned"))
    mark = weights.save(codec, tmp_path / "weights" / "cca.safetensors")
    monkeypatch.setenv("CCALIB_DATA", str(tmp_path))
    image = decode(encode(picture, model="cca"))
    assert image.size == picture.size and weights.load(mark).preset == PAPER
    assert weights.load(mark).auxiliary is None


# ---- what is refused; these need no arithmetic --------------------------------------------------------------------


@pytest.fixture(scope="module")
def state():
    """A released checkpoint of zeros: names and shapes."""
    return {name: torch.zeros(value.shape) for name, value in recipe.checkpoint("plain").items()}


def test_each_name_has_its_own(state):
    codec = Codec(PAPER)
    codec.auxiliary = Auxiliary(PAPER, released=True)
    assert sorted(map(official.ours, state)) == sorted(name for name, _ in codec.named_parameters())


def test_file_prefix_buffers_and_old_names(state, tmp_path):
    main = {f"module.{n}": v for n, v in state.items() if not n.startswith("aux_entropymodel.")}
    main["module.gaussian_conditional._offset"] = torch.zeros(64, dtype=torch.int32)
    main["module.gaussian_conditional.likelihood_lower_bound.bound"] = torch.zeros(1)
    main["module.z_entropy_bottleneck._quantized_cdf"] = torch.zeros(192, 9, dtype=torch.int32)
    main["module.z_entropy_bottleneck._matrix0"] = main.pop("module.z_entropy_bottleneck.matrices.0")
    torch.save({"state_dict": main, "epoch": 3}, tmp_path / "released.pth.tar")
    codec = official.load(tmp_path / "released.pth.tar")
    assert codec.auxiliary is None and not codec.training
    with torch.inference_mode():
        assert "aux_likelihoods" not in codec(torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: s.pop("g_a.down.0.weight"), "1 missing (g_a.down.0.weight)"),
        (lambda s: s.update(surprise=torch.zeros(1)), "1 unknown (surprise)"),
        (lambda s: s.update({"h_a.0.bias": torch.zeros(7)}), r"h_a.0.bias: shape (7,), not (256,)"),
        (lambda s: s.update({"h_a.0.bias": torch.full((256,), torch.nan)}), "h_a.0.bias: values that are not finite"),
        (lambda s: s.pop("aux_entropymodel.lrp_transforms.0.0.bias"), "1 missing (auxiliary.groups"),
        (lambda s: s.update(note="text"), "a dictionary of tensors by name is wanted"),
        (lambda s: s.update({0: torch.zeros(1)}), "a dictionary of tensors by name is wanted"),
        (lambda s: s.clear(), "a dictionary of tensors by name is wanted"),
    ],
)
def test_what_does_not_fit_is_named(state, change, message):
    changed = dict(state)
    change(changed)
    with pytest.raises(CcaError) as error:
        official.load(changed)
    assert message in str(error.value)


def test_exact_arithmetic_is_an_option_and_names_weights_that_it_can_not_hold(state):
    assert not official.load(state).preset.exact
    codec = official.load(state, exact=True)
    assert codec.preset.exact and next(codec.coding_path().parameters()).dtype == torch.float64
    name = next(name for name in state if official.ours(name).startswith("path."))
    changed = state | {name: torch.full_like(state[name], 40)}
    official.load(changed)
    with pytest.raises(CcaError, match=f"{name}: values of 32 or more"):
        official.load(changed, exact=True)


def test_beta_gives_the_lambda_that_a_search_goes_by(state):
    codec = official.load(state, beta=0.3)
    assert codec.preset.lambdas == pytest.approx((0.05 / 1.3,) * 2) and codec.preset.reference_lambda != 0.013
    assert official.load(state).preset.lambdas == PAPER.lambdas
    for beta in (-0.1, float("nan"), float("inf")):
        with pytest.raises(CcaError, match="beta: .* is no number of at least 0"):
            official.load(state, beta=beta)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_files_that_are_none(tmp_path, content):
    path = tmp_path / "x.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CcaError, match="x.pth"):
        official.load(path)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    import os

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "was here"),)

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(CcaError, match="evil.pth"):
        official.load(tmp_path / "evil.pth")
    assert not (tmp_path / "was here").exists()
