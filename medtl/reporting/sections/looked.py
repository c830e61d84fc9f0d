"""Where it was wrong and where it looked: the gallery of mistakes with maps and like training cases, and what the maps
are worth. Maps come from the file that `explain` left; nothing is computed here but a picture."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from medtl import checkup
from medtl.cohorts.pixels import Pixels
from medtl.errors import MedtlError
from medtl.explanation.overlay import colours, overlay
from medtl.reporting import saying
from medtl.reporting.content import Facts
from medtl.reporting.document import Block, Gallery, Photo, Section, Table, Text, listed
from medtl.runs import attention
from medtl.runs.attention import Attention, Maps
from medtl.trust import failures as mistakes
from medtl.trust.failures import Kind, Told
from medtl.vocabulary import MapCheck, labels_of
from medtl.workspace import Workspace

TEXT_IN_PICTURE = "burned-in"  # the finding whose pictures stay out of every paper
SIDE = 240  # px of a picture in the gallery
SHOWN = 12  # mistakes in the gallery and its table
ALIKE = 3  # training cases most like a mistake
KINDS: dict[Kind, str] = {
    "missed": "missed",
    "false alarm": "false alarms",
    "too low": "graded too low",
    "too high": "graded too high",
    "mixed up": "mixed up",
}


# ---- mistakes ------------------------------------------------------------------------------------------------------


def failures(facts: Facts, ws: Workspace | None) -> Section:
    blocks: list[Block] = []
    for question, wrong in facts.wrong.items():
        about = f"{question}: " if question else ""
        tested = len(facts.told[question])
        if not wrong:
            blocks.append(Text(f"{about}No test case ({tested:,}) was called wrongly; with so few that is no proof."))
            continue
        kinds = ", ".join(f"{n:,} {KINDS[kind]}" for kind, n in mistakes.kinds(wrong).items())
        found = wrong[: SHOWN if not facts.several else 4]
        shown = f" Shown: the first {len(found)}." if len(found) < len(wrong) else ""
        blocks.append(
            Text(f"{about}{len(wrong):,} of {tested:,} test cases called wrongly: {kinds}; sure ones first.{shown}")
        )
        blocks += _photos(facts, question, found, ws)
        blocks.append(_table(facts, question, found))
    return Section("failures", "Wrong answers", tuple(blocks))


def _table(facts: Facts, question: str, found: Sequence[Told]) -> Table:
    of = f"score for {question or facts.positive}" if facts.two or question else "score for the called class"
    line = next((one.line for one in found if one.line is not None), None)
    rows = tuple(
        (one.case, one.patient or "unknown", one.reference, one.called, f"{one.score:.2f}", _alike(facts, one.case))
        for one in found
    )
    at = f"; called from {line:.3f} on" if line is not None else ""
    return Table(
        f"Cases and patients are codes of this workspace{at}. Distance 0: the same to the network, 1: not alike",
        ("case", "patient", "reference", "called", of, "most like it in training"),
        rows,
        (1.4, 1.4, 1.1, 1.1, 1.1, 2.6),
    )


def _alike(facts: Facts, case: str) -> str:
    """Labels of the training cases most like it: a wrong label there is often the reason here."""
    near = facts.neighbours.nearest_to(case, ALIKE) if facts.neighbours is not None else []
    known = {one.id: one for one in facts.cohort.cases}
    said = [f"{' + '.join(labels_of(known[id])) or 'no finding'} {far:.2f}" for id, far in near if id in known]
    return ", ".join(said) or "not kept"


@dataclass(frozen=True)
class _Pictures:
    """What a gallery draws from; `written` are cases in whose pictures text was found."""

    pixels: Pixels
    maps: Maps | None
    written: frozenset[str]


def _pictures(facts: Facts, ws: Workspace) -> _Pictures:
    deeper = checkup.load(ws, facts.cohort.id)
    findings = (*facts.cohort.findings, *(deeper.findings if deeper else ()))
    written = frozenset(id for one in findings if one.code == TEXT_IN_PICTURE for id in one.cases)
    return _Pictures(Pixels(ws.cohort(facts.cohort.id)), _maps(facts), written)


def _maps(facts: Facts) -> Maps | None:
    if facts.attention is None:
        return None
    try:
        return attention.maps(facts.folder)
    except MedtlError:
        return None


def _photos(facts: Facts, question: str, found: Sequence[Told], ws: Workspace | None) -> list[Block]:
    if ws is None:
        return []
    store = _pictures(facts, ws)
    photos = [_photo(one, question, store) for one in found if one.case not in store.written]
    blocks: list[Block] = []
    if photos:
        wide = store.maps is not None
        if wide:
            blocks.append(Text("Right: where the network looked for the class that it called (a finding: for the "
                               "finding), red most, blue least. It is not where the disease is.", "quiet"))  # fmt: skip
        blocks.append(Gallery(tuple(photos), wide))
    left = sum(one.case in store.written for one in found)
    if left:
        blocks.append(Text(f"{left} pictures are left out because text was found in them.", "quiet"))
    return blocks


def _photo(one: Told, question: str, store: _Pictures) -> Photo:
    raw = store.pixels.image(one.case)
    seen = store.maps.of(one.case, question or one.called) if store.maps is not None else None
    picture = Image.fromarray(raw).convert("RGB")
    picture.thumbnail((SIDE, SIDE))
    line = f"{one.case}: {one.reference}, called {one.called} ({one.score:.2f})"
    if store.maps is not None:
        drawn = seen is not None and np.isfinite(seen).all() and seen.max() > 0
        beside = overlay(np.asarray(picture), np.maximum(seen, 0)) if drawn and seen is not None else None
        picture = _pair(picture, beside)
        line += "" if drawn else "; no map"
    return Photo(_jpeg(picture), line, f"Test case {line}")


def _pair(picture: Image.Image, beside: np.ndarray | None) -> Image.Image:
    both = Image.new("RGB", (2 * picture.width + 6, picture.height), "white")
    both.paste(picture, (0, 0))
    if beside is not None:
        both.paste(Image.fromarray(beside), (picture.width + 6, 0))
    return both


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=82)
    return out.getvalue()


# ---- maps ----------------------------------------------------------------------------------------------------------


def explanation(facts: Facts, pictures: bool) -> Section:
    """The method, how it was held to the test, how much of it lies where it should not, and the mean map a class."""
    found = facts.attention
    if found is None:
        text = "Not examined: heat maps can be shown for each case in MedTL, but they were not checked for this run."
        return Section("explanation", "Where the network looked", (Text(text, "quiet"),))
    closed = ", in closed form" if found.exact else ""
    blocks: list[Block] = [
        Text(
            f"{found.method} at {found.layer}{closed}: where the network looked for a class, over {len(found.cases):,} "
            f"of {found.of:,} test cases. {_held(found.sample)}"
        )
    ]
    states = ", ".join(f"{n:,} {state}" for state, n in found.states.items() if n)
    if states:
        blocks.append(Text(f"States of the maps of the called class: {states}.", "quiet"))
    if found.checks:
        rows = tuple((one.title, _value(one), f"{one.limit:.2f}", _passed(one), one.says) for one in found.checks)
        head = ("check", "value (95 % interval), n", "limit", "result", "what it means")
        blocks.append(Table("How the maps were validated", head, rows, (1.4, 1.5, 0.6, 0.9, 3.4)))
    if found.steps:
        kept = listed([f"{step.kept:.2f} after {step.name}" for step in found.steps])
        blocks.append(Text(f"Likeness of the map to the unshuffled one as weights are shuffled: {kept}.", "quiet"))
    blocks += _shares(found)
    blocks += _means(facts) if pictures else []
    blocks += [Text(note, "quiet") for note in found.notes]
    blocks.append(Text("A map shows where the network looked. It neither shows where the disease is nor that the "
                       "answer is right. Its agreement with outlined lesions was not measured.", "quiet"))  # fmt: skip
    return Section("explanation", "Where the network looked", tuple(blocks))


def _shares(found: Attention) -> list[Block]:
    rows = tuple(
        (
            one.title,
            f"{saying.percent(one.share)}, n = {one.share.n:,}",
            f"{100 * one.area:.0f} %",
            one.says,
        )
        for one in found.shares
    )
    head = ("where", "share of the map, mean", "share of the area", "in words")
    caption = "How much of the maps lies where nothing should be read"
    return [Table(caption, head, rows, (1.4, 1.6, 0.9, 3.4))] if rows else []


def _held(sample: int) -> str:
    if not sample:
        return "Whether the maps depend on the model, and the score on what they show, was not checked."
    return f"{saying.cases(sample)} of them, drawn by chance, were held to the checks below."


def _value(one: MapCheck) -> str:
    span = f" ({one.low:.2f} to {one.high:.2f})" if one.low is not None and one.high is not None else ""
    return f"{one.value:.2f}{span}, n = {one.n:,}".replace("-", "−")


def _passed(one: MapCheck) -> str:
    return "cannot be told" if one.passed is None else "passed" if one.passed else "not passed"


def _means(facts: Facts) -> list[Block]:
    """The mean map of each class over the cases that have it: no picture of any patient is in it."""
    maps = _maps(facts)
    if maps is None or facts.attention is None:
        return []
    photos = []
    for label in maps.classes[:8]:
        mean, n = maps.of_class(facts.attention, label)
        if mean is None or not mean.max() > 0:
            continue
        small = Image.fromarray((mean / mean.max()).astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        picture = Image.fromarray(colours(np.asarray(small)))
        line = f"{label}: mean map over {saying.cases(n)} that have it"
        photos.append(Photo(_jpeg(picture), line, f"Heat map, {line}"))
    return [Gallery(tuple(photos))] if photos else []
