import gzip

import nibabel
import numpy as np
import pytest

from medtl.cohorts import limits
from medtl.cohorts.formats import images, volumes
from medtl.cohorts.formats.images import Unsupported
from medtl.errors import BadInput
from medtl.vocabulary import WINDOWS, Reading
from tests.cohorts.made_dicom import nifti

VOXELS = np.random.default_rng(5).integers(0, 1000, (9, 7, 5)).astype(np.int16)
ORIENTATIONS = ["RAS", "LPS", "LAS", "PSR", "SAL", "ILP", "ASL"]


def oriented(voxels, axes, spacing=(1.0, 1.0, 1.0)):
    """The same volume (given as RAS), stored along other axes."""
    image = nibabel.Nifti1Image(voxels, np.diag([*spacing, 1.0]))
    wanted = nibabel.orientations.axcodes2ornt(axes)
    return image.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(image.affine), wanted))


def read(data, how=Reading(), name="a.nii"):
    return list(images.read_all(data, name, how))


@pytest.mark.parametrize("axes", ORIENTATIONS)
def test_slices_are_upright_however_the_volume_is_stored(axes):
    """Front up, the patient's right on the left, from feet to head; against `nibabel.as_closest_canonical`."""
    image = oriented(VOXELS, axes)
    canonical = np.asarray(nibabel.as_closest_canonical(image).dataobj)
    low, high = np.percentile(canonical, volumes.PERCENTILES)
    slices = read(image.to_bytes())
    assert [one.frame for one in slices] == [0, 1, 2, 3, 4]
    for one in slices:
        seen = canonical[:, :, one.frame]  # (to the right, to the front)
        expected = np.clip((seen - low) / (high - low), 0, 1)[::-1, ::-1].T * 255
        assert np.abs(one.pixels - expected).max() <= 0.51


def test_a_mark_on_the_right_of_the_front_of_the_head_is_where_a_radiologist_expects_it():
    voxels = np.zeros((10, 12, 8), np.uint8)
    voxels[8:, 10:, 6:] = 200  # right, front, head
    voxels[4, 4, :] = 50
    slices = read(nifti(voxels))
    assert slices[-1].pixels[0, 0] == 255 and slices[-1].pixels[-1, -1] == 0
    assert slices[0].pixels[0, 0] == 0


@pytest.mark.parametrize("axes", ORIENTATIONS)
def test_spacing_goes_with_the_picture(axes):
    first = read(oriented(VOXELS, axes, (0.5, 0.75, 3.0)).to_bytes())[0]
    assert first.facts["spacing"] == [0.75, 0.5]
    assert (first.facts["width"], first.facts["height"]) == (9, 7)
    assert first.pixels.shape == (7, 9)


def test_spacing_in_other_units_becomes_millimetres():
    image = nibabel.Nifti1Image(VOXELS, np.diag([500.0, 500.0, 2000.0, 1.0]))
    image.header.set_xyzt_units("micron")
    assert read(image.to_bytes())[0].facts["spacing"] == [0.5, 0.5]


def test_packed_and_plain_second_version_and_big_endian_are_the_same_volume():
    plain = [one.pixels for one in read(nifti(VOXELS))]
    second = nibabel.Nifti2Image(VOXELS, np.eye(4)).to_bytes()
    swapped = nibabel.Nifti1Image(VOXELS, np.eye(4))
    swapped = nibabel.Nifti1Image(VOXELS, np.eye(4), swapped.header.as_byteswapped()).to_bytes()
    for data, name in ((gzip.compress(nifti(VOXELS)), "a.nii.gz"), (second, "a.nii"), (swapped, "a.nii")):
        assert images.kind_of(data) == "NIFTI"
        assert np.array_equal([one.pixels for one in read(data, name=name)], plain)


