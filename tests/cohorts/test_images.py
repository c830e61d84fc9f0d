import io
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from medtl.cohorts import images
from medtl.errors import BadInput

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries speak of damaged files


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3)])
def test_lossless_formats_give_the_pixels_that_were_saved(kind, shape, noise, encoded):
    pixels = noise(1, shape)
    read = images.read(encoded(pixels, kind), f"a{images.SUFFIXES[kind][0]}")
    assert np.array_equal(read.pixels, pixels)
    assert (read.facts["width"], read.facts["height"], read.facts["format"]) == (7, 9, kind)


def test_colour_that_is_grey_everywhere_becomes_one_channel(noise, encoded):
    grey = noise(1)
    assert np.array_equal(images.read(encoded(np.stack([grey] * 3, -1))).pixels, grey)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_stretched_over_its_own_full_range(kind, encoded):
    pixels = np.array([[1000, 1500], [2000, 3000]], np.uint16)
    assert images.read(encoded(pixels, kind)).pixels.tolist() == [[0, 64], [128, 255]]


def test_a_float_image_with_holes_is_read_and_the_holes_are_black(encoded):
    pixels = np.array([[np.nan, 0.0], [0.5, 1.0]], np.float32)
    assert images.read(encoded(pixels, "TIFF")).pixels.tolist() == [[0, 0], [128, 255]]


def test_transparency_is_laid_on_black(encoded):
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[..., 3] = [[0], [0], [255], [255]]
    read = images.read(encoded(pixels)).pixels
    assert read[0, 0] == 0
    assert read[3, 3] == 200


def test_palette_cmyk_and_one_bit_are_converted(encoded):
    red = Image.new("RGB", (8, 8), (250, 10, 10))
    assert images.read(encoded(red.quantize(4), "PNG")).pixels.shape == (8, 8, 3)
    red_value, green_value, _ = images.read(encoded(red.convert("CMYK"), "JPEG")).pixels[4, 4]
    assert red_value > 200 > 60 > green_value
    assert set(np.unique(images.read(encoded(Image.new("1", (8, 8), 1), "PNG")).pixels)) == {255}


def test_a_rotation_in_the_exif_data_is_applied(noise, encoded):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    read = images.read(encoded(noise(1, (8, 16)), "JPEG", exif=exif)).pixels
    assert read.shape == (16, 8)


def test_only_the_first_page_is_read(noise, encoded):
    pages = [Image.fromarray(noise(seed)) for seed in (1, 2)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert np.array_equal(images.read(data).pixels, noise(1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.75, 0.99])
def test_a_cut_file_is_refused(kind, share, noise, encoded):
    data = encoded(noise(1, (64, 64, 3)), kind)
    with pytest.raises(BadInput):
        images.read(data[: int(len(data) * share)], f"a{images.SUFFIXES[kind][0]}")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", b""),
        ("a.png", b"no image at all"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.html", b"<html></html>"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0"),
        ("a.psd", b"8BPS\0\1"),
        ("a.png", b"PK\x03\x04 and so on"),
    ],
)
def test_what_is_no_image_is_refused_with_advice(name, data):
    """ASVS 5.0, 5.2.2: extension and content match."""
    with pytest.raises(BadInput) as refused:
        images.read(data, name)
    assert refused.value.message and refused.value.advice


@pytest.mark.parametrize("name", ["a.jpg", "a.dcm", "a.txt"])
def test_a_png_under_another_name_is_refused_and_both_are_named(name, noise, encoded):
    """ASVS 5.0, 5.2.2."""
    with pytest.raises(BadInput, match=rf"\{name[1:]}.*PNG"):
        images.read(encoded(noise(1)), name)


def test_an_image_without_ending_is_read_by_its_content(noise, encoded):
    assert images.read(encoded(noise(1)), "scan").pixels.shape == (24, 32)


def test_a_zip_hidden_behind_a_picture_is_refused(noise, encoded):
    behind = io.BytesIO()
    with zipfile.ZipFile(behind, "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(BadInput, match="hidden"):
        images.read(encoded(noise(1), "JPEG") + behind.getvalue(), "a.jpg")


def test_a_pixel_flood_is_refused_from_the_header(huge_png):
    """ASVS 5.0, 5.2.6."""
    with pytest.raises(BadInput, match="megapixels"):
        images.read(huge_png, "a.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_flipped_bytes_never_crash(kind, noise, encoded):
    good = bytearray(encoded(noise(1, (16, 16, 3)), kind))
    random = np.random.default_rng(0)
    for _ in range(60):
        bad = bytearray(good)
        for at in random.integers(0, len(bad), 3):
            bad[at] = random.integers(0, 256)
        with suppress(BadInput):
            assert images.read(bytes(bad)).pixels.dtype == np.uint8
