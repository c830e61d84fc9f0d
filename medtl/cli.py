"""The command line: its grammar. What a command does is in `medtl.commands`, what is printed in `medtl.printing`.

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
from medtl import commands, printing
from medtl.commands import Answer
from medtl.errors import MedtlError
from medtl.rank import LOOKED_AT
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
    for subject in (_machine, _cohorts, _sources, _training, _trust, _runs, _asking, _pacs, _papers):
        subject(words)
    return parser


def _command(
    where: Any, name: str, act: Callable[[Workspace, argparse.Namespace], Answer], help: str,
    show: Callable[[Answer], None] = printing.plain,
) -> argparse.ArgumentParser:  # fmt: skip
    # SUPPRESS: a flag given before the command is not overwritten by the command's own default.
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--json", action="store_true", help="print one JSON object")
    shared.add_argument("--home", help="the workspace")
    sub: argparse.ArgumentParser = where.add_parser(name, help=help, description=help, parents=[shared])
    sub.set_defaults(act=act, show=show)
    return sub


def _machine(words: Any) -> None:
    """The example, and this computer."""
    _command(words, "demo", commands.machine.demo, "make the SYNTHETIC example cohort and one finished run of it")
    _command(words, "doctor", commands.machine.doctor, "versions, device, image decoders, free disk, limits")


def _cohorts(words: Any) -> None:
    cohort = words.add_parser("cohort", help="add, list, show, edit, delete cohorts")
    cohorts = cohort.add_subparsers(required=True, metavar="ACTION")
    add = _command(
        cohorts, "add", commands.cohorts.add, "bring a zip, a folder, a CSV of images, an .npz, or medmnist:NAME"
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
    _command(cohorts, "list", commands.cohorts.listed, "all cohorts")
    _command(cohorts, "show", commands.cohorts.show, "one cohort").add_argument("id")
    edit = _command(cohorts, "edit", commands.cohorts.edit, "make a new version of a cohort")
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
    check = _command(
        cohorts, "check", commands.cohorts.check, "look deeper, with a network: wrong labels, copies, text"
    )
    check.add_argument("id")
    check.add_argument("--source")
    check.add_argument("--no-text", action="store_true", help="do not look for text in the images")
    readers = _command(
        cohorts, "agreement", commands.cohorts.agreement, "how far two readers of a cohort agree, once they have ended"
    )
    readers.add_argument("id")
    readers.add_argument("one")
    readers.add_argument("other", nargs="?", help="left out: the labels of the cohort itself")
    delete = _command(cohorts, "delete", commands.cohorts.delete, "delete a cohort and what was made of its pictures")
    delete.description = (
        "Deletes at once, without asking: the images and de-identified files that no other version of it holds, "
        "what was computed from them, and waiting changes; with the last version also the second readings and the "
        "key. A deeper check that looks at it is stopped. Runs keep their numbers but can no longer show the images. "
        "Your own files are not touched. This cannot be undone."
    )
    delete.add_argument("id")
    delete.add_argument("--all-versions", action="store_true", help="and every version it has")


def _sources(words: Any) -> None:
    """Source models and strategies."""
    _command(words, "sources", commands.sources.listed, "all source models")
    source = words.add_parser("source", help="add or delete a source model").add_subparsers(
        required=True, metavar="ACTION"
    )
    bring = _command(source, "add", commands.sources.add, "add a network: .safetensors, .onnx, .keras, source folder")
    bring.add_argument("file", help="the file, or a folder as `export --as-source` writes it")
    bring.add_argument("--title", default="", help="what it is called here; a folder may bring its own")
    bring.add_argument("--builder", default="", help="the network a .safetensors file is for; not for others")
    bring.add_argument("--range", default="", help="brightness a .onnx or .keras was shown: 0-1, 0-255 or =-1-1")
    bring.add_argument("--mean", metavar="R,G,B", help="... or mean and std, of pixels from 0 to 1")
    bring.add_argument("--std", metavar="R,G,B")
    bring.add_argument("--size", type=int, help="pixels a side, where the file leaves it open")
    bring.add_argument("--card", help="TOML with says, trained_on, cases, labels, licence, ...")
    _command(source, "delete", commands.sources.delete, "delete a source you added").add_argument("id")

    _command(
        words,
        "strategies",
        commands.sources.strategies,
        "all transfer strategies and their settings",
        printing.strategies,
    )
    rank = _command(
        words,
        "rank",
        commands.sources.rank,
        "how well each source suits a cohort, measured on its own images",
        printing.ranking,
    )
    rank.add_argument("id", metavar="COHORT")
    rank.add_argument("--source", action="append", help="this one (may be repeated); fetches what is not here")
    rank.add_argument("--race", action="store_true", help="also let the best three train a little, for fine-tuning")
    rank.add_argument("--most", type=int, default=LOOKED_AT, help="at most so many training cases are looked at")
    recommend = _command(
        words, "recommend", commands.sources.recommend, "which source and strategy to begin with, and why"
    )
    recommend.add_argument("cohort")
    recommend.add_argument("--source")
    recommend.add_argument("--budget", metavar="TIME", help=BUDGET)
    plan = _command(words, "plan", commands.sources.plan, "what a strategy would do, without doing it")
    plan.add_argument("cohort")
    plan.add_argument("--source", required=True)
    plan.add_argument("--strategy", required=True)
    plan.add_argument("--set", action="append", metavar="SETTING=VALUE")
    plan.add_argument("--budget", metavar="TIME", help=BUDGET)
    calibrate = _command(words, "calibrate", commands.sources.calibrate, "try out how fast sources run here")
    calibrate.add_argument("--source", action="append", help="this one (may be repeated); else those not known yet")


def _training(words: Any) -> None:
    train = _command(words, "train", commands.training.train, "transfer a source to a cohort", printing.runs)
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
    again = _command(
        words,
        "cross-validate",
        commands.training.cross_validate,
        "train a finished run's plan in every fold",
        printing.one_run,
    )
    again.add_argument("run")
    again.add_argument("--repeats", type=int, default=1, help="how often all folds are cut anew and trained (1 to 20)")
    again.add_argument("--detach", action="store_true", help="return at once")


def _trust(words: Any) -> None:
    """What the numbers of finished runs are worth."""
    robust = _command(
        words, "robustness", commands.trust.robustness,
        "how far a finished run falls when test images are darker, blurred, turned or compressed", printing.robustness,
    )  # fmt: skip
    robust.add_argument("run")
    robust.add_argument("--most", type=int, default=300, help="at most so many test cases are tried, drawn by patient")
    robust.add_argument("--again", action="store_true", help="also when it has been worked out")
    robust.add_argument("--detach", action="store_true", help="return at once")
    evaluate = _command(
        words,
        "evaluate",
        commands.trust.evaluate,
        "a finished run on another cohort, with everything frozen",
        printing.external,
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
    compare = _command(
        words, "compare", commands.trust.compare, "two to six finished runs of one cohort", printing.compared
    )
    compare.add_argument("run", nargs="+", metavar="RUN")


def _runs(words: Any) -> None:
    _command(words, "runs", commands.runs.listed, "all runs", printing.all_runs)
    _command(words, "show", commands.runs.show, "one run", printing.one_run).add_argument("run")
    _command(words, "stop", commands.runs.stop, "stop a run, keeping the best so far", printing.one_run).add_argument(
        "run"
    )
    resume = _command(words, "resume", commands.runs.resume, "go on from the last checkpoint", printing.one_run)
    resume.add_argument("run")
    resume.add_argument("--detach", action="store_true")
    _command(words, "delete", commands.runs.delete, "delete a run").add_argument("run")


def _asking(words: Any) -> None:
    """A finished run and new images; where it looked."""
    predict = _command(
        words, "predict", commands.asking.predict, "ask a finished run about new images", printing.predictions
    )
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
    log = _command(
        words, "log", commands.asking.watch, "what a run was asked: agreement and change over time", printing.watched
    )
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
    serve = _command(
        words, "serve", commands.asking.serve, "answer other programs on this computer by HTTP, for one run"
    )
    serve.add_argument("run")
    serve.add_argument("--port", type=int, default=8600)
    serve.add_argument("--host", default="127.0.0.1", help="an address others can reach needs a --token")
    serve.add_argument("--token", default="", help="else MEDTL_TOKEN, else one that is made and kept in the workspace")
    looked = _command(
        words, "explain", commands.asking.explain, "where a run looked in its test cases, and what its maps are worth",
        printing.explained,
    )  # fmt: skip
    looked.add_argument("run")
    looked.add_argument("--case", metavar="ID", help="one stored case: its maps for every class, and their badges")
    looked.add_argument("--label", help="with --case: the class whose map is checked (the one with the highest score)")
    looked.add_argument("--method", default="gradcam")
    looked.add_argument("--layer", default="", help="the stage at whose end the map is made (the last)")
    looked.add_argument("--methods", action="store_true", help="the methods and layers there are for this run")
    looked.add_argument("--again", action="store_true", help="make and check the maps of all test cases anew")
    looked.add_argument("--out", help="with --case: folder for the maps as pictures")


def _pacs(words: Any) -> None:
    """The clinic's image archive: nothing is sent or fetched before one is named."""
    pacs = words.add_parser("pacs", help="name a PACS; ask it, fetch studies from it, send what MedTL made")
    actions = pacs.add_subparsers(required=True, metavar="ACTION")
    name = _command(actions, "set", commands.pacs.name, "name the one PACS this workspace may speak to")
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
    _command(actions, "show", commands.pacs.show, "which one is named")
    _command(actions, "forget", commands.pacs.forget, "name none any more")
    echo = _command(actions, "echo", commands.pacs.echo, "whether it answers")
    find = _command(actions, "find", commands.pacs.find, "studies of a time, modality, description or patient")
    find.add_argument("--date", default="", metavar="DAY[-DAY]", help="20260131, 20260101-20260131, 20260101-")
    find.add_argument("--modality", default="", help="such as US")
    find.add_argument("--description", default="", help="words of it; * stands for anything")
    find.add_argument("--patient", default="", help="a whole patient id")
    fetch = _command(actions, "fetch", commands.pacs.fetch, "the images of studies into a folder, for `cohort add`")
    fetch.add_argument("study", nargs="+", help="the uid of a study, as `find` prints it")
    fetch.add_argument("--out", required=True, metavar="FOLDER")
    fetch.add_argument("--label", default="", help="their class: a folder of that name in it")
    fetch.add_argument("--move", action="store_true", help="have the PACS send them (it must know this computer)")
    send = _command(actions, "send", commands.pacs.send, "send files that `predict --dicom` wrote")
    send.add_argument("file", nargs="+")
    for action in (echo, find, fetch, send):
        action.add_argument("--web", action="store_true", dest="over_web", help="over DICOMweb")


