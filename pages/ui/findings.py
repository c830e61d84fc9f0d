"""Findings of a cohort as a walk: the worst first and open, each in a clinician's words, with its mending beside it."""

from collections import Counter
from collections.abc import Iterator

import streamlit as st

from medtl.vocabulary import Cohort, Finding
from pages.ui import mending, mends, shelf, show, words
from pages.ui.escape import md, plain

ORDER = {"block": 0, "warn": 1, "note": 2}
LOOK = {
    "block": ("red", "block", "to resolve"),
    "warn": ("orange", "warning", "to look at"),
    "note": ("blue", "info", "good to know"),
}
FLATTERS = (  # findings that let a model be tested on what it has seen, or learn something else than the disease
    *("near-conflict", "duplicates", "near-duplicates", "duplicate-across-split", "patient-across-split"),
    *("patients-unknown", "patient-unmatched", "sequences", "shortcut", "marker-in-image", "alike-to-the-network"),
)
TITLES = {
    "label-conflict": "The same image has two labels",
    "near-conflict": "Nearly the same image has two labels",
    "one-class": "There is only one class",
    "too-few": "Too few images of a class",
    "few-patients": "A class is missing from a part",
    "duplicates": "Exact copies",
    "near-duplicates": "Images that are nearly the same",
    "duplicate-across-split": "The same image in two of your parts",
    "patient-across-split": "A patient in two of your parts",
    "patients-unknown": "Nobody said who is who",
    "patient-unmatched": "Images without a patient",
    "imbalance": "One class is much rarer than another",
    "small-test": "The test part is small",
    "constant-image": "Blank images",
    "dark-image": "Very dark images",
    "blurred-image": "Blurred images",
    "odd-size": "Images of an unusual size",
    "odd-modality": "Another kind of image among the rest",
    "colour-outlier": "Colour among grey, or grey among colour",
    "shortcut": "A shortcut the model could take",
    "burned-in": "A name may be written into the picture",
    "sequences": "Frames and slices that stay together",
    "uncertain-labels": "Uncertain labels",
    "likely-wrong-labels": "Labels that may be wrong",
    "alike-to-the-network": "Images that look alike to the network",
    "unlike-the-rest": "Images unlike the rest",
    "text-in-image": "Writing in the picture",
    "marker-in-image": "Markers in the picture",
}


TOLD_APART = ("shortcut",)  # of these there may be several, so the closed card says which one it is


def title(code: str) -> str:
    return TITLES.get(code, code.replace("-", " ").capitalize())


def meaning(finding: Finding) -> str:
    """What it would do if nobody looked; empty where the finding's own words say all."""
    if finding.severity == "block":
        return "Must be resolved before training."
    if finding.severity == "warn":
        return "Would make the result look better than it is." if finding.code in FLATTERS else ""
    return "" if finding.advice else "Nothing needs to be done."


def of(cohort: Cohort) -> list[Finding]:
    """The cohort's own findings and those of the deep check, the worst first."""
    checkup = shelf.checkup(cohort)
    found = [*cohort.findings, *(checkup.findings if checkup else ())]
    return sorted(found, key=lambda one: ORDER[one.severity])


def walk(cohort: Cohort) -> None:
    found = of(cohort)
    if not found:
        st.success("Nothing was found that would mislead.", icon=":material/check_circle:")
        return
    show.section("What was found")
    _cards(cohort, found)


@st.fragment
@show.guarded
def _cards(cohort: Cohort, found: list[Finding]) -> None:
    """A fragment, so that looking into a finding does not draw the rest of the page again."""
    with st.container(horizontal=True, vertical_alignment="center"):
        counts = Counter(str(finding.severity) for finding in found)
        for severity, (colour, icon, says) in LOOK.items():
            if counts[severity]:
                st.badge(f"{counts[severity]} {says}", color=colour, icon=f":material/{icon}:")  # type: ignore[arg-type]
        st.space("stretch")
        mending.ask_who()
    for at, (key, finding) in enumerate(_named(found)):
        _card(cohort, finding, f"finding-{cohort.id}-{key}", first=at == 0)


def _named(found: list[Finding]) -> Iterator[tuple[str, Finding]]:
    """Several findings may share a code; the number tells them apart."""
    seen: Counter[str] = Counter()
    for finding in found:
        seen[finding.code] += 1
        yield f"{finding.code}-{seen[finding.code]}", finding


def _card(cohort: Cohort, finding: Finding, key: str, first: bool) -> None:
    """Closed, it is one line and draws nothing; the first one that asks for something is open."""
    colour, icon, _ = LOOK[finding.severity]
    many = f" · {words.count(len(set(finding.cases)), 'image')}" if finding.cases else ""
    about = f": {md(plain(finding.message).split(' (')[0])}" if finding.code in TOLD_APART else ""
    looked = " · looked at" if finding.severity == "note" and finding.code in cohort.accepted else ""
    label = f":{colour}[:material/{icon}:]  **{md(title(finding.code))}**{about}:gray[{many}{looked}]"
    with st.expander(label, expanded=first and finding.severity != "note", key=key, on_change="rerun") as card:
        if not card.open:
            return
        st.markdown(f"{md(finding.message)}  \n{md(finding.advice)}")
        if says := meaning(finding):
            st.caption(says)
        mends.draw(cohort, finding, key)
