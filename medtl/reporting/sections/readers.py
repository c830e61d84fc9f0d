"""Readers beside the model on the same test cases: both tables, where they differ, and what reading with it changed."""

from medtl.evaluation import words
from medtl.evaluation.paired import CallsDiffer, p_in_words
from medtl.evaluation.readers import Answers
from medtl.reporting import saying
from medtl.reporting.content import Facts
from medtl.reporting.document import Block, Bullets, Section, Table, Text
from medtl.trust.reader_study import Outcome

SHOWN = ("sensitivity", "specificity", "ppv", "npv", "lr_positive", "lr_negative", "accuracy")


def readers(facts: Facts) -> Section:
    if not facts.readings:
        return Section(
            "readers", "Reader study", (Text("Not done: nobody read the test cases beside the model.", "quiet"),)
        )
    blocks: list[Block] = []
    for number, one in enumerate(facts.readings, 1):
        blocks += _reading(f"Reader {number}", one)
    note = (
        "Readers saw the cases in an order of their own, without labels and, in the first pass, without the model. "
        "Cases a reader could not tell or did not reach are left out on both sides; what could not be "
        "told is counted as an error as well."
    )
    return Section("readers", "Reader study", (*blocks, Text(note, "quiet")))


def _reading(who: str, one: Outcome) -> list[Block]:
    study, about = one.study, f" for {one.reading.finding}" if one.reading.finding else ""
    left = []
    if one.unsure:
        left.append(f"{len(one.unsure):,} could not be told")
    if one.unread:
        left.append(f"{one.unread:,} not reached")
    skipped = f" ({', '.join(left)})" if left else ""
    blocks: list[Block] = [
        Text(
            f"{who}{about}: {saying.cases(study.n)} of {saying.patients(study.patients)} read blind{skipped}.", "strong"
        ),
        Bullets(study.says),
        _counts(study.reader, study.model, one.reading.classes),
        _numbers(study.reader, study.model, study.differences),
    ]
    if one.strict is not None:
        more = f", with {len(one.unsure):,} that could not be told counted as errors"
        blocks.append(_numbers(one.strict.reader, one.strict.model, one.strict.differences, more))
    if one.aided is not None:
        blocks.append(_numbers(one.aided.reader, one.aided.model, one.aided.differences, ", with the model in view"))
    times = [
        f"{name} {seconds.value:.0f} s ({seconds.low:.0f}–{seconds.high:.0f} s), n = {seconds.n:,}"
        for name, seconds in zip(("blind", "with the model"), study.seconds, strict=True)
        if seconds is not None
    ]
    if times:
        blocks.append(Text(f"Median time a case: {'; '.join(times)}.", "quiet"))
    return blocks


def _counts(reader: Answers, model: Answers, classes: tuple[str, ...]) -> Table:
    """Both tables side by side, reference on rows."""
    head = ("reference", *(f"reader: {name}" for name in classes), *(f"model: {name}" for name in classes))
    rows = tuple(
        (label, *(f"{n:,}" for n in mine), *(f"{n:,}" for n in theirs))
        for label, mine, theirs in zip(classes, reader.counts, model.counts, strict=True)
    )
    return Table("Answers against the reference standard (rows)", head, rows)


def _numbers(reader: Answers, model: Answers, differences: tuple[CallsDiffer, ...], more: str = "") -> Table:
    gaps = {one.name: one for one in differences}
    names = [one.name for one in reader.estimates if one.name in SHOWN or one.name.startswith("sensitivity[")]
    rows = tuple(
        (words.title(name), saying.cell(reader.get(name)), saying.cell(model.get(name)), _gap(gaps.get(name)))
        for name in names
    )
    caption = f"The reader beside the model, on the same cases{more}"
    return Table(caption, ("number", "reader", "model", "reader less model"), rows, (1, 1.8, 1.8, 2.2))


def _gap(one: CallsDiffer | None) -> str:
    if one is None:
        return ""
    p = f"; {p_in_words(one.p)}" if one.p is not None else ""
    return f"{saying.signed(one.difference, points=True)}{p}; {one.how}"
