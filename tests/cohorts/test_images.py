import gzip
import io
import zipfile

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from medtl.cohorts import limits
from medtl.cohorts.formats import images
from medtl.errors import BadInput
from medtl.vocabulary import Reading

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


def pages(encoded, pictures, **options):
    first, *others = [Image.fromarray(picture) for picture in pictures]
    return encoded(first, "TIFF", save_all=True, append_images=others, **options)


def test_every_page_of_a_tiff_is_a_picture_and_they_stay_together(noise, encoded):
    pictures = [noise(1), noise(2, (9, 7, 3)), noise(3)]
    read = list(images.read_all(pages(encoded, pictures), "a.tif"))
    assert [one.frame for one in read] == [0, 1, 2]
    assert {one.group for one in read} == {"file"}
    assert all(np.array_equal(one.pixels, picture) for one, picture in zip(read, pictures, strict=True))
    assert [one.facts["width"] for one in read] == [32, 7, 32]


def test_of_many_pages_the_middle_one_or_evenly_spaced_ones(noise, encoded):
    data = pages(encoded, [noise(seed) for seed in range(6)])
    assert np.array_equal(images.read(data, "a.tif").pixels, noise(3))
    (middle,) = images.read_all(data, "a.tif", Reading(frames="middle"))
    assert middle.frame == 3
    assert [one.frame for one in images.read_all(data, "a.tif", Reading(slices=2))] == [1, 4]


def test_a_single_page_has_no_number_and_no_group(noise, encoded):
    (read,) = images.read_all(encoded(noise(1), "TIFF"), "a.tif")
    assert (read.frame, read.group) == (None, "")


def test_a_smaller_copy_of_a_page_and_a_mask_are_no_pages(noise, encoded):
    kinds = {254: 1}
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info.update(kinds)
    whole, small = Image.fromarray(noise(1)), Image.fromarray(noise(1)[::2, ::2])
    small.encoderinfo = {"tiffinfo": info}
    (read,) = images.read_all(encoded(whole, "TIFF", save_all=True, append_images=[small]), "a.tif")
    assert np.array_equal(read.pixels, noise(1))
    assert read.frame is None


def test_pages_are_read_one_at_a_time_and_not_too_many_pixels_of_them(noise, encoded, monkeypatch):
    monkeypatch.setattr(limits, "FRAME_PIXELS", 2 * 24 * 32)
    read = images.read_all(pages(encoded, [noise(seed) for seed in range(3)]), "a.tif")
    assert [next(read).frame, next(read).frame] == [0, 1]
    with pytest.raises(BadInput, match="megapixels"):
        next(read)


def test_of_an_animated_png_and_a_stereo_jpeg_the_first_picture_is_read(noise, encoded):
    first, second = (Image.fromarray(noise(seed)) for seed in (1, 2))
    (read,) = images.read_all(encoded(first, "PNG", save_all=True, append_images=[second]), "a.png")
    assert np.array_equal(read.pixels, noise(1))
    (read,) = images.read_all(encoded(first, "MPO", save_all=True, append_images=[second]), "a.jpg")
    assert read.pixels.shape == (24, 32)


@pytest.mark.parametrize("count", [1, 2, 5, 7, 100])
@pytest.mark.parametrize("slices", [0, 1, 2, 3, 7, 99, 500])
def test_chosen_frames_are_different_rising_and_evenly_spaced(count, slices):
    frames = images.chosen(count, Reading(slices=slices))
    assert len(frames) == (min(count, slices) or count)
    assert frames == sorted(set(frames)) and frames[0] >= 0 and frames[-1] < count
    steps = np.diff(frames)
    assert len(steps) == 0 or steps.max() - steps.min() <= 1
    assert images.chosen(count, Reading(frames="middle", slices=slices)) == [count // 2]


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
        ("a.gif", b"GIF89a"),
        ("a.png", b"GIF87a"),
        ("a.nii", b"\x5c\1\0\0"),
        ("a.nii.gz", gzip.compress(b"no volume at all", mtime=0)),
        ("a.gz", gzip.compress(b"no volume at all", mtime=0)),
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


def test_too_little_memory_is_said_in_words(noise, encoded, monkeypatch):
    def greedy(*_):
        raise MemoryError

    monkeypatch.setattr(images, "_to_uint8", greedy)
    with pytest.raises(BadInput, match="memory"):
        images.read(encoded(noise(1)), "a.png")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_width_and_height_are_those_of_the_upright_picture(orientation, kind, noise, encoded):
    """Rectangles to black out are drawn on the upright picture and kept as shares of it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = images.read(encoded(noise(1, (8, 16)), kind, exif=exif))
    assert (read.facts["height"], read.facts["width"]) == read.pixels.shape[:2]
    assert read.pixels.shape == ((8, 16) if orientation < 5 else (16, 8))
