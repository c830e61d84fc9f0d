"""Training: one strategy, several, or a recipe once more; and cross-validation afterwards."""

import argparse
import math
from pathlib import Path
from typing import Any

from medtl.commands import aloud, typed
from medtl.commands.typed import Answer
from medtl.errors import BadInput
from medtl.vocabulary import OperatingRule
from medtl.workspace import Workspace


def train(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import automatic, start
    from medtl.runs import results, store

    if options.recipe:
        return _train_again(ws, options)
    if not (options.cohort and options.strategy):
        raise BadInput("Training needs a cohort and a strategy.", "Name both, or give --recipe FILE.")
    settings, named = typed.settings(options.set), list(dict.fromkeys(options.strategy))
    labels = {
        "uncertain": typed.pairs(options.uncertain, "FINDING=POLICY", "--uncertain edema=ones"),
        "weigh_tasks": options.weigh_findings,
    }
    if "auto" in named or len(named) > 1:
        if settings and "auto" in named:
            raise BadInput("Settings cannot be given for strategies that are chosen automatically.", "Name a strategy.")
        group = automatic.begin(
            ws, options.cohort, options.source, [id for id in named if id != "auto"],
            settings={id: _known(id, settings) for id in named}, automatic="auto" in named, seed=options.seed,
            device=options.device, control=options.control, title=options.title,
            budget=typed.seconds(options.budget), size=options.size, labels=labels, operating=_rule(options.operating),
            aids={id: _aids(id, options, several=True) for id in named},
        )  # fmt: skip
        ids = [member.run for member in automatic.members(ws, group)]
    else:
        group = ""
        ids = [
            start.start(
                ws, options.cohort, options.source, named[0], settings=settings, seed=options.seed,
                device=options.device, control=options.control, title=options.title,
                budget=typed.seconds(options.budget), size=options.size, operating=_rule(options.operating),
                **_aids(named[0], options, several=False), **labels,
            )
        ]  # fmt: skip
    if options.cross_validate:
        for id in ids:
            store.wish_cross_validation(ws.run(id), options.repeats)
            aloud.say(f"{id}: {_takes(start.cross_validation_takes(ws, id, options.repeats), options.repeats)}")
    if not options.detach:
        controls = [run.id for run in store.runs(ws) if run.control_for in ids]
        for id in [*ids, *controls]:
            aloud.follow(ws, id)
    choice = automatic.chosen(ws, group) if group else None
    if choice:
        ids.sort(key=lambda id: id != choice.run)  # the result of an automatic group first
    runs = [results.describe(ws, id) for id in ids]
    said = {"chosen": choice.run, "chosen_says": choice.says} if choice else {}
    return {"runs": runs, **said, "exit": 2 if any(run["status"] == "failed" for run in runs) else 0}


def _train_again(ws: Workspace, options: argparse.Namespace) -> Answer:
    """The run of a recipe once more. What the recipe says cannot be said otherwise: it would be another run."""
    from medtl.reporting import recipes
    from medtl.runs import results

    if options.cohort or options.strategy or options.set or options.seed or options.source != "auto":
        raise BadInput("A recipe says cohort, source, strategy, settings and seed itself.", "Give --recipe alone.")
    device = "" if options.device == "auto" else options.device
    run, differences = recipes.repeat(ws, Path(options.recipe), options.title, device)
    for says in differences:
        aloud.say(says)
    if not options.detach:
        aloud.follow(ws, run)
    said = results.describe(ws, run)
    return {"runs": [said], "differences": differences, "exit": 2 if said["status"] == "failed" else 0}


def cross_validate(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import start
    from medtl.runs import results

    aloud.say(_takes(start.cross_validation_takes(ws, options.run, options.repeats), options.repeats))
    start.cross_validate(ws, options.run, options.repeats)
    if not options.detach:
        aloud.follow(ws, options.run)
    return results.describe(ws, options.run)


def _rule(text: str) -> OperatingRule:
    """ "sensitivity=90%" -> the rule for the threshold."""
    kind, _, value = text.partition("=")
    try:
        number = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1) if value else None
    except ValueError:
        number = math.nan
    return OperatingRule(kind, number)  # type: ignore[arg-type]  # looked at where it is made


def _known(strategy: str, settings: dict[str, str]) -> dict[str, str]:
    """The settings this strategy has, when several strategies share one command."""
    from medtl import strategies

    names = {s.name for cls in strategies.STRATEGIES if cls.id == strategy for s in strategies.settings_of(cls)}
    return {name: value for name, value in settings.items() if name in names}


def _aids(strategy: str, options: argparse.Namespace, several: bool) -> dict[str, Any]:
    """What was named besides cohort and source; of several strategies each is given what it asks for."""
    from medtl import strategies

    given = {name: value for name in ("unlabelled", "teacher") if (value := getattr(options, name))}
    if not several or strategy not in strategies.STRATEGIES:
        return given
    return {name: value for name, value in given.items() if name in strategies.STRATEGIES[strategy].asks}


def _takes(seconds: float, repeats: int) -> str:
    from medtl.training.cost import in_words

    return f"Cross-validating {repeats} {'time' if repeats == 1 else 'times'} takes {in_words(seconds)} more."
