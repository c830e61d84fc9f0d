"""Source models and strategies: which there are, which suits a cohort, what a strategy would do and take."""

import argparse
import math
from pathlib import Path
from typing import Any

from medtl.commands import aloud, typed
from medtl.commands.typed import Answer
from medtl.errors import BadInput
from medtl.workspace import Workspace


def listed(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.sources import library

    return {"sources": [described(source) for source in library.sources(ws)]}


def add(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.sources.foreign import Stated
    from medtl.sources.importing import add_file

    stated = Stated(_numbers(options.mean, "--mean"), _numbers(options.std, "--std"), options.size, options.range)
    source, found = add_file(ws, Path(options.file), options.builder, options.title, typed.path(options.card), stated)
    return {**described(source), "report": found.describe()}


def _numbers(text: str | None, name: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise BadInput(f"'{text}' is no list of numbers.", f"Write for example {name} 0.5,0.5,0.5.") from error
    if not all(math.isfinite(number) for number in numbers):
        raise BadInput(f"'{text}' is no list of numbers.", f"Write for example {name} 0.5,0.5,0.5.")
    return numbers


def delete(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.sources import library

    return {"deleted": options.id, "bytes": library.delete(ws, options.id)}


def described(source: Any) -> Answer:
    return {
        "id": source.id,
        "title": source.title,
        "says": source.card.says,
        "origin": source.origin,
        "builder": source.builder,
        "available": source.available,
        "on_disk": source.on_disk,
        "why_not": source.why_not,
        "trained_on": source.trained_on,
        "cases": source.cases,
        "labels": list(source.labels),
        "licence": source.licence,
        "attribution": source.attribution,
        "input": source.input.describe(),
        "limits": source.card.limits,
        "reference": source.card.reference,
        "figures": list(source.figures),
        "size_mb": source.size_mb,
        "sha256": source.sha256,
        "needs": source.needs,
    }


def strategies(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import strategies
    from medtl.vocabulary import to_dict

    return {
        "strategies": [
            {
                **to_dict(cls.card),
                "family": cls.family,
                "asks": list(cls.asks),
                "settings": [to_dict(setting) for setting in strategies.settings_of(cls)],
            }
            for cls in strategies.STRATEGIES
        ]
    }


def recommend(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import rank, start, strategies
    from medtl.cohorts import library as cohorts
    from medtl.sources import library as sources
    from medtl.vocabulary import to_dict

    known = sources.sources(ws)
    chosen = [known[options.source]] if options.source else list(known)
    cohort = cohorts.load(ws, options.cohort)
    found = rank.recommended(ws, cohort, chosen)
    takes = start.estimate(ws, cohort, known[found.source], strategies.make(found.strategy))
    over = takes.over(typed.seconds(options.budget))
    return {**to_dict(found), "seconds": round(takes.seconds, 1), "cost": takes.says, "budget": over}


def rank(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import rank
    from medtl.vocabulary import to_dict

    on_progress = aloud.progress()
    if options.race:
        aloud.say(rank.race_says(ws, options.id))
    found = rank.run(
        ws, options.id, options.source or (), with_race=options.race, most=options.most, on_progress=on_progress
    )
    rows = [
        {
            "id": row.source,
            "available": row.score is not None or row.logme is not None,
            **{key: getattr(row.score, key, None) for key in ("low", "high", "n", "how")},
            **{key: value for key, value in to_dict(row).items() if key not in ("source", "score")},
            "score": row.score.value if row.score else None,
        }
        for row in found.rows
    ]
    measured = {row.source for row in found.rows}
    rest = [
        {"id": source.id, "title": source.title, "available": source.available, "score": None, "low": None,
         "high": None, "logme": None, "distance": None, "says": source.why_not or "Not measured."}
        for source in rank.known(ws) if source.id not in measured
    ]  # fmt: skip
    whole = {key: value for key, value in to_dict(found).items() if key != "rows"}
    return {"id": found.cohort, **whole, "sources": rows + rest}


def plan(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import start, strategies
    from medtl.cohorts import library as cohorts
    from medtl.sources import library as sources
    from medtl.vocabulary import to_dict

    cohort = cohorts.load(ws, options.cohort)
    source = sources.sources(ws)[options.source]
    strategy = strategies.make_for(options.strategy, cohort, typed.settings(options.set))
    plan = strategy.plan(source.outline, len(cohort.classes))
    estimate = start.estimate(ws, cohort, source, strategy)
    return {
        "source": source.id,
        "strategy": strategy.id,
        "says": list(strategies.sentences(plan, source.outline, len(cohort.classes))),
        "steps": [{"step": type(step).__name__, **to_dict(step)} for step in plan],
        "may_change": strategies.may_change(plan, source.outline, len(cohort.classes)),
        "parameters": source.outline.parameters,
        "why_not": strategies.why_not(strategy, source, cohort),
        "seconds": round(estimate.seconds, 1),
        "cost": estimate.says,
        "basis": estimate.basis,
        "budget": estimate.over(typed.seconds(options.budget)),
    }


def calibrate(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import calibrating
    from medtl.vocabulary import to_dict

    return {"sources": [to_dict(one) for one in calibrating.run(ws, options.source or ())]}
