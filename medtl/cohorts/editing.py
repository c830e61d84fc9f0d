"""Mending a cohort: every edit makes a new version with the same originals; the old one stays as it is.

It opens no original itself; pictures that are to be blacked out go through a `reader` process.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from medtl.cohorts import folders, originals, patients, reading
from medtl.cohorts.findings import checks
from medtl.cohorts.judging import Wishes, identified, judged, looked_at
from medtl.cohorts.labelling.labels import class_name, outcome_of
from medtl.cohorts.names import shown
from medtl.cohorts.pixels import SHARD, Pixels, Shard, assemble, carried_over, keep_near, share
from medtl.cohorts.pseudonyms import Pseudonyms
from medtl.errors import BadInput, MedtlError, NotFound
from medtl.vocabulary import Blank, Case, Cohort, Edit, Uncertain
from medtl.workspace import Workspace


@dataclass(frozen=True)
class Changes:
    """What an edit is to change; see `edit`."""

    exclude: tuple[str, ...] = ()
    relabel: Mapping[str, str] = field(default_factory=dict)
    exclude_findings: tuple[str, ...] = ()
    patient_pattern: str | None = None
    positive: str | None = None
    merge: Mapping[str, str] = field(default_factory=dict)
    patients: Mapping[str, str] = field(default_factory=dict)
    accept: tuple[str, ...] = ()
    blank: tuple[Blank, ...] = ()
    outcome: str | None = None
    uncertain: Uncertain = "leave-out"
    who: str = ""


def edit(
    ws: Workspace,
    id: str,
    *,
    exclude: Iterable[str] = (),
    relabel: Mapping[str, str] | None = None,
    exclude_findings: Sequence[str] = (),
    patient_pattern: str | None = None,
    positive: str | None = None,
    name: str | None = None,
    merge: Mapping[str, str] | None = None,
    patients: Mapping[str, str] | None = None,
    accept: Sequence[str] = (),
    blank: Sequence[Blank] = (),
    outcome: str | None = None,
    uncertain: Uncertain = "leave-out",
    who: str = "",
) -> Cohort:
    """A new version of the cohort.

    `exclude` and `exclude_findings` leave cases out; `relabel` gives cases another of the classes; `merge` gives a
    class another name, which may be that of another class; `patients` says whose some cases are, `patient_pattern`
    whose all are; `accept` are findings somebody has looked at and kept; `blank` blacks out rectangles; `outcome` makes
    one finding of a multi-label cohort the label. `who` is noted in the history.

    Cases stay in the part they were in, so that a test part is not mixed with what was learned from before; only news
    about patients split anew. A new name alone makes no new version. Raises BadInput for what cannot be done.
    """
    old = folders.load(ws, id)
    changes = Changes(
        tuple(exclude), relabel or {}, tuple(exclude_findings), patient_pattern, positive, merge or {}, patients or {},
        tuple(accept), tuple(blank), outcome, uncertain, shown(who, 60),
    )  # fmt: skip
    if changes == Changes(who=changes.who):
        return folders.rename(ws, old, name) if name else old
    return _version(ws, old, changes, name)


def _version(ws: Workspace, old: Cohort, changes: Changes, name: str | None) -> Cohort:
    excluded = _excluded(old, changes)
    _check(old, excluded, changes)
    cases = [case for case in old.cases if case.id not in excluded]
    cases, dropped = _outcome(cases, changes)
    cases = [replace(case, label=_label(case, changes)) for case in cases]
    cases, rule = _patients(ws, old, cases, changes)
    anew = bool(changes.patient_pattern or changes.patients)
    folders.sweep(ws)
    with folders.unfinished(ws) as folder:
        home = ws.cohort(old.id)
        if changes.blank:
            cases = _blanked(home, folder, old, cases, changes.blank)
        else:
            originals.share(home, folder, [case.at for case in cases])
            share(home, folder)
        pixels = Pixels(folder)
        new = judged(cases, pixels, _wishes(old, cases, changes), None if anew else old.split.part_of())
        accepted = _accepted(old, new, changes)
        new = replace(
            new,
            accepted=accepted,
            findings=looked_at(new.findings, accepted),
            title=shown(name, 200) if name else old.title,
            skipped=old.skipped,
            patient_rule=rule,
            parent=old.id,
            root=old.first,
            history=(*old.history, *_history(old, excluded, dropped, cases, changes)),
            synthetic=old.synthetic,
            reading=old.reading,
            privacy=old.privacy,
        )
        new = identified(new, pixels)
        if new.id == old.id:
            return folders.rename(ws, old, name) if name else old
        return folders.settle(ws, folder, new, name)


# ---- what becomes of the cases --------------------------------------------------------------------------------------


def _excluded(old: Cohort, changes: Changes) -> set[str]:
    checks.check_codes(changes.exclude_findings)
    codes = changes.exclude_findings
    return {*changes.exclude, *(id for finding in old.findings if finding.code in codes for id in finding.cases)}


def _check(old: Cohort, excluded: set[str], changes: Changes) -> None:
    known = {case.id for case in old.cases}
    unknown = sorted({*excluded, *changes.relabel, *changes.patients} - known)
    if unknown:
        raise NotFound(f"There is no case '{shown(unknown[0], 40)}' in this cohort.", "Pick one from the gallery.")
    for label in (*changes.relabel.values(), *changes.merge):
        if label not in old.classes:
            raise BadInput(f"There is no class '{shown(label, 100)}'.", f"The classes are {', '.join(old.classes)}.")
    for code in changes.accept:
        if code not in checks.CODES:
            raise BadInput(f"There is no finding called '{shown(code, 60)}'.", f"Known: {', '.join(checks.CODES)}.")
        if any(finding.code == code for finding in old.blocks):
            raise BadInput(f"The finding {code} stops training; it cannot be kept as it is.", "Resolve it.")
    if excluded >= known:
        raise BadInput("This would leave no case in the cohort.", "Leave out fewer, or delete the cohort.")
    if old.task == "multi-label" and (changes.relabel or changes.merge):
        raise BadInput(
            "An image of this cohort may have several labels at once.", "Choose one finding as the label first."
        )
    if changes.outcome and (old.task != "multi-label" or changes.outcome not in old.classes):
        raise BadInput(
            f"There is no finding '{shown(changes.outcome, 100)}' to choose.",
            f"The findings are {', '.join(old.classes)}."
            if old.task == "multi-label"
            else "This cohort has one label for each image already.",
        )
    for name in changes.merge.values():
        if not class_name(name):
            raise BadInput("A class needs a name.", "Type one.")


def _label(case: Case, changes: Changes) -> str:
    label = changes.relabel.get(case.id, case.label)
    return class_name(changes.merge[label]) if label in changes.merge else label


def _outcome(cases: Sequence[Case], changes: Changes) -> tuple[list[Case], int]:
    """Of several labels one is made the label; how many cases nobody labelled for it, and were left out."""
    if not changes.outcome:
        return list(cases), 0
    named = [(case, outcome_of(case.labels, changes.outcome, changes.uncertain)) for case in cases]
    chosen = [replace(case, label=label, labels={}) for case, label in named if label]
    if not chosen:
        raise BadInput(f"No image is labelled for '{changes.outcome}'.", "Choose another finding.")
    return chosen, len(cases) - len(chosen)


def _patients(ws: Workspace, old: Cohort, cases: list[Case], changes: Changes) -> tuple[list[Case], str]:
    rule = old.patient_rule
    pseudonyms = Pseudonyms(ws.salt())
    known = {case.patient for case in old.cases}

    def code(said: str) -> str:
        coded = old.privacy.names == "kept" or said in known or patients.CODE.fullmatch(said)
        return said if coded else str(pseudonyms.patient(said))

    if changes.patient_pattern:
        claims = [patients.Claim(case.id, case.name) for case in cases]
        who, rule = patients.assign(claims, changes.patient_pattern)
        lone = {case.id for case in cases if who[case.id] == patients.alone(case.id)}
        coded = {case.id: who[case.id] if case.id in lone else code(str(who[case.id])) for case in cases}
        cases = [replace(case, patient=coded[case.id]) for case in cases]
    if changes.patients:
        said = {case: shown(text, 200) for case, text in changes.patients.items()}
        cases = [replace(case, patient=code(said[case.id]) if said.get(case.id) else case.patient) for case in cases]
        if any(case.patient is None for case in cases):
            cases = [replace(case, patient=case.patient or patients.alone(case.id)) for case in cases]
        rule = "told one by one" if rule == patients.NOBODY_KNOWN else f"{rule.removesuffix(PUT_RIGHT)}{PUT_RIGHT}"
    return cases, rule


PUT_RIGHT = "; some put right by hand"


def _wishes(old: Cohort, cases: Sequence[Case], changes: Changes) -> Wishes:
    task = "single-label" if changes.outcome else old.task
    labels = {case.label for case in cases}
    order = old.classes if task != "single-label" else ()
    if task == "ordinal":
        order = tuple(dict.fromkeys(class_name(changes.merge.get(label, label)) for label in order))
    merged = changes.merge.get(old.positive, old.positive) if old.positive else None
    kept = merged if merged in labels else None
    positive = changes.positive or (changes.outcome or kept if len(labels) == 2 else None)
    return Wishes(task, order, None if task == "multi-label" else positive, old.split.seed)


def _accepted(old: Cohort, new: Cohort, changes: Changes) -> tuple[str, ...]:
    """What somebody has kept stays kept as long as it names no case that nobody looked at then."""
    before = {code: _cases_of(old, code) for code in old.accepted}
    kept = [code for code in old.accepted if _cases_of(new, code) <= before[code]]
    return tuple(dict.fromkeys((*kept, *changes.accept)))


def _cases_of(cohort: Cohort, code: str) -> set[str]:
    return {id for finding in cohort.findings if finding.code == code for id in finding.cases}


def _history(old: Cohort, excluded: set[str], dropped: int, cases: Sequence[Case], changes: Changes) -> list[Edit]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    edits: list[tuple[str, int]] = []
    if excluded:
        reason = f" for the finding {', '.join(changes.exclude_findings)}" if changes.exclude_findings else ""
        edits.append((f"left out{reason}", len(excluded)))
    if changes.outcome:
        edits.append((f"'{changes.outcome}' became the label; uncertain: {changes.uncertain}", len(cases)))
        if dropped:
            edits.append((f"left out because nobody labelled them for '{changes.outcome}'", dropped))
    edits += [(f"relabelled as {label}", n) for label, n in sorted(Counter(changes.relabel.values()).items())]
    edits += [(f"class {one} became {other}", old.counts[one]) for one, other in changes.merge.items() if one != other]
    if changes.patient_pattern:
        edits.append((f"patients by the file-name pattern {changes.patient_pattern}; split anew", len(cases)))
    if changes.patients:
        edits.append(("patient put right; split anew", len(changes.patients)))
    if changes.positive:
        edits.append((f"positive class {changes.positive}", len(cases)))
    for code in changes.accept:
        held = [finding for finding in old.findings if finding.code == code]
        edits.append((f"looked at the finding {code} and kept it", sum(len(finding.cases) for finding in held)))
    for (width, height), boxes in _by_size(changes.blank).items():
        hit = sum(any(_meant(case, box) for box in boxes) for case in cases)
        what = "a rectangle" if len(boxes) == 1 else f"{len(boxes)} rectangles"
        edits.append((f"blacked out {what} in images of {width} x {height} pixels", hit))
    return [Edit(now, what, n, changes.who) for what, n in edits]


# ---- the folder of the new version ----------------------------------------------------------------------------------


def _by_size(blank: Sequence[Blank]) -> dict[tuple[int, int], list[Blank]]:
    found: dict[tuple[int, int], list[Blank]] = {}
    for box in blank:
        found.setdefault((box.width, box.height), []).append(box)
    return found


def _meant(case: Case, box: Blank) -> bool:
    fits = (case.facts.get("width"), case.facts.get("height")) == (box.width, box.height)
    return fits and (not box.cases or case.id in box.cases)


def _blanked(home: Path, folder: Path, old: Cohort, cases: Sequence[Case], blank: Sequence[Blank]) -> list[Case]:
    """The cases with blacked-out pictures; nothing of what was under the rectangles is in the new folder."""
    boxes = {
        case.id: [[box.left, box.top, box.right, box.bottom] for box in blank if _meant(case, box)] for case in cases
    }
    hit = [case for case in cases if boxes[case.id]]
    if not hit:
        raise BadInput("No image of this cohort has the size of that rectangle.", "Pick the image again.")
    known = originals.Originals(home)
    rest = [case for case in cases if not boxes[case.id]]
    spans = originals.carry_over(known, [case.at for case in rest], folder / originals.PACK.format("kept"))
    shard = carried_over(home, [case.id for case in rest], folder / f"{SHARD}kept")
    setup = {"desk": "blank", "folder": str(folder), "reading": asdict(old.reading)}
    pictures: dict[str, list[tuple[str, int | None, list[list[float]]]]] = {}
    for case in hit:
        pictures.setdefault(case.at, []).append((case.id, _frame(case), boxes[case.id]))
    jobs = [reading.job(n, at, known.place(at), pictures=pictures[at]) for n, at in enumerate(pictures)]
    numbers = count()
    rows: dict[str, dict[str, list[object]]] = {}
    at: dict[str, str] = {}
    for answer in reading.answers(setup, jobs, lambda: f"{SHARD}{next(numbers)}"):
        if "skipped" in answer:
            raise MedtlError("An image could not be blacked out, so nothing was changed.", " ".join(answer["skipped"]))
        for one in answer["pictures"]:
            rows.setdefault(answer["shard"], {})[one["case"]] = one["row"]
            at[one["case"]] = one["at"]
        spans |= answer["originals"]
    assemble(folder, [shard, *(Shard(folder / name, rows[name]) for name in sorted(rows))])
    originals.write_index(folder, spans)
    keep_near(folder, Pixels(home).near)  # black boxes are alike everywhere: likeness stays as it was
    return [replace(case, at=at.get(case.id, case.at)) for case in cases]


def _frame(case: Case) -> int | None:
    """Of an original that was stored as a picture of its own there is only one frame left."""
    return None if case.at.endswith(".png") and case.facts.get("format") != "PNG" else case.frame
