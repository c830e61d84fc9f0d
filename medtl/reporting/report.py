"""The study report: the facts of a run as a document whose sections are the places checklists point to."""

import io
from collections.abc import Sequence

from medtl import checkup
from medtl.evaluation import words
from medtl.evaluation.notes import CALIBRATION_CASES
from medtl.reporting import answers, content, figures
from medtl.reporting.content import Facts
from medtl.reporting.document import (
    Block,
    Bullets,
    Document,
    Drawing,
    Figure,
    Gallery,
    Photo,
    Section,
    Table,
    Text,
)
from medtl.runs.results import Control
from medtl.vocabulary import PARTS, Estimate
from medtl.workspace import Workspace

TEXT_IN_PICTURE = "burned-in"  # the finding whose pictures stay out of every paper
SIDE = 240  # px of a picture in the gallery
METHODS = (
    "Every interval is a 95 % interval. Shares have Wilson's; of several images a patient, clustered by patient. An "
    "AUROC has DeLong's, clustered likewise. The rest rests on patients drawn again (bootstrap). Without any error, or "
    "with too few patients of a kind, it is Newcombe's or Wilson's score interval. The column says which was used."
)


def make(facts: Facts, ws: Workspace | None = None) -> Document:
    """With `ws` the failure gallery has pictures, except of cases in which text was found."""
    sections = [
        _summary(facts),
        _asked(facts),
        _cases(facts),
        _split(facts),
        _model(facts),
        _threshold(facts),
        _numbers(facts),
        _ranking(facts),
        _calls(facts),
        _scores(facts),
        _calibration(facts),
        _control(facts),
        _failures(facts, ws),
        _data_checks(facts),
        _technical(facts),
        _limits(facts),
    ]
    numbered = [
        Section(one.id, f"{number}. {one.title}", one.blocks) for number, one in enumerate(sections, 1) if one.blocks
    ]
    return Document(
        title=facts.recipe.title,
        subtitle=f"Study report of run {facts.recipe.run}, finished {day(facts.finished)}"
        + (" · SYNTHETIC data: no patient behind it" if facts.cohort.synthetic else ""),
        sections=tuple(numbered),
        foot=research_use(facts),
    )


def places(document: Document) -> dict[str, str]:
    """Section id -> "section 3, Cases", for checklists."""
    return {one.id: f"section {one.title.replace('. ', ', ', 1)}" for one in document.sections}


def research_use(facts: Facts) -> str:
    """What was tested and what follows from it, as every paper carries it."""
    test = facts.count("test")
    where = facts.answers.get("where", "sites and dates not stated")
    return (
        f"Research use only, not a medical device. Tested on {people(test)} of one held-out part of "
        f"“{facts.cohort.title}” (internal test; {where.rstrip('.')})."
    )


def people(count: content.Count) -> str:
    """ "48 cases of 43 patients"."""
    cases = f"{count.cases:,} {'case' if count.cases == 1 else 'cases'}"
    return cases if count.patients is None else f"{cases} of {count.patients:,} patients"


def day(iso: str) -> str:
    """ "2026-11-28, 04:05 UTC": the same on every computer."""
    return f"{iso[:10]}, {iso[11:16]} UTC" if len(iso) >= 16 else iso or "at an unknown time"


# ---- what was asked and found --------------------------------------------------------------------------------------


def _summary(facts: Facts) -> Section:
    result = facts.result
    blocks: list[Block] = [Text(result.sentence, "strong")]
    blocks += [Text(caveat, "warning") for caveat in result.caveats]
    if result.small_test:
        blocks.append(Text(result.small_test, "warning"))
    if result.control:
        blocks.append(Text(result.control.says))
    looked = (
        f"{facts.tested} runs of this cohort have been scored on the same test part: the best of them looks better "
        "than it is. "
        if facts.tested > 1
        else ""
    )
    blocks.append(Text(f"{looked}{research_use(facts)}", "quiet"))
    return Section("summary", "What was found", tuple(blocks))


def _asked(facts: Facts) -> Section:
    rows = tuple((one.asks, facts.answer(one.key)) for one in answers.QUESTIONS)
    note = "In the words of those who made this run. What nobody answered is printed as “not stated”."
    return Section("asked", "Stated by the user", (Table(note, ("question", "answer"), rows, (2, 3)),))


