"""CompressAI's own tools on our model."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from compressai.losses import RateDistortionLoss
from compressai.models import CompressionModel
from compressai.optimizers import net_aux_optimizer
from compressai.utils.eval_model.__main__ import inference, inference_entropy_estimation

from ccalib import CcaError, images, weights
from ccalib.evaluation.metrics import psnr
from ccalib.files import coding
from ccalib.model.auxiliary import Auxiliary
from ccalib.model.codec import Codec
from ccalib.model.gains import lambda_of
from ccalib.model.presets import PRESETS, TINY
from ccalib.training.losses import Objective, bits

OPTIMIZERS = {"net": {"type": "Adam", "lr": 1e-4}, "aux": {"type": "Adam", "lr": 1e-3}}


@pytest.fixture
def trainable(codec) -> Codec:
    """A copy of the stored codec, to train."""
    return Codec.from_state_dict(codec.state_dict())


@pytest.fixture
def wide(photos):
    """256×192: their MS-SSIM wants more than 160 pixels a side."""
    return images.load(np.ascontiguousarray(photos[0][50:242, 100:356]))


def test_inference_agrees_with_our_file(codec, wide):
    """Their bits are ours without the header; their PSNR is that of our decoded file."""
    result = inference(codec.at(2.5), images.to_tensor(wide)[0])
    data = coding.encode(wide, 2.5, codec)
    info = coding.inspect(data)
    payload = sum(s.length for s in info.segments)
    assert result["bpp"] == pytest.approx(8 * payload / (wide.width * wide.height), abs=1e-12)
    decoded = coding.decode(data, model=codec)
    assert result["psnr-rgb"] == pytest.approx(psnr(wide, decoded), abs=1e-3)


def test_inference_pads_what_is_no_multiple_of_64(codec, wide):
    small = wide.crop((0, 0, 250, 170))
    result = inference(codec.at(1), images.to_tensor(small)[0])
    assert 0 < result["bpp"] < 24 and 5 < result["psnr-rgb"] < 60


def test_entropy_estimation_agrees_with_our_estimate(codec, wide):
    x = images.to_tensor(wide)
    result = inference_entropy_estimation(codec.at(3), x[0])
    with torch.inference_mode():
        out = codec(x, torch.tensor([3.0]))
    expected = sum(bits(p).item() for p in out["likelihoods"].values()) / (wide.width * wide.height)
    assert result["bpp"] == pytest.approx(expected, rel=1e-5)


def test_rate_distortion_loss_is_our_plain_objective(trainable, batch):
    """Fixed rate, same noise: their loss and ours are one number."""
    quality = 4.0
    objective = Objective(trainable.train(), "plain", weight_power=0.0)
    torch.manual_seed(5)
    _, ours = objective(batch, torch.full((2,), quality))
    torch.manual_seed(5)
    theirs = RateDistortionLoss(lmbda=lambda_of(TINY, quality))(trainable.at(quality)(batch), batch)
    assert theirs["loss"].item() == pytest.approx(ours["loss"].item(), rel=1e-5)
    assert theirs["bpp_loss"].item() == pytest.approx((ours["groups"].sum() + ours["rate_z"]).item(), rel=1e-5)
    assert 255**2 * theirs["mse_loss"].item() == pytest.approx(ours["distortion"].item(), rel=1e-4)


def test_their_training_step(trainable, batch):
    """Optimizers by name, a step of each, and the loss on the same crops falls."""
    view = trainable.at(3).train()
    optimizer = net_aux_optimizer(view, OPTIMIZERS)
    counted = [sum(len(g["params"]) for g in o.param_groups) for o in optimizer.values()]
    assert sum(counted) == len(list(trainable.parameters())) and counted[1] == 1
    criterion, losses = RateDistortionLoss(lmbda=0.01), []
    for _ in range(8):
        torch.manual_seed(0)
        for o in optimizer.values():
            o.zero_grad()
        loss = criterion(view(batch), batch)["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(view.parameters(), 1.0)
        optimizer["net"].step()
        before = trainable.z_prior.quantiles.detach().clone()
        auxiliary = view.aux_loss()
        auxiliary.backward()
        optimizer["aux"].step()
        assert not torch.equal(before, trainable.z_prior.quantiles)
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert auxiliary.item() == pytest.approx(trainable.aux_loss().item(), rel=0.2)
    assert view.update(force=True) and not view.update()  # trained quantiles are kept: tables from them
    view.eval()
    coded = view.compress(batch)
    with torch.inference_mode():
        assert torch.equal(view.decompress(**coded)["x_hat"], view(batch)["x_hat"].clamp(0, 1))


def test_quantiles_trained_their_way_give_the_tables(trainable):
    with torch.no_grad():
        trainable.z_prior.quantiles[:, :, 0] -= 3
        trainable.z_prior.quantiles[:, :, 2] += 3
    kept = trainable.z_prior.quantiles.detach().clone()
    trainable.update(force=True)
    wide = trainable.tables()["z"].length.copy()
    assert (trainable.z_prior.quantiles - kept).abs().max() <= 2**-7  # only medians move, to the exact grid
    trainable.update(force=True, update_quantiles=True)
    assert (wide > trainable.tables()["z"].length).all()


def test_strings_are_lists_per_segment_of_one_per_image(codec, batch):
    view = codec.at(1.5)
    coded = view.compress(batch)
    assert [len(s) for s in coded["strings"]] == [2] * (TINY.groups + 1) and tuple(coded["shape"]) == (2, 2)
    single = [view.compress(batch[i : i + 1]) for i in range(2)]
    for segment, *parts in zip(coded["strings"], *(s["strings"] for s in single), strict=True):
        assert segment == [p[0] for p in parts]
    both = view.decompress(**coded)["x_hat"]
    for i, s in enumerate(single):
        assert torch.allclose(view.decompress(**s)["x_hat"][0], both[i], atol=1e-5)


def test_z_comes_last(codec, batch):
    quality = torch.tensor([1.5, 1.5])
    segments, _ = codec.encode(batch, quality)
    assert codec.compress(batch, quality)["strings"] == [*segments[1:], segments[0]]


@pytest.mark.parametrize("strings", [[], [[b""]], [[b"", b""]] + [[b""]] * 5, [[]] * 6, [[b"\1"]] * 6])
def test_strings_that_no_codec_wrote(codec, strings):
    with pytest.raises(CcaError):
        codec.at(1).decompress(strings, (2, 2))


def test_a_view_shares_weights_and_checks_its_quality(codec, batch):
    view = codec.at(6)
    assert isinstance(view, CompressionModel) and isinstance(codec, CompressionModel)
    assert {id(p) for p in view.parameters()} == {id(p) for p in codec.parameters()}
    for quality in (-0.1, 6.1, float("nan")):
        with pytest.raises(CcaError, match="quality"):
            codec.at(quality)
    with pytest.raises(CcaError, match="multiples of 64"):
        view(batch[:, :, :100])


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_inferred(name):
    with torch.device("meta"):
        codec = Codec(PRESETS[name])
    state = {n: torch.zeros(t.shape) for n, t in codec.state_dict().items()}
    assert Codec.from_state_dict(state).preset == PRESETS[name]


@pytest.mark.parametrize(
    "changes",
    [
        {"k": 0.0}, {"k": 2.5}, {"groups": 1, "hyper_out": 96}, {"groups": 10}, {"qualities": 0},
        {"klt": False, "hyper_klt": False}, {"last_kernel": 3},
        {"widths": (8, 24, 40), "blocks": ((1, 0), (0, 2), (2, 1)), "attention": True}, {"context_blocks": 3},
        {"head_widths": (32, 24), "context_width": 40, "hyper": 32, "hyper_out": 96, "hyper_widths": (40, 24)},
    ],
)  # fmt: skip
def test_other_shapes_are_inferred(changes):
    preset = dataclasses.replace(TINY, **changes)
    assert Codec.from_state_dict(Codec(preset).state_dict()).preset == preset


def test_a_preset_that_is_given_is_kept_and_checked(codec):
    other = dataclasses.replace(TINY, lambdas=(0.002, 0.02))
    assert Codec.from_state_dict(codec.state_dict(), other).preset == other
    with pytest.raises(CcaError, match="shape"):
        Codec.from_state_dict(codec.state_dict(), dataclasses.replace(TINY, hyper=32))


@pytest.mark.parametrize("released", [True, False])
def test_a_state_dictionary_survives_a_checkpoint(codec, batch, released):
    """Tables, an auxiliary model and the prefix of several processes included; the copy is trainable."""
    original = Codec.from_state_dict(codec.state_dict())
    original.auxiliary = Auxiliary(TINY, released)
    stored = io.BytesIO()
    torch.save({f"module.{n}": t for n, t in original.state_dict().items()}, stored)
    stored.seek(0)
    copy = Codec.from_state_dict(torch.load(stored, weights_only=True)).eval()
    assert all(p.requires_grad for p in copy.parameters())
    assert (copy.auxiliary.y_prior is not None) == released
    assert copy.at(2).compress(batch)["strings"] == codec.at(2).compress(batch)["strings"]
    with torch.inference_mode():
        out = copy.at(2)(batch)
    assert set(out["likelihoods"]) == {"y", "z"}
    assert set(out["aux_likelihoods"]) == ({"y", "factorized"} if released else {"y"})


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: s.pop("h_a.2.bias"), "h_a.2.bias is missing"),
        (lambda s: s.pop("g_a.down.3.weight"), "g_a.down.3.weight"),
        (lambda s: s.update(more=torch.zeros(2)), "more is unknown"),
        (lambda s: s.update({"g_s.up.0.weight": torch.zeros(3, 3)}), "g_s.up.0.weight: shape"),
        (lambda s: s.update({"h_mean_s.0.weight": torch.zeros(1)}), "ccalib.official.load"),
        (lambda s: s.clear(), "not a codec's"),
    ],
)
def test_state_dictionaries_that_do_not_fit(codec, change, message):
    state = codec.state_dict()
    change(state)
    with pytest.raises(CcaError, match=message):
        Codec.from_state_dict(state)


def test_loading_into_a_codec_in_use_replaces_its_tables(codec, batch):
    other = Codec.from_state_dict(codec.state_dict())
    with torch.no_grad():
        for p in other.path.parameters():
            p.mul_(0.9)
    other.eval()
    changed = other.at(2).compress(batch)["strings"]
    assert changed != codec.at(2).compress(batch)["strings"]
    other.load_state_dict(codec.state_dict())
    assert other.at(2).compress(batch)["strings"] == codec.at(2).compress(batch)["strings"]


def test_trained_their_way_and_stored(trainable, batch, tmp_path, picture):
    trainable.update(force=True)
    weights.save(trainable, tmp_path / "mine.safetensors")
    codec = weights.load(tmp_path / "mine.safetensors")
    assert coding.decode(coding.encode(picture, model=codec), model=codec).size == picture.size
