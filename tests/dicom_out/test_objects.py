"""What stands in each object, read back with pydicom and with highdicom."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread

from medtl import dicom_out
from medtl.dicom_out.common import Model, Said
from medtl.dicom_out.region import contours
from medtl.dicom_out.secondary_capture import burned_in
from medtl.explanation.overlay import overlay
from medtl.workspace import Workspace
from tests.builders import finished_run
from tests.dicom_out.originals import SIDE, answer, original

Make = Callable[..., tuple[Path, Dataset, dict[str, Any]]]


def shared() -> np.ndarray:
    """The map of the answer, stretched to the picture."""
    values = np.asarray(answer()["explanation"]["values"], np.float32)
    return np.asarray(Image.fromarray(values).resize(SIDE[::-1], Image.Resampling.BILINEAR))


# ---- overlay --------------------------------------------------------------------------------------------------------


def test_the_overlay_shows_every_pixel_and_a_strip_below(made: Make) -> None:
    folder, source, _ = made("US", "keep")
    one = dcmread(folder / "0001-overlay.dcm")
    drawn = one.pixel_array
    assert drawn.dtype == np.uint8 and one.PhotometricInterpretation == "RGB"
    expected = overlay(source.pixel_array, np.asarray(answer()["explanation"]["values"], np.float32))
    assert np.array_equal(drawn[: SIDE[0], : SIDE[1]], expected)
    strip = drawn[SIDE[0] :]
    assert strip.shape[0] > 40 and len(np.unique(strip.reshape(-1, 3), axis=0)) > 50  # words and scale
    assert one.BurnedInAnnotation == "YES" and "where the network looked" in one.DerivationDescription
    assert "not where the disease is" in one.DerivationDescription and one.ConversionType == "WSD"
    assert one.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert one.ImageType[:2] == ["DERIVED", "SECONDARY"] and "Not a medical device" in one.ImageComments


def test_a_tall_film_is_drawn_as_a_small_one() -> None:
    """It is drawn in bands, and no seam is seen."""
    picture = np.random.default_rng(0).integers(0, 255, (700, 400)).astype(np.uint8)
    said = Said.of(answer())
    assert said.values is not None
    model = Model("r-1", "Lumps", None)  # type: ignore[arg-type]
    assert np.array_equal(burned_in(picture, said, model)[:700, :400], overlay(picture, said.values))


def test_the_overlay_of_a_clip_names_the_frame(made: Make) -> None:
    folder, _, _ = made("CLIP", "keep")
    one = dcmread(folder / "0001-overlay.dcm")
    assert one.SourceImageSequence[0].ReferencedFrameNumber == 3  # the middle one of five


def test_a_frame_that_is_named_is_the_one_that_is_shown(office_ws: tuple[Workspace, str], tmp_path: Path) -> None:
    ws, run = office_ws
    (tmp_path / "a.dcm").write_bytes(original("CLIP"))
    asked = [(tmp_path / "a.dcm", answer(frame=n)) for n in (0, 4, 9)]
    said = dicom_out.make(ws, run, asked, tmp_path / "out", kinds=("overlay", "contour"))
    assert [(left["image"], left["kind"]) for left in said["left_out"]] == [(3, "all")]
    for one in said["objects"]:
        read = dcmread(one["file"])
        at = read.SourceImageSequence[0] if one["kind"] == "overlay" else (
            read.GraphicAnnotationSequence[0].ReferencedImageSequence[0]
        )  # fmt: skip
        assert at.ReferencedFrameNumber == {1: 1, 2: 5}[one["image"]]


# ---- region and contour ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["CT", "CR", "US"])
def test_the_region_is_where_the_map_is_high(made: Make, kind: str) -> None:
    folder, source, _ = made(kind, "keep")
    one = hd.seg.segread(folder / "0001-region.dcm")
    pixels = one.pixel_array.reshape(SIDE)
    assert np.array_equal(pixels, (shared() >= 0.5).astype(np.uint8)) and 0 < pixels.mean() < 0.5
    segment = one.get_segment_description(1)
    assert segment.segment_label == "Where the network looked for malignant"
    assert segment.segmented_property_type.meaning == "Saliency" and segment.algorithm_type.value == "AUTOMATIC"
    assert one.get_source_image_uids()[0][2] == source.SOPInstanceUID
    assert ("FrameOfReferenceUID" in one) == (kind == "CT")


def test_a_fractional_region_is_the_map(office_ws: tuple[Workspace, str], tmp_path: Path) -> None:
    ws, run = office_ws
    (tmp_path / "a.dcm").write_bytes(original("CT"))
    said = dicom_out.make(
        ws, run, [(tmp_path / "a.dcm", answer())], tmp_path / "out", kinds=("region",), region="fractional"
    )
    one = hd.seg.segread(said["objects"][0]["file"])
    assert one.segmentation_type.value == "FRACTIONAL"
    assert np.allclose(one.pixel_array.reshape(SIDE) / 255, shared(), atol=1 / 255)


@pytest.mark.parametrize("kind", ["CT", "CR", "US", "CLIP"])
def test_the_contour_goes_around_the_region(made: Make, kind: str) -> None:
    folder, source, _ = made(kind, "keep")
    one = dcmread(folder / "0001-contour.dcm")
    (annotation,) = one.GraphicAnnotationSequence
    assert annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    if kind == "CLIP":
        assert annotation.ReferencedImageSequence[0].ReferencedFrameNumber == 3
    points = np.asarray(annotation.GraphicObjectSequence[0].GraphicData).reshape(-1, 2)  # column, row
    assert np.array_equal(points[0], points[-1])  # closed
    assert points.min() >= 0 and (points <= (SIDE[1], SIDE[0])).all()
    mask = shared() >= 0.5
    rows, columns = np.nonzero(mask)
    assert points[:, 0].min() == pytest.approx(columns.min(), abs=1.5)
    assert points[:, 1].min() == pytest.approx(rows.min(), abs=1.5)
    assert "RESEARCH USE" in annotation.TextObjectSequence[0].UnformattedTextValue


def test_contours_enclose_what_is_high_also_at_the_border() -> None:
    share = np.zeros((20, 30))
    share[5:10, 8:16] = 1
    share[15:, 25:] = 1  # in a corner
    lines = contours(share, 0.5)
    assert len(lines) == 2
    box, corner = sorted(lines, key=lambda line: line[:, 0].min())
    assert np.allclose([box.min(axis=0), box.max(axis=0)], [[8, 5], [16, 10]], atol=0.6)
    assert np.allclose(corner.max(axis=0), [30, 20], atol=0.6) and np.allclose(corner.min(axis=0), [25, 15], atol=0.6)
    assert not contours(np.zeros((5, 5)), 0.5)
    rough = np.random.default_rng(0).random((300, 300))
    assert len(contours(rough, 0.5)) <= 50 and all(len(line) <= 402 for line in contours(rough, 0.5))


# ---- report ---------------------------------------------------------------------------------------------------------


def numbers(report: Any) -> dict[str, float]:
    found = {}
    for group in report.content.get_image_measurement_groups():
        for one in group.get_measurements():
            found[one.name.meaning] = float(one.value)
    return found


def test_the_report_says_the_answer_with_what_stands_behind_it(made: Make, office_ws: tuple[Workspace, str]) -> None:
    folder, source, _ = made("CT", "keep")
    report = hd.sr.srread(folder / "0001-report.dcm")
    said = numbers(report)
    assert said["Score for malignant"] == 0.8 and said["Score for benign"] == 0.2
    from medtl.runs import results

    result = results.load(office_ws[0].run(office_ws[1]))
    for name, title in (("sensitivity", "Sensitivity"), ("specificity", "Specificity"), ("auroc", "AUROC")):
        estimate = result.estimate(name)
        assert estimate is not None
        told = [said[f"{title} on the test part"], *(said[f"{title}, {end} end of 95 % interval"] for end in ENDS)]
        assert told == pytest.approx([estimate.value, estimate.low, estimate.high], abs=1e-6)
        assert said[f"{title}, number it rests on"] == estimate.n
    assert result.threshold is not None and result.threshold.value is not None
    assert said["Threshold, chosen on the tune part"] == pytest.approx(result.threshold.value, abs=1e-8)
    group = report.content.get_image_measurement_groups()[0]
    verdicts = {one.name.meaning: one.value.meaning for one in group.get_qualitative_evaluations()}
    assert verdicts == {
        "Use": "Research use only", "Image is like those the model was trained on": "Yes", "Called": "malignant",
        "Cannot be ruled out": "malignant",
    }  # fmt: skip
    assert group.source_images[0].referenced_sop_instance_uid == source.SOPInstanceUID
    assert report.CompletionFlag == "COMPLETE" and report.VerificationFlag == "UNVERIFIED"
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert study.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID


ENDS = ("lower", "upper")


def test_a_probability_is_called_one_only_where_it_was_learned(
    office_ws: tuple[Workspace, str], tmp_path: Path
) -> None:
    ws, run = office_ws
    (tmp_path / "a.dcm").write_bytes(original("CR"))
    later = answer(word="score", calibrated={"malignant": 0.31, "benign": 0.69}, says="Cannot tell: both are possible.")
    for given, named in ((later, True), (answer(), False)):
        said = dicom_out.make(ws, run, [(tmp_path / "a.dcm", given)], tmp_path / "out", kinds=("report",))
        report = hd.sr.srread(said["objects"][0]["file"])
        told = numbers(report)
        assert told["Score for malignant"] == 0.8
        assert (told.get("Probability of malignant, recalibrated") == 0.31) == named
        assert ("Cannot tell: both" in report.to_json()) == named


def test_the_model_is_the_device_that_observed(made: Make) -> None:
    folder, _, _ = made("CT", "keep")
    text = dcmread(folder / "0001-report.dcm").to_json()
    for word in ("Lumps", "MedTL", "r-1", "Not a medical device", "Device Observer UID"):
        assert word in text, word


def test_a_refused_image_is_reported_as_refused(office_ws: tuple[Workspace, str], tmp_path: Path) -> None:
    ws, run = office_ws
    (tmp_path / "a.dcm").write_bytes(original("CR"))
    refused = answer(accepted=False, why_not="It does not look like the images this model was trained on.", set=[])
    said = dicom_out.make(ws, run, [(tmp_path / "a.dcm", refused)], tmp_path / "out", kinds=("report",))
    report = hd.sr.srread(said["objects"][0]["file"])
    group = report.content.get_image_measurement_groups()[0]
    verdicts = {one.name.meaning: one.value.meaning for one in group.get_qualitative_evaluations()}
    assert verdicts["Image is like those the model was trained on"].startswith("No")
    assert "does not look like" in report.to_json()


def test_each_finding_has_a_group(tmp_path: Path) -> None:
    ws = Workspace(tmp_path / "home").ensure()
    y = np.arange(20) % 2
    place = finished_run(ws, "r-2", y, np.stack([1 - y * 0.9, y * 0.9], axis=1)) / "result" / "estimates.json"
    content = json.loads(place.read_text())
    content["findings"] = {
        name: {"estimates": content["estimates"], "threshold": content["threshold"]} for name in ("disc", "bar", "dot")
    }
    place.write_text(json.dumps(content))
    (tmp_path / "a.dcm").write_bytes(original("CR"))
    several = answer(
        predicted="disc|bar", called=["disc", "bar"], set=["disc"], scores={"disc": 0.9, "bar": 0.6, "dot": 0.1},
        findings={"disc": "present", "bar": "cannot tell", "dot": "absent"}, explanation=None,
    )  # fmt: skip
    said = dicom_out.make(ws, "r-2", [(tmp_path / "a.dcm", several)], tmp_path / "out", kinds=("report",))
    groups = hd.sr.srread(said["objects"][0]["file"]).content.get_image_measurement_groups()
    assert len(groups) == 4
    told = [one.value.meaning for group in groups[1:] for one in group.get_qualitative_evaluations()]
    assert told == ["present", "cannot tell", "absent"]
    assert all("Sensitivity on the test part" in [m.name.meaning for m in g.get_measurements()] for g in groups[1:])
