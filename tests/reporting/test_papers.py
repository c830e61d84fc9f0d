"""The papers of a finished run: number for number what the run stored, and "not stated" where nobody said."""

import dataclasses
import re
import shutil
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from medtl.checkup import Checkup
from medtl.cohorts import readings as labelling
from medtl.errors import BadInput, NotReady
from medtl.evaluation import words
from medtl.reporting import (
    answers,
    chai,
    checklists,
    content,
    html,
    markdown,
    model_card,
    papers,
    report,
    saying,
    statements,
)
from medtl.reporting.content import Facts
from medtl.reporting.sections import cases, looked
from medtl.runs import choices, results
from medtl.trust import judge, operating_point, reader
from medtl.vocabulary import PARTS, Edit, Finding, OperatingRule, Skipped
from medtl.workspace import Workspace
from tests.conftest import Practice
from tests.reporting.conftest import words_of


@pytest.fixture(scope="module")
def facts(practice: Practice) -> Facts:
    return content.read(practice.ws, practice.run)


# ---- facts ---------------------------------------------------------------------------------------------------------


def test_every_case_is_counted_once(facts: Facts, practice: Practice) -> None:
    assert sum(one.cases for one in facts.counts) == facts.flow.cases == len(practice.cohort.cases)
    assert all(
        sum(facts.count(part, label).cases for label in facts.classes) == facts.count(part).cases for part in PARTS
    )
    assert facts.flow.files == facts.flow.read == facts.flow.cases


def test_skipped_and_left_out_are_told_from_the_files_on(facts: Facts) -> None:
    cohort = dataclasses.replace(
        facts.cohort,
        skipped=(Skipped("a", "no picture", ""), Skipped("b", "no picture", ""), Skipped("c", "too large", "")),
        history=(Edit("2026", "left out for the finding label-conflict", 4), Edit("2026", "relabelled as x", 2)),
    )
    flow = content._flow(cohort)
    assert flow.skipped == (("no picture", 2), ("too large", 1)) and flow.files == facts.flow.files + 3 + 4
    by_hand = dataclasses.replace(facts.cohort, history=(Edit("2026-11-28T07:00", "left out", 2),))
    assert content._flow(by_hand).left_out == (("left out by hand on 2026-11-28, no reason kept", 2),)
    assert flow.left_out == (("left out for the finding label-conflict", 4),) and flow.read == flow.cases + 4


def test_the_fingerprint_follows_labels_and_parts(facts: Facts) -> None:
    first, *rest = facts.cohort.cases
    other = dataclasses.replace(facts.cohort, cases=(dataclasses.replace(first, label=facts.classes[1]), *rest))
    turned = dataclasses.replace(facts.cohort, cases=facts.cohort.cases[::-1])
    assert content.fingerprint(turned) == facts.fingerprint != content.fingerprint(other)


def test_the_oldest_are_one_group(facts: Facts) -> None:
    cases = tuple(
        dataclasses.replace(case, facts={"age": f"{70 + i:03}Y", "sex": "F" if i % 2 else "M"})
        for i, case in enumerate(facts.cohort.cases)
    )
    said = list(content._characteristics(dataclasses.replace(facts.cohort, cases=cases)))
    assert said[0].name == "age in years" and all("90 or more" in cell for cell in said[0].parts)
    assert not re.search(r"\b9[1-9]\b|\b1\d\d\b", " ".join(said[0].parts))
    assert {one.value for one in said if one.name == "sex"} == {"female", "male"}


def test_wrong_and_sure_come_first(facts: Facts) -> None:
    wrong = [row for row in facts.test if row.label != row.predicted]
    found = facts.wrong[""]
    assert {one.case for one in found} == {row.case for row in wrong}
    misses = [one for one in found if one.reference == facts.positive]
    assert list(found[: len(misses)]) == misses
    assert [one.sure for one in misses] == sorted((one.sure for one in misses), reverse=True)


# ---- report --------------------------------------------------------------------------------------------------------


def test_the_report_says_every_number_of_the_run(facts: Facts, practice: Practice) -> None:
    text = words_of(html.write(report.make(facts, practice.ws)))
    for one in facts.result.estimates:
        name = words.title(one.name).removeprefix("Calibration ")  # a column of the section on calibration
        value, interval = (said.replace("-", "−") for said in (words.value(one), words.interval(one)))
        assert name.lower() in text.lower() and value in text and interval in text and one.how in text
    control = facts.result.control
    assert control is not None and control.says in text and facts.result.sentence in text
    assert facts.fingerprint in text and facts.recipe.source_sha256 in text
    assert f"{facts.result.threshold.value:.3f}" in text  # type: ignore[union-attr]
    assert text.count(answers.NOT_STATED) >= 8


