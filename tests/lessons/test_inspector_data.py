"""Every number of the inspector, checked against the codec, the coder's tables and the real file."""

import math

import numpy as np
import pytest
import torch
from inspected import fresh_rulers

import ccalib
from ccalib.files import container
from ccalib.images import pad, to_tensor
from ccalib.lessons.inspection import inspect_photo
from ccalib.lessons.stops import tour
from ccalib.model import rans
from ccalib.model.coders import Estimate

QUALITY = 3.5


@pytest.fixture(scope="module")
def rulers(codec):
    return fresh_rulers(codec)


@pytest.fixture(scope="module")
def inspection(picture, codec, rulers):
    return inspect_photo(picture, QUALITY, rulers, codec, "picture")


@pytest.fixture(scope="module")
def x(picture):
    return pad(to_tensor(picture), 64)


@pytest.fixture(scope="module")
def out(codec, x):
    with torch.inference_mode():
        return codec(x, torch.tensor([QUALITY]))


def test_file_is_the_one_that_encode_writes(inspection, picture, codec):
    assert inspection.data == ccalib.encode(picture, QUALITY, codec)
    assert inspection.grid == (12, 8) and sum(inspection.sizes) == 96


def test_symbols_means_and_levels_decode_the_real_segments(inspection, codec):
    """The range decoder, given our levels, reads our symbols from the file's own bytes; mean + symbol leads to ŷ."""
    tables = codec.tables()["y"]
    for i, segment in enumerate(inspection.info.segments[1:]):
        span = inspection.span(i)
        data = container.payload(inspection.data, segment)
        read = rans.decode(data, inspection.file.level[span].astype(np.int32), tables)
        assert np.array_equal(read, inspection.file.symbol[span])
        off = inspection.decoded[i][0].numpy() - (inspection.file.mean + inspection.file.symbol)[span]
        assert np.abs(off).max() <= 0.5 + 1e-9  # what residual prediction adds


def test_bits_are_the_estimate_s_and_close_to_the_bytes(inspection, out):
    likelihood = out["likelihoods"]["y"][0].numpy()
    assert np.allclose(inspection.file.bits, -np.log2(likelihood), rtol=0, atol=1e-9)
    for i, segment in enumerate(inspection.info.segments[1:]):
        overhead = 8 * segment.length - inspection.file.bits[inspection.span(i)].sum()
        assert 0 <= overhead < 64 + 0.005 * 8 * segment.length  # two words of state, and 1/65,536 here and there


def test_bits_are_probabilities_of_the_integer_table(inspection, codec):
    """P(symbol) by hand from the stored table: counts of 65,536, or an escape and nibbles."""
    cdf, length, offset = codec.tables()["y"].lists
    rng = np.random.default_rng(0)
    escapes = 0
    for account in (inspection.file, inspection.with_, inspection.without):
        places = [tuple(rng.integers(0, n) for n in account.bits.shape) for _ in range(200)]
        worst = np.unravel_index(np.argsort(account.bits, axis=None)[-20:], account.bits.shape)
        for place in [*places, *zip(*worst, strict=True)]:
            row, symbol = cdf[account.level[place]], int(account.symbol[place])
            at, top = symbol - offset[account.level[place]], length[account.level[place]] - 2
            if 0 <= at < top:
                bits = 16 - math.log2(row[at + 1] - row[at])
            else:
                distance = -2 * at - 1 if at < 0 else 2 * (at - top)
                nibbles = 0
                while distance >> (4 * nibbles):
                    nibbles += 1
                bits = 16 - math.log2(row[top + 1] - row[top]) + 4 * (1 + nibbles)
                escapes += 1
            assert account.bits[place] == pytest.approx(bits, abs=1e-9)
    assert escapes > 0


def test_z_s_bits_are_close_to_its_bytes(inspection, out):
    segment = inspection.info.segments[0]
    assert inspection.z_bits.shape == (48, 2, 3)
    assert 0 <= 8 * segment.length - inspection.z_bits.sum() < 64 + 0.005 * 8 * segment.length
    float_bits = -torch.log2(out["likelihoods"]["z"]).sum().item()
    assert inspection.z_bits.sum() == pytest.approx(float_bits, rel=0.02)


def test_ledger_adds_up_to_the_file_to_the_byte(inspection, codec):
    info = inspection.info
    for channel in (0, 5, 40, 95):
        ledger = inspection.ledger(3, 2, channel)
        group = inspection.group_of(channel)
        assert ledger.latent == inspection.file.bits[channel, 2, 3] <= ledger.channel <= ledger.group
        assert ledger.group + ledger.overhead == pytest.approx(8 * ledger.segment, abs=1e-6)
        assert ledger.segment == info.segments[group + 1].length
        assert ledger.payload == sum(s.length for s in info.segments)
        assert ledger.header + ledger.payload == ledger.file == len(inspection.data)
    every = [inspection.file.bits[c].sum() for c in range(96)]
    groups = inspection.per_group(inspection.file.bits).sum(axis=(1, 2))
    assert sum(every) == pytest.approx(groups.sum()) and len(groups) == 5
    overhead = sum(8 * s.length for s in info.segments) - inspection.cell_bits().sum()
    assert 0 <= overhead < 64 * 6 + 0.005 * 8 * len(inspection.data)
    with pytest.raises(ccalib.CcaError, match="channel: 96"):
        inspection.ledger(0, 0, 96)
    with pytest.raises(ccalib.CcaError, match="picture: column: 12"):
        inspection.support(12, 0, 0)


