"""Who is in it: the flow of cases, what is known of them, how the parts were made, and what the data checks found."""

from medtl.reporting import content, figures, saying
from medtl.reporting.content import Facts
from medtl.reporting.document import Block, Figure, Section, Table, Text
from medtl.vocabulary import PARTS


def cases(facts: Facts) -> Section:
    told = facts.flow
    blocks: list[Block] = [
        Figure(
            figures.flow(facts),
            f"Flow of {saying.cases(facts.flow.cases)}. Frames and slices of one file are cases of their own. Test "
            "cases refused or left open are scored and counted in all results all the same.",
        ),
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


def split(facts: Facts) -> Section:
    split = facts.cohort.split
    rows = (
        ("rule", split.rule),
        ("seed", str(split.seed)),
        ("level", content.level_of_split(facts.cohort)),
        ("near copies across parts", f"{split.near_duplicates_across:,} pairs"),
        ("what each part is for", saying.uses_of_parts(facts)),
    )
    return Section("split", "Split", (Table("How the parts were made, with the receipt", (), rows, (1, 3)),))


def data_checks(facts: Facts) -> Section:
    cohort = facts.cohort
    rows: tuple[tuple[str, str, str], ...] = tuple(
        (one.code, coded(one.message, facts), "kept by the user" if one.code in cohort.accepted else one.severity)
        for one in (*cohort.findings, *facts.deep)
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
    if said := saying.labellers(facts):
        blocks.append(Text(f"Agreement of labels. {said}"))
    if cohort.history:
        rows = tuple((edit.at[:10], edit.what, f"{edit.cases:,}") for edit in cohort.history)
        blocks.append(Table("Changes to the cohort", ("day", "what", "cases"), rows, (1, 5, 1)))
    return Section("data-checks", "Checks of the data", tuple(blocks))


def coded(message: str, facts: Facts) -> str:
    """With the ids of cases in place of their files' names, which a user may have kept as they were."""
    for case in sorted(facts.cohort.cases, key=lambda case: -len(case.name)):
        if case.name and case.name in message:
            message = message.replace(case.name, f"case {case.id}")
    return message