# ---- cases ---------------------------------------------------------------------------------------------------------


def _cases(facts: Facts) -> Section:
    told = facts.flow
    blocks: list[Block] = [
        Figure(figures.flow(facts), "Flow of cases. Frames and slices of one file are cases of their own."),
        _counts(facts),
    ]
    if told.skipped:
        rows = tuple((why, f"{n:,}") for why, n in told.skipped)
        blocks.append(Table("Files that could not be used", ("reason", "files"), rows, (5, 1)))
    if told.left_out:
        rows = tuple((why, f"{n:,}") for why, n in told.left_out)
        blocks.append(Table("Cases left out by the user", ("reason", "cases"), rows, (5, 1)))
    blocks.append(_who(facts))
    return Section("cases", "Cases", tuple(blocks))


def _counts(facts: Facts) -> Table:
    def cell(part: str, label: str | None) -> str:
        one = facts.count(part, label)
        return f"{one.cases:,}" + ("" if one.patients is None else f" ({one.patients:,})")

    labels: list[str | None] = [*facts.classes, None]
    rows = tuple((label or "all", *(cell(part, label) for part in PARTS)) for label in labels)
    who = "patients in brackets" if facts.cohort.patients is not None else "patients unknown"
    return Table(f"Cases per class and part ({who})", ("class", *PARTS), rows, (2, 1, 1, 1))


def _who(facts: Facts) -> Block:
    if not facts.characteristics:
        return Text("Age, sex, site and scanner: not recorded in the files or tables of this cohort.", "quiet")
    rows = tuple((one.name, one.value, *one.parts) for one in facts.characteristics)
    of = "patients (the first image of each)" if facts.cohort.patients is not None else "images"
    return Table(
        f"What is known of the {of}, by part; sites are codes",
        ("field", "value", *PARTS),
        rows,
        (1.3, 2, 1.2, 1.2, 1.2),
    )


def _split(facts: Facts) -> Section:
    split = facts.cohort.split
    rows = (
        ("rule", split.rule),
        ("seed", str(split.seed)),
        ("level", content.level_of_split(facts.cohort)),
        ("near copies across parts", f"{split.near_duplicates_across:,} pairs"),
        ("what each part is for", uses_of_parts(facts)),
    )
    return Section("split", "Split", (Table("How the parts were made, with the receipt", (), rows, (1, 3)),))


def uses_of_parts(facts: Facts) -> str:
    """What was learned, chosen and tested on which part."""
    tune = "tune: when to stop, strength of the head, threshold"
    if facts.learns_tune:
        tune += (
            "; in the end it was learned from as well (its scores, on which the threshold rests, come from networks "
            "that had not seen the case)"
        )
    return f"train: weights; {tune}; test: scored once, at the end."


# ---- model ---------------------------------------------------------------------------------------------------------


def _model(facts: Facts) -> Section:
    source, recipe = facts.source, facts.recipe
    rows = [("source", facts.source_title)]
    if source:
        rows += [
            ("what it is", source.card.says),
            ("learned from", f"{source.trained_on}; {source.cases}"),
            ("its limits", source.card.limits or answers.NOT_STATED),
            ("reference", source.card.reference or answers.NOT_STATED),
            ("licence", ". ".join(filter(None, (source.licence, source.attribution)))),
        ]
    else:
        rows.append(("what it is", "The source was deleted since this run; its hash is in section Technical."))
    rows += [
        ("network", f"{facts.model.builder}, {facts.model.outline.parameters / 1e6:.1f} million values"),
        ("input", preprocessing(facts)),
        ("strategy", f"{facts.strategy.title}. {facts.strategy.says}"),
        ("strategy's reference", facts.strategy.reference or "none"),
        ("settings", "; ".join(f"{name} = {value}" for name, value in recipe.settings.items()) or "none"),
        ("seed", str(recipe.seed)),
    ]
    if recipe.budget:
        rows.append(("time budget", f"{recipe.budget:.0f} s"))
    if recipe.group:
        chosen = "; of these the best on the tune part is the result" if recipe.automatic else ""
        rows.append(("group", f"started together with the other runs of group {recipe.group}{chosen}"))
    if recipe.unlabelled:
        rows.append(("unlabelled images", f"cohort {recipe.unlabelled}"))
    if recipe.teacher:
        rows.append(("teacher", f"run {recipe.teacher}"))
    if recipe.advised:
        rows.append((
            "recommended by MedTL",
            f"{recipe.advised.get('source')}, {recipe.advised.get('strategy')} ({recipe.advised.get('basis')})",
        ))
    return Section(
        "model",
        "Source, strategy and training",
        (
            Table("What was transferred, and how", (), tuple(rows), (1, 3)),
            Text("The plan that was carried out:"),
            Bullets(facts.plan),
        ),
    )


