"""The networks MedTL can build: outlines, inputs and the published ImageNet files, as plain values (no torch).

What is measured stands in `published.json`, written by `measuring.py`; here are the words. A test holds both against
the networks themselves.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medtl.catalogue import Catalogue
from medtl.vocabulary import InputSpec, Outline, StageOutline

PUBLISHED = Path(__file__).with_name("published.json")
SERVER = "https://download.pytorch.org/models"


@dataclass(frozen=True)
class Builder:
    """`weights` is the name in torchvision's weights API, `file` what it publishes (its name ends in the hash).

    `head` is what torchvision calls the last layer where that is one linear layer on our features; empty where it is
    not. `recipe` is the address of how the weights were made.
    """

    id: str
    title: str
    outline: Outline
    weights: str
    file: str
    size_mb: float
    says: str
    reference: str
    input: InputSpec = field(default_factory=InputSpec)
    head: str = ""
    recipe: str = ""

    @property
    def url(self) -> str:
        return f"{SERVER}/{self.file}"

    @property
    def hash(self) -> str:
        """The first digits of the file's SHA-256, which torch publishes in its name."""
        return self.file.removesuffix(".pth").rsplit("-", 1)[1]


@dataclass(frozen=True)
class Family:
    """Networks of one paper. `name` matches torchvision's name, `title` is written from what it found."""

    name: str
    title: str
    says: str
    reference: str


# fmt: off
_FIRST = (  # those a clinician should look at first, in this order; the rest follows by family
    Family("mobilenet_v2", "MobileNetV2", "Small and quick; good on a computer without a GPU.", "Sandler et al. 2018, arXiv:1801.04381"),
    Family("mobilenet_v3_small", "MobileNetV3 small", "Among the quickest here, and among the least detailed.", "Howard et al. 2019, arXiv:1905.02244"),
    Family("mobilenet_v3_large", "MobileNetV3 large", "Quick, a little stronger than MobileNetV2 on photographs.", "Howard et al. 2019, arXiv:1905.02244"),
    Family("efficientnet_b0", "EfficientNet-B0", "Small with strong features; slower than MobileNetV2.", "Tan and Le 2019, arXiv:1905.11946"),
    Family("resnet18", "ResNet-18", "The common reference network; steady on small cohorts.", "He et al. 2016, arXiv:1512.03385"),
    Family("resnet50", "ResNet-50", "The network of most published recipes; wants a GPU for fine-tuning.", "He et al. 2016, arXiv:1512.03385"),
    Family("densenet121", "DenseNet-121", "Often the best fully fine-tuned network on medical benchmarks; wants a GPU for that.", "Huang et al. 2017, arXiv:1608.06993"),
    Family("convnext_tiny", "ConvNeXt-Tiny", "A modern convolutional network with strong features; wants a GPU.", "Liu et al. 2022, arXiv:2201.03545"),
    Family("vit_b_16", "ViT-B/16", "A vision transformer; strong frozen features, heavy.", "Dosovitskiy et al. 2021, arXiv:2010.11929"),
    Family("squeezenet1_0", "SqueezeNet 1.0", "Very small and without batch norm; weak features.", "Iandola et al. 2016, arXiv:1602.07360"),
)
_FAMILIES = (
    Family(r"resnet(\d+)", r"ResNet-\1", "The common reference network, of other depth.", "He et al. 2016, arXiv:1512.03385"),
    Family(r"resnext(\d+)_(\w+)", r"ResNeXt-\1 \2", "A ResNet in parallel paths: a little stronger at like cost.", "Xie et al. 2017, arXiv:1611.05431"),
    Family(r"wide_resnet(\d+)_(\d+)", r"Wide ResNet-\1-\2", "A ResNet of twice the width: stronger and much heavier.", "Zagoruyko and Komodakis 2016, arXiv:1605.07146"),
    Family(r"densenet(\d+)", r"DenseNet-\1", "As DenseNet-121, deeper: few values for what it can do, but much memory.", "Huang et al. 2017, arXiv:1608.06993"),
    Family(r"efficientnet_b(\d)", r"EfficientNet-B\1", "As EfficientNet-B0, larger throughout; sees finer detail because it looks at larger pictures.", "Tan and Le 2019, arXiv:1905.11946"),
    Family("efficientnet_v2_s", "EfficientNetV2-S", "A later EfficientNet that trains faster; looks at large pictures.", "Tan and Le 2021, arXiv:2104.00298"),
    Family("efficientnet_v2_m", "EfficientNetV2-M", "As EfficientNetV2-S, larger.", "Tan and Le 2021, arXiv:2104.00298"),
    Family("efficientnet_v2_l", "EfficientNetV2-L", "As EfficientNetV2-S, much larger.", "Tan and Le 2021, arXiv:2104.00298"),
    Family("convnext_small", "ConvNeXt-Small", "As ConvNeXt-Tiny, twice as deep.", "Liu et al. 2022, arXiv:2201.03545"),
    Family("convnext_base", "ConvNeXt-Base", "As ConvNeXt-Small, wider.", "Liu et al. 2022, arXiv:2201.03545"),
    Family("convnext_large", "ConvNeXt-Large", "As ConvNeXt-Base, wider again.", "Liu et al. 2022, arXiv:2201.03545"),
    Family("swin_t", "Swin-T", "A transformer that looks through windows: finer maps than ViT's.", "Liu et al. 2021, arXiv:2103.14030"),
    Family("swin_s", "Swin-S", "As Swin-T, twice as deep.", "Liu et al. 2021, arXiv:2103.14030"),
    Family("swin_b", "Swin-B", "As Swin-S, wider.", "Liu et al. 2021, arXiv:2103.14030"),
    Family("swin_v2_t", "Swin V2-T", "A steadier Swin-T for larger pictures.", "Liu et al. 2022, arXiv:2111.09883"),
    Family("swin_v2_s", "Swin V2-S", "As Swin V2-T, twice as deep.", "Liu et al. 2022, arXiv:2111.09883"),
    Family("swin_v2_b", "Swin V2-B", "As Swin V2-S, wider.", "Liu et al. 2022, arXiv:2111.09883"),
    Family("maxvit_t", "MaxViT-T", "Convolutions and attention by turns, near and far at once.", "Tu et al. 2022, arXiv:2204.01697"),
    Family("vit_b_32", "ViT-B/32", "As ViT-B/16 at a quarter of its work: it sees the picture in 7 x 7 patches only.", "Dosovitskiy et al. 2021, arXiv:2010.11929"),
    Family(r"vit_l_(\d+)", r"ViT-L/\1", "A large vision transformer; over a gigabyte.", "Dosovitskiy et al. 2021, arXiv:2010.11929"),
    Family(r"regnet_x_(\w+)", r"RegNetX \1", "A plain network whose widths were found by search.", "Radosavovic et al. 2020, arXiv:2003.13678"),
    Family(r"regnet_y_(\w+)", r"RegNetY \1", "As RegNetX, with channels that weigh each other: a little stronger.", "Radosavovic et al. 2020, arXiv:2003.13678"),
    Family(r"mnasnet(\w+)", r"MNASNet \1", "Found by search for quick answers on small computers.", "Tan et al. 2019, arXiv:1807.11626"),
    Family(r"shufflenet_v2_(\w+)", r"ShuffleNetV2 \1", "Very quick on a processor.", "Ma et al. 2018, arXiv:1807.11164"),
    Family("googlenet", "GoogLeNet", "An early deep network, still light.", "Szegedy et al. 2015, arXiv:1409.4842"),
    Family("inception_v3", "Inception v3", "The network of the first dermatology and retina studies; looks at 299 pixels.", "Szegedy et al. 2016, arXiv:1512.00567"),
    Family(r"vgg(\d+)", r"VGG-\1", "Old and heavy; for comparison with older studies. Its three last layers, most of its file, are not used.", "Simonyan and Zisserman 2015, arXiv:1409.1556"),
    Family(r"vgg(\d+)_bn", r"VGG-\1 with batch norm", "As VGG, steadier to train.", "Simonyan and Zisserman 2015, arXiv:1409.1556"),
    Family("squeezenet1_1", "SqueezeNet 1.1", "As SqueezeNet 1.0 at a third of its work.", "Iandola et al. 2016, arXiv:1602.07360"),
    Family("alexnet", "AlexNet", "The first of them all; for comparison with older studies.", "Krizhevsky 2014, arXiv:1404.5997"),
)
# fmt: on


