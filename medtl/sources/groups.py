"""Sources grouped by the computer they want. Knows what a network costs, not how fast this computer is."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from medtl.catalogue import Catalogue
from medtl.vocabulary import Outline, Source


@dataclass(frozen=True)
class Group:
    """Networks of at most `gflop` a picture, forward, and at most `parameters`. `says` is for a clinician."""

    id: str
    title: str
    says: str
    gflop: float
    parameters: float


GROUPS: Catalogue[Group] = Catalogue(
    "group",
    Group(
        "two-cores",
        "fits 2 cores",
        "On a computer of 2 cores, training the last layer on 1,000 images takes about a minute, adapting the whole "
        "network tens of minutes.",
        4.0,
        30e6,
    ),
    Group(
        "patience",
        "patience on a CPU",
        "On a computer of 2 cores, training the last layer on 1,000 images takes minutes, adapting the whole network "
        "hours.",
        20.0,
        100e6,
    ),
    Group(
        "gpu",
        "wants a GPU",
        "Without a GPU, training the last layer on 1,000 images takes many minutes and adapting the whole network a "
        "day or more.",
        inf,
        inf,
    ),
)


def group_of(outline: Outline) -> Group:
    """The first group the network fits; the last takes all. A network of unknown cost (0 GFLOP) goes by its size."""
    return next(group for group in GROUPS if outline.gflop <= group.gflop and outline.parameters <= group.parameters)


def grouped(sources: Iterable[Source]) -> dict[Group, list[Source]]:
    """The sources of each group, both in the order of the screen; groups without sources are left out."""
    sources = list(sources)
    return {
        group: members
        for group in GROUPS
        if (members := [source for source in sources if group_of(source.outline) == group])
    }
