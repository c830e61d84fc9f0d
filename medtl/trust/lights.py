"""Six lights over a finished run, each with its reason in numbers and its rule in a sentence, and the verdict on it.

A light is never green without evidence: what was not measured is "not known". Where several classes or findings are
asked about, the worst of them decides. Draws nothing, reads no file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from medtl.evaluation import words
from medtl.evaluation.reliability import Reliability
from medtl.evaluation.robustness import OF_ANY_WEIGHT
from medtl.evaluation.sentences import SMALL, WIDE
from medtl.evaluation.subgroups import Row, Subgroups
from medtl.runs.attention import Attention
from medtl.runs.results import Control, Result
from medtl.trust.values import Judgement, OfView
from medtl.vocabulary import Cohort, Estimate, Finding

State = Literal["does not hold", "with care", "not known", "holds"]
WORST: tuple[State, ...] = ("does not hold", "with care", "not known", "holds")

# A case in the test part with a near copy among those learned from is no test. One or two in a hundred change little
# beside the width of the intervals; more than this share does.
COPIES = 0.05
# With so many runs tested on one part, at least one interval of 95 % misses the truth in about a fourth of all such
# series (1 - 0.95^5), and it is the best run that is looked at.
MANY_RUNS = 5
# The least AUROC that textbooks call acceptable (Hosmer, Lemeshow and Sturdivant 2013, section 5.2.4). The whole
# interval must lie above it: 0.72 with an interval from 0.60 may well be 0.60.
LEAST_AUROC = 0.7
# A fall of the AUROC that loses a fifth of all there is between guessing and perfect.
LARGE_FALL = 0.1
BEARING = ("data", "discrimination")  # without these nothing else counts
SEEN = "The source was trained on"  # begins the caveat of a run whose test images its source has learned from
UNKNOWN = "patients-unknown"  # the finding; accepted where somebody said that it cannot be known
UNSAID = "Nobody said which images are of the same patient"  # begins the caveat of a run, too
FLATTERS = (  # findings of the data check by which a model is tested on what it has seen, or learns something else
    *("near-conflict", "duplicates", "near-duplicates", "duplicate-across-split", "patient-across-split"),
    *("patient-unmatched", "shortcut", "marker-in-image", "alike-to-the-network", "likely-wrong-labels"),
)
OF_THE_MODEL = ("shuffled", "shuffled-head")  # checks without which a map says nothing about this model

RULES = {
    "data": f"Holds when patients are known and none is in two parts, no test image is a near copy of one learned "
    f"from, the data check left nothing open that flatters, each kind has {SMALL} test patients, the threshold was "
    f"not changed after the test part or another cohort was seen, and fewer than {MANY_RUNS} runs were tested on it. "
    "Does not hold when a patient is in two parts, the source had seen test images, or more than "
    f"{100 * COPIES:.0f} % of them are near copies.",
    "discrimination": f"Holds when the whole interval of the AUROC lies above {LEAST_AUROC:g} and is narrower than "
    f"{WIDE:g}, and it ranked better than thumbnails without any network. Does not hold when the whole interval lies "
    f"below {LEAST_AUROC:g}, or when something that costs less, or the same network without the source, ranked better. "
    f"An interval that holds both 0.5 and {LEAST_AUROC:g} comes from too few cases: it is not known.",
    "calibration": "Holds when the scores were calibrated on the tuning part, the test part has 100 patients of the "
    "rarer kind, and no departure shows. Does not hold when slope or intercept is clearly off. With fewer patients it "
    "is not known.",
    "subgroups": "Holds when every recorded group has 20 patients and no difference shows. Does not hold when a group "
    "is lower by more than its interval, widened for the number of groups looked at. With nothing recorded, or too few "
    "everywhere, it is not known.",
    "robustness": f"Holds when no change of the images lowers the AUROC and a fall of {LARGE_FALL:g} can be ruled out "
    f"for each. Does not hold when one lowers it by {LARGE_FALL:g} or more, beyond its interval widened for the number "
    "of changes looked at.",
    "explanation": "Holds when the maps change with the model's weights, the score depends on the region they show, "
    "they are steady, and they do not lie on dark or empty parts, on edges or on writing; in ultrasound a "
    "shadow is dark, too. Does not hold when they do not depend on the model.",
}


@dataclass(frozen=True)
class Light:
    """`short` is a line beside the word, `reason` a sentence with numbers, `advice` what to do about it (empty where
    nothing need be done), `rule` by what it was decided, `also` what else stands against it."""

    name: str
    state: State
    short: str
    reason: str
    advice: str
    rule: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Said:
    state: State
    short: str
    reason: str
    advice: str = ""
    also: tuple[str, ...] = ()


def lights(
    judgement: Judgement,
    result: Result,
    cohort: Cohort | None,
    *,
    open_findings: Sequence[Finding] = (),
    tested: int = 1,
    looked: Attention | None = None,
) -> tuple[Light, ...]:
    """`cohort` is None where it was deleted; `open_findings` are those of its data check, the deep one included;
    `tested` counts the runs tested on the same part, this one among them."""
    said = {
        "data": _data(judgement, result, cohort, open_findings, tested),
        "discrimination": _discrimination(judgement, result),
        "calibration": _calibration(judgement),
        "subgroups": _subgroups(judgement, cohort),
        "robustness": _robustness(result),
        "explanation": _explanation(looked),
    }
    return tuple(
        Light(name, one.state, one.short, one.reason, one.advice, RULES[name], one.also) for name, one in said.items()
    )


def verdict(lights: Sequence[Light], result: Result) -> str:
    """The worst first, and what to do about it; of this test part, in the past tense."""
    grouped = {state: [one for one in lights if one.state == state] for state in WORST}
    bad, care, unknown = (grouped[state] for state in WORST[:3])
    first = next(iter([*bad, *care, *unknown]), None)
    n = result.parts.get("test", {}).get("cases")
    where = f"in this test part of {n:,} cases" if n else "in this test part"
    if first is None:
        return f"All six held {where}. Test it on patients of another hospital before anybody relies on it."
    if bad:
        begins = "Not to be relied on: " if {one.name for one in bad} & set(BEARING) else ""
        said = f"{_start(begins + _names(bad))} did not hold {where}. {first.reason}"
    elif open_ := next((one for one in unknown if one.name in BEARING), None):
        return f"Not known whether it can be relied on: {open_.reason} {open_.advice}".strip()
    elif care:
        said = f"To be read with care: {first.reason}"
    else:
        said = f"What was looked at held {where}; not known yet: {_names(unknown)}."
    return f"{said} {first.advice}".strip()


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


def _names(some: Sequence[Light]) -> str:
    names = [one.name for one in some]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _worst(said: Iterable[_Said]) -> _Said:
    """The first of the worst, and with it what else does not hold; every light has at least one."""
    order = sorted(said, key=lambda one: WORST.index(one.state))
    return replace(order[0], also=tuple(one.reason for one in order[1:] if one.state != "holds"))


# ---- data -----------------------------------------------------------------------------------------------------------


def _data(judgement: Judgement, result: Result, cohort: Cohort | None, found: Sequence[Finding], tested: int) -> _Said:
    said = [
        *_leaks(result, cohort),
        *_flattered(found),
        *_chosen_late(judgement, result, tested),
        *_small(judgement),
    ]
    if cohort is None:
        said.append(
            _Said(
                "not known", "cohort deleted", "The cohort was deleted, so its parts cannot be checked again.",
                "Keep the cohort of a run that is to be used.",
            )
        )  # fmt: skip
    return _worst(said) if said else _Said("holds", "0 patients shared", _clean(result, tested))


def _leaks(result: Result, cohort: Cohort | None) -> Iterable[_Said]:
    test = int(result.parts.get("test", {}).get("cases") or 0)
    if cohort and cohort.split.patients_shared:
        n = cohort.split.patients_shared
        yield _Said(
            "does not hold", f"{n} patients shared", f"{n} patients were in two parts, so it was tested on people it "
            "had learned from.", "Split the cohort by patient and train again.",
        )  # fmt: skip
    if seen := next((one for one in result.caveats if one.startswith(SEEN)), ""):
        yield _Said("does not hold", "source had seen test images", seen, "Take another source and train again.")
    near = cohort.split.near_duplicates_across if cohort else 0
    if near:
        yield _Said(
            "does not hold" if near > COPIES * max(1, test) else "with care",
            f"{near} near copies across parts", f"{near} pairs of near copies lie in two parts, so that copies of test "
            "images may have been learned from.",
            "Leave out near copies on the page Data and train again.",
        )  # fmt: skip
    if not _patients_known(result, cohort):
        settled = cohort is not None and UNKNOWN in cohort.accepted
        yield _Said(
            "with care", "patients unknown", f"{UNSAID}, so one patient may have been in two parts.",
            "Say so in the paper." if settled else "Say on the page Data how patients are told apart and train again.",
        )  # fmt: skip


def _patients_known(result: Result, cohort: Cohort | None) -> bool:
    if cohort is not None:
        return cohort.patients is not None
    return result.parts.get("test", {}).get("patients") is not None


def _flattered(found: Sequence[Finding]) -> Iterable[_Said]:
    left = [one for one in found if one.code in FLATTERS and one.severity != "note"]
    if left:
        yield _Said(
            "with care", f"{len(left)} finding{'' if len(left) == 1 else 's'} open",
            f"The data check left open: {left[0].message}", "Resolve it on the page Data and train again.",
        )  # fmt: skip


def _small(judgement: Judgement) -> Iterable[_Said]:
    for view in judgement.views:
        sides = ((view.name, view.point.sensitive), (view.without, view.point.alarming))
        kind, fewest = min(sides, key=lambda side: side[1].patients)
        if (few := fewest.patients) < SMALL:
            who = "cases" if few == fewest.n else "patients"
            yield _Said(
                "with care", f"{few} test {who} {kind}", f"Only {few} of its test {who} were {kind}: too few.",
                f"Bring more {who}: {SMALL} of each kind in the test part is the least.",
            )  # fmt: skip


def _chosen_late(judgement: Judgement, result: Result, tested: int) -> Iterable[_Said]:
    before = [one.title for one in result.externals if any(_moment(at) > _moment(one.made) for at in judgement.changed)]
    if before:
        yield _Said(
            "with care", "threshold changed after an external test", "The threshold was changed after it was tested on "
            f"{' and '.join(before)}, so that is no external test of this threshold.",
            "Test it on a cohort that nobody has seen.",
        )  # fmt: skip
    if judgement.changed:
        yield _Said(
            "with care", "threshold changed late", "The threshold was changed after the test part was seen, so its "
            "sensitivity and specificity may look better than they are.", "Test it on a cohort that nobody has seen.",
        )  # fmt: skip
    if tested >= MANY_RUNS:
        yield _Said(
            "with care", f"{tested} runs tested on it", f"{tested} runs were tested on this part: the best of them "
            "looks better than it is.", "Test the chosen one on a cohort that nobody has seen.",
        )  # fmt: skip


def _moment(at: str) -> datetime:
    """Of an ISO time; one without a zone is UTC."""
    told = datetime.fromisoformat(at)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _clean(result: Result, tested: int) -> str:
    patients = result.parts.get("test", {}).get("patients")
    who = f", {patients:,} patients in the test part" if patients else ""
    others = f"; {tested} runs were tested on it" if tested > 1 else ""
    return f"No patient was in two parts{who}{others}."


# ---- discrimination -------------------------------------------------------------------------------------------------


def _discrimination(judgement: Judgement, result: Result) -> _Said:
    auroc = result.estimate("auroc")
    if auroc is None:
        return _Said(
            "not known", "cannot be computed", "The test part has cases of one kind only, so ranking cannot be judged.",
            "Bring cases of both kinds.",
        )  # fmt: skip
    whole = words.whole(auroc)
    said = [*_of_guards(result), *_of_classes(judgement, result)]
    if auroc.high < 0.5:
        said.append(
            _Said(
                "does not hold", f"AUROC {whole}", f"AUROC {whole}: it ranked the wrong way round.",
                "Look whether labels were exchanged.",
            )
        )  # fmt: skip
    elif auroc.high < LEAST_AUROC:
        guessing = "it could not be told from guessing, and " if auroc.low <= 0.5 else ""
        said.append(
            _Said(
                "does not hold", f"AUROC {whole}", f"AUROC {whole}: {guessing}even the upper end of its interval lies "
                f"below {LEAST_AUROC:g}.", "Take another source, or bring more cases to learn from.",
            )
        )  # fmt: skip
    elif auroc.low <= 0.5:
        return _too_few(whole, said)
    elif auroc.low < LEAST_AUROC or auroc.high - auroc.low > WIDE:
        leaves = "ranking may be weak" if auroc.low < LEAST_AUROC else "the interval leaves much open"
        said.append(_Said("with care", f"AUROC {whole}", f"AUROC {whole}: {leaves}.", "More test cases narrow this."))
    best = _Said("holds", f"AUROC {whole}", f"AUROC {whole}, better than thumbnails without any network.")
    return _worst(said) if said else best


def _too_few(whole: str, others: Sequence[_Said]) -> _Said:
    """From guessing to good ranking all is possible: no proof of failure, and no other doubt is worth as much."""
    unknown = _Said(
        "not known", "too few to tell", f"AUROC {whole}: too few test cases to tell good ranking from guessing.",
        "Bring more test cases.",
    )  # fmt: skip
    bad = [one for one in others if one.state == "does not hold"]
    also = tuple(one.reason for one in others if one.state == "with care")
    return _worst([*bad, unknown]) if bad else replace(unknown, also=also)


def _of_guards(result: Result) -> Iterable[_Said]:
    guards = result.guards or ((result.control,) if result.control else ())
    for guard in guards:
        if guard.verdict == "hurts" and guard.name == "from-scratch":
            yield _Said("does not hold", "worse than without a source", guard.says, "Take another source, or none.")
        elif guard.verdict == "hurts":
            yield _Said("does not hold", "worse than what costs less", guard.says, "Use what costs less.")
    plain = next((one for one in guards if one.name == "thumbnails"), None)
    if plain is None:
        yield _Said("with care", "not compared", "It was not compared with anything that costs less.")
    elif plain.verdict != "helps":
        yield _Said("with care", _as_good(plain), plain.says, "More test cases could tell them apart.")


def _as_good(guard: Control) -> str:
    return "not told apart from thumbnails" if guard.verdict != "hurts" else "worse than thumbnails"


def _of_classes(judgement: Judgement, result: Result) -> Iterable[_Said]:
    for view in judgement.views:
        each = _auroc_of(view, result)
        if each is not None and len(judgement.views) > 1 and each.low <= 0.5:
            yield _Said(
                "with care", f"{view.name}: could be guessing", f"{view.name}: AUROC {words.whole(each)} could not be "
                "told from guessing.", f"Bring more cases of {view.name}.",
            )  # fmt: skip


def _auroc_of(view: OfView, result: Result) -> Estimate | None:
    found = result.findings.get(view.name)
    if found is not None:
        each = next((one for one in found.get("estimates") or () if one.get("name") == "auroc"), None)
        return Estimate(**each) if each else None
    return result.estimate(f"auroc[{view.name}]")


# ---- calibration ----------------------------------------------------------------------------------------------------


def _calibration(judgement: Judgement) -> _Said:
    several = len(judgement.views) > 1
    said = [_of_view(view, f"{view.name}: " if several else "") for view in judgement.views]
    return _worst(said) if said else _Said("not known", "nothing to judge", "There is no test case.")


def _of_view(view: OfView, of: str) -> _Said:
    after, change = view.mended.after, view.mended.change
    if after.few or after.slope is None or after.intercept is None:
        return _Said(
            "not known", "too few to judge" if after.few else "cannot be computed",
            f"{of}{after.says if after.few else ' '.join(after.notes) or after.says}",
            "Read its output as a score, not as a probability.",
        )  # fmt: skip
    if after.off:
        return _Said(
            "does not hold", "clearly off", f"{of}{_how_far_off(after)}",
            "Read its output as a score, never as a probability.",
        )  # fmt: skip
    if not view.calibrator.fitted:
        return _Said("with care", "not calibrated", f"{of}{view.calibrator.says}", "Read its output as a score.")
    if change is not None and change.low > 0:
        return _Said("with care", "calibrating made it worse", f"{of}{view.mended.says}", "Read it as a score.")
    if after.departs:
        return _Said("with care", "a little off", f"{of}{_how_far_off(after)}", "Read it as a rough probability only.")
    if any(one.off for one in after.bins):
        return _Said("with care", "off in places", f"{of}{after.says}", "Look where the plot leaves the line.")
    slope = f"slope {words.whole(after.slope)}"
    return _Said("holds", "no departure shown", f"{of}No departure was shown ({slope}, n = {after.n:,}).")


def _how_far_off(after: Reliability) -> str:
    said = []
    if after.slope and not after.slope.low <= 1 <= after.slope.high:
        kind = "extreme" if after.slope.value < 1 else "timid"
        said.append(f"the scores were too {kind} (slope {words.whole(after.slope)}, where 1 is right)")
    if after.intercept and not after.intercept.low <= 0 <= after.intercept.high:
        kind = "low" if after.intercept.value > 0 else "high"
        said.append(
            f"the scores were too {kind} on average (intercept {words.whole(after.intercept)}, where 0 is right)"
        )
    return f"{_start(' and '.join(said))}, n = {after.n:,}."


# ---- subgroups ------------------------------------------------------------------------------------------------------


def _subgroups(judgement: Judgement, cohort: Cohort | None) -> _Said:
    if not judgement.subgroups:
        why = "The cohort was deleted" if cohort is None else "No sex, age, site or scanner was recorded"
        return _Said(
            "not known", "nothing recorded", f"{why}, so whether it did worse in some group is not known.",
            "Add what is known of the patients on the page Data.",
        )  # fmt: skip
    rows = [(of, row) for of in judgement.subgroups for row in of.rows]
    looked = max(of.looked_at for of in judgement.subgroups)
    said = [one for of, row in rows if (one := _of_row(of, row, len(judgement.subgroups) > 1))]
    few = {f"{row.field}, {row.group}" for _, row in rows if row.standing == "too few to say"}
    if not looked:
        said.append(
            _Said(
                "not known", "too few to say", "Every recorded group has too few test patients to say anything.",
                "Bring more test cases.",
            )
        )  # fmt: skip
    elif few:
        others = "" if said else "; no difference was shown in the others"
        said.append(
            _Said(
                "with care", f"{len(few)} groups too few", f"Too few to say in {len(few)} of the groups recorded"
                f"{others}.", "Bring more cases of these groups.",
            )
        )  # fmt: skip
    asked = len(judgement.subgroups)
    clean = f"No difference was shown between any of {looked} groups and all others"
    clean += f", in any of {asked} questions." if asked > 1 else "."
    return _worst(said) if said else _Said("holds", "no difference shown", clean)


def _of_row(of: Subgroups, row: Row, several: bool) -> _Said | None:
    who = f"{row.field}, {row.group}"
    says = f"{of.about}, {who}: {row.says}" if several else f"{who}: {row.says}"
    if row.standing == "lower":
        return _Said("does not hold", f"lower in {row.group}", says, "Do not use it in this group before it is clear.")
    if row.standing in ("may be lower", "higher", "may be higher"):
        short = f"{row.standing} in {row.group}"
        return _Said("with care", short, says, "Bring more cases of this group to be sure.")
    return None


# ---- robustness and explanation -------------------------------------------------------------------------------------


def _robustness(result: Result) -> _Said:
    found = result.robustness
    if found is None:
        return _Said(
            "not known", "not measured", "Whether it holds on darker, blurred or noisy images was not measured.",
            "Measure it below.",
        )  # fmt: skip
    if found.auroc.low <= 0.5 or not found.rows or any(one.verdict == "too few" for one in found.rows):
        return _Said("not known", "too few to say", found.says, "Bring more test cases.")
    worst = max(found.rows, key=lambda one: one.fall.value if one.verdict == "falls" else -1.0)
    if worst.verdict == "falls":
        by = f"{worst.fall.value:.2f} ({worst.fall.low:.2f} to {worst.fall.high:.2f})"
        short = f"falls by {worst.fall.value:.2f} if {worst.name}"
        state: State = "does not hold" if worst.fall.value >= LARGE_FALL else "with care"
        return _Said(
            state, short, f"With {worst.name} its AUROC fell by {by}.", "Keep to images like those it learned from."
        )
    if maybe := [one for one in found.rows if one.fall.low > 0 and one.fall.value >= OF_ANY_WEIGHT]:
        likely = max(maybe, key=lambda one: one.fall.value)
        by = f"{likely.fall.value:.2f} ({likely.fall.low:.2f} to {likely.fall.high:.2f})"
        return _Said(
            "with care", f"may fall if {likely.name}", f"With {likely.name} its AUROC was lower by {by}, which among "
            f"{len(found.rows)} changes can be chance.", "More test cases narrow this.",
        )  # fmt: skip
    widest = max(found.rows, key=lambda one: one.fall.high)
    if widest.fall.high >= LARGE_FALL:
        return _Said(
            "with care", "a fall cannot be ruled out", f"No fall was shown, but one of up to {widest.fall.high:.2f} "
            f"with {widest.name} cannot be ruled out (n = {found.cases:,}).", "More test cases narrow this.",
        )  # fmt: skip
    return _Said("holds", "no fall shown", found.says)


def _explanation(looked: Attention | None) -> _Said:
    if looked is None or not looked.checks:
        return _Said(
            "not known", "not measured", "Whether its maps depend on the model was not measured.",
            "Look at single maps with care.",
        )  # fmt: skip
    said = []
    for mark in looked.checks:
        if mark.passed is False:
            state: State = "does not hold" if mark.id in OF_THE_MODEL else "with care"
            short = "maps do not depend on the model" if mark.id in OF_THE_MODEL else "a check was not passed"
            said.append(_Said(state, short, mark.says, "Do not read its maps."))
    if looked.alarms:
        first = looked.alarms[0]
        short = f"looks {first.title[:1].lower()}{first.title[1:]}"
        said.append(_Said("with care", short, first.says, "Look for a shortcut on the page Data."))
    told = [mark for mark in looked.checks if mark.passed is not None]
    if not any(mark.id in OF_THE_MODEL for mark in told):
        said.append(
            _Said("not known", "cannot be told", "Whether its maps depend on the model cannot be told on these cases.")
        )
    elif len(told) < len(looked.checks):
        left = len(looked.checks) - len(told)
        said.append(_Said("with care", f"{left} checks open", f"{left} checks of its maps cannot be told yet."))
    passed = f"{len(told)} checks of its maps were passed on {looked.sample} test cases."
    return _worst(said) if said else _Said("holds", f"{len(told)} checks passed", passed)
