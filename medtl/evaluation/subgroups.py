"""Whether the model did worse in some group (a sex, an age band, a site, a scanner) than in all others, one field at a
time. Few cases are said to be few; a gap is flagged only beyond what looking at many rows brings forth by chance.

A gap's interval is by patient, in closed form (`sides`: where draws of patients say too little, it still holds). Every
gap has two: its own of 95 %, and one widened by Bonferroni's rule, so that with all gaps looked at the chance of even
one false flag stays below 5 % (it needs no independence, and rows of different fields share cases).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from medtl.evaluation import bands, words
from medtl.evaluation.resampling import Bools, Ints, Resampling
from medtl.evaluation.sides import Side, auroc_side, average, gap, of_view, share_side
from medtl.evaluation.views import View
from medtl.vocabulary import Estimate

FEW_PATIENTS = 20
FEW_KIND = 5  # patients with, and without
# PPV moves with how common the disease is in a group, which is no fault of the model: it is shown and not compared.
COMPARED = ("sensitivity", "specificity", "auroc", "accuracy")
Standing = Literal["lower", "may be lower", "higher", "may be higher", "no difference shown", "too few to say"]
LOUDEST: tuple[Standing, ...] = ("lower", "may be lower", "higher", "may be higher", "no difference shown")
Facts = Mapping[str, Sequence[bands.Value]]  # field -> value of each case of the table, None where not recorded


@dataclass(frozen=True)
class Gap:
    """The group less all others in one measure: with its own interval, and with the one that decides."""

    measure: str
    difference: Estimate
    widened: Estimate

    @property
    def standing(self) -> Standing:
        if self.widened.high < 0 or self.widened.low > 0:
            return "lower" if self.widened.high < 0 else "higher"
        if self.difference.high < 0 or self.difference.low > 0:
            return "may be lower" if self.difference.high < 0 else "may be higher"
        return "no difference shown"


@dataclass(frozen=True)
class Row:
    """One group of one field. `present` and `absent` are cases with and without (None with more than two classes).
    `few`: too few patients to say anything; the numbers are then for looking up only. `standing` is that of the gap
    that stands out most; a group is not compared where all others together are too few."""

    field: str
    group: str
    patients: int
    cases: int
    present: int | None
    absent: int | None
    few: bool
    estimates: tuple[Estimate, ...]
    gaps: tuple[Gap, ...]
    standing: Standing
    says: str


@dataclass(frozen=True)
class Subgroups:
    """All rows of one question. `looked_at` rows were compared, in `comparisons` differences (two groups that make up a
    field have one difference between them). `by_chance`: how often at least one of so many would pass its own interval
    where nothing differs, were they independent."""

    about: str
    rows: tuple[Row, ...]
    looked_at: int
    comparisons: int
    by_chance: float
    says: tuple[str, ...]

    @property
    def flagged(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.standing in ("lower", "higher"))


def subgroups(
    view: View, threshold: float | None, facts: Facts, resampling: Resampling, questions: int = 1
) -> Subgroups:
    """`facts` (numbers are put into bands) and `resampling` are of the whole table of which `view` keeps some rows.
    Without a threshold (each of more than two classes) AUROCs alone are compared. `questions` are all that are asked
    of these cases (findings, classes): intervals are widened for all of them, as one false flag suffices."""
    draws = resampling.of(view.index)
    fields = _fields({name: [values[i] for i in view.index] for name, values in facts.items()})
    called = view.score >= threshold if threshold is not None else None
    groups = []
    for field, name, inside in _groups(fields):
        sides = [of_view(view.has, view.score, called, among, draws) for among in (inside, ~inside)]
        groups.append(_Group(field, name, inside, (sides[0], sides[1]), view.has, draws))
    return _put_together(view.name, groups, fields, questions)


def subgroups_of_classes(
    y: Ints, calls: Ints, views: Sequence[View], facts: Facts, resampling: Resampling, questions: int = 1
) -> Subgroups:
    """More than two classes as a whole: the share called right and the mean AUROC over the classes that can be judged
    both in the group and outside it, so that both means are over the same classes."""
    fields = _fields({name: list(values) for name, values in facts.items()})
    right = np.asarray(calls) == np.asarray(y)
    groups = []
    for field, name, inside in _groups(fields):
        judged = [view for view in views if _both_kinds(view.has, inside, resampling)]
        sides: list[dict[str, Side]] = []
        for among in (inside, ~inside):
            each = [auroc_side(view.has, view.score, among, resampling) for view in judged]
            both = {
                "accuracy": share_side("accuracy", right, among, resampling),
                "auroc": average([one for one in each if one is not None]),
            }
            sides.append({measure: one for measure, one in both.items() if one is not None})
        groups.append(_Group(field, name, inside, (sides[0], sides[1]), None, resampling))
    return _put_together("all classes", groups, fields, questions)


# ---- groups and their sides -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Field:
    name: str
    values: tuple[str, ...]
    names: tuple[str, ...]
    group: Ints  # (n,) which of `names`

    @property
    def worth_it(self) -> bool:
        return len(self.names) > 1


@dataclass(frozen=True)
class _Group:
    """One group and all others: which cases, and what each side gave. `has` (n,) is None with more than two classes."""

    field: _Field
    name: str
    inside: Bools
    sides: tuple[dict[str, Side], dict[str, Side]]
    has: Bools | None
    resampling: Resampling

    @property
    def few(self) -> bool:
        return _few(self.inside, self.has, self.resampling)

    @property
    def measures(self) -> list[str]:
        """What is compared: nothing where the group or all others are too few."""
        if self.few or _few(~self.inside, self.has, self.resampling):
            return []
        return [name for name in COMPARED if name in self.sides[0] and name in self.sides[1]]


def _few(among: Bools, has: Bools | None, resampling: Resampling) -> bool:
    kinds = () if has is None else (has & among, ~has & among)
    return resampling.units(among) < FEW_PATIENTS or any(resampling.units(kind) < FEW_KIND for kind in kinds)


def _fields(facts: Mapping[str, Sequence[bands.Value]]) -> list[_Field]:
    made = []
    for name, values in facts.items():
        told = bands.groups(name, values)
        names = bands.in_order(told)
        place = {one: i for i, one in enumerate(names)}
        made.append(_Field(name, tuple(told), tuple(names), np.array([place[one] for one in told], int)))
    return made


def _groups(fields: Sequence[_Field]) -> Iterator[tuple[_Field, str, Bools]]:
    for field in fields:
        if field.worth_it:
            for g, name in enumerate(field.names):
                yield field, name, field.group == g


def _both_kinds(has: Bools, inside: Bools, resampling: Resampling) -> bool:
    kinds = (has & inside, ~has & inside, has & ~inside, ~has & ~inside)
    return min(resampling.units(kind) for kind in kinds) >= FEW_KIND


# ---- rows -----------------------------------------------------------------------------------------------------------


def _put_together(about: str, groups: Sequence[_Group], fields: Sequence[_Field], questions: int) -> Subgroups:
    measures = [one.measures for one in groups]
    looked_at = sum(bool(one) for one in measures)
    halves = sum(  # two groups that make up a field differ from each other by one and the same
        len(of) * (1 if len(one.field.names) == 2 else 2) for one, of in zip(groups, measures, strict=True)
    )
    comparisons = (halves + 1) // 2
    z = NormalDist().inv_cdf(1 - 0.025 / max(1, comparisons * questions))
    rows = tuple(_row(one, of, z, looked_at) for one, of in zip(groups, measures, strict=True))
    by_chance = 1 - 0.95**comparisons
    says = _says(rows, fields, looked_at, comparisons, by_chance, questions)
    return Subgroups(about, rows, looked_at, comparisons, by_chance, tuple(says))


def _row(group: _Group, measures: Sequence[str], z: float, looked_at: int) -> Row:
    inside, others = group.sides
    gaps = tuple(Gap(one, gap(inside[one], others[one]), gap(inside[one], others[one], z)) for one in measures)
    standing: Standing = "too few to say"
    if gaps:
        standing = min((one.standing for one in gaps), key=LOUDEST.index)
    present = absent = None
    if group.has is not None:
        present, absent = int((group.has & group.inside).sum()), int((~group.has & group.inside).sum())
    return Row(
        field=group.field.name,
        group=group.name,
        patients=group.resampling.units(group.inside),
        cases=int(group.inside.sum()),
        present=present,
        absent=absent,
        few=group.few,
        estimates=tuple(side.estimate for side in inside.values()),
        gaps=gaps,
        standing=standing,
        says=_of_row(group, gaps, looked_at),
    )


# ---- words ----------------------------------------------------------------------------------------------------------


def _of_row(group: _Group, gaps: Sequence[Gap], looked_at: int) -> str:
    unit = group.resampling.unit
    if group.few:
        counts = f"{group.resampling.units(group.inside)} {unit}s"
        if group.has is not None:
            present, absent = (group.resampling.units(kind & group.inside) for kind in (group.has, ~group.has))
            counts += f", {present} with and {absent} without"
        return f"Too few to say ({counts})."
    if not gaps:
        return f"Nothing to compare with: all others together are too few {unit}s."
    loud = [one for one in gaps if one.standing in ("lower", "higher")]
    soft = [one for one in gaps if one.standing in ("may be lower", "may be higher")]
    parts = [f"{words.title(one.measure)} {one.standing} in this group by {by(one.difference)}" for one in loud]
    if soft:
        parts.append(
            f"{_listed([words.title(one.measure) for one in soft])} may differ "
            f"({_listed([f'{one.standing[7:]} by {by(one.difference)}' for one in soft])}), not beyond chance when "
            f"{looked_at} groups are looked at"
        )
    return f"{'; '.join(parts) or 'No difference shown'}."


def by(gap: Estimate) -> str:
    """ "18 points (9–27)" of shares, "0.08 (0.02–0.14)" of the rest; an end beyond 0 keeps its sign."""
    sign = -1 if gap.value < 0 else 1
    low, high = sorted((sign * gap.low, sign * gap.high))
    if gap.name in words.PERCENT:
        return f"{100 * abs(gap.value):.0f} points ({_span(100 * low, 100 * high, 0)})"
    return f"{abs(gap.value):.2f} ({_span(low, high, 2)})"


def _span(low: float, high: float, digits: int) -> str:
    if low < 0:
        return f"{low:.{digits}f} to {high:.{digits}f}".replace("-", "−")
    return f"{low:.{digits}f}–{high:.{digits}f}"


def _says(
    rows: Sequence[Row], fields: Sequence[_Field], looked_at: int, comparisons: int, by_chance: float, questions: int
) -> list[str]:
    halves = {field.name for field in fields if len(field.names) == 2}  # what is lower in one is higher in the other
    loud = [row for row in rows if row.standing == "lower" or (row.standing == "higher" and row.field not in halves)]
    says = [f"{row.field}, {row.group}: {row.says}" for row in loud]
    soft = [row for row in rows if row.standing in ("may be lower", "may be higher")]
    few = [row for row in rows if row.few]
    if soft:
        named = _listed([f"{row.field}, {row.group}" for row in soft])
        says.append(f"May differ, not beyond chance when {looked_at} groups are looked at: {named}.")
    if looked_at and not says:
        says.append(f"No difference shown between any of {looked_at} groups and all others.")
    also = f" and for the {questions} questions that were asked of these cases" if questions > 1 else ""
    if looked_at:
        says.append(
            f"{looked_at} groups were looked at, {comparisons} differences in all; if nothing differed, at least one "
            f"would still lie beyond its own 95 % interval in about {100 * by_chance:.0f} of 100 such tables. A group "
            f"is flagged only beyond an interval widened for that{also}."
        )
    if few:
        says.append(f"Too few to say: {_listed([f'{row.field}, {row.group} ({row.patients})' for row in few])}.")
    for field in fields:
        if not field.worth_it:
            only = field.names[0] if field.names else bands.MISSING
            told = "not recorded" if only == bands.MISSING else f"only {only} recorded"
            says.append(f"{field.name}: {told}, so there is nothing to compare.")
    return says or ["Nothing is recorded by which groups could be told apart."]


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
