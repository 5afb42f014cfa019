import numpy as np
import pytest
import torch
from compressai.entropy_models import GaussianConditional
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalib import CcaError
from ccalib.model import rans, varint
from ccalib.model.coders import Read
from ccalib.model.entropy import LatentGaussian


@pytest.fixture(scope="module")
def tables() -> rans.Tables:
    model = GaussianConditional([0.11, 1.0, 16.0])
    model.update()
    return rans.Tables.of(model)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), count=st.integers(0, 60))
def test_inverse(tables, data, count):
    symbols = data.draw(st.lists(st.integers(-rans.SYMBOL_LIMIT, rans.SYMBOL_LIMIT), min_size=count, max_size=count))
    rows = np.array(data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)), dtype=np.int32)
    values = np.array(symbols, dtype=np.int32)
    coded = rans.encode(values, rows, tables)
    assert np.array_equal(rans.decode(coded, rows, tables), values)


def test_zeros_are_free_and_few_symbols_need_no_coder(tables):
    rows = np.zeros(100, dtype=np.int32)
    assert rans.encode(np.zeros(100, dtype=np.int32), rows, tables) == b""
    # by hand: 1, −1, 64, 0 in zigzag are 2, 1, 128, 0; 128 needs two bytes
    assert rans.encode(np.array([1, -1, 64, 0]), rows[:4], tables) == bytes([2, 1, 0x80, 1, 0])


def test_close_to_the_ideal_length(tables):
    rng = np.random.default_rng(0)
    symbols = np.round(rng.normal(0, 16, 20_000)).astype(np.int32)
    rows = np.full(symbols.shape, 2, dtype=np.int32)
    ideal = 20_000 * (np.log2(16) + 0.5 * np.log2(2 * np.pi * np.e)) / 8
    assert len(rans.encode(symbols, rows, tables)) == pytest.approx(ideal, rel=0.01)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=80), count=st.integers(0, 400))
def test_any_bytes_decode_or_are_refused(tables, data, count):
    """No crash, no hang: what no encoder wrote gives symbols in range, or CcaError."""
    rows = np.full(count, 1, dtype=np.int32)
    try:
        symbols = rans.decode(data, rows, tables)
    except CcaError:
        return
    assert symbols.shape == (count,) and (np.abs(symbols) <= rans.SYMBOL_LIMIT).all()


def test_a_stream_of_escapes_stays_inside_the_padding(tables):
    """All ones announce the longest escapes there are; reading past the padding would end the process."""
    for words in (2, 10, 100, 1000):
        rows = np.zeros(5000, dtype=np.int32)
        try:
            symbols = rans.decode(b"\xff" * 4 * words, rows, tables)
        except CcaError:
            continue
        assert np.abs(symbols).max() <= rans.SYMBOL_LIMIT


def by_hand(data: bytes, rows: np.ndarray, tables: rans.Tables) -> tuple[list[int], int]:
    """Symbols, and how many bytes the coder reads for them, zeros beyond the end included."""
    words = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
    state, place, symbols = words[0] | words[1] << 32, 2, []

    def refill():
        nonlocal state, place
        if state < 2**31:
            state = state << 32 | (words[place] if place < len(words) else 0)
            place += 1

    def nibble() -> int:
        nonlocal state
        value, state = state & 15, state >> 4
        refill()
        return value

    for row in rows.tolist():
        cdf = tables.cdf[row, : tables.length[row]]
        entry = int(np.searchsorted(cdf, state & 0xFFFF, side="right")) - 1
        state = int(cdf[entry + 1] - cdf[entry]) * (state >> 16) + (state & 0xFFFF) - int(cdf[entry])
        refill()
        if entry == (escape := len(cdf) - 2):
            counted = last = nibble()
            while last == 15:
                counted += (last := nibble())
            raw = sum(nibble() << 4 * i for i in range(counted))
            entry = -(raw >> 1) - 1 if raw & 1 else (raw >> 1) + escape
        symbols.append(entry + int(tables.offset[row]))
    return symbols, 4 * place


