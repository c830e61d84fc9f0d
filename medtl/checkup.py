"""The deep check of a cohort: what a network and a reader of writing find in it that counting cannot.

It knows the order of things and the sentences; how doubts, copies and strangers are found is `scrutiny`'s, how writing
is found `cohorts.writing`'s. It changes nothing: the answer lies beside the cohort, as checkup.json. `run` is for a
process of its own (`medtl cohort check`); `load` and `still` are for anybody and load no torch.
"""

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtl import rank
from medtl.cohorts import library as cohorts
from medtl.cohorts.judging import looked_at
from medtl.cohorts.originals import Originals
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput, MedtlError, NotReady
from medtl.sources import library as sources
from medtl.vocabulary import Blank, Case, Cohort, Finding, Source, to_dict
from medtl.workspace import Workspace, write_whole

if TYPE_CHECKING:
    import numpy as np

    from medtl.cohorts.writing import Writing

FILE = "checkup.json"
WRONG, ALIKE, UNLIKE = "likely-wrong-labels", "alike-to-the-network", "unlike-the-rest"
TEXT, MARKER = "text-in-image", "marker-in-image"

TOGETHER = 2_000  # cases whose features are worked out before they are kept: an interruption loses no more
READ_AT_MOST = 300  # originals looked at for writing
BURNED_IN_AT_MOST = 1_000  # of those that the file itself, or its kind, says may carry names
JUDGING = 20  # steps of progress for what comes after looking at the pictures
UNEVEN = 0.05  # chance below which markers are said to go with the label
CLASSES_TOLD = 6  # classes whose share of markers is told

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Suspect:
    """A label that is likely wrong. `quality` is what its own label scored (0 to 1, low: likely wrong).

    With several labels a case, `given` and `suggested` are "<finding>" and "no <finding>".
    """

    case: str
    given: str
    suggested: str
    quality: float


