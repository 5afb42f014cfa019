"""Costs of schedules against hooks on the real networks; water-filling against its own definition; trained points."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ccalib.errors import CcaError
from ccalib.evaluation.complexity import count_macs
from ccalib.lessons.filling import fill, group_shares, misplaced
from ccalib.lessons.schedules import CELLS, context_kmac, context_macs, scheduled
from ccalib.lessons.trained import missing_labels, missing_runs, plain_runs, trained_points
from ccalib.model.entropy import GroupModel
from ccalib.model.presets import PAPER, PRESETS, SMALL, TINY
from ccalib.training.arms import Run
from ccalib.training.spectrum import main, read, spectrum


def hooked(preset, height=4, width=6):
    """Multiply–accumulates of each context, counted on a walk over zeros."""
    groups, shape = GroupModel(preset).eval(), (1, preset.hyper_out, height, width)
    parts = {str(i): context for i, context in enumerate(groups.contexts)}
    y = torch.zeros(1, preset.latent, height, width)
    with torch.inference_mode():
        found = count_macs(parts, lambda: groups.walk((torch.zeros(shape),) * 2, lambda i, y, mean, scale: mean, y))
    return [found[name] for name in parts]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(("channels", "groups", "k"), [(96, 5, 1.7), (96, 1, 1.7), (96, 10, 1.7), (40, 3, 0.0)])
def test_the_formula_counts_what_hooks_count(name, channels, groups, k):
    preset = scheduled(PRESETS[name], channels, groups, k)
    assert context_macs(preset, cells=24) == hooked(preset)
    assert context_kmac(preset, cells=24) == pytest.approx([m / 256 / 24 / 1000 for m in hooked(preset)])


def test_presets_schedule_themselves():
    for preset in PRESETS.values():
        assert scheduled(preset, preset.latent, preset.groups, preset.k) == preset
    one = scheduled(TINY, 96, 1, 1.7)
    assert one.hyper_out == Run("g1", "plain", 0).preset.hyper_out  # as the ablation had to widen it
    assert sum(context_macs(SMALL)) / CELLS < sum(context_macs(PAPER)) / CELLS
    with pytest.raises(CcaError, match="leaves -2 channels for the last of 12 groups of 24 channels"):
        scheduled(TINY, 24, 12, 3.0)


def test_water_filling_levels_what_is_above():
    v = np.array([16.0, 4.0, 1.0, 0.25])
    bits, level = fill(v, 1.5)
    assert bits.tolist() == [1.25, 0.25, 0, 0] and level == pytest.approx(2**1.5)
    bits, level = fill(v, 8.0)
    assert bits.sum() == pytest.approx(8) and np.allclose(v / 4**bits, level)
    one, _ = fill(v, 3.0)
    two, _ = fill(np.stack([v, v]), 3.0, np.array([0.3, 0.7]))  # classes that don't differ change nothing
    assert np.allclose(one, two)
    one, _ = fill(v, 4.0)
    mixed, _ = fill(np.stack([v / 100, 2 * v]), 4.0, np.array([0.5, 0.5]))  # weak components count where it is busy
    assert mixed.sum() == pytest.approx(4) and mixed[-1] > one[-1] == 0
    for wrong in ((v, 0.0), (np.array([1.0, 0.0]), 1.0)):
        with pytest.raises(CcaError, match="water-filling"):
            fill(*wrong)


def test_shares_are_sums_over_groups():
    v = 2.0 ** -np.arange(20)
    shares = group_shares((2, 3, 5), v, 0.05)
    bits, _ = fill(v[:10], 12.8)
    assert shares == pytest.approx(100 * np.array([bits[:2].sum(), bits[2:5].sum(), bits[5:].sum()]) / 12.8)
    assert misplaced([50, 30, 20], [40, 40, 20]) == 10 and misplaced(shares, shares) == 0


def run_of(family, seed, groups):
    run = {"family": family, "arm": "plain", "seed": seed}
    return {"run": run, "curve": [{"bpp": 1.1 * sum(g), "bpp_groups": g} for g in groups]}


def test_trained_points_are_means_over_seeds(tmp_path):
    log = tmp_path / "log.jsonl"
    curve = {"kind": "validation", "points": [{"bpp": 1.0, "bpp_groups": [0.1, 0.1, 0.2, 0.3, 0.3]}]}
    log.write_text(json.dumps({"kind": "train"}) + "\n" + json.dumps(curve) + "\n")
    runs = {"g2-plain-s0": run_of("g2", 0, [[0.3, 0.7], [0.1, 0.1]]),
            "g2-plain-s1": run_of("g2", 1, [[0.5, 0.5], [0.1, 0.1]])}  # fmt: skip
    honest = run_of("g2", 0, [[1, 1]]) | {"run": {"family": "g2", "arm": "honest-falling", "seed": 0}}
    two, small = trained_points({"runs": runs | {"g2-honest-falling-s0": honest}}, log)
    assert (two.name, two.label, two.seeds, two.bpp) == ("g2", "G = 2", 2, [0.2, 1.0])
    assert two.shares == [[50, 50], [40, 60]] and two.preset.sizes == (22, 74)
    assert two.at(0.2**0.5) == pytest.approx([45, 55]) and two.at(1.1) is None
    assert (small.label, small.shares) == ("small", [[10, 10, 20, 30, 30]])
    assert len(plain_runs({"runs": runs}, "g2")) == 2
    assert "g2-plain-s0" not in missing_runs({"runs": runs}) and "g10-plain-s0" in missing_runs({"runs": runs})
    assert missing_labels({"runs": runs})[:2] == ["k = 0", "k = 0.5"] and "G = 2" not in missing_labels({"runs": runs})
    with pytest.raises(CcaError, match="validation"):
        trained_points({"runs": {}}, tmp_path / "none.jsonl")


def test_the_spectrum_is_that_of_the_patches(photos, tmp_path):
    found = spectrum(photos, 900, seed=1)
    values = found["eigenvalues"]
    assert len(values) == 768 and values == sorted(values, reverse=True) and found["photographs"] == len(photos)
    path = tmp_path / "spectrum.json"
    path.write_text(json.dumps({"eigenvalues": values[:200]}))
    assert read(path) == values[:200]
    path.write_text('{"eigenvalues": [1, 2]}')
    with pytest.raises(CcaError, match="spectrum.json: eigenvalues: must fall"):
        read(path)
    with pytest.raises(CcaError, match="nothing.json"):
        read(tmp_path / "nothing.json")


def test_no_patches_are_refused(tmp_path, capsys):
    (tmp_path / "none.txt").touch()
    assert main([str(tmp_path), "--validation", str(tmp_path / "none.txt"), "--patches", "0", "-o", "x"]) == 1
    assert "--patches: at least 1" in capsys.readouterr().err


def test_the_command_writes_what_the_lesson_reads(tmp_path, capsys):
    images = Path(__file__).parents[2] / "data" / "images"
    out = [str(images), "--patches", "900", "--cache", str(tmp_path), "-o", str(tmp_path / "spectrum.json")]
    assert main(out) == 0 and "768 eigenvalues" in capsys.readouterr().out
    assert len(read(tmp_path / "spectrum.json")) == 768
    assert main([str(tmp_path / "none"), "-o", str(tmp_path / "x.json")]) == 1
    assert "none" in capsys.readouterr().err


def test_the_stored_spectrum_can_be_read():
    """The lesson's own file: the leading components keep about the PSNR that DESIGN 2 has of other patches."""
    values = read(Path(__file__).parents[2] / "data" / "results" / "spectrum.json")
    kept = {m: 10 * np.log10(255**2 / (sum(values[m:]) / 768)) for m in (128, 192, 256)}
    assert len(values) == 768 and all(abs(kept[m] - db) < 0.7 for m, db in {128: 30.9, 192: 33.6, 256: 36.2}.items())
