"""What lessons 01 and 02 compute with: strokes of latents, accounts of streams, and decoders that go wrong."""

import numpy as np
import pytest
import torch

import ccalib
from ccalib.files import container
from ccalib.images import pad, to_tensor
from ccalib.lessons.coding import entropy, histogram_bits, stream_account, table_bits
from ccalib.lessons.desync import JUST, Nudge, encoder_scales, nearest, read, to_boundary, wrong_symbols
from ccalib.lessons.painting import inside, outside, painted, visible
from ccalib.model import rans

QUALITY = torch.tensor([3.0])


@pytest.fixture(scope="module")
def x(picture):
    return pad(to_tensor(picture), 64)


@pytest.fixture(scope="module")
def streams(codec, x):
    strings, symbols = codec.encode(x, QUALITY)
    return [segment[0] for segment in strings], symbols


@pytest.fixture(scope="module")
def right(codec, x, streams):
    return read(codec, streams[0], (x.shape[2] // 64, x.shape[3] // 64), QUALITY)


def test_entropy_and_histograms():
    assert entropy(np.ones(8)) == 3 and entropy([5, 0]) == 0
    symbols = np.array([[0, 0, 1, 1], [7, 7, 7, 7]])
    assert histogram_bits(symbols) == 4
    assert histogram_bits(symbols - 9) == 4
    assert histogram_bits(np.random.default_rng(0).integers(-40, 40, (3, 5, 7))) <= 105 * np.log2(35)


def test_table_bits_are_the_codecs_own(codec):
    """Escapes of either side and any length, on every level."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 64, 4000).astype(np.int32)
    symbols = np.concatenate([rng.integers(-3, 4, 2000), rng.integers(-3000, 3000, 2000)]).astype(np.int32)
    log_scale = np.log(np.array(codec.gaussian.own_scales))[rows]
    likelihood = codec.gaussian.coded_likelihood(torch.from_numpy(symbols), torch.from_numpy(log_scale))
    found = table_bits(symbols, rows, codec.tables()["y"])
    assert np.allclose(found, -np.log2(likelihood.numpy()), atol=1e-9)


@pytest.mark.parametrize("scale", [0.3, 2.0, 30.0])
def test_stream_account_is_exact(codec, scale):
    """Bytes written by the real coder: what is left to rounding is next to nothing."""
    rng, tables = np.random.default_rng(1), codec.tables()["y"]
    row = int(np.abs(np.log(np.array(codec.gaussian.own_scales) / scale)).argmin())
    symbols = np.round(scale * rng.standard_normal(20_000)).astype(np.int32)
    symbols[:3] = 5000, -5000, 700  # escapes
    rows = np.full(symbols.shape, row, dtype=np.int32)
    payload = rans.encode(symbols, rows, tables)
    account = stream_account(payload, symbols, rows, tables)
    assert account.length == len(payload) and account.start == 31 and 1 < account.unused < 33
    assert abs(account.rounding) < 0.2
    nothing = stream_account(b"", np.zeros(30, dtype=int), np.zeros(30, dtype=int), tables)
    assert nothing.start == nothing.unused == nothing.length == 0


def test_unguarded_reading_of_an_intact_file(codec, picture, streams, right):
    data = ccalib.encode(picture, 3, codec)
    info = ccalib.inspect(data)
    assert [container.payload(data, segment) for segment in info.segments] == streams[0]
    for found, wanted in zip(right.symbols, streams[1]):
        assert np.array_equal(found, wanted)
    shown = ccalib.images.from_tensor(right.x_hat[:, :, : picture.height, : picture.width])
    assert np.array_equal(np.asarray(shown), np.asarray(ccalib.decode(data, model=codec)))
    assert wrong_symbols(right, right) == ([0.0] * 5, None)


def test_encoder_and_decoder_have_the_same_scales(codec, x, right):
    y = codec.analyze(x, QUALITY).detach()
    for found, wanted in zip(encoder_scales(codec, y, exact=True), right.scales):
        assert np.array_equal(found, wanted)
    floats = encoder_scales(codec, y, exact=False)
    assert floats[0].dtype == np.float32 and not np.array_equal(floats[0], right.scales[0])


def test_distance_to_the_boundary(codec):
    gaussian = codec.gaussian
    scales = np.random.default_rng(0).uniform(-4, 7, 2000)
    distance = to_boundary(scales, gaussian)
    inner = (scales > np.log(0.11)) & (scales < np.log(256))
    assert (np.abs(distance[inner]) <= gaussian.step / 2 + 1e-9).all()
    beyond = torch.from_numpy(scales + distance + np.sign(distance) * JUST)
    before = torch.from_numpy(scales + distance - np.sign(distance) * JUST)
    here = gaussian.level(torch.from_numpy(scales))
    assert (gaussian.level(before) == here).all()
    assert ((gaussian.level(beyond) - here).abs() == 1).all()


@pytest.mark.parametrize("group", range(5))
def test_one_wrong_level_is_an_avalanche(codec, x, streams, right, group):
    nudge = nearest(right, codec.gaussian, group)
    wrong = read(codec, streams[0], (x.shape[2] // 64, x.shape[3] // 64), QUALITY, nudge)
    changed = [int((a != b).sum()) for a, b in zip(wrong.levels, right.levels)]
    assert changed[: group + 1] == [0] * group + [1]
    shares, first = wrong_symbols(wrong, right)
    assert shares[:group] == [0] * group
    assert first is None or first[0] == group and first[1] >= nudge.index
    if shares[group] > 0.01:
        assert all(share > 0 for share in shares[group:])


def test_broken_streams_are_read_to_their_end(codec, x, streams, right):
    """Whatever bytes: symbols come out, and nothing before the damage changes."""
    rng, shape = np.random.default_rng(2), (x.shape[2] // 64, x.shape[3] // 64)
    for segment in range(1, 6):
        payloads = list(streams[0])
        noise = rng.integers(0, 256, len(payloads[segment]), dtype=np.uint8)
        payloads[segment] = noise.tobytes()
        broken = read(codec, payloads, shape, QUALITY)
        shares, first = wrong_symbols(broken, right)
        assert shares[: segment - 1] == [0] * (segment - 1) and first[0] == segment - 1
        assert max(np.abs(s).max() for s in broken.symbols) <= rans.SYMBOL_LIMIT


def test_a_nudge_that_crosses_nothing_changes_nothing(codec, x, streams, right):
    shape = (x.shape[2] // 64, x.shape[3] // 64)
    nudge = nearest(right, codec.gaussian, 1)
    less = Nudge(nudge.group, nudge.index, nudge.amount - 2 * np.sign(nudge.amount) * JUST)
    same = read(codec, streams[0], shape, QUALITY, less)
    assert wrong_symbols(same, right)[1] is None


@pytest.fixture(scope="module")
def y_hat(codec, x):
    with torch.inference_mode():
        return torch.round(codec.analyze(x, QUALITY))


@pytest.mark.parametrize("cell", [(5, 4), (0, 0), (11, 7)])
def test_strokes_are_differences_of_decodes(codec, y_hat, cell):
    """Against the whole picture decoded twice; what the crop cuts off is far away."""
    channels, (column, row) = [0, 40], cell
    strokes, (left, top) = painted(codec, y_hat, QUALITY, cell, channels)
    assert strokes.shape == (2, 80, 80, 3)
    assert left <= 16 * column < left + 80 and top <= 16 * row < top + 80
    for channel, stroke in zip(channels, strokes):
        without = y_hat.clone()
        without[0, channel, row, column] = y_hat[0, channel].mean()
        with torch.inference_mode():
            whole = 255 * (codec.synthesize(y_hat, QUALITY) - codec.synthesize(without, QUALITY))
        wanted = whole[0, :, top : top + 80, left : left + 80].permute(1, 2, 0).numpy()
        assert np.abs(stroke - wanted).max() <= 0.02 * max(np.abs(wanted).max(), 1e-3)


def test_alone_and_in_company_differ_only_for_a_network(codec, y_hat):
    with_, _ = painted(codec, y_hat, QUALITY, (5, 4), [0])
    alone, _ = painted(codec, y_hat, QUALITY, (5, 4), [0], alone=True)
    assert not np.allclose(with_, alone, atol=1e-3)
    assert 0 < inside(with_[0], (48, 32), (5, 4)) <= 1
    spot = np.zeros((80, 80, 3))
    spot[32, 32], spot[31, 32] = 3, -2  # the cell's first pixel, and the one above it
    assert inside(spot, (48, 32), (5, 4)) == pytest.approx(9 / 13) and outside(spot, (48, 32), (5, 4)) == 2
    assert visible(np.zeros((4, 4, 3))).tolist() == np.full((4, 4, 3), 128).tolist()
    with pytest.raises(ccalib.CcaError, match=r"cell: \(12, 0\)"):
        painted(codec, y_hat, QUALITY, (12, 0), [0])
