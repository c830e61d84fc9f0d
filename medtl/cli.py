"""The command line: its grammar and its printing. What a command does is in `medtl.commands`.

With `--json` exactly one JSON object goes to standard output, everything else to standard error. Exit codes: 0 done,
2 the user must change something, 1 anything else.
"""

import argparse
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any, get_args

import medtl
from medtl import commands
from medtl.commands import Answer
from medtl.errors import MedtlError
from medtl.evaluation.paired import p_in_words
from medtl.rank import LOOKED_AT
from medtl.strategies.strategy import FAMILIES
from medtl.vocabulary import WINDOWS, Policy, Task, Uncertain
from medtl.workspace import Workspace

BUDGET = "time a run may take, e.g. 90s, 10m or 1h: training then ends with the best until then"


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # being stopped clears up like Ctrl+C
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
    if answer.get("chosen"):
        print(f"Chosen: {answer['chosen']}. {answer['chosen_says']}")
    for run in answer["runs"]:
        _show_run(run)


def _show_compared(answer: Answer) -> None:
    print(answer["says"])
    print(f"Compared with: {answer['reference']}, {answer['reference_why'].rstrip('.')}.")
    for row in answer["rows"]:
        auroc = next((e for e in row["estimates"] if e["name"] == "auroc"), None)
        reached = f"{auroc['value']:.3f}  ({auroc['low']:.3f} to {auroc['high']:.3f})" if auroc else "no AUROC"
        cost = f"{row['seconds']:.0f} s" if row["seconds"] is not None else ""
        tune = f"tune part: AUROC {row['tune_auroc']:.3f}, log-loss {row['tune_loss']:.3f}"
        print(f"  {row['run']}  {reached}  {cost:>7}  {tune}  {row['name']}")
    for pair in answer["pairs"]:
        print(f"  {pair['says']}")
        for called in pair["calls"]:
            gap, p = called["difference"], "" if called["p"] is None else f"; {p_in_words(called['p'])}"
            print(
                f"    {called['name']} at the frozen thresholds: {gap['value']:+.3f} ({gap['low']:+.3f} to "
                f"{gap['high']:+.3f}; {called['how']}{p}); only the first right in {called['only_first']}, only the "
                f"second in {called['only_second']} of {gap['n']}"
            )
    for note in answer["notes"]:
        print(f"  {note}")


def _show_run(run: Answer) -> None:
    print(f"{run['run']}: {run['status']}. {run.get('sentence') or run.get('says') or ''}")
    for e in run.get("estimates", ()):
        print(f"  {e['name']:<24} {e['value']:.3f}  ({e['low']:.3f} to {e['high']:.3f}; n = {e['n']}; {e['how']})")
    for caveat in run.get("caveats") or ():
        print(f"  {caveat}")
    if run.get("small_test"):
        print(f"  {run['small_test']}")
    for guard in run.get("guards") or ():
        print(f"  {guard['says']}")
    for name in ("cross_validated", "learning_curve"):
        if run.get(name):
            print(f"  {run[name]['says']}")
    if run.get("robustness"):
        print(f"  {run['robustness']['says']}")
    for other in run.get("externals") or ():
        print(f"  Tested on '{other['title']}' ({other['cases']} images): evaluate {run['run']} {other['cohort']}")
    if run.get("message"):
        print(f"  {run['message']} {run.get('advice', '')}")


def _show_predictions(answer: Answer) -> None:
    if "csv" in answer:
        halted = " before it was stopped" if answer["stopped"] else ""
        print(
            f"{answer['images']:,} images in {answer['seconds']:.0f} s{halted}: {answer['answered']:,} answered, "
            f"{answer['undecided']:,} cannot tell, {answer['refused']:,} of another kind, {answer['unreadable']:,} not "
            f"readable; {answer['pooled']:,} patients or series. Written to {answer['csv']}"
        )
        return
    for one in answer["predictions"]:
        frame = "" if one["frame"] is None else f", frame {one['frame']}"
        scores = ", ".join(f"{name} {score:.2f}" for name, score in one["scores"].items())
        print(f"{one['file']}{frame}: {one['says']}" + (f" ({one['word']}s: {scores})" if scores else ""))
        for more in (one["known"], one["explanation"]):
            if more:
                print(f"  {more}")
    print(answer["frozen"]["gate"])
    for one in answer.get("objects", ()):
        print(f"  {one['kind']} of image {one['image']}: {one['file']}")
    for one in answer.get("left_out", ()):
        print(f"  no {one['kind']} of image {one['image']}: {one['why']} {one['advice']}")
    for one in answer.get("doubts", ()):
        print(f"  image {one['image']}: {one['says']}")