def test_page_and_papers_agree_number_for_number(facts: Facts, practice: Practice) -> None:
    """The page draws `judge.judge` and the result; the papers print the very same values."""
    judged, text = judge.judge(practice.folder), words_of(html.write(report.make(facts, practice.ws)))
    assert judged == facts.judgement
    view = judged.views[0]
    for one in (*view.point.estimates, view.mended.before.brier, view.mended.after.slope, view.mended.after.ece):
        if one is not None:
            assert words.value(one) in text and words.interval(one).replace("-", "−") in text, one
            known = facts.result.estimate(one.name)  # the same to the last digit printed: stored scores are rounded
            assert known is None or words.whole(known) == words.whole(one)
    assert view.utility.says in text and all(said in text for said in judged.sets[0].says)
    assert view.mended.says in text and view.mended.after.says in text
    counts = (view.point.tp, view.point.tn)
    assert f"{counts[0]} of {view.having}" in text and f"{counts[1]} of {view.cases - view.having}" in text


def test_what_was_not_done_is_said_and_nothing_else(facts: Facts) -> None:
    missing = saying.not_done(facts)
    text = words_of(html.write(report.make(facts)))
    assert "external test" in missing and "reader study" in missing and "decision curve" not in missing
    assert f"Not done in this run: {', '.join(missing)}." in text
    assert ("robustness to changed images" in missing) == (facts.result.robustness is None)
    assert ("Cases left open" in text) and ("prediction sets" not in missing)


