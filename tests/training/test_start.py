import torch

from ccalib.model.hyper import BLOCK
from ccalib.model.presets import TINY
from ccalib.model.transforms import PATCH
from ccalib.training.data import patches
from ccalib.training.start import HYPER_SHARE, new_codec


def test_z_starts_as_the_klt_of_the_first_group(photos):
    """Untrained, z predicts the first group: most of its variance is in the means, and scales fit what is left."""
    codec = new_codec(TINY, photos, 0).eval()
    first = TINY.sizes[0]
    blocks = patches(photos, 200, 9, PATCH * BLOCK).view(-1, 3, PATCH * BLOCK, PATCH * BLOCK)
    with torch.inference_mode():
        quality = torch.full((len(blocks),), TINY.qualities / 2)
        y = codec.analyze(blocks, quality)
        z_hat = torch.round(codec.hyper_analyze(y))
        hyper = codec.path.h_s(z_hat)
        mean, log_scale, _ = codec.path.groups.contexts[0](hyper, [])
        left = y[:, :first] - mean
    assert left.var() < 0.3 * y[:, :first].var()
    used = (z_hat != 0).any(dim=0).flatten().sum().item()
    assert used <= 2 * round(HYPER_SHARE * first * BLOCK**2)  # the others wait at zero
    ratio = left.std(dim=(0, 2, 3)) / log_scale.exp().mean(dim=(0, 2, 3))
    assert (ratio > 0.4).all() and (ratio < 2.5).all()


def test_the_same_seed_gives_the_same_start(photos):
    a, b = (new_codec(TINY, photos, seed).state_dict() for seed in (3, 3))
    assert all(torch.equal(a[n], b[n]) for n in a)
    other = new_codec(TINY, photos, 4).state_dict()
    assert not torch.equal(a["g_a.down.0.weight"], other["g_a.down.0.weight"])
