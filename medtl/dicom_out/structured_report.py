"""The answer as a structured report (TID 1500): numbers with their intervals, and sentences that say what to doubt.

It refers to the original by UID and names the model as the device that observed. Codes of our own (99MEDTL) where no
standard has one; a class is coded by a hash of its name, and its name is the meaning.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from medtl.dicom_out.common import MAKER, NOT_A_DEVICE, Model, Numbering, Original, code, code_of, mark, new_uid, short
from medtl.errors import BadInput
from medtl.evaluation import words
from medtl.runs import findings
from medtl.vocabulary import Estimate

if TYPE_CHECKING:
    from pydicom import Dataset

TOLD = ("auroc", "sensitivity", "specificity", "balanced_accuracy", "accuracy", "kappa_quadratic")
CODES = {
    "auroc": "AUROC", "sensitivity": "SENSITIVITY", "specificity": "SPECIFICITY", "accuracy": "ACCURACY",
    "balanced_accuracy": "BALANCED_ACC", "kappa_quadratic": "KAPPA_QUADR",
}  # fmt: skip
PRESENCE = {"present": "PRESENT", "absent": "ABSENT", "cannot tell": "CANNOT_TELL"}
SENTENCE = 2000  # characters


def structured_report(original: Original, answer: Mapping[str, Any], model: Model, numbering: Numbering) -> "Dataset":
    """Comprehensive SR, unverified. Raises BadInput where the original is no DICOM, or there is no answer."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    header = original.header
    if header is None:
        raise BadInput("A report refers to a DICOM image, and this is none.", "The overlay can be had.")
    if not answer.get("scores"):
        raise BadInput("There is no answer to report.", str(answer.get("why_not") or "Ask about another image."))
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=_observer(model)),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=_groups(original, answer, model),
        title=codes.DCM.ImagingMeasurementReport,
    )
    content[0].ContentSequence.append(_sentences(answer, model))
    made = hd.sr.ComprehensiveSR(
        evidence=[header],
        content=content[0],
        manufacturer=MAKER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        **numbering.next(str(header.StudyInstanceUID), "report"),
    )
    made.ManufacturerModelName, made.SoftwareVersions = MAKER, short(model.version)
    mark(made, "report", header)
    return made


def _observer(model: Model) -> Any:
    import highdicom as hd

    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=_uid_of(model.run),
        name=short(model.title),
        manufacturer_name=MAKER,
        model_name=short(model.version),
        serial_number=short(model.run),
    )
    return hd.sr.ObserverContext(observer_type=_device(), observer_identifying_attributes=device)


def _device() -> Any:
    from pydicom.sr.codedict import codes

    return codes.DCM.Device


# ---- numbers --------------------------------------------------------------------------------------------------------


def _groups(original: Original, answer: Mapping[str, Any], model: Model) -> list[Any]:
    """The answer; then what stands behind it: once, or for each of several findings."""
    what = code("ANSWER", "Answer of a model")
    reached = code("REACHED", "What the model reached on its test part")
    groups = [_group("the answer", what, original, model, _scores(answer), _verdicts(answer))]
    if model.result.findings:
        for name in model.result.findings:
            about = findings.result_of(model.result, name)
            behind = [*_threshold(about.threshold), *_estimates(about.estimates)]
            says = answer.get("findings", {}).get(name)
            verdict = [_coded("FINDING", name, PRESENCE[says], says)] if says in PRESENCE else []
            groups.append(_group(f"on the test part: {name}", reached, original, model, behind, verdict))
    else:
        behind = [*_threshold(model.result.threshold), *_estimates(model.result.estimates)]
        groups.append(_group("on the test part", reached, original, model, behind, []))
    return [group for group in groups if group is not None]


def _group(
    name: str, finding: Any, original: Original, model: Model, measurements: list[Any], verdicts: list[Any]
) -> Any | None:
    import highdicom as hd

    if not measurements and not verdicts:
        return None
    assert original.header is not None
    frames = None if original.frame is None else [original.frame + 1]
    source = hd.sr.SourceImageForMeasurementGroup(
        referenced_sop_class_uid=original.header.SOPClassUID,
        referenced_sop_instance_uid=original.header.SOPInstanceUID,
        referenced_frame_numbers=frames,
    )
    algorithm = hd.sr.AlgorithmIdentification(
        name=short(model.title),
        version=short(model.version),
        parameters=[f"run={model.run}", *([f"weights={model.weights}"] if model.weights else [])],
    )
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=new_uid(), identifier=short(f"{MAKER} {model.run}: {name}")),
        finding_type=finding,
        algorithm_id=algorithm,
        measurements=measurements,
        qualitative_evaluations=verdicts,
        source_images=[source],
    )


