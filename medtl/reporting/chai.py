"""The model card in the form of the Coalition for Health AI: an Applied Model Card as XML, schema version v0.2.

The elements and their order are those of `v0.2/schema.xsd` in github.com/coalition-for-health-ai/mc-schema (read in
November 2026, a draft). Every element that the schema requires is there; what nobody stated says so. Text fields are
read as Markdown, so what comes from users is escaped as Markdown, and then as XML. `ValueJson` is free in the schema;
it has the form of the published examples.
"""

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import medtl
from medtl.evaluation import words
from medtl.reporting import content, figures, markdown, model_card, saying
from medtl.reporting.answers import NOT_STATED
from medtl.reporting.content import Facts
from medtl.vocabulary import Estimate

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"
USEFUL = ("sensitivity", "specificity", "ppv", "npv", "auroc", "auprc", "balanced_accuracy")
SAFE = ("brier", "calibration_slope", "calibration_intercept")


def write(facts: Facts) -> bytes:
    ET.register_namespace("", NAMESPACE)
    card = ET.Element(_in("AppliedModelCard"))
    _fill(
        card,
        "BasicInfo",
        {
            "ModelName": facts.recipe.title,
            "ModelDeveloper": NOT_STATED,
            "DeveloperContact": NOT_STATED,
        },
    )
    _fill(
        card,
        "ReleaseInfo",
        {
            "ReleaseStage": "Research: not released, not a medical device",
            "ReleaseDate": facts.finished[:10] or NOT_STATED,
            "ReleaseVersion": facts.recipe.run,
            "GlobalAvailability": NOT_STATED,
            "RegulatoryApproval": "None",
        },
    )
    summary = _fill(card, "ModelSummary", {"Summary": facts.result.sentence})
    keywords = ET.SubElement(summary, _in("Keywords"))
    for label in facts.classes:
        _put(keywords, "Keyword", label)
    _fill(
        card,
        "UsesAndDirections",
        {
            "IntendedUseAndWorkflow": facts.answer("question"),
            "PrimaryIntendedUsers": facts.answer("use"),
            "HowToUse": f"{model_card.output(facts)} {model_card.threshold(facts)}",
            "TargetedPatientPopulation": facts.answer("included"),
            "CautionedOutOfScopeSettings": " ".join(model_card.NOT_FOR),
        },
    )
    _fill(
        card,
        "Warnings",
        {
            "KnownRisksAndLimitations": " ".join((*saying.limits(facts), *model_card.known_failures(facts))),
            "KnownBiasesOrEthicalConsiderations": _and(facts.answer("weaknesses"), *facts.result.caveats),
            "ClinicalRiskLevel": NOT_STATED,
        },
    )
    trust = ET.SubElement(card, _in("TrustIngredients"))
    _fill(
        trust,
        "AISystemFacts",
        {
            "OutcomesAndOutputs": model_card.output(facts),
            "ModelType": f"{facts.model.builder}, {facts.strategy.title}",
            "FoundationModels": facts.source_title,
            "InputDataSource": facts.answer("where"),
            "OutputAndInputDataTypes": f"Images. {saying.preprocessing(facts)}",
            "DevelopmentDataCharacterization": _development(facts),
            "BiasMitigationApproaches": "None beyond the settings of the strategy: "
            + (", ".join(f"{name} = {value}" for name, value in facts.recipe.settings.items()) or "none"),
            "OngoingMaintenance": "None",
        },
    )
    _fill(trust, "TransparencyInformation", {"FundingSource": NOT_STATED, "StakeholdersConsulted": NOT_STATED})
    metrics = ET.SubElement(card, _in("KeyMetrics"))
    _metric(metrics, "UsefulnessUsabilityEfficacy", facts, "Tell the classes apart", _those(facts, USEFUL))
    _fairness(metrics, facts)
    _metric(
        metrics,
        "SafetyReliability",
        facts,
        "Scores that mean what they say, and images that are not as in the training set",
        [*_those(facts, SAFE), *_reliability(facts)],
    )
    _fill(
        card,
        "Resources",
        {
            "EvaluationReferences": f"Study report of run {facts.recipe.run}, written by MedTL {medtl.__version__}",
            "PeerReviewedPublications": NOT_STATED,
            "PatientConsentOrDisclosure": facts.answer("ethics"),
        },
    )
    _put(card, "Bibliography", "")
    ET.indent(card)
    return bytes(ET.tostring(card, "utf-8", xml_declaration=True))


