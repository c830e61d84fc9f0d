"""Sources grouped by the computer they want. Knows what a network costs, not how fast this computer is."""

from dataclasses import dataclass
from math import inf

from medtl.catalogue import Catalogue
from medtl.vocabulary import Outline


@dataclass(frozen=True)
class Group:
    """Networks of at most `gflop` a picture, forward, and at most `parameters`. `says` is for a clinician."""

    id: str
    title: str
    says: str
    gflop: float
    parameters: float


# Forward, one core of the machine of docs/benchmarks.md does about 80 GFLOP a second of plain convolutions or attention
# and 35 of thin ones (MobileNet, EfficientNet; all these have at most 9 GFLOP). So two cores look at 1,000 pictures of
# 4 GFLOP within a minute and at those of 20 GFLOP within about two, which is a linear probe; ten epochs of the whole
# network cost thirty times that. Parameters bound the memory: training keeps five copies of each in 32 bits (weights,
# gradient, two moments, the best so far), 0.6 GB at 30 million and 2 GB at 100 million, beside 1 GB of libraries.
GROUPS: Catalogue[Group] = Catalogue(
    "group",
    Group(
        "two-cores",
        "fits 2 cores",
        "On 2 cores, training the last layer on 1,000 images takes about a minute at most, adapting the whole network "
        "well under an hour.",
        4.0,
        30e6,
    ),
    Group(
        "patience",
        "patience on a CPU",
        "On 2 cores, training the last layer on 1,000 images takes a few minutes, adapting the whole network an hour "
        "or more.",
        20.0,
        100e6,
    ),
    Group(
        "gpu",
        "wants a GPU",
        "Without a GPU, training the last layer on 1,000 images takes up to a quarter of an hour; adapting the whole "
        "network takes many hours and much memory.",
        inf,
        inf,
    ),
)


def group_of(outline: Outline) -> Group:
    """The first group the network fits; the last takes all. A network of unknown cost (0 GFLOP) goes by its size."""
    return next(group for group in GROUPS if outline.gflop <= group.gflop and outline.parameters <= group.parameters)