def _show_watch(answer: Answer) -> None:
    for line in answer["says"]:
        print(line)
    for row in answer["agreement"]:
        print(f"  {row['period']}: {row['says']}")
    for row in answer["weeks"]:
        print(f"  week of {row['week']}: {row['says']}")


def _show_robustness(answer: Answer) -> None:
    print(answer["says"])
    found = answer["robustness"]
    if not found:
        return
    plain = found["auroc"]
    patients = f" of {found['patients']} patients" if found["patients"] is not None else ""
    print(
        f"  {'unchanged':<28} AUROC {plain['value']:.3f} ({plain['low']:.3f} to {plain['high']:.3f}; "
        f"{found['cases']} test images{patients}; {plain['how']})"
    )
    for row in found["rows"]:
        fall, changed = row["fall"], row["changed"]
        print(
            f"  {row['name']:<28} AUROC {row['auroc']['value']:.3f}, fall {fall['value']:+.3f} ({fall['low']:+.3f} to "
            f"{fall['high']:+.3f}), {changed['value']:.0%} of calls change  {row['does']}"
        )
    for note in found["notes"]:
        print(f"  {note}")


def _show_external(answer: Answer) -> None:
    found = answer["external"]
    if not found:
        print(answer["says"])
        return
    patients = f" of {found['patients']} patients" if found["patients"] is not None else ""
    counts = ", ".join(f"{n} {name}" for name, n in found["counts"].items())
    print(f"External test on '{found['title']}': {found['cases']} images{patients} ({counts}); everything was frozen.")
    for why, ids in found["excluded"].items():
        print(f"  left out: {len(ids)}, {why}")
    home = {e["name"]: e for e in answer["internal_estimates"]}
    for e in answer["estimates"]:
        at_home = f"  internal test {home[e['name']]['value']:.3f}" if e["name"] in home else ""
        interval = f"({e['low']:.3f} to {e['high']:.3f}; n = {e['n']}; {e['how']})"
        print(f"  {e['name']:<24} {e['value']:.3f}  {interval}{at_home}")
    print(
        f"  unlike the training images: {found['external']['refused']:.0%} here, {found['internal']['refused']:.0%} in "
        "the internal test"
    )
    for note in found["notes"]:
        print(f"  {note}")


def _show_explained(answer: Answer) -> None:
    """The badges as a table; where the maps lie; what is of one case or one network only."""
    for check in answer.get("checks") or ():
        passed = {True: "passed", False: "not passed", None: "cannot be told"}[check["passed"]]
        print(f"  {check['title']:<26} {passed:<15} {check['says']}")
    for share in answer.get("shares") or ():
        print(f"  {share['title']:<26} {'look' if share['alarm'] else '':<15} {share['says']}")
    if states := answer.get("states"):
        print("  maps: " + ", ".join(f"{n} {name}" for name, n in states.items()))
    for one in answer.get("maps") or ():
        print(f"  {one['label']:<26} {one['state']:<15} {one['file'] or one['says']}")
    for way in answer.get("ways") or ():
        print(f"  {way['id']:<22} {way['passes']:>7.0f} x a forward pass   {way['says']}")
    if layers := answer.get("layers"):
        print(f"  layers: {', '.join(layers)}")
    for note in answer.get("notes") or ():
        print(f"  {note}")
    if not answer.get("ways"):
        print("  A map shows where the network looked, not where the disease is.")


