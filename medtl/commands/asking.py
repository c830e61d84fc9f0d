"""Asking a finished run: about new images, about its test cases, over HTTP; and the diary of what it was asked."""

import argparse
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtl.commands import aloud, typed
from medtl.commands.typed import Answer
from medtl.errors import BadInput
from medtl.workspace import Workspace

if TYPE_CHECKING:
    from medtl.prediction import Trained, Wish


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
    out = (typed.path(options.out) or Path.cwd()) if wanted else None
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
    told = aloud.progress() or aloud.counted("files")
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


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not path.exists():
        raise BadInput(f"There is no file '{path}'.", "Check the path.")
    return [path]


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
    aloud.say(f"{where} answers for run {options.run}, {told}. How to ask: {where}/docs. Ctrl+C ends it.")
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

        how = (options.label, options.method, options.layer, typed.path(options.out))
        return {"run": options.run, **showing.explain_one(ws, options.run, options.case, *how)}
    made = explaining.explain_run(ws, options.run, method=options.method, read=True)
    return {"run": options.run, **(to_dict(made) if made else {})}