def test_ruler_accounts_are_what_the_rulers_measure(inspection, rulers, codec, x):
    """Symbols are the latent rounded around the ruler's own mean; bits are those of the coder's tables."""
    latent, predictions = rulers.measure(codec, x, torch.tensor([QUALITY]))
    accounts = {"main": inspection.with_, "auxiliary": inspection.without, "hyperprior": inspection.hyper_only}
    for name, account in accounts.items():
        mean = predictions[name].mean[0].numpy()
        assert np.array_equal(account.mean, mean)
        assert np.array_equal(account.symbol, np.round(latent.y[0].numpy() - mean))
        coder = Estimate(codec.gaussian)
        coder(0, latent.y, predictions[name].mean, predictions[name].log_scale)
        assert np.allclose(account.bits, -np.log2(coder.likelihoods[0][0].numpy()), rtol=0, atol=1e-9)
    bought = inspection.per_group(inspection.gain)
    assert bought.shape == (5, 8, 12)
    assert bought.sum() == pytest.approx(inspection.without.bits.sum() - inspection.with_.bits.sum())


def test_support_is_the_gradient_of_the_mean(inspection, codec):
    """Against finite differences on the same network; nothing outside what a group may read."""
    column, row, channel = 5, 3, 30
    group = inspection.group_of(channel)
    support = inspection.support(column, row, channel)
    assert len(support.groups) == group and support.groups[0].shape == (8, 12) and support.z.shape == (2, 3)
    place = channel - inspection.span(group).start
    seen = [d.float() for d in inspection.decoded[:group]]
    hyper = codec.path.h_s(inspection.z_hat.float())

    def mean(seen):
        with torch.no_grad():
            return codec.path.groups.contexts[group](hyper, seen)[0][0, place, row, column].double().item()

    for at in ((row, column), (row - 1, column + 2)):
        total = 0.0
        for c in range(seen[1].shape[1]):
            moved = []
            for step in (0.02, -0.02):
                changed = [s.clone() for s in seen]
                changed[1][0, c, at[0], at[1]] += step
                moved.append(mean(changed))
            total += abs(moved[0] - moved[1]) / 0.04
        assert support.groups[1][at] == pytest.approx(total, rel=0.05, abs=1e-5)
    used = np.argwhere(support.groups[0] > 0)
    assert len(used) and np.abs(used - (row, column)).max() <= 3  # one block of 3×3 and two heads of 3×3
    assert inspection.support(column, row, 0).groups == []


def test_refuses_a_ruler_without_its_two_models(picture, codec):
    with pytest.raises(ccalib.CcaError, match="picture: rulers: models main and auxiliary"):
        inspect_photo(picture, 3, fresh_rulers(codec, ("main", "hyperprior")), codec, "picture")


def test_tour_stops_where_the_data_says(inspection):
    stops = {stop.name: stop for stop in tour(inspection, {"sky": (0, 0), "edge": (6, 4)})}
    assert list(stops) == ["sky", "edge", "best bargain", "misled", "tail", "costliest"]
    first = inspection.sizes[0]
    where = {name: (s.channel, s.row, s.column) for name, s in stops.items()}
    with_, without = ((account.mean + account.symbol)[first:] for account in (inspection.with_, inspection.without))
    alike = inspection.gain[first:][np.abs(with_ - without) < 0.5]  # both code about the same value
    assert inspection.gain[where["best bargain"]] == alike.max()
    assert inspection.gain[where["misled"]] == alike.min()
    assert where["sky"][1:] == (0, 0) and where["edge"][1:] == (4, 6)
    cells = inspection.file.bits.sum(axis=0)
    assert cells[where["costliest"][1:]] == cells.max()
    for name in ("sky", "edge", "costliest"):
        bits = inspection.file.bits[:, where[name][1], where[name][2]]
        later = [bits[inspection.span(g)].max() for g in range(1, len(inspection.sizes))]
        worth = [top for top in later if top >= 1 and name != "costliest"]  # a group before it shows more
        assert inspection.file.bits[where[name]] == (worth[0] if worth else bits.max())
    scales = np.asarray(inspection.codec.gaussian.scale_table)[inspection.file.level]
    assert np.abs(inspection.file.symbol / scales)[where["tail"]] == np.abs(inspection.file.symbol / scales).max()
    for stop in stops.values():
        assert 0 <= stop.answer < len(stop.options) and stop.question.endswith("?") and stop.explanation


def test_tour_answers_follow_from_the_numbers(inspection):
    stops = {stop.name: stop for stop in tour(inspection, {"sky": (0, 0), "edge": (6, 4)})}
    cells = inspection.file.bits.sum(axis=0)
    ratio = cells[4, 6] / cells[0, 0]
    assert stops["edge"].answer == np.searchsorted([2, 5, 20], ratio, side="right")
    best = stops["best bargain"]
    gain = inspection.gain[best.channel, best.row, best.column]
    assert stops["best bargain"].answer == np.searchsorted([1, 4, 8], gain, side="right")
    bits = inspection.file.bits[stops["tail"].channel, stops["tail"].row, stops["tail"].column]
    assert stops["tail"].answer == np.searchsorted([10, 30], bits, side="right") and len(stops["tail"].options) == 4
    with pytest.raises(ccalib.CcaError, match="tour: sky"):
        tour(inspection, {"sky": (12, 0)})
