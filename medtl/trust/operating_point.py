"""Choosing the operating point of a finished run anew: allowed, recorded with its time, and said wherever it is shown.

The threshold still comes from the tune part alone. The first result stays as it was; what is in force lies beside it.
"""

import json
from pathlib import Path
from typing import Any

from medtl.errors import BadInput
from medtl.evaluation import evaluation, findings, sentences
from medtl.runs import choices, results, store
from medtl.trust import cases
from medtl.trust.cases import Cases
from medtl.trust.values import Judgement, OfView
from medtl.vocabulary import OperatingRule
from medtl.workspace import write_whole

# What depends on the threshold; the rest of a result (ranking, guards, curves) does not.
KEPT = ("estimates", "threshold", "confusion", "sentence", "small_test", "notes")


def change(folder: Path, rule: OperatingRule) -> None:
    """Put another rule in force, or the recipe's again. Raises BadInput where no threshold decides."""
    result = results.load(folder)
    told = cases.read(folder, result)
    if not can_change(told):
        raise BadInput(
            "This run has no threshold to choose: of several classes the highest score decides.",
            "Look at one class at a time instead.",
        )
    if told.tune is None:
        raise BadInput("The answers of the tune part were not kept, so no threshold can be chosen.", "Train again.")
    place = folder / store.RESULT / results.OPERATING
    if rule == result.recipe.operating:
        choices.changes(folder, rule)
        place.unlink(missing_ok=True)
        return
    content = _judged(told, rule, result.recipe.seed)
    choices.changes(folder, rule)  # on record before it shows
    write_whole(place, json.dumps(content, ensure_ascii=False))


def wanted(judgement: Judgement) -> tuple[str, ...]:
    """What a wanted sensitivity or specificity came to in the test part: "Wanted: sensitivity 90 %; in the test part 17
    of 20 (85 %, 64–95 %), …", one a question that a threshold decides; none where the rule wishes no share."""
    placed = [one for one in judgement.views if one.threshold is not None and one.threshold.value is not None]
    about = [f"{one.name}: " if len(placed) > 1 else "" for one in placed]
    made = [_wanted(judgement.rule, one) for one in placed]
    return tuple(f"{name}{said}" for name, said in zip(about, made, strict=True) if said)


def _wanted(rule: OperatingRule, view: OfView) -> str:
    got = view.point.get(rule.kind) if rule.kind in ("sensitivity", "specificity") else None
    if got is None or rule.value is None:
        return ""
    hits = view.point.tp if rule.kind == "sensitivity" else view.point.tn
    if got.low > rule.value:
        stands = "the whole interval lies above it"
    elif got.high < rule.value:
        stands = "the whole interval lies below it"
    else:
        stands = f"{'less' if got.value < rule.value - 1e-12 else 'reached'}, with an interval that leaves both open"
    return (
        f"Wanted: {rule.kind} {100 * rule.value:g} %; in the test part {hits:,} of {got.n:,} "
        f"({sentences.share(got)}): {stands}."
    )


def can_change(told: Cases) -> bool:
    return told.question.task == "multi-label" or len(told.question.classes) == 2


def _judged(told: Cases, rule: OperatingRule, seed: int) -> dict[str, Any]:
    """The part of estimates.json that another threshold changes."""
    assert told.tune is not None  # the caller looked
    tune, test, asked = told.tune.answers, told.test.answers, told.question
    if asked.task == "multi-label":
        several = findings.evaluate(
            cases.truth(tune), tune.scores, cases.truth(test), test.scores, asked.classes, test.patients,
            seed=seed, rule=rule, patients_tune=tune.patients,
        ).as_dict()  # fmt: skip
        each = {name: {key: one[key] for key in KEPT if key in one} for name, one in several["findings"].items()}
        return {key: several[key] for key in KEPT if several.get(key) is not None} | {"findings": each}
    made = evaluation.evaluate(
        tune.y, tune.scores, test.y, test.scores, asked.classes, asked.positive, test.patients,
        seed=seed, rule=rule, patients_tune=tune.patients,
    ).as_dict()  # fmt: skip
    return {key: made[key] for key in KEPT}
