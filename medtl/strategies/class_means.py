"""Nearest class mean of centred, length-one features (SimpleShot's CL2N): the simplest few-shot classifier."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies.solved import Solved
from medtl.vocabulary import Card

SHARPNESS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class ClassMeans(Solved):
    card: ClassVar[Card] = Card(
        id="class-means",
        title="Nearest class average",
        says="Keeps the source exactly as it is and gives an image the class whose average case it is most like. Made "
        "for one to ten cases a class.",
        reference="Wang et al. 2019, arXiv:1911.04623 (SimpleShot); Snell et al. 2017, arXiv:1703.05175",
        limits="Nothing is weighed: with more cases a fitted last layer is better. Features are centred on your "
        "training images, since the source's own average is not known.",
    )
    rule = "class-means"
    strengths = SHARPNESS
    does = (
        "Look at every image once with the frozen source, then keep the average direction of each class; how "
        "sharply likeness is read is chosen on the tuning part."
    )
