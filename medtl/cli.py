"""The command line: what the pages do, for scripts, clusters and checks from outside. Prints; decides nothing.

With `--json` exactly one JSON object goes to standard output, everything else to standard error. Exit codes: 0 done,
2 the user must change something, 1 anything else.
"""

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import medtl
from medtl.errors import BadInput, MedtlError
from medtl.workspace import Workspace, write_whole

Answer = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        workspace = Workspace(options.home)
        answer = options.act(workspace, options)
    except MedtlError as error:
        _fail(options, error.message, error.advice)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the last resort: a sentence for the user, the trace for the engineer
        if os.environ.get("MEDTL_DEBUG"):
            traceback.print_exc()
        _fail(options, f"Something unexpected went wrong ({type(error).__name__}: {error}).",
              "Set MEDTL_DEBUG=1 and try again to see where.")  # fmt: skip
        return 1
    code = int(answer.pop("exit", 0))
    if options.json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        options.show(answer)
    return code


def _fail(options: argparse.Namespace, message: str, advice: str) -> None:
    print(f"{message} {advice}".strip(), file=sys.stderr)
    if options.json:
        print(json.dumps({"error": message, "advice": advice}, ensure_ascii=False))


# ---- the example and the machine -------------------------------------------------------------------------------------


def _demo(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import demo
    from medtl.runs import results

    _say("Making the SYNTHETIC example (a cohort and one finished run); under a minute, and only once ...")
    cohort, run = demo.ensure(ws)
    return {"cohort": cohort, "run": run, "sentence": results.describe(ws, run)["sentence"]}


def _doctor(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import doctor

    report = doctor.examine(ws)
    return {**report, "exit": 0 if report["ok"] else 1}


# ---- cohorts ---------------------------------------------------------------------------------------------------------


def _cohort_add(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library

    cohort = library.add(
        ws,
        Path(options.path),
        name=options.name,
        labels=_path(options.labels),
        split=_path(options.split),
        patient_pattern=options.patient_pattern,
        exclude_findings=_codes(options.exclude_findings),
        positive=options.positive,
        seed=options.seed,
        on_progress=_progress_to(os.environ.get("MEDTL_PROGRESS")),
    )
    return library.describe(cohort)


def _cohort_list(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library
    from medtl.vocabulary import to_dict

    return {"cohorts": [to_dict(summary) for summary in library.cohorts(ws)]}


def _cohort_show(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library

    return library.describe(library.load(ws, options.id))


def _cohort_edit(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library

    relabel = {}
    for change in options.relabel or ():
        case, equals, label = change.partition("=")
        if not equals or not case or not label:
            raise BadInput(f"'{change}' is not CASE=LABEL.", "Write for example --relabel 3fa9c1d2e4b5=benign.")
        relabel[case] = label
    cohort = library.edit(
        ws,
        options.id,
        exclude=options.exclude or (),
        relabel=relabel,
        exclude_findings=_codes(options.exclude_findings),
        patient_pattern=options.patient_pattern,
        positive=options.positive,
        name=options.name,
    )
    return library.describe(cohort)


def _cohort_delete(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library

    return {"deleted": options.id, "bytes": library.delete(ws, options.id)}


# ---- sources and strategies ------------------------------------------------------------------------------------------


def _sources(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.sources import library

    return {"sources": [_source(source) for source in library.sources(ws)]}


def _source_add(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.sources.importing import add_file

    source, match = add_file(ws, Path(options.file), options.builder, options.title, _path(options.card))
    return {**_source(source), "report": match.describe()}


def _source_delete(ws: Workspace, options: argparse.Namespace) -> Answer:
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
    }


def _strategies(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import strategies
    from medtl.vocabulary import to_dict

    return {
        "strategies": [
            {**to_dict(cls.card), "settings": [to_dict(setting) for setting in strategies.settings_of(cls)]}
            for cls in strategies.STRATEGIES
        ]
    }


def _recommend(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import strategies
    from medtl.cohorts import library as cohorts
    from medtl.sources import library as sources
    from medtl.vocabulary import to_dict

    known = sources.sources(ws)
    chosen = [known[options.source]] if options.source else known
    return to_dict(strategies.recommend(cohorts.load(ws, options.cohort), chosen))


def _plan(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import strategies
    from medtl.cohorts import library as cohorts
    from medtl.sources import library as sources
    from medtl.training import cost
    from medtl.vocabulary import to_dict

    cohort = cohorts.load(ws, options.cohort)
    source = sources.sources(ws)[options.source]
    strategy = strategies.make(options.strategy, _settings(options.set))
    plan = strategy.plan(source.outline, len(cohort.classes))
    estimate = cost.estimate(ws, cohort, source, plan)
    return {
        "source": source.id,
        "strategy": strategy.id,
        "says": list(strategies.sentences(plan, source.outline, len(cohort.classes))),
        "steps": [{"step": type(step).__name__, **to_dict(step)} for step in plan],
        "may_change": strategies.may_change(plan, source.outline, len(cohort.classes)),
        "parameters": source.outline.parameters,
        "why_not": strategy.why_not(source, cohort),
        "seconds": round(estimate.seconds, 1),
        "cost": estimate.says,
    }


# ---- runs ------------------------------------------------------------------------------------------------------------


def _train(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import start
    from medtl.runs import results

    settings = _settings(options.set)
    several = len(options.strategy) > 1
    ids = [
        start.start(
            ws, options.cohort, options.source, strategy, settings=_known(strategy, settings) if several else settings,
            seed=options.seed, device=options.device, control=options.control, title=options.title,
        )
        for strategy in options.strategy
    ]  # fmt: skip
    if not options.detach:
        for id in ids:
            _follow(ws, id)
    runs = [results.describe(ws, id) for id in ids]
    return {"runs": runs, "exit": 2 if any(run["status"] == "failed" for run in runs) else 0}


def _runs(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import store
    from medtl.vocabulary import to_dict

    return {"runs": [{**to_dict(summary), "run": summary.id} for summary in store.runs(ws)]}


def _show(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import results

    return results.describe(ws, options.run)


def _stop(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import results, status, store

    folder = store.folder(ws, options.run)
    if status.status(folder) in ("waiting", "running"):
        store.request_stop(folder)
        deadline = time.monotonic() + 60
        while status.status(folder) in ("waiting", "running") and time.monotonic() < deadline:
            time.sleep(0.1)
    return results.describe(ws, options.run)


def _resume(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import start
    from medtl.runs import results

    start.resume(ws, options.run)
    if not options.detach:
        _follow(ws, options.run)
    return results.describe(ws, options.run)


def _delete(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.runs import store

    return {"deleted": options.run, "bytes": store.delete(ws, options.run)}


def _predict(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import prediction
    from medtl.runs import store
    from medtl.training.machine import share_the_cores

    share_the_cores()
    from medtl.training.device import prepare_process

    store.folder(ws, options.run)  # an unknown run is said before torch is loaded
    paths = [file for given in options.path for file in _files(Path(given))]
    prepare_process()
    trained = prediction.Trained(ws, options.run)
    wanted = {"gradcam": "predicted"}.get(options.explain, options.explain)
    out = _path(options.out)
    if wanted and out is None:
        out = Path.cwd()
    answers = [prediction.as_dict(answer, out) for answer in trained.predict(paths, wanted)]
    return {"run": options.run, "predictions": answers}


def _export(ws: Workspace, options: argparse.Namespace) -> Answer:
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
    settings = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadInput(f"'{pair}' is not SETTING=VALUE.", "Write for example --set epochs=5.")
        settings[name] = value
    return settings


def _known(strategy: str, settings: dict[str, str]) -> dict[str, str]:
    """The settings this strategy has, when several strategies share one command."""
    from medtl import strategies

    names = {s.name for cls in strategies.STRATEGIES if cls.id == strategy for s in strategies.settings_of(cls)}
    return {name: value for name, value in settings.items() if name in names}


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


# ---- showing without --json ------------------------------------------------------------------------------------------


def _show_plain(answer: Answer) -> None:
    for key, value in answer.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            print(f"{key}:")
            for entry in value:
                print("  " + "  ".join(f"{k}={_short(v)}" for k, v in entry.items() if v not in (None, "", [], {})))
        elif isinstance(value, list) and value and isinstance(value[0], str):
            print(f"{key}:")
            for number, line in enumerate(value, 1):
                print(f"  {number}. {line}")
        else:
            print(f"{key}: {_short(value)}")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
    return text if len(text) <= 160 else text[:157] + "..."


def _show_runs(answer: Answer) -> None:
    for run in answer["runs"]:
        _show_run(run)


def _show_run(run: Answer) -> None:
    print(f"{run['run']}: {run['status']}. {run.get('sentence') or run.get('says') or ''}")
    for e in run.get("estimates", ()):
        print(f"  {e['name']:<24} {e['value']:.3f}  ({e['low']:.3f} to {e['high']:.3f}; n = {e['n']}; {e['how']})")
    if run.get("small_test"):
        print(f"  {run['small_test']}")
    if run.get("control"):
        print(f"  {run['control']['says']}")
    if run.get("message"):
        print(f"  {run['message']} {run.get('advice', '')}")


# ---- the grammar -----------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object")
    common.add_argument("--home", help="the workspace (default: MEDTL_HOME, else ~/.medtl)")
    parser = argparse.ArgumentParser(
        prog="python -m medtl", description="MedTL: transfer learning that clinicians run themselves.", parents=[common]
    )
    parser.add_argument("--version", action="version", version=medtl.__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(
        where: Any, name: str, act: Callable[[Workspace, argparse.Namespace], Answer], help: str,
        show: Callable[[Answer], None] = _show_plain,
    ) -> argparse.ArgumentParser:  # fmt: skip
        # SUPPRESS: a flag given before the command is not overwritten by the command's own default.
        shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
        shared.add_argument("--json", action="store_true", help="print one JSON object")
        shared.add_argument("--home", help="the workspace")
        sub: argparse.ArgumentParser = where.add_parser(name, help=help, description=help, parents=[shared])
        sub.set_defaults(act=act, show=show)
        return sub

    command(commands, "demo", _demo, "make the SYNTHETIC example cohort and one finished run of it")
    command(commands, "doctor", _doctor, "versions, device, image decoders, free disk, limits")

    cohort = commands.add_parser("cohort", help="add, list, show, edit, delete cohorts")
    cohorts = cohort.add_subparsers(required=True, metavar="ACTION")
    add = command(cohorts, "add", _cohort_add, "bring a zip, a folder or a CSV of images")
    add.add_argument("path")
    add.add_argument("--name")
    add.add_argument("--labels", help="CSV of file,label and optionally patient, part")
    add.add_argument("--split", help="CSV of file,part")
    add.add_argument("--patient-pattern", help="regular expression that finds the patient in a file's name")
    add.add_argument("--exclude-findings", help="leave out the cases of these findings, e.g. label-conflict")
    add.add_argument("--positive", help="the class that counts as having it (two classes)")
    add.add_argument("--seed", type=int, default=0)
    command(cohorts, "list", _cohort_list, "all cohorts")
    command(cohorts, "show", _cohort_show, "one cohort").add_argument("id")
    edit = command(cohorts, "edit", _cohort_edit, "make a new version of a cohort")
    edit.add_argument("id")
    edit.add_argument("--exclude", nargs="+", metavar="CASE")
    edit.add_argument("--relabel", nargs="+", metavar="CASE=LABEL")
    edit.add_argument("--exclude-findings")
    edit.add_argument("--patient-pattern")
    edit.add_argument("--positive")
    edit.add_argument("--name")
    command(cohorts, "delete", _cohort_delete, "delete a cohort").add_argument("id")

    command(commands, "sources", _sources, "all source models")
    source = commands.add_parser("source", help="add or delete a source model").add_subparsers(
        required=True, metavar="ACTION"
    )
    bring = command(source, "add", _source_add, "add a safetensors file for a named network")
    bring.add_argument("file")
    bring.add_argument("--builder", required=True)
    bring.add_argument("--title", required=True)
    bring.add_argument("--card", help="TOML with says, trained_on, cases, labels, licence, ...")
    command(source, "delete", _source_delete, "delete a source you added").add_argument("id")

    command(commands, "strategies", _strategies, "all transfer strategies and their settings")
    recommend = command(commands, "recommend", _recommend, "which source and strategy to begin with, and why")
    recommend.add_argument("cohort")
    recommend.add_argument("--source")
    plan = command(commands, "plan", _plan, "what a strategy would do, without doing it")
    plan.add_argument("cohort")
    plan.add_argument("--source", required=True)
    plan.add_argument("--strategy", required=True)
    plan.add_argument("--set", action="append", metavar="SETTING=VALUE")

    train = command(commands, "train", _train, "transfer a source to a cohort", _show_runs)
    train.add_argument("cohort")
    train.add_argument("--source", default="auto")
    train.add_argument("--strategy", action="append", required=True)
    train.add_argument("--set", action="append", metavar="SETTING=VALUE")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--device", default="auto")
    train.add_argument("--control", choices=("thumbnails", "from-scratch"), default="thumbnails")
    train.add_argument("--title")
    train.add_argument("--detach", action="store_true", help="return at once")
    command(commands, "runs", _runs, "all runs")
    command(commands, "show", _show, "one run", _show_run).add_argument("run")
    command(commands, "stop", _stop, "stop a run, keeping the best so far", _show_run).add_argument("run")
    resume = command(commands, "resume", _resume, "go on from the last checkpoint", _show_run)
    resume.add_argument("run")
    resume.add_argument("--detach", action="store_true")
    command(commands, "delete", _delete, "delete a run").add_argument("run")
    predict = command(commands, "predict", _predict, "ask a finished run about new images")
    predict.add_argument("run")
    predict.add_argument("path", nargs="+")
    predict.add_argument("--explain", help="gradcam (for the predicted class), or the name of a class")
    predict.add_argument("--out", help="folder for the heat maps")
    export = command(commands, "export", _export, "write a finished run as a source")
    export.add_argument("run")
    export.add_argument("--as-source", required=True, metavar="FOLDER")
    export.add_argument("--card", help="TOML whose fields replace those of the card")
    return parser
