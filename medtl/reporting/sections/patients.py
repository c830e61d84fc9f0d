"""Patients rather than images, and groups of them: one answer a patient, and whether some group fares worse."""

from medtl.evaluation import words
from medtl.evaluation.pooling import Level
from medtl.evaluation.subgroups import COMPARED, FEW_KIND, FEW_PATIENTS, Row, Subgroups
from medtl.reporting import saying
from medtl.reporting.content import Facts
from medtl.reporting.document import Block, Bullets, Section, Table, Text

LEVEL = ("sensitivity", "specificity", "ppv", "npv", "lr_positive", "lr_negative", "auroc")


def patients(facts: Facts) -> Section:
    """One answer a patient beside the answers image by image."""
    blocks: list[Block] = []
    for view in facts.judgement.views:
        one = view.pooled
        if one is None:
            continue
        name = "" if facts.two else f"{view.name}: "
        differences = {gap.name: gap for gap in one.differences}
        rows = [("cases, with it", *(f"{level.n:,}, {level.present:,}" for level in (one.images, one.patients)), "")]
        rows.append(("threshold", *(_threshold(level) for level in (one.images, one.patients)), ""))
        for number in LEVEL:
            pair = (one.images.get(number), one.patients.get(number))
            if any(pair):
                gap = differences.get(number)
                said = saying.signed(gap, number in words.PERCENT) if gap else ""
                rows.append((words.title(number), *(saying.cell(each) for each in pair), said))
        blocks.append(Bullets(tuple(f"{name}{said}" for said in one.says)))
        blocks.append(
            Table(f"{name}Images and patients side by side", ("number", "images", "patients", "difference, paired"),
                  tuple(rows), (1.2, 2, 2, 2))
        )  # fmt: skip
    if not blocks:
        known = facts.cohort.patients is not None
        why = "every patient of the test part has one image" if known else "patients are unknown"
        blocks = [Text(f"Images and patients are not told apart here: {why}.", "quiet")]
    return Section("patients", "Patient by patient", tuple(blocks))


def _threshold(level: Level) -> str:
    if level.threshold.middle:
        return "middle grade"
    return "highest score" if level.threshold.value is None else f"{level.threshold.value:.3f}"


# ---- groups --------------------------------------------------------------------------------------------------------


def groups(facts: Facts) -> Section:
    blocks: list[Block] = []
    for one in facts.judgement.subgroups:
        blocks += _groups(one, facts)
    if not blocks:
        return Section("groups", "Groups of patients", (
            Text("Not examined: neither sex, age, site, scanner nor anything else that differs is recorded of the test "
                 "cases. Whether some group fares worse is not known."),
        ))  # fmt: skip
    few = (
        f"“Too few to say”: under {FEW_PATIENTS} patients, or under {FEW_KIND} with or without it; such numbers are "
        "for looking up only. Gaps are group less all others, by patient; a group is called lower or higher only "
        "beyond the interval widened for all gaps looked at (Bonferroni). “No difference shown” does not mean that "
        "there is none."
    )
    return Section("groups", "Groups of patients", (*blocks, Text(few, "quiet")))


def _groups(one: Subgroups, facts: Facts) -> list[Block]:
    about = "" if len(facts.judgement.subgroups) == 1 else f"{one.about}: "
    measures = [name for name in COMPARED if any(est.name == name for row in one.rows for est in row.estimates)]
    rows = tuple(_group(row, measures) for row in one.rows)
    head = ("group", "patients", "cases", "with, without", *(words.title(name) for name in measures), "standing")
    wide = (1.7, 0.95, 0.75, 1, *(1.5 for _ in measures), 1.4)
    looked = f"{about}{one.looked_at} of {len(one.rows)} rows were compared, in {one.comparisons} differences"
    faint = tuple(n for n, row in enumerate(one.rows) if row.few)
    blocks: list[Block] = [Bullets(tuple(f"{about}{said}" for said in one.says))] if one.says else []
    return [*blocks, Table(looked, head, rows, wide, faint)]


def _group(row: Row, measures: list[str]) -> tuple[str, ...]:
    known = {one.name: one for one in row.estimates}
    cells = [saying.cell(known[name], n=False) if name in known else "–" for name in measures]
    kinds = "" if row.present is None else f"{row.present:,}, {row.absent:,}"
    standing = "too few to say" if row.few else row.standing
    return (f"{row.field}: {row.group}", f"{row.patients:,}", f"{row.cases:,}", kinds, *cells, standing)
