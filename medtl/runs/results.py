"""What a run found, read from its result folder. Computes nothing: every number was written once, by the worker."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtl.errors import MedtlError, NotReady
from medtl.runs import choices, events, status, store
from medtl.vocabulary import Estimate, Recipe, Task, Threshold, to_dict
from medtl.workspace import Workspace

if TYPE_CHECKING:
    from medtl.runs.afterwards import External, Robustness

ESTIMATES = "estimates.json"
CURVES = "curves.json"
CONTROL = "control.json"
OPERATING = "operating.json"  # what another operating point, chosen after the test part was seen, changes
CROSS_VALIDATED = "cross_validated.json"
LEARNING_CURVE = "learning_curve.json"
PREDICTIONS = "predictions.csv"
COLUMNS = ("case", "patient", "part", "label", "predicted")
SCORE = "score_"
LABEL = "label_"  # columns of what was said of each of several findings
NONE = "no finding"
# A spreadsheet takes a cell that begins so for a formula; such a cell (and one that begins with ') gets a ' in front.
RISKY = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(frozen=True)
class Control:
    """What the run is measured against: its own AUROC and ours minus its, with the verdict in a word and a sentence."""

    run: str | None
    name: str
    auroc: Estimate | None
    difference: Estimate
    verdict: str
    says: str


@dataclass(frozen=True)
class Confusion:
    """Counts on the test part: row = reference, column = model, both in the order of `classes`."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Result:
    """Everything the Trust page draws. `curves` is curves.json as it is; `small_test` is None when n suffices.

    `caveats` are sentences to be read before any number: stopped early, patients unknown, no better than guessing.
    `guards` are all it is measured against, `control` among them: thumbnails, frozen probe, from scratch once there.
    `stopped` says why training ended early. `cross_validated` and `learning_curve` come some seconds after the result,
    where they come at all; `robustness` and `externals` (the latest first) come on wish (`medtl.runs.afterwards`).
    `findings` is filled where several are learned: finding -> what was written of it (`medtl.runs.findings` reads it).
    """

    folder: Path
    recipe: Recipe
    estimates: tuple[Estimate, ...]
    threshold: Threshold | None
    control: Control | None
    confusion: Confusion | None
    sentence: str
    small_test: str | None
    caveats: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    peak_memory_mb: float | None
    device: str
    parts: Mapping[str, Mapping[str, int | None]]
    curves: Mapping[str, Any]
    guards: tuple[Control, ...] = ()
    stopped: str = ""
    cross_validated: "CrossValidated | None" = None
    learning_curve: "LearningCurve | None" = None
    findings: Mapping[str, Any] = field(default_factory=dict)
    robustness: "Robustness | None" = None
    externals: "tuple[External, ...]" = ()
    finding: str | None = None  # set where the result is about one of several findings
    task: Task | None = None  # None for a run made before it was written
    positive: str | None = None  # of two classes the one that counts as "has it"

    @property
    def weights(self) -> Path:
        return self.folder / "weights.safetensors"

    def estimate(self, name: str) -> Estimate | None:
        return next((estimate for estimate in self.estimates if estimate.name == name), None)


@dataclass(frozen=True)
class CrossValidated:
    """What the same plan reaches when every case is tested once by a network that did not learn from its patient, again
    and again: mean AUROC of the repeats with an interval by patient, and the AUROC of each repeat in `spread`."""

    name: str
    value: float
    low: float
    high: float
    n: int
    how: str
    spread: tuple[float, ...]
    folds: int
    says: str


@dataclass(frozen=True)
class CurvePoint:
    """What was reached with so many training cases a class. `draws` is how many subsets of that size were tried."""

    per_class: int
    cases: int
    auroc: Estimate
    draws: int


@dataclass(frozen=True)
class LearningCurve:
    """How the AUROC grew with the training cases. `fitted` are (cases a class, AUROC) of the curve through the points,
    empty where none could be fitted; `gain` is what `more` cases a class would bring, None where the curve does not
    say. `judged_on` is "test part" or "out of fold"; `notes` say why, and of what features the curve is."""

    points: tuple[CurvePoint, ...]
    fitted: tuple[tuple[float, float], ...]
    more: int
    gain: Estimate | None
    judged_on: str
    says: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PredictionRow:
    """One line of predictions.csv. `scores` maps class to score in the order of the columns (sum 1, except of several
    findings). With several findings `label` and `predicted` are those present and called, `joined`; `said` maps finding
    to 1, 0 or -1 (uncertain), what nobody stated is left out."""

    case: str
    patient: str | None
    part: str
    label: str
    predicted: str
    scores: Mapping[str, float]
    said: Mapping[str, int] = field(default_factory=dict)


def joined(findings: Iterable[str]) -> str:
    """Several findings of a case in one cell, as tables bring them in."""
    return "|".join(findings) or NONE