def _show_strategies(answer: Answer) -> None:
    """By family; what each says of itself, and its settings with their ranges, are in `--json`."""
    for family, title in FAMILIES.items():
        print(f"{title}:")
        for one in answer["strategies"]:
            if one["family"] == family:
                print(f"  {one['id']:<15} {one['title']}")
    print("What each does, its limits and its settings: docs/strategies.md, or with --json.")


def _show_all_runs(answer: Answer) -> None:
    for run in answer["runs"]:
        auroc = run["headline"]
        number = f"  AUROC {auroc['value']:.3f} ({auroc['low']:.3f} to {auroc['high']:.3f})" if auroc else ""
        print(f"{run['run']}  {run['status']:<11}  {run['title']}{number}")
    if not answer["runs"]:
        print("There is no run yet.")


def _show_ranking(answer: Answer) -> None:
    print(answer["says"])
    for row in answer["sources"]:
        if row["score"] is not None:
            interval = f"({row['low']:.3f} to {row['high']:.3f})"
            marks = [row["nearness"]] if row["nearness"] else []
            marks += ["recommended"] if row["id"] == answer["recommended"] else []
            marks += ["cannot be told from it"] if row["id"] in answer["tied"] else []
            marks += [f"has seen {row['seen']} of your images"] if row["seen"] else []
            print(f"  {row['id']:<28} {row['score']:.3f}  {interval}  {', '.join(marks)}".rstrip())
        elif row.get("title") and row["says"] and "sha256" in row:
            print(f"  {row['id']:<28} not measured: {row['says']}")
    if control := answer["control"]:
        print(f"  {'no transfer':<28} {control['value']:.3f}  ({control['low']:.3f} to {control['high']:.3f})")
    for says in (answer["says_race"], *answer["notes"]):
        if says:
            print(f"  {says}")


