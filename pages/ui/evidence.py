"""The four plots over all thresholds, and what stands on the same cases beside them: prediction sets, and patients
instead of images. Every number was worked out from the scored cases; here they are shown.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

from medtl.evaluation import pooling, utility
from medtl.evaluation.conformal import Coverage
from medtl.evaluation.pooling import Level
from medtl.evaluation.reliability import Mended
from medtl.runs import choices
from medtl.trust.lights import Light
from medtl.vocabulary import Estimate
from pages.ui import failures, plot_curves, plots, shelf, show, verdict, words
from pages.ui.escape import md, plain
from pages.ui.viewed import Viewed

SIDE = 0.01, 0.9  # of the range of a decision curve that can be asked for


def grid(at: Viewed, lit: Mapping[str, Light]) -> None:
    """Ranking and scores, then calibration and use: two by two."""
    left, right = st.columns(2, gap="large")
    with left:
        _ranking(at, lit.get("discrimination"))
    with right:
        _calibration(at, lit.get("calibration"))
    left, right = st.columns(2, gap="large")
    with left:
        _scores(at)
    with right:
        _use(at)


# ---- ranking --------------------------------------------------------------------------------------------------------


def _ranking(at: Viewed, light: Light | None) -> None:
    verdict.section("Ranking", "discrimination", light, words.HELP["auroc"])
    name = at.view.name
    curve = (at.result.curves.get("roc") or {}).get(name)
    if curve is None:
        st.caption("A curve needs test cases that have it and test cases that have not.")
        return
    found, passed = at.view.point.get("sensitivity"), at.view.point.get("specificity")
    point = (1 - passed.value, found.value) if found and passed else None
    auroc = _estimate(at, "auroc")
    says = f"AUROC {words.whole(auroc)}" if auroc else "ROC"
    roc, precision = st.tabs(["ROC", "Precision and recall"])
    with roc:
        figure = plots.roc({name: curve}, at.judgement.classes, point)
        plots.draw(figure, f"ROC curve of {plain(name)} with 95 % band. {says}", f"trust-roc-{name}")
        if auroc:
            st.caption(f"{says}, n = {auroc.n:,}: how well the score ranks those who have it above the others.")
    with precision:
        _precision(at, (found.value, ppv.value) if found and (ppv := at.view.point.get("ppv")) else None)


def _precision(at: Viewed, point: tuple[float, float] | None) -> None:
    if at.view.pr is None:
        st.caption("A curve needs test cases that have it and test cases that have not.")
        return
    auprc = _estimate(at, "auprc")
    says = f"AUPRC {words.whole(auprc)}" if auprc else "Precision and recall"
    share = words.part(at.view.having, at.view.cases)
    plots.draw(
        plot_curves.precision(at.view.pr, at.view.name, at.colour, point),
        f"PPV against sensitivity with 95 % band. {says}; guessing gives {share}",
        f"trust-pr-{at.view.name}",
    )
    st.caption(f"{says}; guessing gives {share}, the share of this test part that has it.")


def _estimate(at: Viewed, name: str) -> Estimate | None:
    """Of the question in hand: of more than two classes that of this class against the rest."""
    one = at.result.estimate(f"{name}[{at.view.name}]")
    return one or (at.result.estimate(name) if at.alone or at.result.finding else None)


# ---- calibration ----------------------------------------------------------------------------------------------------


def _calibration(at: Viewed, light: Light | None) -> None:
    verdict.section(
        "Calibration", "calibration", light,
        "Whether a score means what it says: of cases scored near 0.70, seven in ten should have it.",
    )  # fmt: skip
    shown, fitted = at.view.mended, at.view.calibrator.fitted
    if not shown.before.bins:
        st.caption(md(shown.before.says))
        return
    after = shown.after if fitted else shown.before
    plots.draw(
        plot_curves.calibration(shown, at.colour, fitted),
        f"Share that has it against the score. {plain(plot_curves.said(after.bins))}",
        f"trust-calibration-{at.view.name}",
    )
    st.caption(" ".join(md(one) for one in (*after.examples[:1], _called(at))))
    with st.expander("Numbers before and after", icon=":material/table:"):
        _before_and_after(shown, fitted)
        st.caption(" ".join(md(one) for one in (shown.says, *after.notes)))


def _called(at: Viewed) -> str:
    if at.view.word == "probability":
        return "Calibrated on the tuning part, and not clearly off here: its output may be called a probability."
    return "Its output is called a score: read it as a rank, not as a probability."


def _before_and_after(shown: Mended, fitted: bool) -> None:
    names = ("slope", "intercept", "brier", "ece")
    titles = [words.title(f"calibration_{one}" if one in names[:2] else one) for one in names]

    def told(side: str) -> list[str]:
        found = [getattr(getattr(shown, side), name) for name in names]
        return [words.whole(one) if one else "cannot be computed" for one in found]

    table = {"number": titles, "before": told("before")}
    if fitted:
        table["after"] = told("after")
    chance, usual = shown.after.chance, shown.before.brier_of_prevalence
    table["to compare with"] = [
        "1: as spread as it should be", "0: right on average",
        f"{usual:.2f}: always saying how common it is" if usual is not None else "",
        f"{chance:.2f}: what chance alone would show" if chance is not None else "",
    ]  # fmt: skip
    st.table(
        table,
        hide_index=True,
        border="horizontal",
        alt="Calibration numbers before and after, with their 95 % intervals",
    )


# ---- scores and use -------------------------------------------------------------------------------------------------


def _scores(at: Viewed) -> None:
    show.section("Scores of the test cases", help="How far those who have it lie from the others.")
    threshold = at.view.threshold.value if at.view.threshold else None
    names = (at.view.name, at.view.without)
    plots.draw(
        plot_curves.scores(at.view.mended.before, names, (at.colour, at.other_colour), threshold, "score"),
        f"Histogram of the score for {plain(names[0])} on the test part: {at.view.having:,} {plain(names[0])} and "
        f"{at.view.cases - at.view.having:,} {plain(names[1])}",
        f"trust-scores-{names[0]}",
    )
    st.caption("Before calibration: the threshold was chosen on these scores.")


def _use(at: Viewed) -> None:
    curve = at.view.utility
    show.section(
        "Is acting on it of use?",
        anchor="use",
        help=f"Net benefit: found cases per {curve.unit}, less the false alarms at the price that the threshold sets "
        "on them. A model is of use where its line lies above treating everybody and treating nobody. The band is that "
        "of each threshold by itself.",
    )
    if not curve.threshold:
        st.caption(md(curve.says))
        return
    plots.draw(
        plot_curves.decision(curve, at.colour),
        f"Decision curve with 95 % band. {plain(curve.says)}",
        f"trust-use-{at.view.name}",
    )
    st.markdown(f"**{md(curve.says)}**")
    low, high = st.slider(
        "Range of threshold probabilities (%)", round(100 * SIDE[0]), round(100 * SIDE[1]),
        _asked(at), key=f"use-{at.run}",
        help="From how likely a disease on would you act? Acting from 10 % on means examining 9 healthy people to find "
        "one ill.",
    )  # fmt: skip
    _ranged(at, low / 100, high / 100)
    st.caption(f"{md(utility.exchange(low / 100))}; {md(utility.exchange(high / 100))}. {md(' '.join(curve.notes))}")


def _asked(at: Viewed) -> tuple[int, int]:
    low, high = choices.read(shelf.run(at.run)).range
    return round(100 * low), round(100 * high)


def _ranged(at: Viewed, low: float, high: float) -> None:
    """Another range is kept, and the curve drawn over it."""
    folder = shelf.run(at.run)
    if low < high and (low, high) != choices.read(folder).range:
        choices.write(folder, range=(low, high))
        st.rerun()


# ---- prediction sets ------------------------------------------------------------------------------------------------


def sets(at: Viewed) -> None:
    """Where more than one answer cannot be ruled out, it says so: how often, and how often rightly."""
    found = _set_of(at, at.judgement.sets)
    show.section(
        "When it should say “don't know”",
        anchor="dont-know",
        help="Answers that cannot be ruled out at an error of 10 %, by limits from the tuning part (split conformal "
        "prediction). One answer is an answer; several, or none, mean “don't know”. The tuning part also chose the "
        "model, so 10 % is an aim, not a promise.",
    )
    if found is None or found.held is None:
        st.caption(
            "The answers of the tuning part were not kept with this run, so there are no limits. A run trained now "
            "keeps them." if found is None else md(" ".join(found.says))
        )  # fmt: skip
        return
    st.markdown(md(" ".join(found.says)))
    if not at.result.finding:
        st.caption(
            "Answered counts sets of one class, whatever the threshold says. Use is stricter: where the threshold "
            "calls another class than the one left, it says that it cannot tell."
        )
    _by_class(found)
    if (pooled := _set_of(at, at.judgement.sets_of_patients)) is not None and pooled.held is not None:
        st.markdown(f"**One answer a patient.** {md(' '.join(pooled.says))}")
    ids = shelf.explorer(at.run).marked(at.view.name, found.unanswered)
    wanted = bool(ids) and st.toggle(
        f"Show the {words.count(len(ids), 'case')} it would not answer", key=f"dont-know-{at.view.name}"
    )
    if wanted:
        failures.opened(at.tested, ids, ":material/help: **No single answer**", f"unanswered-{at.view.name}")


def _set_of(at: Viewed, made: Sequence[Coverage]) -> Coverage | None:
    """Of findings each has its own; of classes there is one for all."""
    if not at.result.finding:
        return made[0] if made else None
    k = [view.name for view in at.judgement.views].index(at.view.name)
    return made[k] if k < len(made) else None


def _by_class(found: Coverage) -> None:
    def told(name: str) -> list[str]:
        each = [getattr(one, name) for one in found.by_class]
        return [_share(one) if one else "no case" for one in each]

    st.table(
        {
            "class": [md(one.name) for one in found.by_class],
            "test cases": [one.n for one in found.by_class],
            "held the truth": told("held"),
            "one answer": told("answered"),
            "right when answered": told("right"),
            "right, “don't know” as an error": told("strict"),
        },
        hide_index=True,
        border="horizontal",
        alt="How often the prediction sets of each class held the truth and gave one answer",
    )


def _share(one: Estimate) -> str:
    return f"{words.part(round(one.value * one.n), one.n)} ({words.span(one.low, one.high)})"


# ---- one answer a patient -------------------------------------------------------------------------------------------


def patients(at: Viewed) -> None:
    """Beside the numbers image by image; nothing where every patient has one image."""
    found = at.view.pooled
    if found is None or not found.several:
        return
    show.section(
        "One answer a patient", anchor="patients",
        help="Several images of a patient become one answer. A patient has it as soon as one image shows it.",
    )  # fmt: skip
    st.markdown(md(" ".join(found.says)))
    rows = (found.patients, found.images)
    names = ("sensitivity", "specificity", "ppv", "npv", "auroc")
    table = {"": [f"{level.n:,} {level.unit}s" for level in rows]}
    table |= {words.title(name): [_of(level, name) for level in rows] for name in names}
    table["called from"] = [_from(one) for one in rows]
    st.table(
        table, hide_index=True, border="horizontal", alt="The same numbers by patient and by image, with 95 % intervals"
    )
    _pooled_by(at)


def _from(level: Level) -> str:
    if level.threshold.middle:
        return "middle grade"
    return "highest score" if level.threshold.value is None else f"{level.threshold.value:.2f}"


def _of(level: Level, name: str) -> str:
    one = level.get(name)
    return words.whole(one) if one else ""


def _pooled_by(at: Viewed) -> None:
    rules = pooling.rules_for(at.judgement.task, at.judgement.classes)
    folder = shelf.run(at.run)
    chosen = choices.read(folder).pool
    if len(rules) < 2:
        return
    options = ["", *rules]
    picked = st.selectbox(
        "How the images of a patient become one answer", options, options.index(chosen) if chosen in options else 0,
        format_func=lambda one: pooling.RULES[one] if one else "as the tuning part chose",
        key=f"pool-{at.run}", width=420,
        help="Chosen before the test part was looked at where you leave it to the tuning part.",
    )  # fmt: skip
    if picked != chosen:
        choices.write(folder, pool=picked)
        st.rerun()