def load(folder: Path) -> Result:
    """The result, or NotReady while there is none. A from-scratch control that ended later replaces the cheap one."""
    from medtl.runs import afterwards  # which reads predictions through this module

    content = _content(folder)
    place = folder / store.RESULT
    curves = store.read_json(place / CURVES, "result") if (place / CURVES).exists() else {}
    confusion, threshold = content.get("confusion"), content.get("threshold")
    return Result(
        folder=place,
        recipe=store.recipe(folder),
        estimates=tuple(store.known(Estimate, one, "result") for one in content.get("estimates", ())),
        threshold=store.known(Threshold, threshold, "result") if threshold else None,
        control=control_of(content.get("control")),
        confusion=confusion_of(confusion) if confusion else None,
        sentence=content.get("sentence") or "",
        small_test=content.get("small_test"),
        caveats=tuple(content.get("caveats") or ()),
        notes=tuple(content.get("notes") or ()),
        seconds=content.get("seconds") or {},
        peak_memory_mb=content.get("peak_memory_mb"),
        device=content.get("device") or "",
        parts=content.get("parts") or {},
        curves=curves,
        guards=tuple(guard for one in content.get("guards") or () if (guard := control_of(one))),
        stopped=content.get("stopped") or "",
        cross_validated=_cross_validated(content.get("cross_validated")),
        learning_curve=_learning_curve(content.get("learning_curve")),
        findings=content.get("findings") or {},
        robustness=afterwards.robustness(folder),
        externals=afterwards.externals(folder),
        task=content.get("task"),
        positive=content.get("positive"),
    )


def describe(ws: Workspace, run_id: str) -> dict[str, Any]:
    """A run as `train` and `show` print it, whatever its status; what isn't known yet is empty or null."""
    from medtl.runs import afterwards

    folder = store.folder(ws, run_id)
    recipe = store.recipe(folder)
    robust = afterwards.robustness(folder)
    now = status.progress(folder)
    told = status.last_attempt(events.read(folder, skip=("step", "phase", "epoch")))
    started = next((event for event in reversed(told) if event["event"] == "started"), {})
    content = _content(folder) if (folder / store.RESULT).is_dir() else {}
    return {
        "run": recipe.run,
        "title": recipe.title,
        "status": now.status,
        "says": now.says,
        "cohort": recipe.cohort,
        "source": recipe.source,
        "strategy": recipe.strategy,
        "settings": dict(recipe.settings),
        "device": content.get("device") or started.get("device") or recipe.device,
        "seed": recipe.seed,
        "created": recipe.created,
        "control_for": recipe.control_for,
        "seconds": content.get("seconds") or {},
        "estimate": content.get("estimate") or store.estimate(folder),
        "budget": recipe.budget,
        "peak_memory_mb": content.get("peak_memory_mb"),
        "parts": content.get("parts") or {},
        "estimates": content.get("estimates") or [],
        "threshold": content.get("threshold"),
        "control": content.get("control"),
        "guards": content.get("guards") or [],
        "group": recipe.group,
        "cross_validated": content.get("cross_validated"),
        "learning_curve": content.get("learning_curve"),
        "robustness": to_dict(robust) if robust else None,
        "externals": [
            {"cohort": one.cohort, "title": one.title, "cases": one.cases, "made": one.made}
            for one in afterwards.externals(folder)
        ],
        "confusion": content.get("confusion"),
        "sentence": content.get("sentence"),
        "small_test": content.get("small_test"),
        "caveats": content.get("caveats") or [],
        "notes": [*now.notes, *(content.get("notes") or ())],
        "message": now.message,
        "advice": now.advice,
    }


def headline(folder: Path) -> tuple[Estimate | None, float | None, str]:
    """AUROC, seconds in all, and what is wrong with the result, if anything: for the list of runs."""
    if not (folder / store.RESULT).is_dir():
        return None, None, ""
    try:
        content = _content(folder)
        found = [store.known(Estimate, e, "result") for e in content.get("estimates", ()) if e.get("name") == "auroc"]
        return (found[0] if found else None), (content.get("seconds") or {}).get("total"), ""
    except MedtlError as error:
        return None, None, str(error)


def predictions(folder: Path) -> tuple[PredictionRow, ...]:
    """Every scored case of the tune and the test part, called at the operating point in force."""
    path = folder / store.RESULT / PREDICTIONS
    if not path.exists():
        raise NotReady("This run has no predictions yet.", "Wait until it has finished.")
    rows = read_predictions(path)
    return called_anew(rows, folder) if (folder / store.RESULT / OPERATING).exists() else rows


