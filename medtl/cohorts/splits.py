"""Three parts of a cohort. What must stay together (a patient, the frames of a clip, the slices of a series, copies,
near-copies) is one group and never divided.

The receipt (patients shared, near-copies across) is counted on the finished split, not promised.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from medtl.vocabulary import PARTS, Case, Split, labels_of

SHARES = {"train": 0.6, "tune": 0.2, "test": 0.2}
TUNE_OF_TRAIN = 0.25  # of a given train part: 60/20/20 again when the test part is a fifth
LARGEST_BY_LIKENESS = 20  # cases, or a fiftieth of the cohort if that is more: likeness may not chain on and on

Pair = tuple[str, str]
Group = tuple[Case, ...]


def make(
    cases: Sequence[Case],
    twins: Iterable[Pair] = (),
    near: Iterable[Pair] = (),
    seed: int = 0,
    before: Mapping[str, str] | None = None,
) -> Split:
    """Split `cases`; `twins` are pairs of identical pictures, `near` pairs that look alike, most alike first.

    Parts the user gave (`Case.part`) are kept; what is missing of tune and test is taken from train. With `before`
    (case -> part of an earlier version) every group stays where it was, so that an edit does not reshuffle the test
    part. The result depends on the cases and the seed only, not on their order.
    """
    cases = sorted(cases, key=lambda case: case.id)
    present = {case.id for case in cases}
    twins = [pair for pair in twins if present.issuperset(pair)]
    near = [pair for pair in near if present.issuperset(pair)]
    given = given_parts(cases)
    firm = _joined(cases, twins)  # what the user's own parts may be overruled for
    loose = _joined(cases, twins, near)
    if before:
        part_of = _kept(loose, before)
        _carve([group for group in loose if group[0].id not in part_of], SHARES, seed, part_of)
        _mend(loose, part_of)
    elif "train" in given:
        part_of = _given(firm, loose, given, seed)
    else:
        part_of = {}
        _carve(loose, SHARES, seed, part_of)
    together = bool(twins or near)
    return _receipt(cases, part_of, [*twins, *near], _rule(cases, given, seed, together), seed)


def together(cases: Sequence[Case], twins: Iterable[Pair] = (), near: Iterable[Pair] = ()) -> list[Group]:
    """What is never divided: the cases of one patient or one series, copies, and what looks nearly the same."""
    return _joined(cases, twins, near)


def given_parts(cases: Iterable[Case]) -> set[str]:
    """The parts the user named; without a train part among them, none can be kept."""
    return {case.part for case in cases if case.part} | ({"train"} if any(not case.part for case in cases) else set())


def later(parts: Iterable[str]) -> str:
    """Where a group goes whose cases stand in several parts: to test before tune before train."""
    return max((part or "train" for part in parts), key=PARTS.index)


# ---- groups ---------------------------------------------------------------------------------------------------------


class _Unions:
    """Disjoint sets with sizes (union-find)."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.parent = {id: id for id in ids}
        self.size = dict.fromkeys(self.parent, 1)

    def root(self, id: str) -> str:
        while self.parent[id] != id:
            self.parent[id] = self.parent[self.parent[id]]
            id = self.parent[id]
        return id

    def join(self, one: str, other: str, largest: int | None = None) -> None:
        one, other = sorted((self.root(one), self.root(other)))
        total = self.size[one] + self.size[other]
        if one != other and (largest is None or total <= largest):
            self.parent[other] = one
            self.size[one] = total


