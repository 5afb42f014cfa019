from ccalib.evaluation.codecs import jpeg_bytes
from ccalib.evaluation.jpeg import SUBSAMPLINGS, jpeg_of_size


def test_jpeg_has_at_least_the_bytes_and_no_smaller_one_does(picture):
    target = 5000
    rival = jpeg_of_size(picture, target)
    assert rival.size >= target and rival.subsampling in SUBSAMPLINGS
    assert len(jpeg_bytes(picture, rival.quality - 1, rival.subsampling)) < target
    assert rival.image.size == picture.size
    assert jpeg_of_size(picture, 10**7).quality == 95  # none is that large: the best there is