def preprocessing(facts: Facts) -> str:
    """From the file to the network, in a sentence or two."""
    spec = facts.model.input
    window = facts.cohort.reading.window
    ct = "" if window == "as-stored" else f" CT is shown in the {window} window."
    return (
        "Each image is decoded to 8 bits, reduced to at most 512 pixels a side, stretched to "
        f"{spec.size} x {spec.size} pixels (bilinear, antialiased), scaled to 0–1 and standardised per channel."
        f"{ct}"
    )


def _threshold(facts: Facts) -> Section:
    chosen = facts.result.threshold
    if chosen is None:
        return Section("threshold", "Threshold", ())
    blocks: list[Block] = []
    if chosen.value is not None:
        of = facts.count(chosen.chosen_on)
        blocks.append(
            Text(f"Threshold {chosen.value:.3f}, chosen on the {chosen.chosen_on} part ({people(of)}) and frozen.")
        )
    blocks += [Text(chosen.rule), Text("The test part had no share in choosing it.", "quiet")]
    return Section("threshold", "Threshold", tuple(blocks))


# ---- results -------------------------------------------------------------------------------------------------------


def _numbers(facts: Facts) -> Section:
    listed_ = [*figures.shown(facts), *_calibrations(facts)]
    macro = "" if facts.two else " With more than two classes a number without a class is the mean over the classes."
    table = Table(
        "Numbers on the test part",
        ("number", "value", "95 % interval", "counted", "interval by", "meaning"),
        tuple(
            (
                words.title(one.name), words.value(one), words.interval(one), content.counted(one, facts), one.how,
                words.HELP.get(one.name.split("[")[0], ""),
            )
            for one in listed_
        ),
        (1.5, 0.8, 1.2, 1.6, 1.7, 3),
    )  # fmt: skip
    blocks: list[Block] = [
        Figure(figures.numbers(facts), f"Internal test: cases of the same cohort, never trained on.{macro}"),
        table,
        Text(METHODS, "quiet"),
    ]
    blocks += [Text(note, "quiet") for note in facts.result.notes]
    return Section("numbers", "Results on the test part", tuple(blocks))


def _calibrations(facts: Facts) -> list[Estimate]:
    return [one for one in facts.result.estimates if one.name.startswith("calibration")]


def _ranking(facts: Facts) -> Section:
    drawn = figures.roc(facts)
    auroc = facts.result.estimate("auroc")
    if drawn is None or auroc is None:
        return Section("ranking", "Ranking", (Text("A curve needs cases of two classes in the test part.", "quiet"),))
    says = f"AUROC {words.whole(auroc)}, n = {auroc.n:,}, {auroc.how}. {words.HELP['auroc']}"
    return Section("ranking", "Ranking", (Figure(drawn, says),))


def _calls(facts: Facts) -> Section:
    table = facts.result.confusion
    if table is None:
        return Section("calls", "Who was called what", ())
    rows = tuple(
        (label, *(f"{n:,}" for n in row), f"{sum(row):,}")
        for label, row in zip(table.classes, table.counts, strict=True)
    )
    caption = "Cases by reference standard (rows) and call of the model (columns)"
    drawn: Drawing | None = figures.confusion(facts)
    blocks: list[Block] = [Figure(drawn, "Shade and percentage are the share of the row.")] if drawn else []
    if len(table.classes) <= 8:
        blocks.append(Table(caption, ("reference", *(f"called {label}" for label in table.classes), "all"), rows))
    refused = "Cases the model would have refused as unlike its training images were scored like all others."
    return Section("calls", "Who was called what", (*blocks, Text(refused, "quiet")))


