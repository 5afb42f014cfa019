"""Rulers: alike at the start but for luck, causal, fitted apart, resumable, and stored as they are measured."""

import dataclasses
import itertools
import json
import signal

import numpy as np
import pytest
import torch
from compressai.entropy_models import EntropyBottleneck
from PIL import Image

from ccalib import CcaError, weights
from ccalib.evaluation.rulers import bought, measure_set, per_latent, totals
from ccalib.files.lock import held as locked
from ccalib.model.presets import SMALL, TINY
from ccalib.model.ruler import Factorized, Latent, Rulers, freeze, lean
from ccalib.training import checkpoint
from ccalib.training.data import Photos
from ccalib.training.fit import Fit, Fitter, Interrupted
from ccalib.training.rulers import first_group_error, load_rulers, read, save
from ccalib.training.start import new_codec
from tests.conftest import shaken

FAST = Fit(steps=4, rounds=1, batch=2, crop=64, warmup=1, log_every=1)
QUALITY = torch.tensor([1.0, 4.5])


@pytest.fixture(scope="module")
def few(photos) -> Photos:
    """Two parts of photographs, 128×64 pixels."""
    parts = [np.ascontiguousarray(photos[i][100:164, 100:228]).reshape(-1) for i in range(2)]
    index = [{"name": str(i), "offset": i * parts[0].size, "height": 64, "width": 128} for i in range(2)]
    return Photos(np.concatenate(parts), index, [])


@pytest.fixture
def fitter(codec, photos, few, tmp_path):
    return lambda fit=FAST, run="fit", **options: Fitter(
        codec, photos, few, fit, tmp_path / run, progress=False, **options
    )


@pytest.fixture
def latent(codec, batch) -> Latent:
    return freeze(codec, batch, QUALITY)


def test_models_start_alike_but_for_luck(fitter, latent):
    """Means and scales of the first group nearly the same in all, the networks' layers drawn anew for each model."""
    fit, first = fitter(), TINY.sizes[0]
    rulers = fit.rulers
    with torch.no_grad():
        predictions = rulers(latent)
    main, auxiliary = (predictions[name].bits[:, :first].sum() for name in ("main", "auxiliary"))
    assert main != auxiliary and abs(main - auxiliary) < 0.1 * main
    biases = {n: [c.head[-1].bias for c in rulers.models[n].groups.contexts] for n in ("main", "auxiliary")}
    assert all(torch.equal(a, b) for a, b in zip(*biases.values(), strict=True))
    weights_ = [rulers.models[n].h_s[i].mean[0].weight for n in ("main", "auxiliary") for i in (0, 1)]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(weights_, 2))
    assert first_group_error(fit.codec, rulers, fit.validation)["worst"] > 0


def test_a_group_is_fitted_as_if_alone(fitter, latent):
    """What one group pays hangs on no parameter that another group's bits move."""
    rulers = fitter().rulers
    predictions = rulers(latent)
    for name in ("main", "auxiliary", "hyperprior", "scale"):
        model = rulers.models[name]
        for i, bits in enumerate(predictions[name].bits.split(TINY.sizes, dim=1)):
            moved = torch.autograd.grad(bits.sum(), list(model.parameters()), retain_graph=True, allow_unused=True)
            names = [n for (n, _), g in zip(model.named_parameters(), moved, strict=True) if g is not None and g.any()]
            assert names and all(n.startswith((f"h_s.{i}.", f"groups.contexts.{i}.")) for n in names), (name, i)


def test_a_ruler_reads_what_it_may(fitter, latent):
    rulers = shaken(fitter().rulers, size=0.05)
    before = {name: p.bits.split(TINY.sizes, dim=1) for name, p in rulers(latent).items()}
    for changed in range(TINY.groups):
        moved = list(latent.decoded)
        moved[changed] = moved[changed] + 3
        after = rulers(dataclasses.replace(latent, decoded=moved))
        for name, lag in {"main": 0, "auxiliary": 1, "hyperprior": 9, "scale": 9, "factorized": 9}.items():
            same = [
                torch.equal(a, b) for a, b in zip(before[name], after[name].bits.split(TINY.sizes, dim=1), strict=True)
            ]
            assert same == [group <= changed + lag for group in range(TINY.groups)], (name, changed)


