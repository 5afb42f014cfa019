import dataclasses
import os
import re

import pytest
import torch

from ccalib import CcaError, weights
from ccalib.evaluation.complexity import kmac_per_pixel
from ccalib.model.codec import Auxiliary, Codec
from ccalib.model.presets import PAPER, PRESETS, SMALL, TINY, Preset


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_paper_has_exactly_the_released_parameters():
    codec = Codec(PAPER)
    assert parameters(codec) == 64_988_067
    assert parameters(codec) + parameters(Auxiliary(PAPER, released=True)) == 94_253_423


def test_paper_costs_what_the_released_model_does():
    kmac = kmac_per_pixel(Codec(PAPER), size=64)
    assert kmac["g_a"] == pytest.approx(557, abs=1) and kmac["g_s"] == pytest.approx(557, abs=1)
    assert kmac["h_a"] + kmac["path"] == pytest.approx(131, abs=8)
    assert sum(kmac.values()) * 2 * 1000 * 768 * 512 == pytest.approx(983.7e9, rel=0.01)


@pytest.mark.parametrize("preset, limit", [(SMALL, 45), (TINY, 10)])
def test_envelopes(preset, limit):
    kmac = kmac_per_pixel(Codec(preset))
    encoding = kmac["g_a"] + kmac["klt"] / 2 + kmac["h_a"] + kmac["path"]
    decoding = kmac["g_s"] + kmac["klt"] / 2 + kmac["path"]
    assert encoding <= limit and decoding <= limit


def test_small_is_at_most_12_megabytes_as_stored():
    shipped = weights.find("small")  # random weights would be larger: their table of z's probabilities is longer
    assert os.path.getsize(shipped) <= 12_000_000
    assert weights.load(shipped).preset == SMALL


def test_json_round_trip():
    for preset in PRESETS.values():
        assert Preset.from_json(preset.to_json()) == preset


def test_nonsense_is_refused():
    with pytest.raises(CcaError):
        dataclasses.replace(TINY, k=-1)
    with pytest.raises(CcaError):
        dataclasses.replace(TINY, lambdas=(0.1, 0.01))
    with pytest.raises(CcaError):
        Preset.from_json('{"name": "x", "wings": 2}')


def test_shape_changes_what_is_named_and_nothing_else():
    changed = TINY.reshaped(["latent=64", "klt=false", "widths=[8,16,32]", "k=1", "head_widths=[24,24]"])
    expected = dict(latent=64, klt=False, widths=(8, 16, 32), k=1, head_widths=(24, 24))
    assert changed == dataclasses.replace(TINY, **expected) and TINY.reshaped([]) == TINY
    assert Preset.from_json(changed.to_json()) == changed


@pytest.mark.parametrize("change", [
    "wings=2", "name=x", "latent", "latent=", "latent=many", "latent=1.5", "latent=0", "latent=true", "klt=1", "k=-1",
    "widths=8", "widths=[8,16]", "widths=[8,16,-1]", "head_widths=[]", "blocks=[0,0,1]", "last_kernel=4", "k=[1]",
    "k=1000.5", "k=Infinity",
])  # fmt: skip
def test_a_shape_that_is_none_is_refused(change):
    with pytest.raises(CcaError, match="last_kernel" if change == "last_kernel=4" else f"--shape: {re.escape(change)}"):
        TINY.reshaped([change])


@pytest.mark.parametrize("changes, named", [
    (["latent=769"], "klt gives at most 768"), (["widths=[16,32,1]"], "widths"),
])  # fmt: skip
def test_parts_that_do_not_go_together_are_refused(changes, named):
    with pytest.raises(CcaError, match=named):
        TINY.reshaped(changes)


def test_the_largest_and_the_narrowest_parts_work():
    assert len(Codec(TINY.reshaped(["latent=768"])).klt.analysis.weight) == 768
    narrow = Codec(TINY.reshaped(["widths=[1,1,1]", "blocks=[[0,1],[0,1],[0,1]]"]))
    assert narrow(torch.rand(1, 3, 64, 64), torch.tensor([2.0]))["x_hat"].shape == (1, 3, 64, 64)


def test_a_hyper_output_too_narrow_for_the_first_groups_means_is_refused():
    with pytest.raises(CcaError, match="hyper_out"):
        dataclasses.replace(TINY, groups=1)