def _scores(facts: Facts) -> Section:
    views = [facts.positive] if facts.positive else list(facts.classes[:8])
    return Section(
        "scores",
        "Scores of the test cases",
        tuple(
            Figure(figures.scores(facts, of), f"Score for {of}, by reference. A score is not a probability.")
            for of in views
            if facts.test and of is not None
        ),
    )


def _calibration(facts: Facts) -> Section:
    found = _calibrations(facts)
    brier = facts.result.estimate("brier")
    said = [f"{words.title(one.name)} {words.whole(one)}, n = {one.n:,}, {one.how}." for one in found]
    if brier:
        said.append(f"Brier score {words.whole(brier)}, n = {brier.n:,}, {brier.how}.")
    fewest = min((sum(row) for row in facts.result.confusion.counts), default=0) if facts.result.confusion else 0
    judged = (
        f"Too few to judge calibration: the rarer class has {fewest:,} cases in the test part, and it takes "
        f"{CALIBRATION_CASES}."
        if fewest < CALIBRATION_CASES
        else "Slope near 1 and intercept near 0 mean that scores can be read as they stand, in cohorts like this one."
    )
    note = (
        "Where the network was trained further, its head is divided by a temperature fitted on the tune part. Outputs "
        "are called scores throughout."
    )
    return Section("calibration", "Calibration", (Bullets(tuple(said)), Text(judged), Text(note, "quiet")))


def _control(facts: Facts) -> Section:
    """Every guard the run was held against, then what more cases would bring and what cross-validation says."""
    control, guards = facts.result.control, facts.result.guards
    everyone = guards or ((control,) if control else ())
    blocks: list[Block] = []
    if control:
        caption = f"AUROC of this run minus that of the control ({control.name}), on the same test cases."
        blocks.append(Figure(figures.difference(control.difference), caption))
    if everyone:
        head = ("against", "its AUROC", "difference of AUROC, paired", "verdict", "in words")
        rows = tuple((one.name, *_against(one), one.verdict, one.says) for one in everyone)
        blocks.append(Table("The same test cases, answered by each guard", head, rows, (1, 1.4, 1.8, 1, 3)))
    else:
        blocks.append(Text("No control was run.", "quiet"))
    if facts.result.cross_validated:
        blocks.append(Text(facts.result.cross_validated.says))
    if facts.result.learning_curve:
        blocks.append(Text(f"Learning curve: {facts.result.learning_curve.says}"))
    return Section("control", "Was the source worth it?", tuple(blocks))


def _against(one: Control) -> tuple[str, str]:
    gap, own = one.difference, one.auroc
    theirs = f"{words.whole(own)}, n = {own.n:,}" if own else "not kept"
    return theirs, f"{gap.value:+.2f} ({gap.low:+.2f} to {gap.high:+.2f}), n = {gap.n:,}, {gap.how}"


def _failures(facts: Facts, ws: Workspace | None) -> Section:
    found = facts.failures[: content.FAILURES]
    if not found:
        return Section("failures", "Wrong answers", (Text("No test case was called wrongly."),))
    if facts.two:
        misses = sum(one.label == facts.positive for one in facts.failures)
        said = f"{misses:,} missed and {len(facts.failures) - misses:,} false alarms, missed first, the surest first."
    else:
        said = f"{len(facts.failures):,} cases called wrongly, the surest first."
    said += f" Shown: {len(found)}." if len(found) < len(facts.failures) else ""
    of = f"score for {facts.positive}" if facts.two else "score for the called class"
    rows = tuple((one.case, one.patient or "unknown", one.label, one.predicted, f"{one.score:.2f}") for one in found)
    table = Table(
        "Cases and patients are codes of this workspace",
        ("case", "patient", "reference", "called", of),
        rows,
        (2, 2, 2, 2, 2),
    )
    return Section("failures", "Wrong answers", (Text(said), *_photos(facts, found, ws), table))


