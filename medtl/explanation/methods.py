"""The ways to ask where a network looked: a card each, as plain values. No torch.

`passes` is the cost of one map in forward passes of the network (one backward pass counts as two); where it grows with
the network's channels it is 0 and `per_channel` says how many a channel.
"""

from dataclasses import dataclass
from typing import Literal

from medtl.catalogue import Catalogue
from medtl.vocabulary import Card

Kind = Literal["gradient", "activation", "channels", "pixels"]


@dataclass(frozen=True)
class Method:
    """`signed`: places that speak against a class are below zero. `of_class` False: the map is the same for every
    class. `any_layer`: it can be asked at an earlier stage as well."""

    card: Card
    kind: Kind
    passes: float
    per_channel: float = 0.0
    signed: bool = False
    of_class: bool = True
    any_layer: bool = True

    @property
    def id(self) -> str:
        return self.card.id

    @property
    def title(self) -> str:
        return self.card.title

    def takes(self, channels: int) -> float:
        """Forward passes for one map at a layer of so many channels."""
        return self.passes + self.per_channel * channels

    @property
    def live(self) -> bool:
        """Quick enough to be asked for while somebody waits."""
        return self.takes(512) <= 10


DEFAULT = "gradcam"

METHODS: Catalogue[Method] = Catalogue(
    "way to make a map",
    Method(
        Card(
            "gradcam", "Grad-CAM",
            "Adds up the network's last picture-like maps, each by how much it raises the score of the class.",
            "Selvaraju et al. 2017, arXiv:1610.02391",
            "As coarse as the network's grid (often 7 x 7 cells). On chest films it found the finding less often than "
            "radiologists did, least for small and several ones (Saporta et al. 2022, doi 10.1038/s42256-022-00536-x).",
        ),
        "gradient", 3, signed=True,
    ),
    Method(
        Card(
            "hirescam", "HiResCAM",
            "As Grad-CAM, but weighs every cell by its own gradient instead of the mean.",
            "Draelos and Carin 2020, arXiv:2011.08891",
            "Equal to Grad-CAM where the network averages over places before its last layer.",
        ),
        "gradient", 3, signed=True,
    ),
    Method(
        Card(
            "gradcam++", "Grad-CAM++",
            "As Grad-CAM, with more weight for places where the score rises; made for several objects in a picture.",
            "Chattopadhay et al. 2018, arXiv:1710.11063",
            "Its weights are never negative, so a class the network speaks against still gets a map.",
        ),
        "gradient", 3,
    ),
    Method(
        Card(
            "layercam", "LayerCAM",
            "Weighs every cell by its own gradient where that is positive; sharper at earlier stages.",
            "Jiang et al. 2021, doi 10.1109/TIP.2021.3089943",
            "Leaves out what speaks against the class.",
        ),
        "gradient", 3,
    ),
    Method(
        Card(
            "eigencam", "EigenCAM",
            "Shows what varies most in the network's map, whatever the class.",
            "Muhammad and Yeasin 2020, arXiv:2008.00299",
            "The same for every class, and it does not ask the last layer: it cannot say why a class was chosen.",
        ),
        "activation", 1.5, of_class=False,
    ),
    Method(
        Card(
            "scorecam", "Score-CAM",
            "Shows the network the picture through each of its maps and weighs the map by the score that comes out.",
            "Wang et al. 2020, arXiv:1910.01279",
            "Slow: one forward pass a channel. Pictures seen through a map are unlike any it learned from.",
        ),
        "channels", 1, per_channel=1,
    ),
    Method(
        Card(
            "ablationcam", "Ablation-CAM",
            "Switches off one map after the other and weighs each by how much the score falls.",
            "Desai and Ramaswamy 2020, doi 10.1109/WACV45572.2020.9093360",
            "Slow at earlier stages: what follows the layer is worked out once a channel.",
        ),
        "channels", 1, per_channel=1, signed=True,
    ),
    Method(
        Card(
            "integrated-gradients", "Integrated gradients",
            "Adds up how the score changes, pixel by pixel, on the way from a black picture to this one.",
            "Sundararajan et al. 2017, arXiv:1703.01365",
            "Depends on where the way begins: what is black in the picture can never be lit. Grainy; shown as means of "
            "small squares.",
        ),
        "pixels", 96, signed=True, any_layer=False,
    ),
    Method(
        Card(
            "occlusion", "Occlusion",
            "Covers one patch after the other in grey and shows where the score falls.",
            "Zeiler and Fergus 2014, arXiv:1311.2901",
            "Says what a patch of this one size does; two signs that stand for each other hide one another.",
        ),
        "pixels", 170, signed=True, any_layer=False,
    ),
)  # fmt: skip
