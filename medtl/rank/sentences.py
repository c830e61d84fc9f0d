"""The words of a ranking: which source to take and why, and what is remarkable about one."""

from collections.abc import Sequence

from medtl.rank.values import Ranked, Ranking
from medtl.transferability.choice import Candidate


def advice(
    taken: Candidate, equal: Sequence[Candidate], fit: Sequence[Ranked], excluded: int, helps: str, base: Ranking
) -> str:
    """Which source, its number, who else, and why this one where several could be."""
    rows = {row.source: row for row in fit}
    best = rows[taken.source]
    first = f"Take '{best.title}': on {base.cases:,} of your training images a last layer on it reaches {_auroc(best)}"
    others = [rows[one.source] for one in equal if one is not taken]
    behind = [row for row in fit if row.source not in {one.source for one in equal}]
    if others:
        second = (
            f". It is preferred because {_why(taken, equal)}; {_named(others)} cannot be told from it on so few images."
        )
    elif behind:
        second = f"; the next, '{behind[0].title}', is behind with {_auroc(behind[0])}."
    elif excluded:
        second = "; the others have been trained on images of yours."
    else:
        second = ", the only source that could be measured."
    if helps == "helps" or base.control is None or best.over_none is None:
        return first + second
    gap = f"{best.over_none.value:+.2f}, {best.over_none.low:+.2f} to {best.over_none.high:+.2f}".replace("-", "−")
    return (
        f"{first}{second} But thumbnails with no source at all reach {base.control.value:.2f} (difference {gap}): on "
        "these images transfer was not seen to help, and no transfer is an honest choice."
    )


def _why(taken: Candidate, equal: Sequence[Candidate]) -> str:
    """The reason that sets it apart: its score, or, where another's is higher, what was expected of it."""
    if all(taken.value >= one.value for one in equal):
        return "its score is the highest"
    return ("it learned from images like yours", "it learned from far more images of all sorts", "")[taken.standing]


def _auroc(row: Ranked) -> str:
    assert row.score is not None
    return f"AUROC {row.score.value:.2f} ({row.score.low:.2f} to {row.score.high:.2f})"


def _named(rows: Sequence[Ranked], most: int = 2) -> str:
    names = [f"'{row.title}'" for row in rows[:most]]
    more = len(rows) - len(names)
    return (", ".join(names) + f" and {more} more") if more else " and ".join(names)


def seen_before(copies: int, cases: int) -> str:
    return (
        f"It was trained on {copies:,} of your {cases:,} images, or on near copies of them: its score, and any test "
        "with it, look better than they are."
    )