# ---- the grammar -----------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object")
    common.add_argument("--home", help="the workspace (default: MEDTL_HOME, else ~/.medtl)")
    parser = argparse.ArgumentParser(
        prog="python -m medtl", description="MedTL: transfer learning that clinicians run themselves.", parents=[common]
    )
    parser.add_argument("--version", action="version", version=medtl.__version__)
    words = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

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

    command(words, "demo", commands.demo, "make the SYNTHETIC example cohort and one finished run of it")
    command(words, "doctor", commands.doctor, "versions, device, image decoders, free disk, limits")

    cohort = words.add_parser("cohort", help="add, list, show, edit, delete cohorts")
    cohorts = cohort.add_subparsers(required=True, metavar="ACTION")
    add = command(
        cohorts, "add", commands.cohort_add, "bring a zip, a folder, a CSV of images, an .npz, or medmnist:NAME"
    )
    add.add_argument("path")
    add.add_argument("--name")
    add.add_argument("--labels", help="CSV of file,label and optionally patient, part")
    add.add_argument("--split", help="CSV of file,part")
    add.add_argument("--patient-pattern", help="regular expression that finds the patient in a file's name")
    add.add_argument("--exclude-findings", help="leave out the cases of these findings, e.g. label-conflict")
    add.add_argument("--positive", help="the class that counts as having it (two classes)")
    add.add_argument("--seed", type=int, default=0)
    add.add_argument("--frames", choices=("each", "middle"), default="each", help="of files that hold several pictures")
    add.add_argument("--window", choices=tuple(WINDOWS), default="as-stored", help="how CT is shown")
    add.add_argument("--slices", type=int, default=0, help="at most so many slices of a volume (0: all)")
    add.add_argument("--task", choices=get_args(Task), help="ordinal: the classes are grades")
    add.add_argument("--outcome", help="of a table with several labels, the one to learn")
    add.add_argument("--uncertain", choices=get_args(Uncertain), default="leave-out", help="what -1 means for it")
    add.add_argument("--file-names", choices=("replaced", "kept"), default="replaced", help="kept: they name nobody")
    add.add_argument("--keep-key", action="store_true", help="keep a table of what became which code, apart")
    add.add_argument("--size", type=int, default=28, choices=(28, 64, 128, 224), help="of a MedMNIST set, in pixels")
    command(cohorts, "list", commands.cohort_list, "all cohorts")
    command(cohorts, "show", commands.cohort_show, "one cohort").add_argument("id")
    edit = command(cohorts, "edit", commands.cohort_edit, "make a new version of a cohort")
    edit.add_argument("id")
    edit.add_argument("--exclude", nargs="+", metavar="CASE")
    edit.add_argument("--relabel", nargs="+", metavar="CASE=LABEL")
    edit.add_argument("--exclude-findings")
    edit.add_argument("--patient-pattern")
    edit.add_argument("--positive")
    edit.add_argument("--name")
    edit.add_argument("--merge", nargs="+", metavar="CLASS=CLASS", help="give a class another, or a new, name")
    edit.add_argument("--patient", nargs="+", metavar="CASE=PATIENT")
    edit.add_argument("--accept", metavar="CODE,...", help="findings you have looked at and keep")
    edit.add_argument(
        "--blank", nargs="+", metavar="WxH:L,T,R,B", help="black out a rectangle (shares) of all images of that size"
    )
    edit.add_argument("--outcome", help="of several findings, the one to learn")
    edit.add_argument("--uncertain", choices=get_args(Uncertain), default="leave-out")
    edit.add_argument("--who", default="", help="who mends, for the history")
    check = command(cohorts, "check", commands.cohort_check, "look deeper, with a network: wrong labels, copies, text")
    check.add_argument("id")
    check.add_argument("--source")
    check.add_argument("--no-text", action="store_true", help="do not look for text in the images")
    readers = command(
        cohorts, "agreement", commands.cohort_agreement, "how far two readers of a cohort agree, once they have ended"
    )
    readers.add_argument("id")
    readers.add_argument("one")
    readers.add_argument("other", nargs="?", help="left out: the labels of the cohort itself")
    delete = command(cohorts, "delete", commands.cohort_delete, "delete a cohort and what was made of its pictures")
    delete.description = (
        "Deletes at once, without asking: the images and de-identified files that no other version of it holds, "
        "what was computed from them, and waiting changes; with the last version also the second readings and the "
        "key. A deeper check that looks at it is stopped. Runs keep their numbers but can no longer show the images. "
        "Your own files are not touched. This cannot be undone."
    )
    delete.add_argument("id")
    delete.add_argument("--all-versions", action="store_true", help="and every version it has")

    command(words, "sources", commands.sources, "all source models")
    source = words.add_parser("source", help="add or delete a source model").add_subparsers(
        required=True, metavar="ACTION"
    )
    bring = command(source, "add", commands.source_add, "add a network: .safetensors, .onnx, .keras, source folder")
    bring.add_argument("file", help="the file, or a folder as `export --as-source` writes it")
    bring.add_argument("--title", default="", help="what it is called here; a folder may bring its own")
    bring.add_argument("--builder", default="", help="the network a .safetensors file is for; not for others")
    bring.add_argument("--range", default="", help="brightness a .onnx or .keras was shown: 0-1, 0-255 or =-1-1")
    bring.add_argument("--mean", metavar="R,G,B", help="... or mean and std, of pixels from 0 to 1")
    bring.add_argument("--std", metavar="R,G,B")
    bring.add_argument("--size", type=int, help="pixels a side, where the file leaves it open")
    bring.add_argument("--card", help="TOML with says, trained_on, cases, labels, licence, ...")
    command(source, "delete", commands.source_delete, "delete a source you added").add_argument("id")

    command(words, "strategies", commands.strategies, "all transfer strategies and their settings", _show_strategies)
    rank = command(
        words, "rank", commands.rank, "how well each source suits a cohort, measured on its own images", _show_ranking
    )
    rank.add_argument("id", metavar="COHORT")
    rank.add_argument("--source", action="append", help="this one (may be repeated); fetches what is not here")
    rank.add_argument("--race", action="store_true", help="also let the best three train a little, for fine-tuning")
    rank.add_argument("--most", type=int, default=LOOKED_AT, help="at most so many training cases are looked at")
    recommend = command(words, "recommend", commands.recommend, "which source and strategy to begin with, and why")
    recommend.add_argument("cohort")
    recommend.add_argument("--source")
    recommend.add_argument("--budget", metavar="TIME", help=BUDGET)
    plan = command(words, "plan", commands.plan, "what a strategy would do, without doing it")
    plan.add_argument("cohort")
    plan.add_argument("--source", required=True)
    plan.add_argument("--strategy", required=True)
    plan.add_argument("--set", action="append", metavar="SETTING=VALUE")
    plan.add_argument("--budget", metavar="TIME", help=BUDGET)
    calibrate = command(words, "calibrate", commands.calibrate, "try out how fast sources run here")
    calibrate.add_argument("--source", action="append", help="this one (may be repeated); else those not known yet")

    train = command(words, "train", commands.train, "transfer a source to a cohort", _show_runs)
    train.add_argument("cohort", nargs="?")
    train.add_argument("--source", default="auto")
    train.add_argument("--strategy", action="append", help="auto, or one; several are a group")
    train.add_argument("--recipe", metavar="FILE", help="repeat the run of a recipe that `export` wrote")
    train.add_argument("--set", action="append", metavar="SETTING=VALUE")
    train.add_argument(
        "--uncertain", action="append", metavar="FINDING=POLICY",
        help=f"what uncertain labels teach, of several findings: {', '.join(get_args(Policy))}",
    )  # fmt: skip
    train.add_argument("--weigh-findings", action="store_true", help="learn how much each finding weighs")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--device", default="auto")
    train.add_argument("--control", choices=("thumbnails", "from-scratch"), default="thumbnails")
    train.add_argument("--unlabelled", default="", metavar="COHORT", help="its images are used without their labels")
    train.add_argument(
        "--size", type=int, default=0, metavar="PX", help="pixels a side the source is shown; 0: its own"
    )
    train.add_argument(
        "--operating", default="youden", metavar="RULE",
        help="how the threshold is chosen on the tune part: youden, sensitivity=90%%, specificity=90%%, cost=10",
    )  # fmt: skip
    train.add_argument("--teacher", default="", metavar="RUN", help="a finished run of this cohort to learn from")
    train.add_argument("--title")
    train.add_argument("--cross-validate", action="store_true", help="afterwards train the plan in every fold, too")
    train.add_argument("--repeats", type=int, default=1, choices=range(1, 21), metavar="N", help="of that, 1 to 20")
    train.add_argument("--budget", metavar="TIME", help=BUDGET)
    train.add_argument("--detach", action="store_true", help="return at once")
    again = command(
        words, "cross-validate", commands.cross_validate, "train a finished run's plan in every fold", _show_run
    )
    again.add_argument("run")
    again.add_argument("--repeats", type=int, default=1, help="how often all folds are cut anew and trained (1 to 20)")
    again.add_argument("--detach", action="store_true", help="return at once")
    robust = command(
        words, "robustness", commands.robustness,
        "how far a finished run falls when test images are darker, blurred, turned or compressed", _show_robustness,
    )  # fmt: skip
    robust.add_argument("run")
    robust.add_argument("--most", type=int, default=300, help="at most so many test cases are tried, drawn by patient")
    robust.add_argument("--again", action="store_true", help="also when it has been worked out")
    robust.add_argument("--detach", action="store_true", help="return at once")
    evaluate = command(
        words, "evaluate", commands.evaluate, "a finished run on another cohort, with everything frozen", _show_external
    )
    evaluate.add_argument("run")
    evaluate.add_argument("other", nargs="?", metavar="COHORT", help="images of another site or time")
    evaluate.add_argument("--cohort", help="the same, by name")
    evaluate.add_argument(
        "--map", action="append", metavar="CLASS=CLASS",
        help="the cohort's name of a class and the run's; nothing behind the sign leaves its cases out",
    )  # fmt: skip
    evaluate.add_argument(
        "--other-patients", action="store_true", help="codes of patients that agree with training are other people"
    )
    evaluate.add_argument("--again", action="store_true", help="also when it has been tested on it in the same way")
    evaluate.add_argument("--detach", action="store_true", help="return at once")
    compare = command(words, "compare", commands.compare, "two to six finished runs of one cohort", _show_compared)
    compare.add_argument("run", nargs="+", metavar="RUN")
    command(words, "runs", commands.runs, "all runs", _show_all_runs)
    command(words, "show", commands.show, "one run", _show_run).add_argument("run")
    command(words, "stop", commands.stop, "stop a run, keeping the best so far", _show_run).add_argument("run")
    resume = command(words, "resume", commands.resume, "go on from the last checkpoint", _show_run)
    resume.add_argument("run")
    resume.add_argument("--detach", action="store_true")
    command(words, "delete", commands.delete, "delete a run").add_argument("run")
    predict = command(words, "predict", commands.predict, "ask a finished run about new images", _show_predictions)
    predict.add_argument("run")
    predict.add_argument("path", nargs="+", help="images, DICOM files, folders, zips")
    predict.add_argument("--csv", metavar="FILE", help="write the answers there as they come: for many images")
    predict.add_argument(
        "--pool", nargs="?", const="auto", metavar="RULE",
        help="also one answer a patient, series or file of several images: as the run was judged (default), "
        "mean, max or noisy-or of the scores",
    )  # fmt: skip
    predict.add_argument(
        "--tta", type=int, default=0, metavar="N", help="look at N small changes of each image besides: N times longer"
    )
    predict.add_argument("--no-log", action="store_true", help="leave the run's diary alone")
    predict.add_argument("--explain", help="gradcam (for the predicted class), or the name of a class")
    predict.add_argument("--method", default="gradcam", help="how the map is made: see `explain --methods`")
    predict.add_argument("--out", help="folder for the heat maps")
    predict.add_argument("--dicom", metavar="FOLDER", help="also write DICOM objects that refer to each image")
    predict.add_argument(
        "--identity", choices=("keep", "remove"), default="remove",
        help="in them: keep whose image it is (for the PACS it came from), or codes instead (default)",
    )  # fmt: skip
    predict.add_argument("--region", choices=("binary", "fractional"), default="binary", help="how it is stored")
    predict.add_argument("--cut", type=float, default=0.5, help="share of the map's peak from which a region begins")
    log = command(words, "log", commands.watch, "what a run was asked: agreement and change over time", _show_watch)
    log.add_argument("run")
    log.add_argument(
        "--read",
        metavar="SHA256=CLASS",
        help="what you yourself say an image is; nothing behind the sign takes it back",
    )
    log.add_argument("--frame", type=int, help="with --read: which frame of the file")
    switch = log.add_mutually_exclusive_group()
    switch.add_argument("--off", action="store_true", help="write no diary for this run from now on")
    switch.add_argument("--on", action="store_true", help="write it again")
    log.add_argument("--delete", action="store_true", help="delete what is there")
    serve = command(words, "serve", commands.serve, "answer other programs on this computer by HTTP, for one run")
    serve.add_argument("run")
    serve.add_argument("--port", type=int, default=8600)
    serve.add_argument("--host", default="127.0.0.1", help="an address others can reach needs a --token")
    serve.add_argument("--token", default="", help="else MEDTL_TOKEN, else one that is made and kept in the workspace")
    looked = command(
        words, "explain", commands.explain, "where a run looked in its test cases, and what its maps are worth",
        _show_explained,
    )  # fmt: skip
    looked.add_argument("run")
    looked.add_argument("--case", metavar="ID", help="one stored case: its maps for every class, and their badges")
    looked.add_argument("--label", help="with --case: the class whose map is checked (the one with the highest score)")
    looked.add_argument("--method", default="gradcam")
    looked.add_argument("--layer", default="", help="the stage at whose end the map is made (the last)")
    looked.add_argument("--methods", action="store_true", help="the methods and layers there are for this run")
    looked.add_argument("--again", action="store_true", help="make and check the maps of all test cases anew")
    looked.add_argument("--out", help="with --case: folder for the maps as pictures")
    _pacs(words, command)
    _papers(words, command)
    return parser