@settings(max_examples=150, deadline=None)
@given(data=st.data(), words=st.integers(2, 40), count=st.integers(rans.FEW, 200))
def test_no_stream_reads_past_the_padding(tables, data, words, count):
    """Streams of any bytes, and of those that announce most; what `decode` appends is more than they read."""
    kinds = st.sampled_from([b"\xff\xff\xff\xff", b"\xff\xff\0\0", b"\0\0\xff\xff"]) | st.binary(min_size=4, max_size=4)
    stream = b"".join(data.draw(st.lists(kinds, min_size=words, max_size=words)))
    rows = np.zeros(count, dtype=np.int32)
    assert by_hand(stream, rows, tables)[1] <= len(stream) + rans.padding(len(stream), count)
    values = np.array(data.draw(st.lists(st.integers(-40, 40), min_size=count, max_size=count)), dtype=np.int32)
    if values.any():
        coded = rans.encode(values, rows, tables)
        assert by_hand(coded, rows, tables) == (values.tolist(), len(coded))


def test_zero_bytes_are_zeros_and_no_streams(tables):
    """`encode` in `ccalib.files` fills a z without bytes up with them."""
    rows = np.ones(100, dtype=np.int32)
    for length in (0, 4, 8, 200):
        assert not rans.decode(bytes(length), rows, tables).any()
    symbols = np.array([1] + [0] * 99)
    coded = rans.encode(symbols, rows, tables)
    assert np.array_equal(rans.decode(coded + bytes(40), rows, tables), symbols)


@given(st.lists(st.sampled_from([-rans.SYMBOL_LIMIT, rans.SYMBOL_LIMIT]), min_size=1, max_size=60))
def test_memory_is_bounded_by_the_symbols(tables, symbols):
    """The costliest symbols fit under the bound; a longer payload is refused before its padding is allocated."""
    values, rows = np.array(symbols), np.zeros(len(symbols), dtype=np.int32)
    longest = rans.LONGEST * rows.size + rans.STATE
    assert len(rans.encode(values, rows, tables)) <= longest
    with pytest.raises(CcaError, match="bytes for"):
        rans.decode(b"\xff" * (longest + 4), rows, tables)


def test_scales_that_are_not_finite_never_reach_the_coder(tables):
    gaussian = LatentGaussian(log_scale=True)
    gaussian.update()
    reader = Read(gaussian, rans.Tables.of(gaussian), [[b"\1\2\3\4" * 5]])
    for bad in (float("nan"), float("inf")):
        with pytest.raises(CcaError, match="group 1.*finite"):
            reader(0, None, torch.zeros(1, 5, 2, 2), torch.full((1, 5, 2, 2), bad))


@pytest.mark.parametrize("count", [3, 500])
def test_symbols_that_would_hang_the_coder_are_refused(tables, count):
    """What becomes of NaN: −2³¹."""
    symbols = np.zeros(count, dtype=np.int32)
    for symbol in (-(2**31), 2**31 - 1):
        symbols[1] = symbol
        with pytest.raises(CcaError, match="out of range"):
            rans.encode(symbols, np.zeros(count, dtype=np.int32), tables)


def test_broken_tables_are_refused(tables):
    tables.check("here")
    for row in range(3):
        cdf = tables.cdf.copy()
        cdf[row, 1] = cdf[row, 2]
        with pytest.raises(CcaError, match="here"):
            rans.Tables(cdf, tables.length, tables.offset).check("here")
    with pytest.raises(CcaError):
        rans.Tables(tables.cdf, tables.length + 10**6, tables.offset).check("here")


@given(st.integers(0, 2**35 - 1), st.binary(max_size=3))
def test_varint(value, tail):
    data = varint.put(value) + tail
    assert varint.take(data, 0) == (value, len(varint.put(value)))


@given(st.integers(-(2**31), 2**31))
def test_zigzag(value):
    assert varint.unzigzag(varint.zigzag(value)) == value


def test_a_varint_that_does_not_end_is_refused():
    for data in (b"", b"\x80", b"\xff" * 9):
        with pytest.raises(CcaError):
            varint.take(data, 0)