def _papers(words: Any) -> None:
    """What is written of a finished run, for readers and for other programs."""
    report = _command(
        words, "report", commands.papers.report, "the study report of a run, and the eight questions only you know"
    )
    report.add_argument("run")
    report.add_argument("--out", metavar="FILE.html|.pdf", help="also .md and .docx, without drawings")
    report.add_argument(
        "--answer", action="append", metavar="KEY=TEXT", help="answer a question (see those not stated)"
    )
    report.add_argument("--answers", metavar="FILE.toml", help='answers as lines of key = "text"')
    report.add_argument("--no-images", action="store_true", help="no pictures of wrongly called cases")
    card = _command(words, "card", commands.papers.card, "the model card of a run; .xml: in the form of CHAI")
    card.add_argument("run")
    card.add_argument("--out", required=True, metavar="FILE.md|.html|.pdf|.docx|.xml")
    checklist = _command(
        words, "checklist", commands.papers.checklist, "a reporting checklist, filled as far as MedTL knows"
    )
    checklist.add_argument("run")
    checklist.add_argument("name", choices=("claim", "tripod", "stard"))
    checklist.add_argument("--out", required=True, metavar="FILE.md|.docx|.html|.pdf")
    export = _command(
        words, "export", commands.papers.export, "the model (.zip, .onnx), recipe (.json) or scores (.csv) of a run"
    )
    export.add_argument("run")
    to = export.add_mutually_exclusive_group(required=True)
    to.add_argument("--out", metavar="FILE", help=".zip: ONNX with its description, an example and a self-test")
    to.add_argument("--as-source", metavar="FOLDER", help="safetensors and card, to be trained from")
    to.add_argument("--mlflow", metavar="FOLDER", help="the run in the layout of MLflow's files")
    export.add_argument("--card", help="with --as-source: TOML whose fields replace those of the card")