def _builders() -> list[Builder]:
    """All rows of the table with their words, in the order of the families."""
    rows: dict[str, dict[str, Any]] = json.loads(PUBLISHED.read_text("utf-8"))
    found: dict[str, Builder] = {}
    for family in _FIRST + _FAMILIES:
        names = sorted((id for id in rows if re.fullmatch(family.name, id)), key=lambda id: _gflop(rows[id]))
        found |= {id: _builder(id, family, rows[id]) for id in names if id not in found}
    return list(found.values())


def _gflop(row: dict[str, Any]) -> float:
    return sum(stage[2] for stage in row["stages"])


def _builder(id: str, family: Family, row: dict[str, Any]) -> Builder:
    match = re.fullmatch(family.name, id)
    assert match is not None
    spec = row["input"]
    return Builder(
        id=id,
        title=re.sub(r"(?<=\d)_(?=\d)", ".", match.expand(family.title)),  # "x0_5" is written "x0.5" in its paper
        outline=Outline(tuple(StageOutline(*stage) for stage in row["stages"]), row["features"]),
        weights=row["weights"],
        file=row["file"],
        size_mb=row["size_mb"],
        says=family.says,
        reference=family.reference,
        input=InputSpec(size=spec["size"], mean=tuple(spec["mean"]), std=tuple(spec["std"])),
        head=row["head"],
        recipe=row["recipe"],
    )


BUILDERS: Catalogue[Builder] = Catalogue("network", *_builders())
