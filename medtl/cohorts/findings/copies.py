"""Identical and nearly identical pictures: a contradiction across classes, a leak across parts, a waste within a class.

It is told which pictures are alike (`twins`: the same pixels; `near`: see `likeness`) and looks at no pixel itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from medtl.cohorts.findings.phrases import counted, plural
from medtl.cohorts.splits import Pair, given_parts, later
from medtl.vocabulary import Case, Finding, Split

Cases = Mapping[str, Case]  # by id


def twins_of(cases: Sequence[Case], fingerprints: Mapping[str, str]) -> list[Pair]:
    """Identical pictures as a chain of pairs: the same bytes of the file, or the same pixels."""
    pairs = []
    for keys in (
        {case.id: (case.sha256, case.frame) for case in cases},
        {case.id: fingerprints[case.id] for case in cases},
    ):
        alike = defaultdict(list)
        for id in sorted(keys):
            alike[keys[id]].append(id)
        pairs += [pair for group in alike.values() for pair in pairwise(group)]
    return sorted(set(pairs))


def label_conflict(cases: Cases, twins: Sequence[Pair]) -> Finding | None:
    groups = [group for group in _groups(twins) if _contradictory(cases[id] for id in group)]
    if not groups:
        return None
    first = cases[groups[0][0]]
    other = next(cases[id] for id in groups[0][1:] if _contradictory((first, cases[id])))
    in_all = f"{counted(len(groups), 'picture', 'pictures')} in {sum(map(len, groups)):,} cases"
    return Finding(
        "label-conflict",
        "block",
        f"Identical images in different classes: {in_all}, for example {_called(first, other)} and "
        f"{_called(other, first)}. One of the labels must be wrong, and a model cannot learn both.",
        "Look at the copies side by side and give all of them the right label (the report or whoever labelled them "
        "will know); where nobody can tell, leave all copies of that picture out.",
        _flat(groups),
    )


def near_conflict(cases: Cases, twins: Sequence[Pair], near: Sequence[Pair]) -> Finding | None:
    """Pictures that nearly agree and labels that do not: one patient twice, a crop, or a slip of the hand."""
    pairs = [pair for pair in _not_identical(twins, near) if _contradictory(cases[id] for id in pair)]
    if not pairs:
        return None
    first, other = (cases[id] for id in pairs[0])
    return Finding(
        "near-conflict",
        "warn",
        f"{counted(len(pairs), 'pair', 'pairs')} of nearly identical images {plural(len(pairs), 'has', 'have')} "
        f"different labels, for example {_called(first, other)} and {_called(other, first)}.",
        "Look at each pair side by side: two moments of one examination should have one label. Relabel what is wrong; "
        "if both labels are right, keep them.",
        _side_by_side(pairs),
    )


def across_parts(cases: Cases, twins: Sequence[Pair]) -> Finding | None:
    moved = moved_cases([[cases[id] for id in group] for group in _groups(twins)], given_parts(cases.values()))
    if not moved:
        return None
    return Finding(
        "duplicate-across-split",
        "warn",
        f"{len(moved):,} {plural(len(moved), 'image was', 'images were')} also in another of the given parts, and "
        "moved there (to the test part, if in it), so that no image is both learned and tested.",
        "Nothing needs to be done; to keep your parts as they are, leave these cases out.",
        tuple(case.id for case in moved),
    )


def duplicates(cases: Cases, twins: Sequence[Pair]) -> Finding | None:
    """The copies beyond the first: leaving them out keeps one of each."""
    extra = _flat(group[1:] for group in _groups(twins) if not _contradictory(cases[id] for id in group))
    if not extra:
        return None
    return Finding(
        "duplicates",
        "note",
        f"{len(extra):,} {plural(len(extra), 'case is', 'cases are')} an exact copy of another of the same class.",
        "Copies stay in one part; leave them out if they were not meant to count twice.",
        extra,
    )


def near_duplicates(cases: Cases, twins: Sequence[Pair], near: Sequence[Pair], split: Split) -> Finding | None:
    """Within a class, and not within one clip or series, where neighbours always look alike."""
    pairs = [
        (one, other)
        for one, other in _not_identical(twins, near)
        if not _contradictory((cases[one], cases[other]))
        and not (cases[one].group and cases[one].group == cases[other].group)
    ]
    if not pairs:
        return None
    part_of = split.part_of()
    across = sum(part_of[one] != part_of[other] for one, other in pairs)
    where = f"{across:,} of the pairs lie in different parts" if across else "all were kept within one part"
    return Finding(
        "near-duplicates",
        "warn" if across else "note",
        f"{counted(len(pairs), 'pair of images looks', 'pairs of images look')} nearly the same; {where}.",
        "Look at them side by side; leave out what is a copy.",
        _side_by_side(pairs),
    )


def moved_cases(groups: Iterable[Sequence[Case]], given: set[str]) -> list[Case]:
    """Those that had to leave the part the user gave them, because their group stands in a later one too."""
    moved: list[Case] = []
    if "train" not in given or len(given) < 2:
        return moved
    for group in groups:
        to = later(case.part for case in group)
        moved += [case for case in group if (case.part or "train") != to]
    return moved


# ---- labels ---------------------------------------------------------------------------------------------------------


def _said(case: Case) -> Mapping[str, object]:
    """What somebody said of a case, by what was asked: one label, or one value a finding."""
    return case.labels if case.labels else {"": case.label}


def _contradictory(cases: Iterable[Case]) -> bool:
    """Two answers to one question. Where one case says nothing of a finding, nothing is contradicted."""
    answers: dict[str, object] = {}
    return any(answers.setdefault(asked, answer) != answer for case in cases for asked, answer in _said(case).items())


def _called(case: Case, other: Case) -> str:
    """The name with what is said of it, as far as `other` says something else."""
    if not case.labels:
        return f"{case.name} ({case.label})"
    words = {1: "present", 0: "absent", -1: "uncertain"}
    differs = next(asked for asked, answer in case.labels.items() if other.labels.get(asked, answer) != answer)
    return f"{case.name} ({differs} {words[case.labels[differs]]})"


# ---- pairs and groups -----------------------------------------------------------------------------------------------


def _not_identical(twins: Sequence[Pair], near: Sequence[Pair]) -> list[Pair]:
    group_of = {id: number for number, group in enumerate(_groups(twins)) for id in group}
    return [(one, other) for one, other in near if one not in group_of or group_of[one] != group_of.get(other)]


def _groups(pairs: Sequence[Pair]) -> list[list[str]]:
    """Pairs put together to groups, each sorted."""
    group_of: dict[str, list[str]] = {}
    for one, other in pairs:
        left, right = group_of.setdefault(one, [one]), group_of.setdefault(other, [other])
        if left is not right:
            left += right
            group_of |= dict.fromkeys(right, left)
    unique = {id(group): sorted(group) for group in group_of.values()}
    return sorted(unique.values())


def _side_by_side(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Each id once and next to what it resembles, the most alike first: group by group, and pair by pair in each."""
    place = {id: number for number, group in enumerate(_groups(pairs)) for id in group}
    of_group: dict[int, list[Pair]] = defaultdict(list)
    for pair in pairs:
        of_group[place[pair[0]]].append(pair)
    return _flat(pair for group in of_group.values() for pair in group)


def _flat(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Ids in order, each once."""
    return tuple(dict.fromkeys(id for group in groups for id in group))