@dataclass(frozen=True)
class Checkup:
    """What was found, with which source, when. `boxes` say where writing stands, for blacking it out; not what it says.

    `notes` say what was not done, and why.
    """

    source: str
    at: str
    findings: tuple[Finding, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    seconds: float = 0.0
    boxes: tuple[tuple[str, Blank], ...] = ()
    notes: tuple[str, ...] = ()


def run(
    ws: Workspace,
    cohort_id: str,
    source_id: str | None = None,
    *,
    text: bool = True,
    on_progress: Progress | None = None,
) -> Checkup:
    """Check the cohort with a source (None: the one a training would begin with) and keep the answer beside it.

    The features it works out are the ones a training with the same source begins with, and are found there. Raises
    MedtlError when the cohort or the source cannot be used; what cannot be judged (too few cases) is said in `notes`.
    """
    began = time.monotonic()
    cohort = cohorts.load(ws, cohort_id)
    source = _source(ws, cohort, source_id)
    pixels = Pixels(ws.cohort(cohort.id))
    originals = _to_read(cohort) if text else []
    progress = _Progress(on_progress, len(cohort.cases) + len(originals) + JUDGING)
    features = _features(ws, cohort, source, pixels, progress)
    seen = _by_network(cohort, pixels, source, features, progress)
    progress.reach(len(cohort.cases) + JUDGING)  # so that `stage` can tell what comes next
    if text:
        seen += _by_reading(ws, cohort, originals, progress)
    progress.end()
    found = Checkup(
        source.id,
        datetime.now(UTC).isoformat(timespec="seconds"),
        tuple(sorted(seen.findings, key=lambda finding: ("block", "warn", "note").index(finding.severity))),
        tuple(seen.suspects),
        round(time.monotonic() - began, 1),
        tuple(seen.boxes),
        tuple(seen.notes),
    )
    write_whole(ws.cohort(cohort.id) / FILE, json.dumps(to_dict(found), ensure_ascii=False))
    return found


def stage(done: int, total: int, images: int) -> str:
    """What a check of so many images is at after `done` of `total` steps, as told to `on_progress`."""
    if not total:
        return "Beginning…"
    if done < images:
        return f"Looked at {done:,} of {images:,} images"
    if done < images + JUDGING or total <= images + JUDGING:
        return f"Comparing {images:,} images"
    begun = images + JUDGING
    return f"Looked for writing in {done - begun:,} of {total - begun:,} images"


def load(ws: Workspace, cohort_id: str) -> Checkup | None:
    """What was found in this very version, or None when it was not checked or the file is damaged."""
    try:
        return _from_dict(json.loads((ws.cohort(cohort_id) / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def still(found: Checkup, checked: Cohort, now: Cohort) -> Checkup:
    """What of it holds in a later version `now` of the cohort that was `checked`, so that mending goes on where it was.

    Gone are cases that were left out, labels that were changed, pictures that were blacked out, and pairs of which one
    is gone. What somebody looked at and kept becomes a note.
    """
    before = {case.id: case for case in checked.cases}
    after = {case.id: case for case in now.cases}
    here = {id for id, case in after.items() if id in before and case.at == before[id].at}
    alone = {id for id in here if _labels(after[id]) == _labels(before[id])}
    suspects = tuple(one for one in found.suspects if one.case in alone)
    findings = [_rest(finding, alone if finding.code == WRONG else here) for finding in found.findings]
    boxes = tuple((case, box) for case, box in found.boxes if case in here)
    return replace(
        found,
        findings=looked_at([rest for rest in findings if rest.cases], now.accepted),
        suspects=suspects,
        boxes=boxes,
    )


def _labels(case: Case) -> tuple[str, dict[str, int]]:
    return case.label, dict(case.labels)


def _rest(finding: Finding, here: set[str]) -> Finding:
    if finding.code == ALIKE:
        pairs = zip(finding.cases[::2], finding.cases[1::2], strict=True)
        left = tuple(id for pair in pairs if here.issuperset(pair) for id in pair)
    else:
        left = tuple(id for id in finding.cases if id in here)
    if len(left) == len(finding.cases):
        return finding
    share = 2 if finding.code == ALIKE else 1
    said = f"{len(left) // share} of {len(finding.cases) // share} are left. {finding.message}"
    return replace(finding, cases=left, message=said)


def _from_dict(data: Mapping[str, Any]) -> Checkup:
    known = {key: value for key, value in data.items() if key in Checkup.__dataclass_fields__}
    known["findings"] = tuple(Finding(**{**item, "cases": tuple(item["cases"])}) for item in data["findings"])
    known["suspects"] = tuple(Suspect(**item) for item in data["suspects"])
    known["boxes"] = tuple(
        (str(case), Blank(**{**box, "cases": tuple(box.get("cases", ()))})) for case, box in data["boxes"]
    )
    known["notes"] = tuple(str(note) for note in data["notes"])
    return Checkup(**known)


class _Progress:
    """Steps done of steps in all; steps that were not needed are made up for at the end."""

    def __init__(self, tell: Progress | None, total: int) -> None:
        self.tell, self.total, self.done = tell, total, 0

    def step(self, count: int = 1) -> None:
        self.reach(self.done + count)

    def reach(self, done: int) -> None:
        self.done = min(done, self.total)
        if self.tell:
            self.tell(self.done, self.total)

    def end(self) -> None:
        self.reach(self.total)


class _Seen:
    """What has been found so far."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.suspects: list[Suspect] = []
        self.boxes: list[tuple[str, Blank]] = []
        self.notes: list[str] = []

    def __iadd__(self, other: "_Seen") -> "_Seen":
        self.findings += other.findings
        self.suspects += other.suspects
        self.boxes += other.boxes
        self.notes += other.notes
        return self


# ---- looking with a network -----------------------------------------------------------------------------------------


def _source(ws: Workspace, cohort: Cohort, wanted: str | None) -> Source:
    """The one asked for, else the one a training would begin with: its features are then there already."""
    known = sources.sources(ws)
    source = known[wanted or rank.recommended(ws, cohort, known).source]
    if not source.available:
        raise NotReady(f"The source '{source.title}' cannot be used: {source.why_not}", "Choose another source.")
    if source.modality != cohort.modality:
        raise BadInput(
            f"The source '{source.title}' looks at {source.modality}s, this cohort holds {cohort.modality}s.",
            "Choose another source.",
        )
    return source


def _features(ws: Workspace, cohort: Cohort, source: Source, pixels: Pixels, progress: _Progress) -> "np.ndarray":
    """(N, D) float32 in the order of the cases, from the cache where it is known."""
    from medtl.training.machine import share_the_cores

    share_the_cores()  # before torch is loaded
    import numpy as np

    from medtl.modalities.image import ImageInputs, keys
    from medtl.sources.weights import load_network
    from medtl.training import device as devices
    from medtl.training.features import FeatureCache, cached
    from medtl.training.inference import Eye

    devices.prepare_process()
    network = load_network(source, ws.weights, len(cohort.classes))
    eye = Eye(network, source.input, devices.choose())
    inputs = ImageInputs(ws.cohort(cohort.id), cohort, source.input)
    cache = FeatureCache(ws.features, source.sha256, source.input) if source.sha256 else None
    names = keys(pixels, cohort)
    rows: list[np.ndarray] = []
    for start in range(0, len(names), TOGETHER):
        mine = names[start : start + TOGETHER]
        at = progress.done

        def compute(indices: np.ndarray, start: int = start, at: int = at) -> np.ndarray:
            return eye.features(inputs.take, start + indices, lambda done, total: progress.reach(at + done))

        rows.append(cached(cache, mine, compute))
        progress.reach(at + len(mine))
    return np.concatenate(rows)


def _by_network(cohort: Cohort, pixels: Pixels, source: Source, features: "np.ndarray", progress: _Progress) -> _Seen:
    from medtl.modalities.image import together as groups

    seen = _Seen()
    together = groups(pixels, cohort)
    seen += _wrong_labels(cohort, source, features, together, progress)
    seen += _alike(cohort, source, features, pixels, together)
    seen += _unlike(cohort, source, features, together)
    return seen


def _wrong_labels(
    cohort: Cohort, source: Source, features: "np.ndarray", together: "np.ndarray", progress: _Progress
) -> _Seen:
    seen = _Seen()
    questions = list(_questions(cohort))
    steps = max(1, JUDGING // (2 * max(1, len(questions))))
    for question in questions:
        try:
            suspects, note = _suspects(cohort, question, features, together)
        except ImportError:
            seen.notes.append(
                "Labels were not doubted: the library cleanlab is not installed (`pip install cleanlab` brings it)."
            )
            return seen
        seen.suspects += suspects
        seen.notes += [note] if note else []
        progress.step(steps)
    seen.suspects.sort(key=lambda suspect: (suspect.quality, suspect.case))
    cases = tuple(dict.fromkeys(suspect.case for suspect in seen.suspects))
    if not cases:
        return seen
    worst = seen.suspects[0]
    name = next(case.name for case in cohort.cases if case.id == worst.case)
    seen.findings.append(
        Finding(
            WRONG,
            "warn",
            f"{_count(len(cases), 'label looks', 'labels look')} wrong to the network of {_quoted(source)}, which had "
            f"not seen those cases when it was asked; first {name}, labelled '{worst.given}', like "
            f"'{worst.suggested}'. In public test sets about half of such labels were truly wrong.",
            "Look at them, the most doubtful first, and change what is a slip. Labels set by biopsy or follow-up "
            "should not be changed for a network, and a hard case with the right label is worth keeping: do not follow "
            "the network, look. All three parts were checked; this measures no model.",
            cases,
        )
    )
    return seen


@dataclass(frozen=True)
class _Question:
    """What is asked of every case, and the rows and answers (numbers of `words`) of those labelled for it."""

    name: str
    words: tuple[str, ...]
    rows: tuple[int, ...]
    answers: tuple[int, ...]


def _questions(cohort: Cohort) -> Iterator[_Question]:
    """One for a single label or a grade; with several labels one for each finding, among those labelled for it."""
    if cohort.task != "multi-label":
        index = {label: n for n, label in enumerate(cohort.classes)}
        answers = tuple(index[case.label] for case in cohort.cases)
        yield _Question("", cohort.classes, tuple(range(len(answers))), answers)
        return
    for label in cohort.classes:
        said = [(row, case.labels[label]) for row, case in enumerate(cohort.cases) if case.labels.get(label) in (0, 1)]
        yield _Question(label, (f"no {label}", label), tuple(row for row, _ in said), tuple(value for _, value in said))


def _suspects(
    cohort: Cohort, question: _Question, features: "np.ndarray", together: "np.ndarray"
) -> tuple[list[Suspect], str]:
    """Suspects, and what could not be judged."""
    import numpy as np

    from medtl.scrutiny import suspects

    rows = np.array(question.rows, dtype=np.int64)
    answers = np.array(question.answers, dtype=np.int64)
    groups = together[rows]
    usable = suspects.enough(answers, groups, len(question.words))
    few = [word for word, enough in zip(question.words, usable, strict=True) if not enough]
    about = f" of '{question.name}'" if question.name else ""
    note = (
        f"Whether labels{about} are wrong could not be judged for {_list(few)}: that takes images of at least "
        f"{suspects.FOLDS} patients of a class."
        if few
        else ""
    )
    if usable.sum() < 2:
        return [], note
    kept = usable[answers]
    renumbered = np.cumsum(usable) - 1
    words = [word for word, enough in zip(question.words, usable, strict=True) if enough]
    found = suspects.doubts(features[rows[kept]], renumbered[answers[kept]], groups[kept], len(words))
    back = rows[kept]
    return [
        Suspect(
            cohort.cases[back[doubt.row]].id,
            question.words[answers[kept][doubt.row]],
            words[doubt.suggested],
            round(doubt.quality, 4),
        )
        for doubt in found
    ], note


def _alike(cohort: Cohort, source: Source, features: "np.ndarray", pixels: Pixels, together: "np.ndarray") -> _Seen:
    from medtl.scrutiny import resemblance

    seen = _Seen()
    if len(cohort.cases) < resemblance.FEWEST:
        seen.notes.append(
            f"Copies in disguise and foreign images were not looked for: that takes {resemblance.FEWEST} images."
        )
        return seen
    thumbnails = pixels.thumbnails([case.id for case in cohort.cases])
    found = resemblance.alike(features, thumbnails, together)
    pairs = [(cohort.cases[pair.one], cohort.cases[pair.other]) for pair in found]
    if not pairs:
        return seen
    part = cohort.split.part_of()
    differ = [_labels(a) != _labels(b) for a, b in pairs]
    apart = [part.get(a.id) != part.get(b.id) for a, b in pairs]
    worst_first = sorted(range(len(pairs)), key=lambda n: (not differ[n], not apart[n]))
    seen.findings.append(
        Finding(
            ALIKE,
            "warn" if any(differ) or any(apart) else "note",
            f"{_count(len(pairs), 'pair of images looks', 'pairs of images look')} nearly the same to the network of "
            f"{_quoted(source)} (mirrored, cropped, brightened, or the same patient); {sum(differ)} of them with "
            f"different labels, {sum(apart)} in different parts of the split.",
            "Look at each pair. Where both show the same patient, say so (patient) or leave one out; otherwise a test "
            "can be passed by remembering.",
            tuple(case.id for n in worst_first for case in pairs[n]),
        )
    )
    return seen


def _unlike(cohort: Cohort, source: Source, features: "np.ndarray", together: "np.ndarray") -> _Seen:
    from medtl.scrutiny import resemblance

    seen = _Seen()
    far = [cohort.cases[row] for row in resemblance.unlike(features, together)]
    far = _without_whole_classes(cohort, far)
    if far:
        seen.findings.append(
            Finding(
                UNLIKE,
                "warn",
                f"{_count(len(far), 'image is', 'images are')} unlike all others to the network of {_quoted(source)}, "
                f"first {far[0].name}: perhaps another kind of image, a screenshot, or a rare case.",
                "Look at them. Leave out what does not belong here; keep what is rare but right.",
                tuple(case.id for case in far),
            )
        )
    return seen


def _without_whole_classes(cohort: Cohort, far: Sequence[Case]) -> list[Case]:
    """A small class of its own kind is not foreign: when half of a class stands apart, the class does."""
    if cohort.task == "multi-label":
        return list(far)
    counts = cohort.counts
    mine: dict[str, int] = defaultdict(int)
    for case in far:
        mine[case.label] += 1
    return [case for case in far if 2 * mine[case.label] < counts[case.label]]


# ---- looking for writing --------------------------------------------------------------------------------------------


def _to_read(cohort: Cohort) -> list[Case]:
    """One case of every original that is to be read: first those that may carry names, then a sample of every kind.

    A kind is a scanner and a size: writing is put in by the machine, at the same place. A clip shows the same words in
    every frame, so that one picture of a file is enough.
    """
    one_each = {case.at: case for case in reversed(cohort.cases)}
    shuffled = sorted(one_each.values(), key=lambda case: hashlib.sha256(case.id.encode()).digest())
    burned = [case for case in shuffled if case.facts.get("burned_in")]
    rest = [case for case in shuffled if not case.facts.get("burned_in")]
    return [*burned[:BURNED_IN_AT_MOST], *_in_turn(rest)[: max(0, READ_AT_MOST - len(burned))]]


def _in_turn(cases: Iterable[Case]) -> list[Case]:
    """The first of every kind, then the second of every kind, and so on."""
    place: dict[tuple[Any, ...], int] = defaultdict(int)
    numbered = []
    for order, case in enumerate(cases):
        kind = tuple(str(case.facts.get(word, "")) for word in ("scanner", "width", "height"))
        numbered.append((place[kind], order, case))
        place[kind] += 1
    return [case for _, _, case in sorted(numbered, key=lambda row: row[:2])]


def _by_reading(ws: Workspace, cohort: Cohort, originals: Sequence[Case], progress: _Progress) -> _Seen:
    seen = _Seen()
    try:
        found, unread = _read(ws.cohort(cohort.id), cohort, originals, progress)
    except MedtlError as error:  # a library or the reading process is missing; what the network found still holds
        seen.notes.append(str(error))
        return seen
    files = len({case.at for case in cohort.cases})
    looked = len(originals) - unread
    if unread:
        seen.notes.append(f"{unread:,} originals could not be opened again to look for writing.")
    basis = f"looked at {looked:,} of {files:,}"
    text = {case: [w for w in lines if w.kind == "text"] for case, lines in found.items()}
    marked = {case: [w for w in lines if w.kind == "marker"] for case, lines in found.items()}
    seen.findings += _text_finding(cohort, [case for case, lines in text.items() if lines], basis)
    seen.findings += _marker_finding(cohort, [case for case, lines in marked.items() if lines], originals, basis)
    by_id = {case.id: case for case in cohort.cases}
    seen.boxes += [(case, _box(by_id[case], line)) for case, lines in text.items() for line in lines]
    return seen


def _read(
    folder: Path, cohort: Cohort, originals: Sequence[Case], progress: _Progress
) -> tuple[dict[str, tuple["Writing", ...]], int]:
    """Case -> what is written in it, and how many originals could not be opened.

    At full size: in what the cohort keeps for a network (512 px) small letters are gone. The files are opened by a
    reading process with limits, as on their way in.
    """
    from medtl.cohorts.reading import shower
    from medtl.cohorts.writing import Glasses

    glasses = Glasses()
    files = Originals(folder)
    found: dict[str, tuple[Writing, ...]] = {}
    unread = 0
    with shower(cohort.reading) as desk:
        for case in originals:
            try:
                picture, _ = desk.picture(files.place(case.at), case.at, full=True)
                found[case.id] = glasses.look(picture)
            except BadInput:
                unread += 1
            progress.step()
    return found, unread


def _text_finding(cohort: Cohort, cases: Sequence[str], basis: str) -> list[Finding]:
    if not cases:
        return []
    return [
        Finding(
            TEXT,
            "warn",
            f"{_count(len(cases), 'image has', 'images have')} writing in the picture ({basis}); it may name somebody, "
            "and a model may read it instead of the image.",
            "Look at them and black the writing out: where it was found, or, if it always stands at the same place, in "
            "all images of that size. A program misses some: where names are usual, look at every image yourself.",
            tuple(cases),
        )
    ]


def _marker_finding(cohort: Cohort, cases: Sequence[str], originals: Sequence[Case], basis: str) -> list[Finding]:
    if not cases:
        return []
    marked = set(cases)
    chance = _chance(cohort, marked, originals)
    if chance is None:
        says = "A model may learn a marker where it goes with the label; whether it does here cannot be asked."
        advice = "Look whether the markers stand in one class more than in another."
    elif chance < UNEVEN:
        says = f"They go with the label (chance would do so {_once_in(chance)}): a model may learn the marker."
        advice = "Compare the classes; black the marker out where its place is always the same."
    else:
        says = (
            f"They are not shown to go with the label; in {len(originals):,} images a small difference may not be seen."
        )
        advice = "Compare the shares: where one class has more of them, black the markers out."
    goes = chance is not None and chance < UNEVEN
    return [
        Finding(
            MARKER,
            "warn" if goes else "note",
            f"{_count(len(cases), 'image has a marker', 'images have markers')} such as a side or 'portable' in the "
            f"picture ({basis}){_shares(cohort, marked, originals)}. {says}",
            advice,
            tuple(cases),
        )
    ]


def _shares(cohort: Cohort, marked: set[str], originals: Sequence[Case]) -> str:
    """ ": 3 of 50 'benign' (6 %), 20 of 50 'malignant' (40 %)", the largest shares first."""
    if cohort.task == "multi-label":
        return ""
    looked = {label: [case.id in marked for case in originals if case.label == label] for label in cohort.classes}
    rows = [(sum(hits), len(hits), label) for label, hits in looked.items() if hits]
    rows.sort(key=lambda row: -row[0] / row[1])
    told = ", ".join(f"{hits} of {n} '{label}' ({100 * hits / n:.0f} %)" for hits, n, label in rows[:CLASSES_TOLD])
    more = f" and {len(rows) - CLASSES_TOLD} more classes" if len(rows) > CLASSES_TOLD else ""
    return f": {told}{more}" if told else ""


def _chance(cohort: Cohort, marked: set[str], originals: Sequence[Case]) -> float | None:
    """How often chance alone spreads the markers so unevenly over the classes; None where there is nothing to compare.

    A patient counts once a class, because the images of one patient come from one machine and one day. Two classes by
    Fisher's exact test (Fisher RA, J R Stat Soc 1922;85:87), more by Pearson's chi-squared test.
    """
    if cohort.task == "multi-label":
        return None
    from scipy.stats import chi2_contingency, fisher_exact

    hit: dict[tuple[str, str], bool] = defaultdict(bool)
    for case in originals:
        hit[case.label, case.patient or case.id] |= case.id in marked
    counts = {label: [0, 0] for label, _ in hit}
    for (label, _), has in hit.items():
        counts[label][not has] += 1
    table = list(counts.values())
    if len(table) < 2:
        return None
    if not all(map(sum, zip(*table, strict=True))):
        return 1.0  # all have one: nothing differs
    return float(fisher_exact(table).pvalue if len(table) == 2 else chi2_contingency(table).pvalue)


def _once_in(chance: float) -> str:
    """ "in 1 of 220 cohorts like this"; of very small chances only how small they are at least."""
    return f"in 1 of {round(1 / chance):,} cohorts like this" if chance > 1e-4 else "in less than 1 of 10,000"


def _box(case: Case, line: "Writing") -> Blank:
    width, height = int(case.facts.get("width", 0)), int(case.facts.get("height", 0))
    return Blank(width, height, line.left, line.top, line.right, line.bottom)


# ---- words ----------------------------------------------------------------------------------------------------------


def _quoted(source: Source) -> str:
    return f"'{source.title}'"


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _list(words: Sequence[str], most: int = 5) -> str:
    shown = [f"'{word}'" for word in words[:most]]
    rest = len(words) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
