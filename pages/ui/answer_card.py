"""One answer as a card that is read in five seconds: of the right kind or not, the answer in words, the numbers behind
it, and what to doubt.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from medtl.asking.answer import disagreement, left
from medtl.runs.results import Result
from medtl.vocabulary import Cohort
from pages.ui import plots, proof, several
from pages.ui.escape import md, plain

Answer = Mapping[str, Any]  # as `asking.answer.as_message` gives it
CANNOT_TELL = "Cannot tell"


def draw(answer: Answer, result: Result, cohort: Cohort | None, run: str, key: str, error: float = 0.1) -> None:
    if not answer.get("predicted") and not answer.get("scores"):
        st.error(f"**It cannot be read.** {md(answer.get('why_not') or '')}", icon=":material/error:")
    elif not answer.get("accepted", True):
        refused(answer)
    else:
        accepted(answer, result, cohort, run, key, error)


# ---- refused --------------------------------------------------------------------------------------------------------


def refused(answer: Answer) -> None:
    """The reason first, and no number: whoever wants to know more opens what the gate looked at."""
    gate = answer.get("gate") or {}
    st.markdown("## :material/do_not_disturb_on: Not answered")
    reasons = list(gate.get("reasons") or [])
    first, *more = reasons or [str(answer.get("why_not") or "")]
    st.warning("  \n".join([f"**{md(first)}**", *map(md, more)]), icon=":material/do_not_disturb_on:")
    st.caption(
        "Nothing is wrong with the image: this model cannot say anything about images of its kind. No map is drawn for "
        "it either."
    )
    _checks(gate)


def _checks(gate: Mapping[str, Any]) -> None:
    if not gate:
        return
    with st.expander("What was looked at before answering"):
        checks = gate.get("checks") or []
        if checks:
            st.dataframe(
                {
                    "": ["as it should be" if one["ok"] else "not as it should be" for one in checks],
                    "looked at": [plain(one["name"]) for one in checks],
                    "of this image": [_number(one["value"]) for one in checks],
                    "from": [_number(one["low"]) for one in checks],
                    "to": [_number(one["high"]) for one in checks],
                    "what it means": [plain(one["says"]) for one in checks],
                },
                hide_index=True,
                alt="Every check of the image with its value and the range of the training images",
            )
        st.caption(md(gate.get("how") or ""))


def _number(value: Any) -> str:
    return "" if value is None else plain(value) if isinstance(value, str) else f"{value:.3g}"


# ---- accepted -------------------------------------------------------------------------------------------------------


def accepted(answer: Answer, result: Result, cohort: Cohort | None, run: str, key: str, error: float) -> None:
    judged = proof.judgement(run)
    gate = answer.get("gate") or {}
    st.markdown(
        ":gray[:material/info: It is just within what this model was trained on.]"
        if proof.only_just(answer)
        else ":green[:material/check_circle: It looks like the images this model was trained on.]",
        help=md(gate["how"]) if gate.get("how") else None,
    )
    st.markdown(headline(answer))
    if why := unsettled(answer):
        st.markdown(md(why))
    if result.findings:
        several.bars(answer["scores"], result, key)
        _reached_findings(answer, judged)
    else:
        numbers(answer, result, cohort, judged, key)
        not_ruled_out(answer, judged, error)
    _doubts(answer, judged, cohort)
    _checks(gate)


def headline(answer: Answer) -> str:
    """The answer in words, as Markdown: the class that is left alone, or that it cannot be told."""
    if answer.get("findings"):
        present = [md(name) for name, said in answer["findings"].items() if said == "present"]
        unsure = [md(name) for name, said in answer["findings"].items() if said == "cannot tell"]
        said = f"## {', '.join(present) if present else 'None of the findings for sure'}"
        return said + (f"\n**{CANNOT_TELL}:** {', '.join(unsure)}" if unsure else "")
    if answer.get("settled"):
        return f"## {md(answer['settled'])}"
    names = [md(label) for label in _left(answer)]
    if "set" not in answer or (len(names) == 1 and names[0] == md(answer.get("predicted"))):
        return f"## {md(answer.get('predicted'))}"
    return f"## {CANNOT_TELL}: {' or '.join(names) if names else 'it fits none of the classes'}"


def unsettled(answer: Answer) -> str:
    """Why a set of one class is no answer, where the threshold calls another."""
    if answer.get("findings"):
        return ""
    return disagreement(answer.get("set") or (), [str(answer.get("predicted") or "")])


def _left(answer: Answer) -> tuple[str, ...]:
    return left(answer.get("set") or (), [str(answer.get("predicted") or "")], list(answer["scores"]))


def numbers(answer: Answer, result: Result, cohort: Cohort | None, judged: proof.Judgement | None, key: str) -> None:
    """A bar a class with the threshold, and what that threshold reached."""
    shown, word = _shown(answer), str(answer.get("word") or "score")
    classes = cohort.classes if cohort else tuple(shown)
    asked = judged.views[0].name if judged and len(judged.views) == 1 else None
    positive = (cohort.positive if cohort else None) or asked
    line = result.threshold.value if result.threshold and len(shown) == 2 and word == "score" else None
    says = ", ".join(f"{label} {value:.2f}" for label, value in shown.items())
    plots.draw(
        plots.answer(shown, classes, line, positive, word), f"{word.capitalize()}s: {plain(says)}", f"answer-{key}",
        save=False,
    )  # fmt: skip
    st.caption(_called(answer, result, positive))
    if judged:
        view = judged.views[0] if len(judged.views) == 1 else judged.view(str((answer.get("called") or [""])[0]))
        if view:
            st.caption(md(proof.reached(view)))


def _called(answer: Answer, result: Result, positive: str | None) -> str:
    predicted = md(answer.get("predicted") or "")
    at = result.threshold
    if at is not None and at.value is not None and positive:
        part = {"tune": "tuning"}.get(at.chosen_on, at.chosen_on)
        return (
            f"At the threshold it is called **{predicted}**: {md(positive)} from a score of {at.value:.2f} on (the "
            f"line), chosen on the {md(part)} part."
        )
    if at is not None and at.middle:
        return f"It is called **{predicted}**: the grade in the middle of the scores decides."
    return f"It is called **{predicted}**: the highest score decides."


def _shown(answer: Answer) -> Mapping[str, float]:
    return (
        answer["calibrated"] if answer.get("word") == "probability" and answer.get("calibrated") else answer["scores"]
    )


def not_ruled_out(answer: Answer, judged: proof.Judgement | None, error: float) -> None:
    if "set" not in answer:
        return
    names = [md(label) for label in _left(answer)]
    st.markdown(f"Not ruled out: **{', '.join(names) if names else 'no class'}**")
    st.caption(md(proof.promise(judged, error, pooled=int(answer.get("pooled") or 1) > 1)))


def _reached_findings(answer: Answer, judged: proof.Judgement | None) -> None:
    for name in answer.get("called") or ():
        view = judged.view(name) if judged else None
        if view:
            st.caption(f"**{md(name)}.** {md(proof.reached(view))}")


def _doubts(answer: Answer, judged: proof.Judgement | None, cohort: Cohort | None) -> None:
    labels = {case.id: case.label for case in cohort.cases} if cohort else {}
    classes = cohort.classes if cohort else tuple(answer["scores"])
    found = proof.doubts(answer, judged, classes, labels, bool(cohort and cohort.synthetic))
    st.markdown("**What to doubt**")
    if not found:
        st.caption("None of our checks raised a doubt. That does not make the answer right.")
    else:
        st.markdown("\n".join(f"- :small[{md(one)}]" for one in found))