def _photos(facts: Facts, found: Sequence[content.Failure], ws: Workspace | None) -> tuple[Block, ...]:
    if ws is None:
        return ()
    from PIL import Image

    from medtl.cohorts.pixels import Pixels

    deeper = checkup.load(ws, facts.cohort.id)
    findings = (*facts.cohort.findings, *(deeper.findings if deeper else ()))
    written = {id for one in findings if one.code == TEXT_IN_PICTURE for id in one.cases}
    pixels = Pixels(ws.cohort(facts.cohort.id))
    photos = []
    for one in found:
        if one.case in written:
            continue
        picture = Image.fromarray(pixels.image(one.case))
        picture.thumbnail((SIDE, SIDE))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=82)
        line = f"{one.case}: {one.label}, called {one.predicted} ({one.score:.2f})"
        photos.append(Photo(out.getvalue(), line, f"Test case {line}"))
    left = sum(one.case in written for one in found)
    note = (Text(f"{left} pictures are left out because text was found in them.", "quiet"),) if left else ()
    return ((Gallery(tuple(photos)),) if photos else ()) + note


# ---- the rest ------------------------------------------------------------------------------------------------------


def _data_checks(facts: Facts) -> Section:
    cohort = facts.cohort
    rows: tuple[tuple[str, str, str], ...] = tuple(
        (one.code, _coded(one.message, facts), "kept by the user" if one.code in cohort.accepted else one.severity)
        for one in cohort.findings
    )
    blocks: list[Block] = []
    if rows:
        blocks.append(
            Table("What was found in the data, and still stands", ("check", "finding", "state"), rows, (1.2, 5, 1))
        )
    else:
        blocks.append(Text("No check of the data found anything that still stands."))
    removed = sum(one.files for one in cohort.privacy.removed)
    blocks.append(
        Text(
            f"De-identified on import: file names {cohort.privacy.names}, key {cohort.privacy.key}; "
            f"entries removed, emptied or replaced {removed:,} times in all. "
            "Missing labels are not guessed: a file without a label is skipped and counted above."
        )
    )
    if cohort.history:
        rows = tuple((edit.at[:10], edit.what, f"{edit.cases:,}") for edit in cohort.history)
        blocks.append(Table("Changes to the cohort", ("day", "what", "cases"), rows, (1, 5, 1)))
    return Section("data-checks", "Checks of the data", tuple(blocks))


def _coded(message: str, facts: Facts) -> str:
    """With the ids of cases in place of their files' names, which a user may have kept as they were."""
    for case in sorted(facts.cohort.cases, key=lambda case: -len(case.name)):
        if case.name and case.name in message:
            message = message.replace(case.name, f"case {case.id}")
    return message


def _technical(facts: Facts) -> Section:
    recipe, result = facts.recipe, facts.result
    seconds = ", ".join(f"{name} {value:.0f} s" for name, value in result.seconds.items())
    rows = (
        ("run", recipe.run),
        ("started, finished", f"{day(recipe.created)}; {day(facts.finished)}"),
        ("device", result.device or recipe.device),
        ("time", seconds),
        ("peak memory", f"{result.peak_memory_mb:,.0f} MB" if result.peak_memory_mb else "not recorded"),
        ("versions", ", ".join(f"{name} {version}" for name, version in recipe.versions.items())),
        ("cohort", f"{facts.cohort.id}, SHA-256 of its contents {facts.fingerprint}"),
        ("source", f"{recipe.source}, SHA-256 {recipe.source_sha256 or 'none'}"),
        ("weights of this run", f"SHA-256 {facts.model.sha256}"),
        (
            "to repeat",
            f"python -m medtl export {recipe.run} --out recipe.json, then python -m medtl train --recipe recipe.json",
        ),
    )
    return Section("technical", "Technical", (Table("What it was made with", (), rows, (1, 4)),))


def limits(facts: Facts) -> tuple[str, ...]:
    """What this result cannot say, for report and card."""
    said = [
        "Internal test: measured on a held-out part of the same cohort. Nothing here says how the model does at "
        "another site, on another scanner or in another year.",
        "Not done in this run: external test, reader study, robustness to changed images, subgroups, decision curve.",
        "A heat map shows where the network looked, not where the disease is.",
    ]
    if facts.cohort.patients is None:
        said.append("Patients are unknown: images of one patient may lie in two parts.")
    if facts.answers.get("weaknesses"):
        said.append(f"Stated by the user: {facts.answers['weaknesses']}")
    if facts.cohort.synthetic:
        said.append("The images are synthetic; the numbers say nothing about patients.")
    return tuple(said)


def _limits(facts: Facts) -> Section:
    return Section("limits", "Limits", (Bullets(limits(facts)),))


__all__ = ["limits", "make", "places", "preprocessing", "research_use"]