def _scores(answer: Mapping[str, Any]) -> list[Any]:
    """One a class, called what it may be called; and the recalibrated probability where the run has one."""
    word = str(answer.get("word") or "score").capitalize()
    made = [_number(f"S-{code_of(name)}", f"{word} for {name}", value) for name, value in answer["scores"].items()]
    calibrated = answer.get("calibrated") or {}
    made += [_number(f"P-{code_of(k)}", f"Probability of {k}, recalibrated", v) for k, v in calibrated.items()]
    return [one for one in made if one is not None]


def _threshold(threshold: Any) -> list[Any]:
    if threshold is None or threshold.value is None:
        return []
    found = _number("THRESHOLD", f"Threshold, chosen on the {threshold.chosen_on} part", threshold.value)
    return [found] if found is not None else []


def _estimates(estimates: Iterable[Estimate]) -> list[Any]:
    """Value, limits and n of each: an interval is three numbers that say so."""
    made = []
    for one in estimates:
        if one.name in TOLD:
            key, title = CODES[one.name], words.title(one.name)
            made += [
                _number(key, f"{title} on the test part", one.value),
                _number(f"{key}_L", f"{title}, lower end of 95 % interval", one.low),
                _number(f"{key}_U", f"{title}, upper end of 95 % interval", one.high),
                _number(f"{key}_N", f"{title}, number it rests on", one.n, "{cases}", "cases"),
            ]
    return [one for one in made if one is not None]


def _number(key: str, meaning: str, value: Any, unit: str = "1", unit_meaning: str = "no units") -> Any | None:
    import highdicom as hd

    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    units = hd.sr.CodedConcept(unit, "UCUM", unit_meaning)
    return hd.sr.Measurement(name=code(key, meaning), value=round(float(value), 9), unit=units)


def _verdicts(answer: Mapping[str, Any]) -> list[Any]:
    called = answer.get("called") or [answer.get("predicted")]
    accepted = bool(answer.get("accepted"))
    return [
        _coded("USE", "Use", "RESEARCH", "Research use only"),
        _coded(
            "GATE", "Image is like those the model was trained on", "YES" if accepted else "NO",
            "Yes" if accepted else "No: do not rely on the answer",
        ),
        *(_coded("CALLED", "Called", f"C-{code_of(str(name))}", str(name)) for name in called if name),
        *(_coded("SET", "Cannot be ruled out", f"C-{code_of(name)}", name) for name in answer.get("set") or ()),
    ]  # fmt: skip


def _coded(key: str, name: str, value: str, meaning: str) -> Any:
    import highdicom as hd

    concept = code(key if key != "FINDING" else f"F-{code_of(name)}", name)
    return hd.sr.QualitativeEvaluation(name=concept, value=code(value, meaning))


# ---- sentences ------------------------------------------------------------------------------------------------------


def _sentences(answer: Mapping[str, Any], model: Model) -> Any:
    """TID 1500 row 12: a container of qualitative evaluations as text."""
    import highdicom as hd

    named = hd.sr.CodedConcept("C0034375", "UMLS", "Qualitative Evaluations")
    box = hd.sr.ContainerContentItem(name=named, relationship_type=hd.sr.RelationshipTypeValues.CONTAINS)
    told = [
        ("USE_TEXT", "Use", NOT_A_DEVICE),
        ("ANSWER_TEXT", "Answer", str(answer.get("says") or "")),
        ("GATE_TEXT", "Doubt", str(answer.get("why_not") or "")),
        ("KNOWN_TEXT", "Known", str(answer.get("known") or "")),
        ("RULE_TEXT", "Threshold", _rule(model)),
        ("TEST_TEXT", "Test", model.result.sentence),
        *(("CAVEAT_TEXT", "Caveat", caveat) for caveat in model.result.caveats),
    ]
    box.ContentSequence = hd.sr.ContentSequence([
        hd.sr.TextContentItem(
            name=code(key, name), value=short(text, SENTENCE), relationship_type=hd.sr.RelationshipTypeValues.CONTAINS
        )
        for key, name, text in told
        if text
    ])
    return box


def _rule(model: Model) -> str:
    threshold = model.result.threshold
    if threshold is None:
        return ""
    return f"{threshold.rule} The score: {threshold.value:.4g}." if threshold.value is not None else threshold.rule


def _uid_of(run: str) -> str:
    """The same device, the same UID."""
    number = int.from_bytes(hashlib.sha256(f"medtl run {run}".encode()).digest()[:16], "big")
    number = number & ~(0xF << 76) | (0x8 << 76)  # version 8, for our own (RFC 9562)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return f"2.25.{number}"