def _joined(cases: Sequence[Case], twins: Iterable[Pair], near: Iterable[Pair] = ()) -> list[Group]:
    unions = _Unions(case.id for case in cases)
    first: dict[str, str] = {}
    for case in cases:
        for owner in (case.patient and f"patient {case.patient}", case.group and f"group {case.group}"):
            if owner:
                unions.join(first.setdefault(owner, case.id), case.id)
    for one, other in twins:
        unions.join(one, other)
    largest = max(LARGEST_BY_LIKENESS, len(cases) // 50)
    for one, other in near:
        unions.join(one, other, largest)
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[unions.root(case.id)].append(case)
    return [tuple(group) for group in groups.values()]


# ---- parts ----------------------------------------------------------------------------------------------------------


def _given(firm: list[Group], loose: list[Group], given: set[str], seed: int) -> dict[str, str]:
    part_of: dict[str, str] = {}
    for group in firm:
        part_of |= dict.fromkeys((case.id for case in group), later(case.part for case in group))
    shares = {part: share for part, share in SHARES.items() if part == "train" or part not in given}
    if "tune" in shares and "test" not in shares:
        shares = {"train": 1 - TUNE_OF_TRAIN, "tune": TUNE_OF_TRAIN}
    if len(shares) == 1:
        return part_of
    pools = [tuple(case for case in group if part_of[case.id] == "train") for group in loose]
    for group in pools:
        for case in group:
            del part_of[case.id]
    _carve([group for group in pools if group], shares, seed, part_of)
    return part_of


def _kept(groups: list[Group], before: Mapping[str, str]) -> dict[str, str]:
    part_of: dict[str, str] = {}
    for group in groups:
        known = [before[case.id] for case in group if case.id in before]
        if known:
            part_of |= dict.fromkeys((case.id for case in group), later(known))
    return part_of


def _carve(groups: list[Group], shares: Mapping[str, float], seed: int, part_of: dict[str, str]) -> None:
    """Give every group to the part that lacks its classes most, large groups first, in an order drawn from the seed.

    Greedy as in stratified grouped cross-validation: with many small groups the shares come out within one case.
    """
    if not groups:
        return
    scale = sum(shares.values())
    classes = sorted({label for group in groups for case in group for label in _labels(case)})
    total = {label: sum(_count(group, label) for group in groups) for label in classes}
    lacking = {part: {label: share / scale * total[label] for label in classes} for part, share in shares.items()}
    waiting = sorted(groups, key=lambda group: (-len(group), _drawn(group, seed)))

    def place(group: Group, part: str) -> None:
        for case in group:
            part_of[case.id] = part
            for label in _labels(case):
                lacking[part][label] -= 1

    for group, part in _reserved(waiting, list(shares), classes):
        place(group, part)
    for group in waiting:
        if group[0].id not in part_of:
            labels = [label for case in group for label in _labels(case)]
            place(group, max(shares, key=lambda part: _need(lacking[part], labels)))


def _need(lacking: Mapping[str, float], labels: Sequence[str]) -> tuple[float, float]:
    return round(sum(lacking[label] for label in labels), 6), round(sum(lacking.values()), 6)


def _reserved(waiting: list[Group], parts: list[str], classes: list[str]) -> list[tuple[Group, str]]:
    """One group of every class for every part, the rarest class first: test and tune take small ones."""
    taken: dict[str, str] = {}
    places: list[tuple[Group, str]] = []
    of_class = {label: [group for group in waiting if _count(group, label)] for label in classes}
    for label in sorted(classes, key=lambda label: (len(of_class[label]), label)):
        if len(of_class[label]) < len(parts):
            continue
        for part in reversed(parts):
            if any(taken.get(group[0].id) == part for group in of_class[label]):
                continue
            free = [group for group in of_class[label] if group[0].id not in taken]
            if free:
                # Pure groups first: a mixed one may be the only hope of another class.
                pure = [group for group in free if _count(group, label) == len(group)] or free
                group = pure[0] if part == "train" else pure[-1]
                taken[group[0].id] = part
                places.append((group, part))
    return places


def _mend(groups: list[Group], part_of: dict[str, str]) -> None:
    """After an edit a class may be gone from a part: move one group there, if another part can spare it."""
    for label in sorted({label for group in groups for case in group for label in _labels(case)}):
        mine = sorted((group for group in groups if _count(group, label)), key=lambda group: (len(group), group[0].id))
        for part in ("test", "tune", "train") if len(mine) >= len(PARTS) else ():
            held = defaultdict(list)
            for group in mine:
                held[part_of[group[0].id]].append(group)
            spare = max(held.values(), key=len)
            if not held[part] and len(spare) > 1:
                part_of |= dict.fromkeys((case.id for case in spare[0]), part)


def _count(group: Group, label: str) -> int:
    return sum(label in _labels(case) for case in group)


def _labels(case: Case) -> tuple[str, ...]:
    """Images with none of several findings are a kind of their own."""
    return labels_of(case) or ("",)


def _drawn(group: Group, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{group[0].id}".encode()).hexdigest()


# ---- receipt --------------------------------------------------------------------------------------------------------


def _receipt(cases: Sequence[Case], part_of: Mapping[str, str], alike: Iterable[Pair], rule: str, seed: int) -> Split:
    parts = {part: tuple(case.id for case in cases if part_of[case.id] == part) for part in PARTS}
    where: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        if case.patient is not None:
            where[case.patient].add(part_of[case.id])
    shared = sum(len(found) > 1 for found in where.values())
    across = {frozenset(pair) for pair in alike if part_of[pair[0]] != part_of[pair[1]]}
    return Split(
        parts["train"],
        parts["tune"],
        parts["test"],
        rule,
        seed=seed,
        patients_shared=shared,
        near_duplicates_across=len(across),
    )


def _rule(cases: Sequence[Case], given: set[str], seed: int, together: bool) -> str:
    known = any(case.patient is not None for case in cases)
    by = "by patient" if known else "by image (no patient known)"
    copies = "" if known or not together else "; copies kept together"
    if any(case.group for case in cases) and not known:
        copies += "; frames and slices of one series kept together"
    if not any(case.part for case in cases) or "train" not in given:
        return f"{by}, stratified, seed {seed}{copies}"
    kept = [part for part in PARTS if part in given and part != "train"]
    made = [part for part in PARTS[1:] if part not in given]
    if not made:
        return "train, tune and test parts as given"
    start = f"{' and '.join(kept)} part as given" if kept else "train part as given"
    return f"{start}; {' and '.join(made)} taken from train {by}, stratified, seed {seed}{copies}"