def test_each_model_is_fitted_as_if_alone(fitter):
    """Clipping, noise and steps of one model don't depend on which others are fitted beside it."""
    together = fitter(run="all").run_all()
    for name in ("main", "factorized"):
        alone = fitter(dataclasses.replace(FAST, models=(name,)), run=name).run_all()
        for (key, a), (_, b) in zip(
            together.models[name].named_parameters(), alone.models[name].named_parameters(), strict=True
        ):
            assert torch.equal(a, b), (name, key)


def test_fitting_lowers_every_rate(fitter):
    """On one batch, over and over, every model's rate falls."""
    fit = fitter(dataclasses.replace(FAST, steps=20))
    at = fit.crops.at
    fit.crops.at = lambda step: at(0)
    rates = torch.stack([fit._step(1.0) for _ in range(20)])  # steps × models
    assert (rates[-1] < 0.97 * rates[0]).all(), rates[[0, -1]]


def test_resuming_equals_going_on_bit_for_bit(fitter):
    whole = fitter(run="whole").run_all()
    first = fitter(run="parts")
    step = first._step

    def interrupted(rate):
        if first.step == 1:
            first._remember(signal.SIGINT, None)
        return step(rate)

    first._step = interrupted
    with pytest.raises(Interrupted, match="step 2"):
        first.run_all()
    second = fitter(run="parts")
    assert second.step == 2
    again = second.run_all()
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))
    assert whole.card["first_group_errors"] == again.card["first_group_errors"] and again.card["steps"] == 4
    with pytest.raises(CcaError, match="another fit"):
        fitter(dataclasses.replace(FAST, lr=1e-4), run="parts")


def test_fitting_goes_on_until_the_first_group_agrees(fitter):
    loose = fitter(dataclasses.replace(FAST, rounds=3, tolerance=1.0), run="loose").run_all()
    assert loose.card["steps"] == 4 and loose.card["met"] and len(loose.card["first_group_errors"]) == 1
    strict = fitter(dataclasses.replace(FAST, rounds=3, tolerance=0.0), run="strict").run_all()
    assert strict.card["steps"] == 4 + 2 + 2 and not strict.card["met"]
    assert [len(e["by_quality"]) for e in strict.card["first_group_errors"]] == [7] * 3
    plans = [fitter(dataclasses.replace(FAST, steps=100), run="x").plan(n) for n in range(3)]
    assert [p.total for p in plans] == [100, 150, 200] and [p.rate(p.total) for p in plans] == [0, 0, 0]
    assert all(p.rate(q.total) > 0 for p, q in zip(plans[1:], plans[:-1], strict=True))


def test_the_factorized_density_is_one_distribution_at_every_gain():
    model, gaussian = Factorized(3), Rulers(lean(TINY)).gaussian
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(0)))
    model.deviation.fill_(2.5)
    symbols = torch.arange(-2000, 2001).float().view(1, 1, 1, -1).expand(1, 3, 1, -1)
    center = torch.tensor([0.0, 1.25, -7.5]).view(1, 3, 1, 1)
    for gain in (0.25, 1.0, 4.0):
        latent = Latent(symbols + center * gain, torch.full((1, 3, 1, 1), gain), None, [])
        with torch.no_grad():
            total = (2.0 ** -model(latent, gaussian, center).bits).sum(dim=3)
        assert torch.allclose(total, torch.ones_like(total), atol=1e-4), gain
    # with unit gain and deviation it is CompressAI's likelihood
    plain = EntropyBottleneck(3)
    plain.load_state_dict(model.density.state_dict(), strict=False)
    model.deviation.fill_(1.0)
    latent = Latent(symbols[..., 1980:2021], torch.ones(1, 3, 1, 1), None, [])
    ours = 2.0 ** -model(latent, gaussian, torch.zeros(1, 3, 1, 1)).bits
    assert torch.allclose(ours, plain(latent.y, training=False)[1], rtol=1e-4, atol=1e-9)


