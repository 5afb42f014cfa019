import binascii
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalib import CcaError
from ccalib.files import container

MARK = "0123456789abcdef"
ZERO = np.zeros(3, dtype=np.int32)


def sample(payloads=(b"zzzz", b"one", b"", b"three"), steps=200, width=640, height=427) -> bytes:
    symbols = [np.array([i, -i]) for i in range(len(payloads))]
    return container.pack(MARK, steps, width, height, list(payloads), symbols)


def test_a_file_by_hand():
    """z of one byte, no groups: every byte of it."""
    data = container.pack(MARK, 192, 300, 2, [b"A"], [ZERO])
    head = b"CCA\x01" + bytes.fromhex(MARK)
    head += bytes([0xC0, 0x01]) + bytes([0xAC, 0x02]) + bytes([2]) + bytes([0])  # 192, 300, 2, no groups
    head += bytes([1]) + zlib.crc32(b"A").to_bytes(4, "little") + binascii.crc_hqx(bytes(6), 0).to_bytes(2, "little")
    assert data == head + binascii.crc_hqx(head, 0).to_bytes(2, "little") + b"A"


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=12),
    st.integers(0, 1000), st.integers(1, 2000), st.integers(1, 2000),
)  # fmt: skip
def test_inverse(payloads, steps, width, height):
    data = sample(payloads, steps, width, height)
    info = container.parse(data)
    assert (info.width, info.height, info.quality, info.fingerprint) == (width, height, steps / 64, MARK)
    assert [container.payload(data, s) for s in info.segments] == payloads
    assert info.size == len(data) == info.header + sum(s.length for s in info.segments)
    assert info.dropped == 0 and info.groups == len(payloads) - 1


def test_header_of_a_kodak_image_is_small():
    info = container.parse(sample([bytes(4000)] + [bytes(20000)] * 5, 384, 768, 512))
    assert info.header <= 80


def test_every_cut_holds_exactly_its_whole_groups():
    data = sample()
    info = container.parse(data)
    ends = [s.start + s.length for s in info.segments]
    for length in range(len(data)):
        if length < ends[0]:
            with pytest.raises(CcaError, match="photo.cca"):
                container.parse(data[:length], "photo.cca")
            continue
        cut = container.parse(data[:length])
        # an empty group right at the cut is whole; one behind a broken group is not
        whole = 0
        while whole < 3 and ends[whole + 1] <= length:
            whole += 1
        assert cut.groups == whole
        assert cut.header + sum(s.length for s in cut.segments if s.present) + cut.dropped == length


@settings(max_examples=300)
@given(st.data())
def test_any_flipped_bit_in_the_header_is_noticed(data):
    file = bytearray(sample())
    bit = data.draw(st.integers(0, 8 * container.parse(bytes(file)).header - 1))
    file[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CcaError, match="photo.cca"):
        container.parse(bytes(file), "photo.cca")


@settings(max_examples=300)
@given(st.binary(max_size=120))
def test_any_bytes_are_refused(data):
    for file in (data, b"CCA\x01" + data):
        with pytest.raises(CcaError):
            container.parse(file)


def test_messages_name_the_field():
    for data, field in (
        (b"GIF89a", "magic"),
        (b"CCA\x02" + bytes(40), "version"),
        (sample()[:14], "width"),
        (sample()[:25], "g1"),
        (sample()[:-9], "z"),
        (sample() + b"!", "1 bytes after"),
        (sample(width=0), "width"),
        (sample(width=200000, height=200000), "limit"),
    ):
        with pytest.raises(CcaError, match=field):
            container.parse(data)


def test_a_damaged_payload_is_refused_before_it_is_decoded():
    data = bytearray(sample())
    info = container.parse(bytes(data))
    data[info.segments[1].start] ^= 1
    assert container.payload(bytes(data), info.segments[0]) == b"zzzz"
    with pytest.raises(CcaError, match="g1: damaged"):
        container.payload(bytes(data), info.segments[1])


def test_a_few_bytes_cannot_ask_for_gigabytes():
    needed = container.least(4000, 3000)
    assert container.least(2048, 2048) == 0 and needed == pytest.approx((12e6 - 2**22) / 64**2, abs=4)
    whole = sample([bytes(needed), b"one"], width=4000, height=3000)
    cut = whole[: container.parse(whole).segments[1].start]  # z alone is enough
    assert container.parse(cut).width == 4000
    for payloads in ([bytes(needed - 4)], [b""], [b"", bytes(needed - 4)]):
        with pytest.raises(container.TooManyPixels, match="photo.cca: width, height: 4000×3000.*payload"):
            container.parse(sample(payloads, width=4000, height=3000), "photo.cca")
