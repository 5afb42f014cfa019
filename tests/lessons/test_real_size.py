"""What lesson 09 counts and compares with: costs by part, sums in another order, published facts."""

import dataclasses

import numpy as np
import pytest
import torch

from ccalib.errors import CcaError
from ccalib.evaluation.complexity import OFFICIAL, parameters
from ccalib.lessons import costs, orders, published
from ccalib.lessons.desync import read
from ccalib.model.exact import exact_copy
from ccalib.model.presets import PAPER, SMALL, TINY


def test_parts_of_paper_add_up_to_the_authors_program():
    net = costs.sketch(PAPER)
    found = costs.costs(net, costs.main_parts(net))
    assert round(2 * sum(c.kmac for c in found.values()) * 1000 * 768 * 512 / 1e9, 1) == OFFICIAL["gflop"]
    assert parameters(net) == OFFICIAL["parameters"]
    outside = parameters(net.z_prior)
    assert sum(c.parameters for c in found.values()) == OFFICIAL["parameters"] - outside


@pytest.mark.parametrize("preset", [SMALL, TINY], ids=lambda preset: preset.name)
def test_parts_hold_everything_but_gains_and_the_prior_of_z(preset):
    net = costs.sketch(preset)
    found = costs.costs(net, costs.main_parts(net), 128, 128)
    missing = parameters(net.z_prior) + parameters(net.gains)
    assert sum(c.parameters for c in found.values()) == parameters(net) - missing
    assert {"KLT", "contexts"} <= set(found) and all(c.kmac > 0 for c in found.values())


def test_largest_layer_grows_with_the_photograph():
    small, name = costs.largest_layer(costs.sketch(TINY), 128, 128)
    assert small >= 4 * 128 * 128 * 3 and name
    assert costs.largest_layer(costs.sketch(TINY), 128, 256) == (2 * small, name)


def test_time_is_shared_out_without_remainder(codec, picture):
    x = torch.zeros(1, 3, 64, 64)
    spent = costs.timed_parts({"analysis": [codec.g_a]}, lambda: codec.g_a(x))
    assert set(spent) == {"analysis", "the rest"} and spent["analysis"] > 0 and spent["the rest"] >= 0
    assert not codec.g_a._forward_hooks and not codec.g_a._forward_pre_hooks


@torch.inference_mode()
def test_another_order_is_another_float_and_the_same_exact_number(codec):
    torch.manual_seed(0)
    x, quality = torch.rand(1, 3, 128, 192), torch.tensor([3.0])
    strings, written = codec.encode(x, quality)
    right = read(codec, [s[0] for s in strings], (2, 3), quality)
    assert all(np.array_equal(a, b) for a, b in zip(written, right.symbols))
    home = orders.decoder_scales(codec, codec.path, right)
    exact = orders.decoder_scales(codec, codec.coding_path(), right)
    assert np.array_equal(exact, np.concatenate([s.ravel() for s in right.scales]))
    assert np.array_equal(orders.levels(codec, exact), np.concatenate([level.ravel() for level in right.levels]))
    for seed in (1, 2):
        other = orders.reordered(codec.path, seed)
        scales = orders.decoder_scales(codec, other, right)
        assert np.allclose(scales, home, atol=1e-4) and not np.array_equal(scales, home)
        assert np.array_equal(orders.decoder_scales(codec, exact_copy(other), right), exact)
    assert np.array_equal(orders.decoder_scales(codec, orders.reordered(codec.path, 0), right), home)


@torch.inference_mode()
def test_a_view_codes_with_its_own_path(codec):
    x, quality = torch.rand(1, 3, 64, 64), torch.tensor([3.0])
    view = orders.with_path(codec, codec.path)
    assert view.coding_path() is codec.path and codec.coding_path() is not codec.path
    strings, written = view.encode(x, quality)
    _, found = view.decode(strings, (1, 1), quality)
    assert all(np.array_equal(a, b) for a, b in zip(written, found))


def test_published_facts_have_sources_and_curves():
    for entry in published.CODECS:
        assert entry.source and (entry.parameters is None) == (entry.kmac is None)
        rates = [rate for rate, _ in published.curve(entry.curve)]
        assert rates == sorted(rates) and len(rates) >= 4
        assert -60 < published.against_vtm(published.curve(entry.curve)) < 60
    assert published.against_vtm(published.curve(published.ANCHOR)) == pytest.approx(0, abs=1e-6)
    assert all(source for _, source in published.MORE_CURVES.values())
    with pytest.raises(CcaError, match="no 'webm'; there are"):
        published.curve("webm")


def test_networks_are_those_of_the_table():
    by_curve = {entry.curve: entry for entry in published.CODECS}
    for name, net in published.networks().items():
        assert parameters(net) / 1e6 == pytest.approx(by_curve[name].parameters, abs=0.01)


def test_costs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        published.CODECS[0].kmac = 1.0
