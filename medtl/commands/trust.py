"""What the numbers of finished runs are worth: under changed images, on another cohort, beside other runs."""

import argparse

from medtl.commands import aloud, typed
from medtl.commands.typed import Answer
from medtl.errors import BadInput, MedtlError, NotFound
from medtl.workspace import Workspace


def robustness(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import robustness
    from medtl.runs import afterwards, store
    from medtl.training.cost import in_words
    from medtl.vocabulary import to_dict

    if robustness.ask(ws, options.run, options.again, most=options.most):
        takes = robustness.takes(ws, options.run, options.most)
        aloud.say(f"Changing the test images and scoring them again takes {in_words(takes)}.")
        if options.detach:
            return {"run": options.run, "robustness": None, "says": "It is being worked out."}
        aloud.follow(ws, options.run)
    found = afterwards.robustness(store.folder(ws, options.run))
    if found is None:
        raise MedtlError(_why_not(ws, options.run), "See the run's log.txt for details, or try again.")
    return {"run": options.run, "robustness": to_dict(found), "says": found.says}


def evaluate(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import external
    from medtl.runs import afterwards, results, store
    from medtl.training.cost import in_words
    from medtl.vocabulary import to_dict

    mapping = typed.pairs(options.map, "CLASS=CLASS", '--map "malig=malignant"', empty=True)
    cohort = options.other or options.cohort
    if not cohort:
        raise BadInput("No cohort was named to test the run on.", "Name it: evaluate RUN --cohort COHORT.")
    folder = store.folder(ws, options.run)
    try:
        asked = external.check(ws, options.run, cohort, mapping, options.other_patients)
    except NotFound:  # the cohort was deleted since: what was found on it can still be read
        if options.again or not any(one.cohort == cohort for one in afterwards.externals(folder)):
            raise
        asked = None
    if asked and external.ask(ws, options.run, cohort, mapping, options.other_patients, options.again):
        takes = external.takes(ws, options.run, cohort, asked.cases)
        aloud.say(f"Scoring {asked.cases:,} images takes {in_words(takes)}.")
        if options.detach:
            return {"run": options.run, "external": None, "says": "It is being worked out."}
        aloud.follow(ws, options.run)
    found = next((one for one in afterwards.externals(folder) if one.cohort == cohort), None)
    if found is None:
        raise MedtlError(_why_not(ws, options.run), "See the run's log.txt for details, or try again.")
    run = results.describe(ws, options.run)
    return {
        **{name: run[name] for name in ("run", "status", "source", "strategy", "device", "seed", "threshold")},
        "seconds": {"total": found.seconds},
        "estimates": [to_dict(one) for one in external.numbers(found)],
        "internal_estimates": run["estimates"],
        "external": to_dict(found)
        | {
            "missing": list(found.missing),
            "folder": str(found.folder),
            "predictions": str(found.folder / results.PREDICTIONS),
        },
    }


def _why_not(ws: Workspace, run_id: str) -> str:
    """What the worker said last."""
    from medtl.runs import status, store

    notes = status.progress(store.folder(ws, run_id)).notes
    return notes[-1] if notes else "It could not be worked out."


def compare(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import comparing
    from medtl.vocabulary import to_dict

    answer: Answer = to_dict(comparing.compare(ws, options.run))
    return answer
