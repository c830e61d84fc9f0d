"""Which cases of a finding belong side by side: the same picture, or pictures that look alike. No Streamlit here."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from medtl.vocabulary import Case, Finding, labels_of

Group = tuple[str, ...]
SAME = ("label-conflict", "duplicates", "duplicate-across-split")
NEAR = ("near-conflict", "near-duplicates")
PAIRED = ("alike-to-the-network",)  # its cases come in pairs, one after the other


def of(
    finding: Finding, cases: Mapping[str, Case], fingerprints: Mapping[str, str], near: Iterable[tuple[str, str]]
) -> list[Group]:
    """Groups of case ids in the order of the finding; no case is in two of them, and none stands alone.

    A finding of copies names only those beyond the first, so the one they copy is looked up and put before them.
    """
    here = list(dict.fromkeys(id for id in finding.cases if id in cases))
    if finding.code in SAME:
        together = _same(here, cases, fingerprints)
    elif finding.code in NEAR:
        named = set(here)
        together = _joined(pair for pair in near if named.issuperset(pair) and _counts(finding, pair, cases))
    elif finding.code in PAIRED:
        pairs = zip(finding.cases[::2], finding.cases[1::2], strict=False)
        together = _joined(pair for pair in pairs if pair[0] in cases and pair[1] in cases)
    else:
        return [(id,) for id in here]
    return _in_order(together, here)


def _same(here: Sequence[str], cases: Mapping[str, Case], fingerprints: Mapping[str, str]) -> list[set[str]]:
    """Identical files (the same frame of them) or identical pixels; bytes may differ where pixels do not."""
    alike: dict[str, list[str]] = defaultdict(list)
    for id, case in cases.items():
        alike[f"file {case.sha256} {case.frame}"].append(id)
        alike[f"pixels {fingerprints.get(id, id)}"].append(id)
    together = _joined((ids[0], other) for ids in alike.values() for other in ids[1:])
    named = set(here)
    return [group for group in together if not group.isdisjoint(named)]


def _counts(finding: Finding, pair: tuple[str, str], cases: Mapping[str, Case]) -> bool:
    return finding.code != "near-conflict" or labels_of(cases[pair[0]]) != labels_of(cases[pair[1]])


def _joined(pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Pairs that share a case become one group."""
    group_of: dict[str, set[str]] = {}
    for one, other in pairs:
        left, right = group_of.setdefault(one, {one}), group_of.setdefault(other, {other})
        if left is not right:
            left |= right
            group_of.update(dict.fromkeys(right, left))
    return list({min(group): group for group in group_of.values()}.values())


def _in_order(together: Iterable[set[str]], here: Sequence[str]) -> list[Group]:
    """As the finding names them; what it does not name (the first of the copies) comes first in its group."""
    place = {id: at for at, id in enumerate(here)}
    groups = [tuple(sorted(group, key=lambda id: (place.get(id, -1), id))) for group in together]
    return sorted(groups, key=lambda group: max(place.get(id, -1) for id in group))