def test_a_threshold_changed_afterwards_is_never_hidden(practice: Practice, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(practice.ws.home, home)
    ws = Workspace(home)
    operating_point.change(ws.run(practice.run), OperatingRule("sensitivity", 0.95))
    choices.write(ws.run(practice.run), openings=0)
    choices.opened(ws.run(practice.run))
    choices.write(ws.run(practice.run), prevalence={practice.cohort.positive: 0.05})
    facts = content.read(ws, practice.run)
    text = words_of(html.write(report.make(facts)))
    assert "Threshold changed after the test part was seen" in text and "was opened once" in text
    assert text.count("Wanted: sensitivity 95 %; in the test part") == 2
    assert "a wanted sensitivity of 95 %" in text and "At a prevalence of 5 %" in text
    assert "changed after the test part was seen" in markdown.write(model_card.make(facts))
    assert "changed after the test part was seen" in statements.about(facts)["threshold"].text
    assert "threshold were fixed" not in statements.about(facts)["internal"].text
    assert "PPV and NPV at the prevalence of a clinic" not in saying.not_done(facts)


def test_a_reader_study_stands_in_the_report_without_who_read(practice: Practice, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(practice.ws.home, home)
    ws = Workspace(home)
    folder = ws.run(practice.run)
    rows = [row for row in results.predictions(folder) if row.part == "test"]
    reader.start(folder, "ZQX", [row.case for row in rows], practice.cohort.classes)
    while (case := reader.get(folder, "ZQX", None).next) is not None:
        reader.record(folder, "ZQX", None, case, next(row.label for row in rows if row.case == case), 5.0)
    assert "Reader 1" not in html.write(report.make(content.read(ws, practice.run))), "it is not over yet"
    reader.stop(folder, "ZQX", None)
    facts = content.read(ws, practice.run)
    text = words_of(html.write(report.make(facts)))
    assert f"Reader 1: {len(rows)} cases" in text and "ZQX" not in text and "kappa" in text
    assert statements.about(facts)["readers"].by == "filled by app"
    assert "reader study" not in saying.not_done(facts)


def test_two_who_labelled_are_told_by_how_far_they_agree_and_not_by_name(practice: Practice, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(practice.ws.home, home)
    ws = Workspace(home)
    assert statements.about(content.read(ws, practice.run))["variability"].by == "not stated"
    labelling.start(ws, practice.cohort, "Doctor Zqxwv", cases=12)
    truth = {case.id: case.label for case in practice.cohort.cases}
    for case in labelling.paper(ws, practice.cohort, "Doctor Zqxwv"):
        labelling.record(ws, practice.cohort, "Doctor Zqxwv", case, truth[case])
    labelling.stop(ws, practice.cohort, "Doctor Zqxwv")
    facts = content.read(ws, practice.run)
    text = words_of(html.write(report.make(facts)))
    assert "agree on 12 of 12 cases" in text and "Zqxwv" not in text
    assert statements.about(facts)["variability"].by == "filled by app"


def test_the_report_needs_nothing_but_itself(facts: Facts, practice: Practice) -> None:
    text = html.write(report.make(facts, practice.ws))
    assert "<script" not in text and "Content-Security-Policy" in text
    outside = [
        link for link in re.findall(r'(?:src|href)="([^"]*)"', text) if not link.startswith(("#", "data:image/jpeg"))
    ]
    assert outside == []
    assert all(f'id="{link}"' in text for link in re.findall(r'href="#([^"]*)"', text))


def test_the_report_can_be_heard(facts: Facts, practice: Practice) -> None:
    text = html.write(report.make(facts, practice.ws))
    assert text.count("<h1") == 1 and 'lang="en"' in text
    assert all("aria-label=" in svg and "<title>" in svg for svg in re.findall(r"<svg.*?</svg>", text, re.S))
    assert all(re.search('alt="(Test case|Heat map)', image) for image in re.findall(r"<img[^>]*>", text))
    assert all('scope="row"' in table for table in re.findall(r"<tbody>.*?</tbody>", text, re.S))


def test_the_pdf_takes_seconds(practice: Practice, tmp_path: Path) -> None:
    pytest.importorskip("reportlab", reason="PDF needs reportlab")
    began = time.process_time()
    papers.write_report(practice.ws, practice.run, tmp_path / "report.pdf")
    took = time.process_time() - began
    print(f"report as PDF: {took:.1f} s")  # noqa: T201 - shown with -s
    assert took < 10
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_pictures_stay_out_on_wish_and_where_text_was_found(facts: Facts, practice: Practice) -> None:
    if not facts.wrong[""]:
        pytest.skip("this model got everything right")
    assert 'alt="Test case' in html.write(report.make(facts, practice.ws))
    assert "data:image" not in html.write(report.make(facts))
    from medtl.vocabulary import Finding

    found = Finding(looked.TEXT_IN_PICTURE, "warn", "text", "", tuple(one.case for one in facts.wrong[""]))
    hushed = dataclasses.replace(facts, cohort=dataclasses.replace(facts.cohort, findings=(found,)))
    text = html.write(report.make(hushed, practice.ws))
    assert 'alt="Test case' not in text and "left out because text was found" in text


def test_what_the_deep_check_found_stands_in_the_report_also_of_a_version_before(
    facts: Facts, monkeypatch: pytest.MonkeyPatch, practice: Practice
) -> None:
    case = facts.cohort.cases[0].id
    found = Checkup(
        "s", "2026", (Finding("likely-wrong-labels", "warn", "One label is likely wrong.", "Look.", (case,)),)
    )
    later = dataclasses.replace(facts.cohort, id="later", parent=facts.cohort.id)
    monkeypatch.setattr(content.checkup, "load", lambda ws, id: found if id == facts.cohort.id else None)
    assert content._deep(practice.ws, facts.cohort) == content._deep(practice.ws, later) == found.findings
    text = words_of(html.write(report.make(dataclasses.replace(facts, deep=found.findings))))
    assert "One label is likely wrong." in text


def test_names_of_files_give_way_to_ids(facts: Facts) -> None:
    case = dataclasses.replace(facts.cohort.cases[0], name="benign/Smith_John.png")
    cohort = dataclasses.replace(facts.cohort, cases=(case, *facts.cohort.cases[1:]))
    said = cases.coded("a pair, for example benign/Smith_John.png", dataclasses.replace(facts, cohort=cohort))
    assert "Smith" not in said and case.id in said


def test_a_run_without_its_cohort_or_result_has_no_papers(practice: Practice, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="form"):
        papers.write_report(practice.ws, practice.run, tmp_path / "report.exe")
    with pytest.raises(BadInput, match="no folder"):
        papers.write_report(practice.ws, practice.run, tmp_path / "no" / "report.html")
    from medtl.start import start

    waiting = start(practice.ws, practice.cohort.id, practice.source, "linear-probe", launch=False)
    with pytest.raises(NotReady):
        papers.write_report(practice.ws, waiting, tmp_path / "report.html")


# ---- card ----------------------------------------------------------------------------------------------------------


def test_the_card_says_numbers_with_intervals_and_what_it_is_not_for(facts: Facts) -> None:
    text = markdown.write(model_card.make(facts))
    for name in ("sensitivity", "specificity", "auroc"):
        one = facts.result.estimate(name)
        assert one is not None and words.whole(one) in text
    assert "not a medical device" in text and "Known failures" in text and answers.NOT_STATED in text


ORDER = {
    "AppliedModelCard": "BasicInfo ReleaseInfo ModelSummary UsesAndDirections Warnings TrustIngredients KeyMetrics "
    "Resources Bibliography",
    "BasicInfo": "ModelName ModelDeveloper DeveloperContact",
    "ReleaseInfo": "ReleaseStage ReleaseDate ReleaseVersion GlobalAvailability RegulatoryApproval",
    "UsesAndDirections": "IntendedUseAndWorkflow PrimaryIntendedUsers HowToUse TargetedPatientPopulation "
    "CautionedOutOfScopeSettings",
    "Warnings": "KnownRisksAndLimitations KnownBiasesOrEthicalConsiderations ClinicalRiskLevel",
    "AISystemFacts": "OutcomesAndOutputs ModelType FoundationModels InputDataSource OutputAndInputDataTypes "
    "DevelopmentDataCharacterization BiasMitigationApproaches OngoingMaintenance",
    "TransparencyInformation": "FundingSource StakeholdersConsulted",
    "KeyMetrics": "UsefulnessUsabilityEfficacy FairnessEquity SafetyReliability",
    "FairnessEquity": "MetricGoal Results Interpretation TestType TestingDataDescription "
    "ValidationProcessAndJustification",
    "Resources": "EvaluationReferences PeerReviewedPublications PatientConsentOrDisclosure",
}


def test_the_chai_card_has_the_elements_of_its_schema_in_order(facts: Facts) -> None:
    root = ET.fromstring(chai.write(facts))
    assert root.tag == f"{{{chai.NAMESPACE}}}AppliedModelCard"
    for parent in (root, *root.iter()):
        name = parent.tag.rpartition("}")[2]
        if name in ORDER:
            assert [child.tag.rpartition("}")[2] for child in parent] == ORDER[name].split()
    assert len(list(root.iter(f"{{{chai.NAMESPACE}}}MetricResult"))) >= 5


# ---- checklists ----------------------------------------------------------------------------------------------------

TRIPOD = (
    "1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9a 9b 9c 10 11 12a 12b 12c 12d 12e 12f 12g 13 14 15 16 17 "
    "18a 18b 18c 18d 18e 18f 19 20a 20b 20c 21 22 23a 23b 24 25 26 27a 27b 27c"
)
STARD = (
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15a 15b 15c 15d 16a 16b 16c 17a 17b 18 19 20 21 22 23 24 25 26a 26b 27 28 "
    "29 30 31 32 33 34 35 36 37 38 39 40a 40b"
)
NUMBERS = {"claim": [str(n) for n in range(1, 45)], "tripod": TRIPOD.split(), "stard": STARD.split()}


@pytest.mark.parametrize("name", checklists.NAMES)
def test_a_checklist_has_every_item_and_points_to_places_that_exist(name: str, facts: Facts) -> None:
    checklist = checklists.named(name)
    assert [item.number for item in checklist.items] == NUMBERS[name]
    said = statements.about(facts)
    assert all(topic in said for item in checklist.items for topic in item.topics)
    ids = {section.id for section in report.make(facts).sections}
    for item, one in checklists.answered(checklist, facts):
        assert one.text and (one.place in ids or not one.place), item
        assert (one.by == "not stated") == one.text.startswith(answers.NOT_STATED)
    assert checklist.citation in markdown.write(checklists.make(checklist, facts)).replace("\\", "")


@pytest.mark.parametrize("name", checklists.NAMES)
def test_what_the_user_says_stands_as_said(name: str, facts: Facts) -> None:
    told = dataclasses.replace(facts, answers={"labelled": "Biopsy of every lesion"})
    before, after = (checklists.counts(checklists.named(name), one) for one in (facts, told))
    assert before["stated by user"] == 0 < after["stated by user"]
    assert after["not stated"] < before["not stated"]
    stated = [one for _, one in checklists.answered(checklists.named(name), told) if one.by == "stated by user"]
    assert all(one.text.startswith("Biopsy of every lesion") for one in stated)


@pytest.mark.parametrize("ending", [".md", ".docx", ".html"])
def test_checklists_are_written_in_several_forms(ending: str, practice: Practice, tmp_path: Path) -> None:
    counts = papers.write_checklist(practice.ws, practice.run, "claim", tmp_path / f"claim{ending}")
    assert sum(counts.values()) == 44 and (tmp_path / f"claim{ending}").stat().st_size > 3000