def test_the_frozen_latent_is_the_files(codec, batch, latent):
    with torch.inference_mode():
        out = codec(batch, QUALITY)
    assert torch.allclose(latent.coded, -torch.log2(out["likelihoods"]["y"]).float(), atol=1e-5)
    assert all(torch.equal(a, b.float()) for a, b in zip(latent.decoded, out["decoded"], strict=True))
    assert torch.equal(latent.y, out["y"])


def test_results_per_image_and_set(fitter, codec, batch, photos):
    rulers = fitter().rulers
    main, auxiliary = (rulers.models[name] for name in ("main", "auxiliary"))
    for parts in ("h_s", "groups.contexts"):  # the first group by one model: it can't gain
        auxiliary.get_submodule(parts)[0].load_state_dict(main.get_submodule(parts)[0].state_dict())
    _, scores = per_latent(codec, rulers, batch, QUALITY)
    assert set(scores) >= {"codec", "codec_plain", "main", "auxiliary_coded", "scale", "masked"}
    assert all(bits.shape == (2, TINY.latent, 8, 8) and (bits > -1e-3).all() for bits in scores.values())
    first = TINY.sizes[0]
    assert torch.equal(scores["masked"][:, :first], scores["codec_plain"][:, :first])  # nothing to mask there
    pictures = {f"{i}.png": Image.fromarray(photos[i][:100, : 130 + i].copy()) for i in range(2)}
    measured = measure_set(codec, rulers, pictures, [0.0, 6.0])
    for entry in measured.values():
        rows = entry["images"].values()
        assert entry["mean"]["main"] == pytest.approx([sum(r["main"][g] for r in rows) / 2 for g in range(5)], abs=1e-5)
    assert bought(measured["6"]["mean"])[0] == 0
    assert totals(measured)["codec"] == pytest.approx(sum(sum(e["mean"]["codec"]) for e in measured.values()) / 2)
    with pytest.raises(CcaError, match="main and auxiliary"):
        bought({"main": [1.0]})


