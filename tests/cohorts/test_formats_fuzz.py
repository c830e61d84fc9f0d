"""Damage at random: a picture or a refusal in words, and nothing else (reliability list A, 9 and 16).

These formats are read by decoders that survive it. GDCM, which reads lossless JPEG and JPEG-LS, ends the process at
about one damaged file in a thousand: for that there is the reading process, which can be lost.
"""

import gzip
from collections import Counter

import numpy as np
import pytest

from medtl.cohorts.formats import images
from medtl.errors import BadInput
from tests.cohorts import made_dicom as made

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries speak of damaged files
FLIPS = 1000
SMOOTH = (np.add.outer(np.arange(64) * 2, np.arange(64)) % 256).astype(np.uint8)
COLOUR = np.stack([SMOOTH, SMOOTH.T, SMOOTH[::-1]], -1)[:24, :24]
VOLUME = np.random.default_rng(7).integers(0, 900, (8, 9, 4)).astype(np.int16)
WORDS = {"WindowCenter": 100, "WindowWidth": 200, "PixelSpacing": [0.5, 0.5], "PatientAge": "040Y"}


@pytest.fixture(scope="module")
def files(encoded):
    """Name -> a small sound file."""
    raster = {f"a{images.SUFFIXES[kind][0]}": encoded(COLOUR, kind) for kind in ("PNG", "JPEG", "BMP", "TIFF")}
    return {
        **raster,
        "explicit.dcm": made.plain(SMOOTH[:16, :16], **WORDS),
        "runs.dcm": made.compressed(SMOOTH[:16, :16].astype(np.uint16), made.RLE, **WORDS),
        "j2k.dcm": made.compressed(SMOOTH, made.J2K, **WORDS),
        "deflated.dcm": made.plain(SMOOTH[:16, :16], made.DEFLATED, **WORDS),
        "a.nii": made.nifti(VOLUME),
        "a.nii.gz": gzip.compress(made.nifti(VOLUME)),
    }


NAMES = ["a.png", "a.jpg", "a.bmp", "a.tif", "explicit.dcm", "runs.dcm", "j2k.dcm", "deflated.dcm", "a.nii", "a.nii.gz"]


@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_flipped_bytes_crash_nothing(name, files):
    random = np.random.default_rng(11)
    good = files[name]
    outcomes: Counter[str] = Counter()
    for _ in range(FLIPS):
        bad = bytearray(good)
        for at in random.integers(0, len(bad), random.integers(1, 4)):
            bad[at] = random.integers(0, 256)
        outcomes[outcome(bytes(bad), name)] += 1
    assert sum(outcomes.values()) == FLIPS
    assert outcomes["refused"]


def outcome(data, name):
    try:
        for read in images.read_all(data, name):
            assert read.pixels.dtype == np.uint8 and read.pixels.ndim in (2, 3) and min(read.pixels.shape[:2]) >= 2
    except BadInput as refused:
        assert refused.message and refused.advice
        return "refused"
    return "read"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.75, 0.99])
def test_a_file_that_was_cut_is_refused(name, share, files):
    data = files[name]
    assert outcome(data[: int(len(data) * share)], name) == "refused"


@pytest.mark.parametrize("name", NAMES)
def test_the_sound_file_is_read(name, files):
    assert outcome(files[name], name) == "read"
