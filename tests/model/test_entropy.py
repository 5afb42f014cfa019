import copy

import numpy as np
import pytest
import torch

from ccalib.model.codec import Auxiliary, Codec
from ccalib.model.coders import Estimate
from ccalib.model.entropy import GroupModel, LatentGaussian
from ccalib.model.presets import PAPER, TINY
from tests.conftest import shaken


class Recording(Estimate):
    """Keeps the parameters that each group is coded with."""

    def __call__(self, group, y, mean, scale):
        self.parameters = [*getattr(self, "parameters", []), (mean, scale)]
        return super().__call__(group, y, mean, scale)


def walk(model: GroupModel, preset, y, hyper, read=None):
    coder = Recording(LatentGaussian(not preset.split_context))
    decoded = model.walk(hyper, coder, y, read=read)
    return coder, decoded


# the paper's structure at a size that runs in a test
SPLIT = PAPER.__class__(
    "split", latent=40, hyper=8, hyper_widths=(8, 8), hyper_out=40, context_width=16, context_blocks=1,
    head_widths=(16, 8), widths=(8, 8, 8), blocks=((1, 1),) * 3,
)  # fmt: skip


@pytest.mark.parametrize("preset", [TINY, SPLIT], ids=["shared", "split"])
@pytest.mark.parametrize("lag", [0, 1])
def test_causality(preset, lag):
    """Changing group j moves no parameter of the groups that may not read it, and does move one that may."""
    torch.manual_seed(0)
    model = shaken(GroupModel(preset, lag), size=0.1).eval()
    y = 5 * torch.randn(1, preset.latent, 4, 6)
    hyper = (torch.randn(1, preset.hyper_out, 4, 6),) * 2
    with torch.inference_mode():
        before, _ = walk(model, preset, y, hyper)
        for j in range(preset.groups):
            changed = list(y.split(preset.sizes, dim=1))
            changed[j] = changed[j] + 3 * torch.randn_like(changed[j])
            after, _ = walk(model, preset, torch.cat(changed, dim=1), hyper)
            for i, (a, b) in enumerate(zip(before.parameters, after.parameters, strict=True)):
                same = all(torch.equal(p, q) for p, q in zip(a, b, strict=True))
                assert same == (i <= j + lag), f"group {j} changed, group {i}"


def test_an_honest_auxiliary_reads_the_main_models_groups():
    torch.manual_seed(0)
    model = shaken(Auxiliary(TINY, released=False), size=0.1).eval()
    y, read = 5 * torch.randn(1, TINY.latent, 4, 6), list(torch.randn(1, TINY.latent, 4, 6).split(TINY.sizes, dim=1))
    hyper = (torch.randn(1, TINY.hyper_out, 4, 6),) * 2
    with torch.inference_mode():
        first, _ = walk(model.groups, TINY, y, hyper, read=read)
        moved = [g + (i == 1) for i, g in enumerate(read)]
        second, _ = walk(model.groups, TINY, y, hyper, read=moved)
    same = [torch.equal(a[0], b[0]) for a, b in zip(first.parameters, second.parameters, strict=True)]
    assert same == [True, True, True, False, False]


def test_auxiliary_has_residuals_only_where_something_reads_them():
    has = [c.residual_head is not None for c in Auxiliary(PAPER, released=True).groups.contexts]
    assert has == [True, True, True, False, False]
    assert not any(c.residual_head is not None for c in Auxiliary(TINY, released=False).groups.contexts)


def test_nearest_level():
    gaussian = LatentGaussian(log_scale=True)
    table = gaussian.scale_table.double()
    assert torch.equal(gaussian.level(table.log()), torch.arange(64, dtype=torch.int32))
    log_scale = torch.linspace(-4, 8, 5001, dtype=torch.float64)
    nearest = (log_scale[:, None] - table.log()[None]).abs().argmin(dim=1)
    assert torch.equal(gaussian.level(log_scale).long(), nearest)


def test_scales_can_come_back_from_both_bounds():
    gaussian = LatentGaussian(log_scale=True)
    for start, value in ((-5.0, 0.6), (9.0, 0.0)):
        log_scale = torch.full((1,), start, requires_grad=True)
        bits = -torch.log2(gaussian.likelihood(torch.full((1,), value), torch.zeros(1), log_scale)).sum()
        bits.backward()
        # the gradient points back into the table's range
        assert torch.sign(log_scale.grad).item() == (-1 if start < 0 else 1)


def test_likelihoods_sum_to_one():
    for log_scale in (True, False):
        gaussian = LatentGaussian(log_scale)
        values = torch.arange(-3000, 3001).double()
        for scale in (0.2, 1.0, 40.0):
            raw = torch.tensor(scale).log() if log_scale else torch.tensor(scale)
            p = gaussian.likelihood(values, torch.tensor(0.3), raw.double())
            assert p.sum().item() == pytest.approx(1, abs=1e-4)


def test_coded_likelihoods_are_the_coders(photos):
    """−log₂ of them is what the range coder writes, escapes included, and over all symbols they sum to 1."""
    from ccalib.model import rans

    gaussian = LatentGaussian(log_scale=True)
    gaussian.update()
    tables = rans.Tables.of(gaussian)
    rng = np.random.default_rng(0)
    for spread, level in ((0.1, 0), (40.0, 0), (3000.0, 3), (8.0, 40)):
        symbols = np.round(rng.normal(0, spread, 5000)).astype(np.int32)
        symbols[0] = 1  # so that the segment is not empty
        scale = torch.full((5000,), gaussian.scale_table[level].log())
        bits = -torch.log2(gaussian.coded_likelihood(torch.from_numpy(symbols), scale)).sum().item()
        coded = 8 * len(rans.encode(symbols, np.full(5000, level, dtype=np.int32), tables))
        assert coded == pytest.approx(bits, rel=2e-3, abs=64)
    symbols = torch.arange(-3000, 3001)
    p = gaussian.coded_likelihood(symbols, torch.full(symbols.shape, 2.0))
    assert p.sum().item() == pytest.approx(1, abs=2e-5)


def test_a_missing_group_is_all_zero(codec, batch):
    """Decoding without the last groups equals decoding with their symbols zero."""
    strings, _ = codec.encode(batch[:1], torch.tensor([2.0]))
    cut = [s if i <= 2 else None for i, s in enumerate(strings)]
    empty = [s if i <= 2 else [b""] for i, s in enumerate(strings)]
    a, b = (codec.decode(s, (2, 2), torch.tensor([2.0]))[0] for s in (cut, empty))
    assert torch.equal(a, b)


def test_codec_copies():
    codec = Codec(TINY)
    assert copy.deepcopy(codec).preset == TINY  # the training loop averages a deep copy