def test_split_contexts_are_coded_by_their_own_tables(batch):
    """`paper` asks its tables by the scale, the rulers give its logarithm: coded and ideal bits must agree."""
    shape = {"split_context": True, "klt": False, "hyper_klt": False, "hyper_out": TINY.latent}
    preset = dataclasses.replace(TINY, name="split", **shape)
    codec = new_codec(preset, None, 0).eval()
    codec.update(force=True)
    rulers = Rulers(lean(preset), ("main",)).eval()
    with torch.no_grad():
        for context in rulers.models["main"].groups.contexts:
            context.head[-1].bias[context.head[-1].bias.numel() // 2 :] = 2.0  # a scale of e² for all
    _, scores = per_latent(codec, rulers, batch, QUALITY)
    assert scores["main_coded"].sum().item() == pytest.approx(scores["main"].sum().item(), rel=0.05)


def test_what_is_stored_is_what_is_measured(fitter, codec, batch, tmp_path, monkeypatch):
    rulers = fitter().run_all()
    path = tmp_path / "weights" / "rulers" / "tiny.safetensors"
    monkeypatch.setenv("CCALIB_DATA", str(tmp_path))
    (tmp_path / "weights").mkdir()
    with pytest.raises(CcaError, match=f"{codec.fingerprint}.*ccalib rulers"):
        load_rulers(codec)
    save(rulers, path, codec.fingerprint)
    assert path.stat().st_size < 2.3 * sum(p.numel() for p in rulers.parameters())
    (path.parent / "a_damaged_one.safetensors").write_bytes(b"not whole")
    loaded = load_rulers(codec)
    assert loaded.card == rulers.card | {"fit": loaded.card["fit"]} and loaded.card["fit"]["steps"] == 4
    a, b = (r.measure(codec, batch, QUALITY)[1] for r in (rulers, loaded))
    for name in a:
        assert torch.equal(a[name].bits, b[name].bits), name
    latent, predictions = loaded.measure(codec, batch, QUALITY)
    means = [mean for mean, _ in loaded.with_(latent.z_hat.double(), latent.decoded)]
    assert means[0].dtype == torch.float64
    assert torch.allclose(torch.cat(means, dim=1).float(), predictions["main"].mean, atol=1e-5)
    scales = [scale for _, scale in loaded.without(latent.z_hat, latent.decoded)]
    assert torch.allclose(torch.cat(scales, dim=1), predictions["auxiliary"].log_scale, atol=1e-5)
    with pytest.raises(CcaError, match="not rulers"):
        read(weights.find("small"))


def test_rulers_of_small_are_lean():
    rulers = Rulers(lean(SMALL))
    sizes = {name: 2 * sum(p.numel() for p in model.parameters()) for name, model in rulers.models.items()}
    assert max(sizes.values()) <= 2.5e6, sizes
    with pytest.raises(CcaError, match="models from"):
        Rulers(lean(TINY), ("main", "best"))


def test_the_command_fits_measures_and_skips(model, tmp_path, capsys, monkeypatch):
    from ccalib.cli import main
    from tests.conftest import DATA

    monkeypatch.chdir(tmp_path)
    held = tmp_path / "held.txt"
    held.write_text("fig.png\n")
    few = tmp_path / "few"
    few.mkdir()
    Image.open(DATA / "images" / "fig.png").crop((0, 0, 130, 100)).save(few / "a.png")
    command = ["rulers", "--model", str(model), "--weights", "r.safetensors", "-o", "r.json", "--images", str(few)]
    assert main(command) == 1 and "name a folder" in capsys.readouterr().err
    fit = [str(DATA / "images"), "--validation", str(held)]
    fit += ["--steps", "2", "--rounds", "1", "--batch", "2", "--crop", "64"]
    assert main([*command, *fit, "--models", "main,auxiliary", "--quiet"]) == 0
    assert "first group's gain" in capsys.readouterr().out
    assert checkpoint.load(next((tmp_path / "runs/rulers").glob("*/last.pt")))["step"] == 2
    before = (tmp_path / "r.safetensors").read_bytes()
    assert main([*command, "--quiet"]) == 0 and "already" in capsys.readouterr().err
    assert (tmp_path / "r.safetensors").read_bytes() == before
    for more, word in (
        (["--steps", "3"], "fitted with steps 2"), (["--threads", "-1"], "--threads: at least 1"),
        (["--again", *fit, "--rounds", "0"], "--rounds: at least 1"),
        (["--again", *fit, "--lr", "nan"], "--lr: above 0"),
    ):  # fmt: skip
        assert main([*command, *more, "--quiet"]) == 1 and word in capsys.readouterr().err
    fit += ["--models", "main,auxiliary", "--quiet"]
    (folder,) = (tmp_path / "runs/rulers").iterdir()
    with locked(folder):
        assert main([*command, *fit, "--weights", "other.safetensors"]) == 1
        assert "another process fits" in capsys.readouterr().err
    assert main([*command, *fit, "--steps", "3", "--again"]) == 0  # the earlier fit's checkpoint is not in its way
    assert checkpoint.load(folder / "last.pt")["step"] == 2 and (tmp_path / "r.safetensors").read_bytes() != before
    Image.new("RGB", (130, 100)).save(few / "a.png")  # other images in a folder of that name
    stored = (tmp_path / "r.json").read_text()
    assert main([*command, "--quiet"]) == 1 and "set few of other images" in capsys.readouterr().err
    other = json.loads(stored)
    other["codec"]["fingerprint"] = "0" * 16
    (tmp_path / "r.json").write_text(json.dumps(other))
    assert main([*command, "--quiet"]) == 1 and "other weights or rulers" in capsys.readouterr().err
    assert json.loads((tmp_path / "r.json").read_text()) == other
    assert main([*command, "--quiet", "--again"]) == 0  # the rulers are the right ones; the results are made anew
    assert json.loads((tmp_path / "r.json").read_text())["codec"] == json.loads(stored)["codec"]
    for text in ('{"sets": {}, "files": {}}', "[]", "{"):  # results of another command
        (tmp_path / "r.json").write_text(text)
        assert main([*command, "--quiet"]) == 1 and "r.json: not results of" in capsys.readouterr().err
        assert (tmp_path / "r.json").read_text() == text
