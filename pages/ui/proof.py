"""What a run reached on its test part, as sentences that stand beside an answer. Draws nothing, computes nothing anew:
every number is that of the run's `Judgement`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from medtl.errors import MedtlError
from medtl.evaluation import sentences
from medtl.evaluation.conformal import Coverage
from medtl.evaluation.prevalence import whom
from medtl.trust.values import Judgement, OfView
from medtl.vocabulary import Estimate
from pages.ui import shelf

PERCENT = "\u00a0%"  # no line may break before it
FEW = 20  # test cases of a class below which a number about it says little
NEAR = 0.05  # of the scale: a score so close to the threshold could lie on the other side
FAR = 0.8  # of the gate's limit: beyond it a picture is let through only just


def judgement(run: str) -> Judgement | None:
    """None where the run was tested on nothing."""
    try:
        return shelf.judgement(run)
    except MedtlError:
        return None


def told(estimate: Estimate | None) -> str:
    """ "94 %, 71–99 %": a share with its interval."""
    if estimate is None:
        return "not measured"
    return sentences.share(estimate).replace(" %", PERCENT)


def reached(view: OfView) -> str:
    """What the calls for one class did to the test part, counts first."""
    point = view.point
    found = f"{point.tp} of {point.tp + point.fn} {view.name} found (sensitivity {told(point.get('sensitivity'))})"
    passed = f"{point.tn} of {point.tn + point.fp} others let pass (specificity {told(point.get('specificity'))})"
    return f"In the test part: {found}; {passed}."


def promise(judged: Judgement | None, error: float, pooled: bool = False) -> str:
    """What sets of this run promise, and what they held on the test part; of `pooled` answers, by patient."""
    unit = "patient" if pooled else "case"
    said = f"Such a set is made to miss the truth in at most about {100 * error:.0f}{PERCENT} of {unit}s"
    sets = (judged.sets_of_patients if pooled else judged.sets) if judged else ()
    if judged and pooled and not sets:
        return (
            "Whether sets of several images hold the truth was not tested: the run has no patients of several images."
        )
    held = sets[0].held if len(sets) == 1 else None
    if held is None:
        return f"{said}."
    of = f"{held.n} {unit}s" if pooled else f"{held.n}"
    said = f"{said}; in the test part it held the truth in {round(held.value * held.n)} of {of} ({told(held)})."
    return f"{said}{_least(sets[0], error)}"


def _least(made: Coverage, error: float) -> str:
    """The class that the sets held least, where that is less often than was aimed at."""
    known = [(one.name, one.held) for one in made.by_class if one.held is not None]
    if not known:
        return ""
    name, held = min(known, key=lambda one: one[1].value)
    if round(100 * held.value) >= round(100 * (1 - error)):  # as it would be written
        return ""
    return f" Of {name} it held only {round(held.value * held.n)} of {held.n} ({told(held)})."


def doubts(
    answer: Mapping[str, Any], judged: Judgement | None, classes: Sequence[str], labels: Mapping[str, str],
    synthetic: bool = False,
) -> list[str]:  # fmt: skip
    """Reasons to doubt this one answer, the heaviest first. `labels`: case -> label of the training cases."""
    said: list[str] = []
    if answer.get("known"):
        said.append(str(answer["known"]))
    if synthetic:
        said.append("The model learned from pictures that were made by code: it knows nothing of patients.")
    said += _as_common(answer, judged)
    said += _close(answer, judged)
    if answer.get("ranged"):
        said += _looks(answer, judged)
    if only_just(answer):
        said.append("It is only just like the training images: a little less, and it would not have been answered.")
    called = list(answer.get("called") or [])
    near = [labels.get(one["case"], "") for one in answer.get("nearest") or ()]
    if len(called) == 1 and near and called[0] not in near:
        said.append(f"None of the training cases most alike is {called[0]}: {', '.join(filter(None, near))}.")
    said += _few(called, judged, classes)
    if answer.get("word") != "probability":
        said.append(
            "The number is a score, not a probability: that it matches how often the class is true was not shown."
        )
    return said


def only_just(answer: Mapping[str, Any]) -> bool:
    """Whether the gate let it through, but not by much."""
    gate = answer.get("gate") or {}
    return bool(gate.get("limit") and gate["limit"] > 0 and FAR * gate["limit"] < gate.get("far", 0))


def _as_common(answer: Mapping[str, Any], judged: Judgement | None) -> list[str]:
    """What the calls of this answer are worth where the disease is as common as was said on Trust. Nothing of several
    images together: what is known is known of single ones."""
    if judged is None or int(answer.get("pooled") or 1) > 1:
        return []
    said = []
    for name in answer.get("called") or ():
        for view in judged.views:
            alone = len(judged.views) == 1 and view.without == name
            worth = view.here and (view.here.ppv if view.name == name else view.here.npv if alone else None)
            if worth and view.here:
                said.append(
                    f"With {100 * view.here.prevalence:.3g} in 100 {whom(view.point)} having {view.name}, a call of "
                    f"{name} is right in about {told(worth)}."
                )
    return said


def _close(answer: Mapping[str, Any], judged: Judgement | None) -> list[str]:
    used = _used(answer)
    if not judged or not used:
        return []
    if answer.get("findings"):
        near = [v.name for v in judged.views if v.threshold and _near(used.get(v.name), v.threshold.value)]
        return [f"Close to the threshold, so that little would turn it: {', '.join(near)}."] if near else []
    view = judged.views[0] if len(judged.views) == 1 else None
    if view and view.threshold and _near(used.get(view.name), view.threshold.value):
        return ["Its score lies close to the threshold: a picture taken again could be called the other way."]
    first, *rest = sorted(used.values(), reverse=True)
    if view is None and rest and first - rest[0] < 2 * NEAR:
        return ["The two highest scores lie close together: a picture taken again could be called otherwise."]
    return []


def _looks(answer: Mapping[str, Any], judged: Judgement | None) -> list[str]:
    low, high = answer["ranged"]
    says = f"Over {answer['looks']} small changes of the picture its score went from {low:.2f} to {high:.2f}"
    at = judged.views[0].threshold if judged and len(judged.views) == 1 else None
    top = (answer.get("called") or [""])[0]
    if at and at.value is not None:
        line = at.value if judged and top == judged.views[0].name else 1 - at.value
        if low < line <= high:
            return [f"{says}: the looks do not agree on which side of the threshold it lies."]
    return [f"{says}."] if high - low > 2 * NEAR else []


def _few(called: Sequence[str], judged: Judgement | None, classes: Sequence[str]) -> list[str]:
    if judged is None:
        return ["It was tested on nothing: how often such answers are right is not known."]
    counted = {view.name: view.having for view in judged.views}
    if len(judged.views) == 1:
        counted[judged.views[0].without] = judged.views[0].cases - judged.views[0].having
    about = called if len(judged.views) != 1 else [name for name in classes if name in counted]
    few = [f"{counted[name]} {name}" for name in about if counted.get(name, FEW) < FEW]
    return [f"Few test cases stand behind it ({', '.join(few)}): see how wide the intervals are."] if few else []


def _used(answer: Mapping[str, Any]) -> Mapping[str, float]:
    return answer.get("scores") or {}


def _near(score: float | None, line: float | None) -> bool:
    return score is not None and line is not None and abs(score - line) < NEAR