def _pacs(words: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
    """The clinic's image archive: nothing is sent or fetched before one is named."""
    pacs = words.add_parser("pacs", help="name a PACS; ask it, fetch studies from it, send what MedTL made")
    actions = pacs.add_subparsers(required=True, metavar="ACTION")
    name = command(actions, "set", commands.pacs_set, "name the one PACS this workspace may speak to")
    name.add_argument("--host", default="", help="its address, for DICOM")
    name.add_argument("--port", type=int, default=104)
    name.add_argument("--called", default="", metavar="AE", help="its AE title")
    name.add_argument("--calling", default="MEDTL", metavar="AE", help="ours, as the PACS knows it")
    name.add_argument("--tls", action="store_true", help="encrypted")
    name.add_argument("--authority", default="", metavar="FILE.pem", help="certificates that vouch for it")
    name.add_argument("--receive-port", type=int, default=11112, help="where it sends to after `fetch --move`")
    name.add_argument("--web", default="", metavar="URL", help="its DICOMweb address")
    name.add_argument("--user", default="", help="for DICOMweb")
    name.add_argument("--password-file", default="", metavar="FILE", help="of one line, for DICOMweb")
    command(actions, "show", commands.pacs_show, "which one is named")
    command(actions, "forget", commands.pacs_forget, "name none any more")
    echo = command(actions, "echo", commands.pacs_echo, "whether it answers")
    find = command(actions, "find", commands.pacs_find, "studies of a time, modality, description or patient")
    find.add_argument("--date", default="", metavar="DAY[-DAY]", help="20260131, 20260101-20260131, 20260101-")
    find.add_argument("--modality", default="", help="such as US")
    find.add_argument("--description", default="", help="words of it; * stands for anything")
    find.add_argument("--patient", default="", help="a whole patient id")
    fetch = command(actions, "fetch", commands.pacs_fetch, "the images of studies into a folder, for `cohort add`")
    fetch.add_argument("study", nargs="+", help="the uid of a study, as `find` prints it")
    fetch.add_argument("--out", required=True, metavar="FOLDER")
    fetch.add_argument("--label", default="", help="their class: a folder of that name in it")
    fetch.add_argument("--move", action="store_true", help="have the PACS send them (it must know this computer)")
    send = command(actions, "send", commands.pacs_send, "send files that `predict --dicom` wrote")
    send.add_argument("file", nargs="+")
    for action in (echo, find, fetch, send):
        action.add_argument("--web", action="store_true", dest="over_web", help="over DICOMweb")


def _papers(words: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
    """What is written of a finished run, for readers and for other programs."""
    report = command(
        words, "report", commands.report, "the study report of a run, and the eight questions only you know"
    )
    report.add_argument("run")
    report.add_argument("--out", metavar="FILE.html|.pdf", help="also .md and .docx, without drawings")
    report.add_argument(
        "--answer", action="append", metavar="KEY=TEXT", help="answer a question (see those not stated)"
    )
    report.add_argument("--answers", metavar="FILE.toml", help='answers as lines of key = "text"')
    report.add_argument("--no-images", action="store_true", help="no pictures of wrongly called cases")
    card = command(words, "card", commands.card, "the model card of a run; .xml: in the form of CHAI")
    card.add_argument("run")
    card.add_argument("--out", required=True, metavar="FILE.md|.html|.pdf|.docx|.xml")
    checklist = command(words, "checklist", commands.checklist, "a reporting checklist, filled as far as MedTL knows")
    checklist.add_argument("run")
    checklist.add_argument("name", choices=("claim", "tripod", "stard"))
    checklist.add_argument("--out", required=True, metavar="FILE.md|.docx|.html|.pdf")
    export = command(
        words, "export", commands.export, "the model (.zip, .onnx), recipe (.json) or scores (.csv) of a run"
    )
    export.add_argument("run")
    to = export.add_mutually_exclusive_group(required=True)
    to.add_argument("--out", metavar="FILE", help=".zip: ONNX with its description, an example and a self-test")
    to.add_argument("--as-source", metavar="FOLDER", help="safetensors and card, to be trained from")
    to.add_argument("--mlflow", metavar="FOLDER", help="the run in the layout of MLflow's files")
    export.add_argument("--card", help="with --as-source: TOML whose fields replace those of the card")
