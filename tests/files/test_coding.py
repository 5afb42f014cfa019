import multiprocessing

import numpy as np
import pytest
import torch

import ccalib
from ccalib import CcaError, images, weights
from ccalib.evaluation.evaluate import estimate
from ccalib.evaluation.metrics import psnr
from ccalib.files import coding, container
from ccalib.model.codec import STRIDE, Codec
from ccalib.model.presets import TINY
from tests.conftest import DATA
from tests.faults import largest_file


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (63, 64), (64, 64), (65, 129), (17, 5), (130, 1), (1, 5000)])
def test_any_size_decodes_to_the_models_own_reconstruction(codec, picture, size):
    image = picture.resize(size)
    data = ccalib.encode(image, 2.5, codec)
    x = images.pad(images.to_tensor(image), STRIDE)
    with torch.inference_mode():
        own = images.from_tensor(codec(x, torch.tensor([2.5]))["x_hat"][:, :, : size[1], : size[0]])
    decoded = ccalib.decode(data, model=codec)
    assert decoded.size == size and np.array_equal(np.asarray(decoded), np.asarray(own))
    info = ccalib.inspect(data)
    assert (info.width, info.height) == size and info.header <= 80
    assert info.header + sum(s.length for s in info.segments) == len(data)


@pytest.fixture
def fast(model, monkeypatch):
    """The stored codec with its transforms in bfloat16, which any processor computes, if slowly."""
    monkeypatch.setattr(weights, "has_bf16", lambda: True)
    return ccalib.load(model, bf16=True)


def test_bfloat16_is_for_transforms_alone_and_any_decoder_reads_the_file(codec, fast, picture):
    data = ccalib.encode(picture, 3, fast)
    x = images.pad(images.to_tensor(picture), STRIDE)
    seen = []
    hooks = [m.register_forward_hook(lambda m, given, out: seen.append(out.dtype)) for m in (fast.g_a, fast.g_s)]
    with torch.inference_mode():
        out = fast(x, torch.tensor([3.0]))
    for hook in hooks:
        hook.remove()
    assert seen == [torch.bfloat16, torch.bfloat16] and {t.dtype for t in out["decoded"]} == {torch.float64}
    own = images.from_tensor(out["x_hat"][:, :, : picture.height, : picture.width])
    decoded, plain = (np.asarray(ccalib.decode(data, model=c)).astype(int) for c in (fast, codec))
    assert np.array_equal(decoded, np.asarray(own))
    assert not np.array_equal(decoded, plain) and abs(decoded - plain).mean() < 1  # checksums say: the same symbols
    assert psnr(picture, ccalib.decode(ccalib.encode(picture, 3, codec), model=fast)) > psnr(picture, own) - 0.5


def test_bfloat16_is_refused_where_it_can_not_be_had(codec, model, picture, monkeypatch):
    monkeypatch.setattr(weights, "has_bf16", lambda: False)
    data = ccalib.encode(picture, 3, codec)
    for run in (ccalib.load, lambda m, bf16: ccalib.encode(picture, 3, m, bf16=bf16),
                lambda m, bf16: ccalib.decode(data, model=m, bf16=bf16)):  # fmt: skip
        with pytest.raises(CcaError, match="bf16: this machine"):
            run(model, bf16=True)
        with pytest.raises(CcaError, match="bf16: this codec"):
            run(codec, bf16=True)


def test_cut_files(codec, picture):
    data = ccalib.encode(picture, 3, codec)
    info = ccalib.inspect(data)
    ends = [s.start + s.length for s in info.segments]
    for groups, end in enumerate(ends):
        whole = ccalib.decode(data, groups, codec)
        assert np.array_equal(np.asarray(ccalib.decode(data[:end], model=codec)), np.asarray(whole))
        if groups:  # one byte less: the group is dropped
            less = ccalib.decode(data, groups - 1, codec)
            assert np.array_equal(np.asarray(ccalib.decode(data[: end - 1], model=codec)), np.asarray(less))
    for end in (0, 3, 20, info.header, ends[0] - 1):
        with pytest.raises(CcaError):
            ccalib.decode(data[:end], model=codec)


def test_more_groups_cost_more_and_show_more(codec, picture):
    from ccalib.evaluation.metrics import mse

    data = ccalib.encode(picture, 5, codec)
    errors = [mse(picture, ccalib.decode(data, g, codec)) for g in range(TINY.groups + 1)]
    assert errors[-1] < errors[0] / 2


def test_quality_is_what_the_file_stores(codec, picture):
    assert ccalib.encode(picture, 2.501, codec) == ccalib.encode(picture, 160 / 64, codec)
    assert len(ccalib.encode(picture, 6, codec)) > len(ccalib.encode(picture, 0, codec))
    with pytest.raises(CcaError, match="quality"):
        ccalib.encode(picture, 6.5, codec)


def test_a_flipped_bit_anywhere_is_an_error(codec, picture):
    data = ccalib.encode(picture, 3, codec)
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(data), 40):
        broken = bytearray(data)
        broken[position] ^= 1 << int(rng.integers(8))
        with pytest.raises(CcaError):
            ccalib.decode(bytes(broken), model=codec)


