"""What each command does, from the words typed to one JSON-ready answer; grammar and printing are in `medtl.cli`.

Everything heavy is imported where it is used, so that `--help` and small commands answer at once.
"""

import argparse
import json
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtl.errors import BadInput, MedtlError, NotFound
from medtl.vocabulary import OperatingRule
from medtl.workspace import Workspace, write_whole

if TYPE_CHECKING:
    from medtl.prediction import Trained, Wish
    from medtl.vocabulary import Blank

Answer = dict[str, Any]

# ---- the example and the machine -------------------------------------------------------------------------------------


def demo(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import demo
    from medtl.runs import results

    _say("Making the SYNTHETIC example (a cohort and one finished run); under a minute, and only once ...")
    cohort, run = demo.ensure(ws)
    return {"cohort": cohort, "run": run, "sentence": results.describe(ws, run)["sentence"]}


def doctor(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import doctor

    report = doctor.examine(ws)
    return {**report, "exit": 0 if report["ok"] else 1}


# ---- cohorts ---------------------------------------------------------------------------------------------------------


def cohort_add(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library
    from medtl.vocabulary import Reading, Skipped, to_dict

    skipped: list[Skipped] = []
    on_progress = _progress_to(os.environ.get("MEDTL_PROGRESS"))
    path, name = _brought(ws, options, on_progress)
    cohort = library.add(
        ws,
        path,
        name=options.name or name,
        labels=_path(options.labels),
        split=_path(options.split),
        patient_pattern=options.patient_pattern,
        exclude_findings=_codes(options.exclude_findings),
        positive=options.positive,
        seed=options.seed,
        reading=Reading(options.frames, options.window, options.slices),
        task=options.task,
        outcome=options.outcome,
        uncertain=options.uncertain,
        file_names=options.file_names,
        keep_key=options.keep_key,
        on_progress=on_progress,
        on_skipped=skipped.append,
    )
    # Here the files are called as the user knows them; the cohort itself keeps coded names.
    return {**library.describe(cohort), "skipped": [to_dict(file) for file in skipped]}


def _brought(
    ws: Workspace, options: argparse.Namespace, on_progress: Callable[[int, int], None] | None
) -> tuple[Path, str | None]:
    """The path to read, fetched first when it is a published set; and the title that set has."""
    from medtl.cohorts.importing import PUBLISHED

    if not options.path.startswith(PUBLISHED):
        return Path(options.path), None
    from medtl import published

    name = options.path.removeprefix(PUBLISHED)
    path = published.fetch(ws, name, options.size, on_progress)
    return path, published.named(name).title


def cohort_list(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library
    from medtl.vocabulary import to_dict

    return {"cohorts": [to_dict(summary) for summary in library.cohorts(ws)]}


def cohort_show(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library

    return library.describe(library.load(ws, options.id))


def cohort_edit(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library

    cohort = library.edit(
        ws,
        options.id,
        exclude=options.exclude or (),
        relabel=_pairs(options.relabel, "CASE=LABEL", "--relabel 3fa9c1d2e4b5=benign"),
        exclude_findings=_codes(options.exclude_findings),
        patient_pattern=options.patient_pattern,
        positive=options.positive,
        name=options.name,
        merge=_pairs(options.merge, "CLASS=CLASS", "--merge adenoma=benign"),
        patients=_pairs(options.patient, "CASE=PATIENT", "--patient 3fa9c1d2e4b5=p12"),
        accept=_codes(options.accept),
        blank=[_box(text) for text in options.blank or ()],
        outcome=options.outcome,
        uncertain=options.uncertain,
        who=options.who,
    )
    return library.describe(cohort)


def _pairs(changes: Sequence[str] | None, form: str, example: str) -> dict[str, str]:
    pairs = {}
    for change in changes or ():
        one, equals, other = change.partition("=")
        if not equals or not one or not other:
            raise BadInput(f"'{change}' is not {form}.", f"Write for example {example}.")
        pairs[one] = other
    return pairs


def _box(text: str) -> "Blank":
    from medtl.vocabulary import Blank

    try:
        size, _, shares = text.partition(":")
        width, height = (int(side) for side in size.split("x"))
        left, top, right, bottom = (float(share) for share in shares.split(","))
    except ValueError as error:
        raise BadInput(f"'{text}' is no rectangle.", "Write for example --blank 640x480:0,0,1,0.1") from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise BadInput("A rectangle is given in shares from 0 to 1, left before right, top before bottom.", text)
    return Blank(width, height, left, top, right, bottom)


def cohort_check(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import checkup
    from medtl.vocabulary import to_dict

    on_progress = _progress_to(os.environ.get("MEDTL_PROGRESS"))
    found = checkup.run(ws, options.id, options.source, text=not options.no_text, on_progress=on_progress)
    return {"id": options.id, **to_dict(found)}


def cohort_agreement(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library, readings
    from medtl.vocabulary import to_dict

    cohort = library.load(ws, options.id)
    found = readings.compare(ws, cohort, options.one, options.other or readings.OWN)
    return {"id": cohort.id, **to_dict(found)}


def cohort_delete(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import housekeeping

    return {"deleted": options.id, **housekeeping.delete_cohort(ws, options.id, options.all_versions).as_dict()}


# ---- sources and strategies ------------------------------------------------------------------------------------------


def sources(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.sources import library

    return {"sources": [_source(source) for source in library.sources(ws)]}


def source_add(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.sources.foreign import Stated
    from medtl.sources.importing import add_file

    stated = Stated(_numbers(options.mean, "--mean"), _numbers(options.std, "--std"), options.size, options.range)
    source, found = add_file(ws, Path(options.file), options.builder, options.title, _path(options.card), stated)
    return {**_source(source), "report": found.describe()}


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


def source_delete(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.sources import library

    return {"deleted": options.id, "bytes": library.delete(ws, options.id)}


def _source(source: Any) -> Answer:
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
    over = takes.over(_seconds(options.budget))
    return {**to_dict(found), "seconds": round(takes.seconds, 1), "cost": takes.says, "budget": over}


def rank(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import rank
    from medtl.vocabulary import to_dict

    on_progress = _progress_to(os.environ.get("MEDTL_PROGRESS"))
    if options.race:
        _say(rank.race_says(ws, options.id))
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
    strategy = strategies.make_for(options.strategy, cohort, _settings(options.set))
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
        "budget": estimate.over(_seconds(options.budget)),
    }


def calibrate(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import calibrating
    from medtl.vocabulary import to_dict

    return {"sources": [to_dict(one) for one in calibrating.run(ws, options.source or ())]}


# ---- runs ------------------------------------------------------------------------------------------------------------


def train(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import automatic, start
    from medtl.runs import results, store

    if options.recipe:
        return _train_again(ws, options)
    if not (options.cohort and options.strategy):
        raise BadInput("Training needs a cohort and a strategy.", "Name both, or give --recipe FILE.")
    settings, named = _settings(options.set), list(dict.fromkeys(options.strategy))
    labels = {
        "uncertain": _pairs(options.uncertain, "FINDING=POLICY", "--uncertain edema=ones"),
        "weigh_tasks": options.weigh_findings,
    }
    if "auto" in named or len(named) > 1:
        if settings and "auto" in named:
            raise BadInput("Settings cannot be given for strategies that are chosen automatically.", "Name a strategy.")
        group = automatic.begin(
            ws, options.cohort, options.source, [id for id in named if id != "auto"],
            settings={id: _known(id, settings) for id in named}, automatic="auto" in named, seed=options.seed,
            device=options.device, control=options.control, title=options.title,
            budget=_seconds(options.budget), size=options.size, labels=labels, operating=_rule(options.operating),
            aids={id: _aids(id, options, several=True) for id in named},
        )  # fmt: skip
        ids = [member.run for member in automatic.members(ws, group)]
    else:
        group = ""
        ids = [
            start.start(
                ws, options.cohort, options.source, named[0], settings=settings, seed=options.seed,
                device=options.device, control=options.control, title=options.title,
                budget=_seconds(options.budget), size=options.size, operating=_rule(options.operating),
                **_aids(named[0], options, several=False), **labels,
            )
        ]  # fmt: skip
    if options.cross_validate:
        for id in ids:
            store.wish_cross_validation(ws.run(id), options.repeats)
            _say(f"{id}: {_takes(start.cross_validation_takes(ws, id, options.repeats), options.repeats)}")
    if not options.detach:
        controls = [run.id for run in store.runs(ws) if run.control_for in ids]
        for id in [*ids, *controls]:
            _follow(ws, id)
    choice = automatic.chosen(ws, group) if group else None
    if choice:
        ids.sort(key=lambda id: id != choice.run)  # the result of an automatic group first
    runs = [results.describe(ws, id) for id in ids]
    said = {"chosen": choice.run, "chosen_says": choice.says} if choice else {}
    return {"runs": runs, **said, "exit": 2 if any(run["status"] == "failed" for run in runs) else 0}


def cross_validate(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import start
    from medtl.runs import results

    _say(_takes(start.cross_validation_takes(ws, options.run, options.repeats), options.repeats))
    start.cross_validate(ws, options.run, options.repeats)
    if not options.detach:
        _follow(ws, options.run)
    return results.describe(ws, options.run)


def robustness(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import robustness
    from medtl.runs import afterwards, store
    from medtl.training.cost import in_words
    from medtl.vocabulary import to_dict

    if robustness.ask(ws, options.run, options.again, most=options.most):
        takes = robustness.takes(ws, options.run, options.most)
        _say(f"Changing the test images and scoring them again takes {in_words(takes)}.")
        if options.detach:
            return {"run": options.run, "robustness": None, "says": "It is being worked out."}
        _follow(ws, options.run)
    found = afterwards.robustness(store.folder(ws, options.run))
    if found is None:
        raise MedtlError(_why_not(ws, options.run), "See the run's log.txt for details, or try again.")
    return {"run": options.run, "robustness": to_dict(found), "says": found.says}


def evaluate(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import external
    from medtl.runs import afterwards, results, store
    from medtl.training.cost import in_words
    from medtl.vocabulary import to_dict

    mapping = dict(_pair(pair, "CLASS=CLASS", '--map "malig=malignant"') for pair in options.map or ())
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
        _say(f"Scoring {asked.cases:,} images takes {in_words(takes)}.")
        if options.detach:
            return {"run": options.run, "external": None, "says": "It is being worked out."}
        _follow(ws, options.run)
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


def _rule(text: str) -> OperatingRule:
    """ "sensitivity=90%" -> the rule for the threshold."""
    kind, _, value = text.partition("=")
    try:
        number = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1) if value else None
    except ValueError:
        number = math.nan
    return OperatingRule(kind, number)  # type: ignore[arg-type]  # looked at where it is made


def _takes(seconds: float, repeats: int) -> str:
    from medtl.training.cost import in_words

    return f"Cross-validating {repeats} {'time' if repeats == 1 else 'times'} takes {in_words(seconds)} more."


def compare(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import comparing
    from medtl.vocabulary import to_dict

    answer: Answer = to_dict(comparing.compare(ws, options.run))
    return answer


def _train_again(ws: Workspace, options: argparse.Namespace) -> Answer:
    """The run of a recipe once more. What the recipe says cannot be said otherwise: it would be another run."""
    from medtl.reporting import recipes
    from medtl.runs import results

    if options.cohort or options.strategy or options.set or options.seed or options.source != "auto":
        raise BadInput("A recipe says cohort, source, strategy, settings and seed itself.", "Give --recipe alone.")
    device = "" if options.device == "auto" else options.device
    run, differences = recipes.repeat(ws, Path(options.recipe), options.title, device)
    for says in differences:
        _say(says)
    if not options.detach:
        _follow(ws, run)
    said = results.describe(ws, run)
    return {"runs": [said], "differences": differences, "exit": 2 if said["status"] == "failed" else 0}


def runs(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import store
    from medtl.vocabulary import to_dict

    return {"runs": [{**to_dict(summary), "run": summary.id} for summary in store.runs(ws)]}


def show(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import results

    return results.describe(ws, options.run)


def stop(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import results, status, store

    folder = store.folder(ws, options.run)
    if status.status(folder) in ("waiting", "running"):
        store.request_stop(folder)
        deadline = time.monotonic() + 60
        while status.status(folder) in ("waiting", "running") and time.monotonic() < deadline:
            time.sleep(0.1)
    return results.describe(ws, options.run)


def resume(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import start
    from medtl.runs import results

    start.resume(ws, options.run)
    if not options.detach:
        _follow(ws, options.run)
    return results.describe(ws, options.run)


def delete(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import store

    return {"deleted": options.run, "bytes": store.delete(ws, options.run)}


def predict(ws: Workspace, options: argparse.Namespace) -> Answer:
    """With --csv the answers go into that file as they come, and only what is to be said of all of them is printed."""
    from medtl import prediction
    from medtl.runs import store
    from medtl.training.machine import share_the_cores

    share_the_cores()
    from medtl.training.device import prepare_process

    if options.csv and options.dicom:
        raise BadInput("--csv is for many images, --dicom for a few.", "Ask twice, once with each.")
    if options.dicom and not 0 < options.cut <= 1:
        raise BadInput(f"The cut is {options.cut:g}; it is a share of the map's peak.", "Give 0.5, or up to 1.")
    store.folder(ws, options.run)  # an unknown run is said before torch is loaded
    for path in map(Path, options.path):
        if not path.exists():
            raise BadInput(f"There is no file '{path}'.", "Check the path.")
    prepare_process()
    wanted = {"gradcam": "predicted"}.get(options.explain, options.explain)
    explain = wanted or ("predicted" if options.dicom else None)
    wish = prediction.Wish(explain, options.method, bool(explain), options.pool, options.tta, log=not options.no_log)
    out = (_path(options.out) or Path.cwd()) if wanted else None
    trained = prediction.Trained(ws, options.run)
    try:
        if options.csv:
            return {"run": options.run, **_into_table(trained, wish, options, out), "frozen": trained.describe()}
        paths = [file for given in options.path for file in _files(Path(given))] if options.dicom else options.path
        found = list(trained.stream([Path(path) for path in paths], wish))
        answers = [prediction.as_dict(answer, out) for answer in found]
        told = {"run": options.run, "predictions": answers, "frozen": trained.describe()}
        return {**told, **_dicom(ws, options, [Path(path) for path in paths], found, answers)}
    finally:
        trained.close()


def _into_table(trained: "Trained", wish: "Wish", options: argparse.Namespace, out: Path | None) -> Answer:
    from medtl.asking.answer import as_dict
    from medtl.asking.table import Table

    counts = dict.fromkeys(("images", "pooled", "answered", "undecided", "refused", "unreadable"), 0)
    told = _progress_to(os.environ.get("MEDTL_PROGRESS")) or _progress_aloud("files")
    began = time.monotonic()
    with (
        _wish_to_stop() as stopped,
        Table(Path(options.csv), trained.classes, bool(trained.settled.calibrate)) as table,
    ):
        for answer in trained.stream([Path(path) for path in options.path], wish, told, stopped):
            table.add(answer)
            if out:
                as_dict(answer, out)
            counts["images" if answer.kind == "image" else "pooled"] += 1
            if answer.kind == "image":
                decided = answer.settled is not None or (bool(answer.findings) and answer.accepted)
                kind = "answered" if decided else "undecided" if answer.accepted else "refused"
                counts[kind if answer.readable else "unreadable"] += 1
        halted = stopped()
    seconds = time.monotonic() - began
    rate = round(counts["images"] / seconds, 1) if seconds else 0.0
    return {"csv": str(options.csv), **counts, "stopped": halted, "seconds": round(seconds, 2), "per_second": rate}


@contextmanager
def _wish_to_stop() -> Iterator[Callable[[], bool]]:
    """Ctrl+C, or being told to end, is a wish: what was answered stays, and what was begun is finished."""
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told.is_set
        return
    before = {one: signal.signal(one, lambda *_: told.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told.is_set
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _dicom(
    ws: Workspace, options: argparse.Namespace, paths: Sequence[Path], found: Sequence[Any], answers: Sequence[Answer]
) -> Answer:
    """What `predict --dicom` writes: objects about each image that could be read; of several frames the middle one."""
    if not options.dicom:
        return {}
    from medtl import dicom_out
    from medtl.vocabulary import to_dict

    asked = []
    for given, path in enumerate(paths):
        mine = [n for n, one in enumerate(found) if one.given == given and one.kind == "image" and one.scores]
        if mine:
            one = mine[len(mine) // 2]
            explanation = found[one].explanation
            asked.append((path, {**answers[one], "explanation": to_dict(explanation) if explanation else None}))
    made = dicom_out.make(
        ws, options.run, asked, Path(options.dicom), identity=options.identity, region=options.region,
        cut=options.cut,
    )  # fmt: skip
    return {key: made[key] for key in ("identity", "objects", "left_out", "doubts")}


def watch(ws: Workspace, options: argparse.Namespace) -> Answer:
    """The diary of a run: what it was asked, how far clinicians agreed, whether images have changed."""
    from medtl import watching
    from medtl.runs import diary, store

    folder = store.folder(ws, options.run)
    if options.off or options.on:
        diary.switch(folder, on=bool(options.on))
    if options.read:
        sha256, _, reading = options.read.partition("=")
        diary.read_by_clinician(folder, sha256, reading, options.frame)
    deleted = diary.delete(folder) if options.delete else 0
    return {"run": options.run, "deleted_bytes": deleted, **watching.describe(watching.watch(ws, options.run))}


def serve(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import serve

    given = options.token or os.environ.get(serve.VARIABLE, "")
    serve.check_open(options.host, given)
    serve.check_free(options.host, options.port)
    serve.describe(ws, options.run)  # an unknown or unfinished run is said before anything is opened
    where = f"http://{options.host}:{options.port}"
    if given:
        told = "with the token you chose"
    elif (ws.home / serve.TOKEN_FILE).exists():
        told = f"with the token in {ws.home / serve.TOKEN_FILE}"
    else:
        told = f"with this token, shown once (it stays in {ws.home / serve.TOKEN_FILE}):\n  {serve.own_token(ws)}\n"
    _say(f"{where} answers for run {options.run}, {told}. How to ask: {where}/docs. Ctrl+C ends it.")
    serve.serve(ws, options.run, options.host, options.port, given)
    return {"run": options.run, "served": where}


def explain(ws: Workspace, options: argparse.Namespace) -> Answer:
    """The badges of a run's maps, made when there are none; of one case with --case; the methods with --methods."""
    from medtl.runs import attention, store
    from medtl.training.machine import share_the_cores
    from medtl.vocabulary import to_dict

    folder = store.folder(ws, options.run)
    if not (options.case or options.methods or options.again) and attention.exists(folder):
        found = attention.load(folder)
        if found.sample:
            return {"run": options.run, **to_dict(found)}
    share_the_cores()
    from medtl import explaining
    from medtl.training.device import prepare_process

    prepare_process()
    if options.methods:
        explainer = explaining.explainer_of(ws, options.run)
        return {
            "run": options.run, "layers": list(explainer.layers), "ways": [to_dict(way) for way in explainer.ways()],
        }  # fmt: skip
    if options.case:
        from medtl import showing

        how = (options.label, options.method, options.layer, _path(options.out))
        return {"run": options.run, **showing.explain_one(ws, options.run, options.case, *how)}
    made = explaining.explain_run(ws, options.run, method=options.method, read=True)
    return {"run": options.run, **(to_dict(made) if made else {})}


def pacs_set(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    password = ""
    if options.password_file:
        try:
            password = Path(options.password_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput("The file with the password cannot be read.", "Give a text file of one line.") from error
    names = ("host", "port", "called", "calling", "tls", "authority", "receive_port", "web", "user")
    pacs.save(ws, pacs.Settings(**{name: getattr(options, name) for name in names}, password=password))
    return pacs.told(ws)


def pacs_show(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    return pacs.told(ws)


def pacs_forget(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    return {"forgotten": pacs.forget(ws)}


def pacs_echo(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    return pacs.echo(ws, _way(options))


def pacs_find(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs
    from medtl.vocabulary import to_dict

    since, _, until = options.date.partition("-")
    query = pacs.Query(
        since, until if "-" in options.date else since, options.modality, options.description, options.patient
    )
    return {"studies": [to_dict(study) for study in pacs.find(ws, query, _way(options))]}


def pacs_fetch(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    done = pacs.fetch(ws, options.study, Path(options.out), options.label, way=_way(options), move=options.move)
    _say(
        f"These files still name patients. Bring them in with `cohort add {options.out}`, which makes them anonymous, "
        "and then delete the folder."
    )
    return done


def pacs_send(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import pacs

    _say(pacs.told(ws)["says"])
    done = pacs.send(ws, [Path(file) for file in options.file], _way(options))
    return {**done, "exit": 2 if done["failed"] else 0}


def _way(options: argparse.Namespace) -> Any:
    return "web" if options.over_web else None


def report(ws: Workspace, options: argparse.Namespace) -> Answer:
    """Stores answers, writes the report, or both; without either it says what is still unanswered."""
    from medtl.reporting import answers, papers
    from medtl.runs import store

    folder = store.folder(ws, options.run)
    given = answers.from_toml(Path(options.answers)) if options.answers else {}
    given |= dict(_pair(pair, "KEY=TEXT", "--answer ethics='waiver 12/2024'") for pair in options.answer or ())
    stated = answers.save(folder, given) if given else answers.load(folder)
    if options.out:
        papers.write_report(ws, options.run, Path(options.out), pictures=not options.no_images)
    return {
        "run": options.run,
        "file": options.out,
        "answers": stated,
        "not_stated": {one.key: one.asks for one in answers.QUESTIONS if one.key not in stated},
    }


def card(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.reporting import papers

    papers.write_card(ws, options.run, Path(options.out))
    return {"run": options.run, "file": options.out}


def checklist(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.reporting import papers

    counts = papers.write_checklist(ws, options.run, options.name, Path(options.out))
    return {"run": options.run, "checklist": options.name, "file": options.out, "items": counts}


def export(ws: Workspace, options: argparse.Namespace) -> Answer:
    if options.as_source:
        return _export_as_source(ws, options)
    if options.card:
        raise BadInput("A card goes with --as-source only.", "Leave --card out, or export as a source.")
    if options.mlflow:
        from medtl.reporting import content, mlflow

        made = mlflow.write(content.read(ws, options.run), ws, Path(options.mlflow))
        return {"run": options.run, "folder": str(options.mlflow), "run_folder": str(made)}
    return _export_file(ws, options.run, Path(options.out))


def _export_file(ws: Workspace, run: str, out: Path) -> Answer:
    from dataclasses import asdict

    from medtl.reporting import content, exporting, recipes
    from medtl.runs import results

    if not out.parent.is_dir():
        raise BadInput(f"There is no folder '{out.parent}'.", "Make it first, or name another place.")
    match out.suffix.lower():
        case ".onnx" | ".zip":
            from medtl.training.machine import share_the_cores

            share_the_cores()
            proof = exporting.onnx(ws, run, out)
            return {"run": run, "file": str(out), "selftest": asdict(proof), "says": proof.says}
        case ".json":
            recipes.write(content.read(ws, run), out)
        case ".csv":
            write_whole(out, (content.read(ws, run).result.folder / results.PREDICTIONS).read_bytes())
        case ending:
            raise BadInput(
                f"A run cannot be exported as '{ending[:12]}'.",
                "End the name in .zip or .onnx (the model), .json (the recipe) or .csv (the scores).",
            )
    return {"run": run, "file": str(out)}


def _export_as_source(ws: Workspace, options: argparse.Namespace) -> Answer:
    import tomllib

    from medtl.runs import store
    from medtl.sources.trained import export_as_source

    card = {}
    if options.card:
        try:
            card = tomllib.loads(Path(options.card).read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"The card '{options.card}' cannot be read ({error}).", "Give a TOML file.") from error
    source = export_as_source(store.folder(ws, options.run), Path(options.as_source), card)
    return {**_source(source), "folder": str(options.as_source)}


def _follow(ws: Workspace, run_id: str) -> None:
    """Say how the run goes until its worker has ended."""
    from medtl.runs import status, store

    folder = store.folder(ws, run_id)
    said = ""
    while True:
        now = status.progress(folder)
        if now.says != said and now.status != "finished":
            _say(f"{run_id}: {now.says}")
            said = now.says
        if not now.alive and now.status != "waiting":
            return
        time.sleep(0.1)


# ---- reading what was typed ------------------------------------------------------------------------------------------


def _settings(pairs: Sequence[str] | None) -> dict[str, str]:
    return dict(_pair(pair, "SETTING=VALUE", "--set epochs=5") for pair in pairs or ())


def _pair(text: str, form: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadInput(f"'{text}' is not {form}.", f"Write for example {example}.")
    return name, value


def _seconds(text: str | None) -> float:
    """ "90", "90s", "10m" or "1h" in seconds; 0 for nothing."""
    if not text:
        return 0.0
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    if not found:
        raise BadInput(f"'{text}' is no length of time.", "Write for example --budget 10m, 90s or 1h.")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


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


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not path.exists():
        raise BadInput(f"There is no file '{path}'.", "Check the path.")
    return [path]


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _codes(text: str | None) -> tuple[str, ...]:
    return tuple(code.strip() for code in (text or "").split(",") if code.strip())


def _progress_aloud(what: str) -> Callable[[int, int], None]:
    """Every few seconds a line, for somebody who waits."""
    last = time.monotonic()

    def say(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= 5:
            last = time.monotonic()
            _say(f"{done:,} of {total:,} {what}")

    return say


def _progress_to(file: str | None) -> Callable[[int, int], None] | None:
    """Progress of an import as a small file, for whoever started this process."""
    if not file:
        return None
    last = 0.0

    def write(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 0.2 or done >= total:
            last = now
            write_whole(Path(file), json.dumps({"done": done, "total": total}))

    return write


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