def test_slope_and_intercept_make_the_values():
    data = nifti(np.tile(np.arange(16, dtype=np.int16).reshape(4, 4), (3, 1, 1)).T, scl_slope=100.0, scl_inter=-1000.0)
    volume = volumes.read(data)
    assert (volume.slope, volume.intercept) == (100.0, -1000.0)
    lung = read(data, Reading(window="lung"))[0].pixels
    centre, width = WINDOWS["lung"]
    expected = np.clip((np.arange(16) * 100 - 1000 - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255
    assert np.abs(np.unique(lung) - np.unique(np.round(expected))).max() <= 1


def test_a_ct_window_only_where_the_values_look_like_hounsfield_units():
    hounsfield = (VOXELS * 2 - 1000).astype(np.int16)
    centre, width = WINDOWS["lung"]
    shown = read(nifti(hounsfield), Reading(window="lung"))[2].pixels
    expected = np.clip((hounsfield[::-1, ::-1, 2].T - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255
    assert np.abs(shown - expected).max() <= 0.51
    assert np.array_equal(read(nifti(VOXELS), Reading(window="lung"))[2].pixels, read(nifti(VOXELS))[2].pixels)


def test_all_slices_share_one_range():
    """A slice with less on it must not look brighter for it."""
    voxels = np.zeros((20, 20, 3), np.float32)
    voxels[..., 0] = np.linspace(0, 100, 400).reshape(20, 20)
    voxels[..., 1] = voxels[..., 0] / 2
    voxels[..., 2] = voxels[..., 0] / 4
    brightest = [int(one.pixels.max()) for one in read(nifti(voxels))]
    assert brightest[0] == 255 and 120 <= brightest[1] <= 140 and 60 <= brightest[2] <= 70


def test_empty_slices_at_both_ends_are_left_out_and_those_within_are_not():
    voxels = np.zeros((6, 6, 9), np.int16)
    voxels[..., 2] = voxels[..., 6] = VOXELS[:6, :6, 0]
    assert [one.frame for one in read(nifti(voxels))] == [2, 3, 4, 5, 6]
    assert [one.frame for one in read(nifti(voxels), Reading(frames="middle"))] == [4]
    assert [one.frame for one in read(nifti(voxels), Reading(slices=2))] == [3, 5]
    assert images.read(nifti(voxels), "a.nii").frame == 4


def test_a_mask_is_shown_in_black_and_white():
    voxels = np.zeros((64, 64, 3), np.uint8)
    voxels[1, 1] = 3  # fewer than 0.5 % of the voxels
    assert set(np.unique(read(nifti(voxels))[0].pixels)) == {0, 255}


def test_no_number_is_black():
    voxels = VOXELS.astype(np.float32)
    voxels[0, 0, 2], voxels[1, 0, 2] = np.nan, np.inf
    pixels = read(nifti(voxels))[2].pixels
    assert pixels[-1, -1] == 0


def test_slices_of_a_volume_stay_together_and_say_what_they_are():
    slices = read(nifti(VOXELS))
    assert {one.group for one in slices} == {"file"}
    assert slices[0].facts == {
        "width": 9,
        "height": 7,
        "mode": "int16",
        "format": "NIFTI",
        "bytes": len(nifti(VOXELS)),
        "spacing": [1.0, 1.0],
    }


def test_nothing_of_the_free_text_is_kept():
    data = nifti(VOXELS, descrip=b"ZZPHI", db_name=b"ZZPHI", intent_name=b"ZZPHI", aux_file=b"ZZPHI")
    assert b"ZZPHI" in data
    assert "ZZPHI" not in repr(read(data)[0])


def test_of_a_series_of_volumes_the_first_is_read():
    several = np.stack([VOXELS, VOXELS[::-1]], -1)
    assert np.array_equal([one.pixels for one in read(nifti(several))], [one.pixels for one in read(nifti(VOXELS))])
    flat = read(nifti(VOXELS[..., 0]))
    assert len(flat) == 1 and flat[0].frame is None and flat[0].group == ""


def test_colours_are_colours():
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours = np.random.default_rng(6).integers(0, 256, (9, 7, 5, 3), np.uint8)
    voxels = np.ascontiguousarray(colours).view(kind)[..., 0]
    shown = read(nifti(voxels))[1]
    assert np.array_equal(shown.pixels, colours[::-1, ::-1, 1].transpose(1, 0, 2))
    assert shown.facts["mode"] == "RGB"


@pytest.mark.parametrize("kind", [np.complex64, np.complex128])
def test_voxels_that_are_no_grey_values_are_named(kind):
    with pytest.raises(Unsupported, match="neither grey values nor colours"):
        read(nifti(np.zeros((4, 4, 4), kind)))


def test_a_header_without_its_voxels_is_named():
    pair = nibabel.Nifti1Pair(VOXELS, np.eye(4)).header.copy()
    pair["magic"] = b"ni1"
    with pytest.raises(Unsupported, match="pair"):
        read(pair.binaryblock + bytes(8))


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((3, 9, 0, 5), "size"),
        ((5, 9, 7, 5, 2, 2), "dimensions"),
        ((3, 9, 9000, 5), "voxels"),
        ((3, 3000, 3000, 3000), "MB"),
        ((3, 9, 7, 50), "cut short"),
    ],
)
def test_a_size_that_cannot_be_is_refused_before_a_voxel_is_touched(shape, says):
    """ASVS 5.0, 5.2.6: packed or not, the header is asked first."""
    header = nibabel.Nifti1Header()
    header["dim"][: len(shape)] = shape
    header["datatype"], header["bitpix"], header["magic"], header["vox_offset"] = 4, 16, b"n+1", 352
    data = header.binaryblock + bytes(4) + VOXELS.tobytes()
    for file, name in ((data, "a.nii"), (gzip.compress(data), "a.nii.gz")):
        with pytest.raises(BadInput, match=says):
            read(file, name=name)


def test_a_packed_volume_is_unpacked_no_further_than_its_header_says():
    """ASVS 5.0, 5.2.3: 40 MB of nothing behind the voxels stay packed."""
    import tracemalloc

    data = gzip.compress(nifti(VOXELS) + bytes(40 * limits.MB))
    volumes.read(data)  # loads what it needs
    tracemalloc.start()
    volumes.read(data)
    assert tracemalloc.get_traced_memory()[1] < 4 * limits.MB
    tracemalloc.stop()


def test_a_volume_of_one_single_value_is_refused():
    with pytest.raises(BadInput, match="nothing on it"):
        read(nifti(np.full((4, 5, 6), 7, np.int16)))


def test_too_many_pixels_are_refused_and_fewer_slices_help(monkeypatch):
    monkeypatch.setattr(limits, "FRAME_PIXELS", 3 * 63)
    with pytest.raises(BadInput, match="megapixels"):
        read(nifti(VOXELS))
    assert len(read(nifti(VOXELS), Reading(slices=3))) == 3


def test_a_header_without_an_orientation_is_shown_as_stored():
    data = nifti(VOXELS, qform_code=0, sform_code=1, srow_x=[np.nan] * 4)
    assert read(data)[0].pixels.shape == (7, 9)


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.75, 0.99])
@pytest.mark.parametrize("packed", [False, True])
def test_a_cut_file_is_refused(share, packed):
    data = gzip.compress(nifti(VOXELS)) if packed else nifti(VOXELS)
    with pytest.raises(BadInput):
        read(data[: int(len(data) * share)], name="a.nii.gz" if packed else "a.nii")


def test_what_has_to_be_put_in_order_is_put_in_order_once():
    """Slices of a volume stored from the side are scattered over the whole file."""
    volume = volumes.read(oriented(VOXELS, "SAL").to_bytes())
    assert abs(volume.stack.strides[0]) == max(abs(step) for step in volume.stack.strides)
    plain = volumes.read(nifti(VOXELS))
    assert not plain.stack.flags.owndata


def test_without_its_library_a_volume_is_not_called_damaged(monkeypatch):
    import sys

    data = nifti(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    for module in ("nibabel", "nibabel.orientations"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match="nibabel, which is not installed"):
        list(volumes.slices(data, Reading()))
