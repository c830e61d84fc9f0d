"""Choosing the operating point of a finished run anew: allowed, recorded with its time, and said wherever it is shown.

The threshold still comes from the tune part alone. The first result stays as it was; what is in force lies beside it.
"""

import json
from pathlib import Path
from typing import Any

from medtl.errors import BadInput
from medtl.evaluation import evaluation, findings
from medtl.runs import choices, results, store
from medtl.trust import cases
from medtl.trust.cases import Cases
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