def _reliability(facts: Facts) -> list[Estimate]:
    """Calibration as the output is used, and the worst fall under a change of the images."""
    found = [one for view in facts.judgement.views[:1] if facts.two for one in (view.mended.after.ece,)]
    robust = facts.result.robustness
    if robust is not None and robust.rows:
        worst = max(robust.rows, key=lambda row: row.fall.value)
        found.append(replace(worst.fall, name=f"fall in AUROC under {worst.name}"))
    return [one for one in found if one is not None]


def _fairness(metrics: ET.Element, facts: Facts) -> None:
    """Every group that is not too small, with its numbers; what was seen in words."""
    rows = [(one, row) for one in facts.judgement.subgroups for row in one.rows if not row.few]
    goal = "No group of patients fares worse" if rows else "Not examined: no group was tested apart"
    several = len(facts.judgement.subgroups) > 1
    found = [
        replace(
            estimate, name=f"{words.title(estimate.name)}, {one.about + ', ' if several else ''}{row.field} {row.group}"
        )
        for one, row in rows
        for estimate in row.estimates
        if estimate.name in ("sensitivity", "specificity", "auroc")
    ]
    _metric(metrics, "FairnessEquity", facts, goal, found, " ".join(model_card.fairness(facts)))


def _metric(parent: ET.Element, name: str, facts: Facts, goal: str, found: list[Estimate], says: str = "") -> None:
    metric = _fill(parent, name, {"MetricGoal": goal})
    results = ET.SubElement(metric, _in("Results"))
    for one in found:
        value = {"kind": "estimate_ci", "estimate": round(one.value, 4), "lower": round(one.low, 4),
                 "upper": round(one.high, 4), "level": 95}  # fmt: skip
        _result(results, f"{words.title(one.name)} ({content.counted(one, facts)}; {one.how})", json.dumps(value))
    if not found:
        _result(results, "Not examined", json.dumps({"kind": "text", "text": "not examined"}))
    _put(metric, "Interpretation", (says or facts.result.sentence) if found else says or "Not examined.")
    _put(metric, "TestType", _test(facts))
    _put(metric, "TestingDataDescription", f"{saying.people(facts.count('test'))}. {model_card.groups(facts)}.")
    _put(
        metric,
        "ValidationProcessAndJustification",
        f"{content.level_of_split(facts.cohort)} {model_card.threshold(facts)}",
    )


def _test(facts: Facts) -> str:
    said = "Internal test: a held-out part of the same cohort, scored once."
    return " ".join([said, *(f"Tested besides on “{one.tested.title}”: {one.says}" for one in facts.abroad)])


def _result(parent: ET.Element, label: str, value: str) -> None:
    result = ET.SubElement(parent, _in("MetricResult"))
    _put(result, "Label", label)
    ET.SubElement(result, _in("ValueJson")).text = value


def _those(facts: Facts, names: tuple[str, ...]) -> list[Estimate]:
    """With more than two classes each class's AUROC comes after the averages."""
    each = [one for one in figures.shown(facts) if one.name.startswith("auroc[")] if "auroc" in names else []
    return [*(one for name in names if (one := facts.result.estimate(name)) is not None), *each]


def _development(facts: Facts) -> str:
    parts = (f"{part}: {saying.people(facts.count(part))}" for part in ("train", "tune"))
    return f"{'; '.join(parts)}. Reference standard: {facts.answer('labelled')}."


def _and(first: str, *more: str) -> str:
    return " ".join((first if first.endswith(".") else f"{first}.", *more))


def _fill(parent: ET.Element, name: str, fields: dict[str, str]) -> ET.Element:
    made = ET.SubElement(parent, _in(name))
    for field, text in fields.items():
        _put(made, field, text)
    return made


def _put(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, _in(name)).text = markdown.said(text)


def _in(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