def read_predictions(path: Path) -> tuple[PredictionRow, ...]:
    """What `write_predictions` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(_row(line) for line in csv.DictReader(file))


def called_anew(rows: tuple[PredictionRow, ...], folder: Path) -> tuple[PredictionRow, ...]:
    """`rows` called at the operating point in force of the run in `folder`."""
    content = _content(folder)
    positive, findings = content.get("positive"), _findings(content)
    known = {name: (said.get("threshold") or {}).get("value") for name, said in findings.items()}
    at = {name: 0.5 if value is None else float(value) for name, value in known.items()}
    value = (content.get("threshold") or {}).get("value")

    def called(row: PredictionRow) -> str:
        if findings:
            return joined(name for name, score in row.scores.items() if score >= at[name])
        if positive is None or value is None or len(row.scores) != 2:
            return row.predicted
        other = next(name for name in row.scores if name != positive)
        return positive if row.scores[positive] >= value else other

    return tuple(replace(row, predicted=called(row)) for row in rows)


def write_predictions(path: Path, classes: Sequence[str], rows: Iterable[PredictionRow]) -> None:
    """Write `rows` so that `predictions` reads the same back and a spreadsheet never runs a cell as a formula."""
    rows = list(rows)
    findings = list(classes) if any(row.said for row in rows) else []
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow([*COLUMNS, *(f"{SCORE}{name}" for name in classes), *(f"{LABEL}{name}" for name in findings)])
        for row in rows:
            words = (row.case, row.patient or "", row.part, row.label, row.predicted)
            said = (str(row.said.get(name, "")) for name in findings)
            out.writerow([*map(safe_cell, words), *(f"{row.scores[name]:.6g}" for name in classes), *said])


def _content(folder: Path) -> dict[str, Any]:
    place = folder / store.RESULT
    if not place.is_dir():
        raise NotReady(
            "This run has no result yet.", "Wait until it has finished, or see on the Train page why it ended."
        )
    content = store.read_json(place / ESTIMATES, "result")
    guards = content.get("guards") or ([content["control"]] if content.get("control") else [])
    if (place / CONTROL).exists():
        later = store.read_json(place / CONTROL, "control")
        content["control"] = later
        guards = [*(guard for guard in guards if guard["name"] != later.get("name")), later]
        if later.get("verdict") == "hurts":  # never hidden, found at once or later
            content["caveats"] = [*(content.get("caveats") or ()), later.get("says", "")]
    content["guards"] = guards
    if (place / OPERATING).exists():
        content = _at_another_point(content, store.read_json(place / OPERATING, "operating point"), folder)
    for name, file in (("cross_validated", CROSS_VALIDATED), ("learning_curve", LEARNING_CURVE)):
        if (place / file).exists():
            content[name] = store.read_json(place / file, name.replace("_", " "))
    return content


def _at_another_point(content: dict[str, Any], other: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The result with the operating point in force, and the sentence that no reader may miss."""
    findings = {name: {**said, **other.get("findings", {}).get(name, {})} for name, said in _findings(content).items()}
    rule = choices.in_force(folder)
    caveat = (
        f"The threshold was changed after the test part had been seen ({_day(choices.read(folder))}): now "
        f"{rule.says}. The sensitivity and specificity below may look better than they are."
    )
    caveats = [*(content.get("caveats") or ()), caveat]
    return {**content, **other, "caveats": caveats, **({"findings": findings} if findings else {})}


def _findings(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return content.get("findings") or {}


def _day(chosen: "choices.Choices") -> str:
    return chosen.changed[-1].at[:10] if chosen.changed else "nobody knows when"


def _cross_validated(content: Mapping[str, Any] | None) -> CrossValidated | None:
    if not content:
        return None
    return store.known(CrossValidated, {**content, "spread": tuple(content.get("spread") or ())}, "cross-validation")


def _learning_curve(content: Mapping[str, Any] | None) -> LearningCurve | None:
    if not content:
        return None
    points = tuple(
        store.known(CurvePoint, {**one, "auroc": store.known(Estimate, one["auroc"], "curve")}, "curve")
        for one in content.get("points") or ()
    )
    gain = store.known(Estimate, content["gain"], "curve") if content.get("gain") else None
    fitted = tuple((float(x), float(y)) for x, y in content.get("fitted") or ())
    notes = tuple(content.get("notes") or ())
    return store.known(
        LearningCurve, {**content, "points": points, "gain": gain, "fitted": fitted, "notes": notes}, "learning curve"
    )


def control_of(content: Mapping[str, Any] | None) -> Control | None:
    if not content:
        return None
    numbers = {
        name: store.known(Estimate, content[name], "control") if content.get(name) else None
        for name in ("auroc", "difference")
    }
    return store.known(Control, {"run": None, "says": "", "verdict": "", **content, **numbers}, "control")


def confusion_of(content: Mapping[str, Any]) -> Confusion:
    return Confusion(tuple(content["classes"]), tuple(tuple(row) for row in content["counts"]))


def _row(line: Mapping[str, str]) -> PredictionRow:
    try:
        words = {name: _unsafe(line[name]) for name in COLUMNS}
        scores = {name.removeprefix(SCORE): float(text) for name, text in line.items() if name.startswith(SCORE)}
        said = {name.removeprefix(LABEL): int(text) for name, text in line.items() if name.startswith(LABEL) and text}
    except (KeyError, TypeError, ValueError) as error:
        raise MedtlError("The predictions of this run are damaged.", "Delete the run and start it again.") from error
    return PredictionRow(
        words["case"], words["patient"] or None, words["part"], words["label"], words["predicted"], scores, said
    )


def safe_cell(text: str) -> str:
    return f"'{text}" if text.startswith(RISKY) else text


def _unsafe(text: str) -> str:
    return text[1:] if text.startswith("'") else text
