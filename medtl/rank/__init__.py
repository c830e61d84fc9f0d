"""Which pretrained model suits this cohort, answered by measurement before any training.

It changes nothing: the answer lies beside the cohort, as ranking.json. `run` is for a process of its own; the rest is
for anybody and loads no torch. `values`: what is kept, and reading it. `advice`: what is recommended, and
what measuring costs. `measuring`: the order of things. `sentences`: the words. The scores are `transferability`'s.
"""

from medtl.rank.advice import advised, known, listed, race_says, race_takes, recommended, strategy_for, takes, tried
from medtl.rank.measuring import LOOKED_AT, SEEN_TOO_MUCH, run
from medtl.rank.values import FILE, MAP, Ranked, Ranking, judged_by, load, load_map, nearest

__all__ = [
    "FILE",
    "LOOKED_AT",
    "MAP",
    "SEEN_TOO_MUCH",
    "Ranked",
    "Ranking",
    "advised",
    "judged_by",
    "known",
    "listed",
    "load",
    "load_map",
    "nearest",
    "race_says",
    "race_takes",
    "recommended",
    "run",
    "strategy_for",
    "takes",
    "tried",
]