def test_forged_payloads_end_in_an_error(codec, picture):
    """Random payloads with right lengths and checksums reach the range coder; the symbols' checksum catches them."""
    info = ccalib.inspect(ccalib.encode(picture, 3, codec))
    rng = np.random.default_rng(1)
    for _ in range(10):
        payloads = [rng.bytes(max(s.length // 4 * 4, 8)) for s in info.segments]
        symbols = [np.zeros(1, dtype=np.int32)] * len(payloads)
        forged = container.pack(codec.fingerprint, 192, info.width, info.height, payloads, symbols)
        with pytest.raises(CcaError):
            ccalib.decode(forged, model=codec)


def test_weights_are_found_by_fingerprint_or_the_error_says_where(codec, model, picture, monkeypatch, tmp_path):
    data = ccalib.encode(picture, 3, codec)
    (tmp_path / "weights").mkdir()
    monkeypatch.setenv("CCALIB_DATA", str(tmp_path))
    with pytest.raises(CcaError, match=f"fingerprint.*{tmp_path}"):
        ccalib.decode(data)
    (tmp_path / "weights" / "any-name.safetensors").write_bytes(model.read_bytes())
    assert ccalib.decode(data).size == picture.size


def test_another_models_file_is_refused(codec, picture):
    info = ccalib.inspect(ccalib.encode(picture, 3, codec))
    forged = container.pack("00" * 8, 192, 8, 8, [b""] * len(info.segments), [np.zeros(1)] * len(info.segments))
    with pytest.raises(CcaError, match="fingerprint"):
        ccalib.decode(forged, model=codec)
    few = container.pack(codec.fingerprint, 192, 8, 8, [b""], [np.zeros(1)])
    with pytest.raises(CcaError, match="groups"):
        ccalib.decode(few, model=codec)


def test_a_codec_without_stored_weights_writes_no_files(picture):
    with pytest.raises(CcaError, match="save"):
        ccalib.encode(picture, 3, Codec(TINY).eval())


@pytest.mark.parametrize("flat", [False, True])
def test_a_large_picture_with_an_empty_z_is_filled_up_and_decodes_alike(codec, picture, monkeypatch, flat):
    if flat:  # all symbols of z are 0, which takes no bytes
        monkeypatch.setattr(codec, "hyper_analyze", lambda y: codec._medians().expand(1, -1, 2, 3))
    plain = ccalib.encode(picture, 2, codec)
    z = ccalib.inspect(plain).segments[0].length
    assert (z == 0) == flat
    monkeypatch.setattr(container, "FREE_PIXELS", 0)
    monkeypatch.setattr(container, "PIXELS_PER_BYTE", 64)
    data = ccalib.encode(picture, 2, codec)
    assert ccalib.inspect(data).segments[0].length == container.least(picture.width, picture.height) > z
    filled = ccalib.decode(data, model=codec)
    monkeypatch.undo()  # or the plain file would be refused
    assert np.array_equal(np.asarray(filled), np.asarray(ccalib.decode(plain, model=codec)))


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_full_disk_keeps_what_was_there(tmp_path, share):
    path = tmp_path / "a.cca"
    coding.write(path, b"before")
    with largest_file(int(share * 10_000)), pytest.raises(CcaError, match="a.cca: can't be written"):
        coding.write(path, bytes(10_000))
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_two_processes_that_write_one_output_leave_a_whole_file(tmp_path):
    path, contents = tmp_path / "a.cca", [bytes([i]) * 2_000_000 for i in (1, 2)]
    coding.write(path, contents[0])

    def often(data: bytes) -> None:
        for _ in range(30):
            coding.write(path, data)

    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=often, args=(data,)) for data in contents]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_bytes())
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert seen <= set(contents) and list(tmp_path.iterdir()) == [path]


def test_failed_writing_keeps_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.cca"
    coding.write(path, b"before")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(CcaError, match="a.cca.*No space"):
        coding.write(path, b"after")
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_shipped_estimate_is_within_one_percent_of_real_bytes():
    """On a photograph, with the weights that ship: what the model predicts is what the file holds."""
    image = images.load(DATA / "images" / "mountains.png")
    codec = weights.load("small")
    for quality in (0, 3, 6):
        data = ccalib.encode(image, quality)
        payload = 8 * (len(data) - ccalib.inspect(data).header) / (image.width * image.height)
        assert payload == pytest.approx(estimate(codec, image, quality), rel=0.01)


def test_arguments_of_another_kind_are_named(codec, picture):
    data = ccalib.encode(picture, 3, codec)
    with pytest.raises(CcaError, match="quality: 3 is outside"):
        ccalib.encode(picture, "3", codec)
    for groups in ("2", 2.5, -1):
        with pytest.raises(CcaError, match="groups: "):
            ccalib.decode(data, groups, codec)
    for source in ("a\0b", 3.5, None):
        with pytest.raises(CcaError, match="can't be read"):
            ccalib.inspect(source)


def test_the_longest_name_can_be_written(tmp_path):
    path = tmp_path / ("n" * 251 + ".cca")
    coding.write(path, b"a")
    assert path.read_bytes() == b"a" and list(tmp_path.iterdir()) == [path]
