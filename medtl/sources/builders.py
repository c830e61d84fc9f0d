"""The networks MedTL can build: outlines, inputs and the published ImageNet files, as plain values (no torch).

The numbers are measured once by `image_nets.measure`; a test holds them against the networks themselves.
"""

from dataclasses import dataclass, field

from medtl.catalogue import Catalogue
from medtl.vocabulary import InputSpec, Outline, StageOutline


@dataclass(frozen=True)
class Builder:
    """`weights` is the name in torchvision's weights API, `file` what it publishes (its name ends in the hash)."""

    id: str
    title: str
    outline: Outline
    weights: str
    file: str
    size_mb: float
    says: str
    reference: str
    input: InputSpec = field(default_factory=InputSpec)


def _outline(features: int, *stages: tuple[str, int, float]) -> Outline:
    return Outline(tuple(StageOutline(name, parameters, gflop) for name, parameters, gflop in stages), features)


# fmt: off
_OUTLINES = {
    "mobilenet_v2": _outline(1280, ("stem", 1824, 0.042), ("stage 1", 13968, 0.11), ("stage 2", 39696, 0.075), ("stage 3", 487040, 0.193), ("stage 4", 1681344, 0.179)),
    "mobilenet_v3_small": _outline(576, ("stem", 464, 0.011), ("stage 1", 744, 0.003), ("stage 2", 9280, 0.019), ("stage 3", 180032, 0.038), ("stage 4", 736488, 0.039)),
    "mobilenet_v3_large": _outline(960, ("stem", 928, 0.021), ("stage 1", 7880, 0.065), ("stage 2", 52312, 0.058), ("stage 3", 731368, 0.161), ("stage 4", 2179464, 0.124)),
    "squeezenet1_0": _outline(512, ("stem", 14208, 0.335), ("stage 1", 69696, 0.403), ("stage 2", 265344, 0.385), ("stage 3", 386176, 0.341)),
    "efficientnet_b0": _outline(1280, ("stem", 2376, 0.042), ("stage 1", 16714, 0.11), ("stage 2", 46640, 0.076), ("stage 3", 786078, 0.259), ("stage 4", 3155740, 0.282)),
    "resnet18": _outline(512, ("stem", 9536, 0.236), ("layer 1", 147968, 0.925), ("layer 2", 525568, 0.822), ("layer 3", 2099712, 0.822), ("layer 4", 8393728, 0.822)),
    "resnet50": _outline(2048, ("stem", 9536, 0.236), ("layer 1", 215808, 1.336), ("layer 2", 1219584, 2.055), ("layer 3", 7098368, 2.929), ("layer 4", 14964736, 1.618)),
    "densenet121": _outline(1024, ("stem", 9536, 0.236), ("block 1", 368320, 2.286), ("block 2", 1051776, 1.631), ("block 3", 3364096, 1.304), ("block 4", 2160128, 0.209)),
    "convnext_tiny": _outline(768, ("stem", 242784, 1.505), ("stage 1", 992256, 1.547), ("stage 2", 11112960, 4.344), ("stage 3", 15472128, 1.514)),
    "vit_b_16": _outline(768, ("patches", 742656, 0.231), ("blocks 1-3", 21263616, 5.577), ("blocks 4-6", 21263616, 5.577), ("blocks 7-9", 21263616, 5.577), ("blocks 10-12", 21265152, 5.577)),
}
# fmt: on


def _builder(id: str, title: str, weights: str, file: str, size_mb: float, says: str, reference: str) -> Builder:
    return Builder(id, title, _OUTLINES[id], weights, file, size_mb, says, reference)


BUILDERS: Catalogue[Builder] = Catalogue(
    "network",
    _builder(
        "mobilenet_v2",
        "MobileNetV2",
        "MobileNet_V2_Weights.IMAGENET1K_V2",
        "mobilenet_v2-7ebf99e0.pth",
        13.6,
        "Small and quick; good on a computer without a GPU.",
        "Sandler et al. 2018, arXiv:1801.04381",
    ),
    _builder(
        "mobilenet_v3_small",
        "MobileNetV3 small",
        "MobileNet_V3_Small_Weights.IMAGENET1K_V1",
        "mobilenet_v3_small-047dcff4.pth",
        9.8,
        "The quickest here; the least detailed.",
        "Howard et al. 2019, arXiv:1905.02244",
    ),
    _builder(
        "mobilenet_v3_large",
        "MobileNetV3 large",
        "MobileNet_V3_Large_Weights.IMAGENET1K_V2",
        "mobilenet_v3_large-5c1a4163.pth",
        21.1,
        "Quick, a little stronger than MobileNetV2 on photographs.",
        "Howard et al. 2019, arXiv:1905.02244",
    ),
    _builder(
        "efficientnet_b0",
        "EfficientNet-B0",
        "EfficientNet_B0_Weights.IMAGENET1K_V1",
        "efficientnet_b0_rwightman-7f5810bc.pth",
        20.5,
        "Small with strong features; slower than MobileNetV2.",
        "Tan and Le 2019, arXiv:1905.11946",
    ),
    _builder(
        "resnet18",
        "ResNet-18",
        "ResNet18_Weights.IMAGENET1K_V1",
        "resnet18-f37072fd.pth",
        44.7,
        "The common reference network; steady on small cohorts.",
        "He et al. 2016, arXiv:1512.03385",
    ),
    _builder(
        "resnet50",
        "ResNet-50",
        "ResNet50_Weights.IMAGENET1K_V2",
        "resnet50-11ad3fa6.pth",
        97.8,
        "The network of most published recipes; wants a GPU for fine-tuning.",
        "He et al. 2016, arXiv:1512.03385",
    ),
    _builder(
        "densenet121",
        "DenseNet-121",
        "DenseNet121_Weights.IMAGENET1K_V1",
        "densenet121-a639ec97.pth",
        30.8,
        "Often the best fully fine-tuned network on medical benchmarks; wants a GPU for that.",
        "Huang et al. 2017, arXiv:1608.06993",
    ),
    _builder(
        "convnext_tiny",
        "ConvNeXt-Tiny",
        "ConvNeXt_Tiny_Weights.IMAGENET1K_V1",
        "convnext_tiny-983f1562.pth",
        109.1,
        "A modern convolutional network with strong features; wants a GPU.",
        "Liu et al. 2022, arXiv:2201.03545",
    ),
    _builder(
        "vit_b_16",
        "ViT-B/16",
        "ViT_B_16_Weights.IMAGENET1K_V1",
        "vit_b_16-c867db91.pth",
        330.3,
        "A vision transformer; strong frozen features, heavy.",
        "Dosovitskiy et al. 2021, arXiv:2010.11929",
    ),
    _builder(
        "squeezenet1_0",
        "SqueezeNet 1.0",
        "SqueezeNet1_0_Weights.IMAGENET1K_V1",
        "squeezenet1_0-b66bff10.pth",
        4.8,
        "Very small and without batch norm; the weakest features here.",
        "Iandola et al. 2016, arXiv:1602.07360",
    ),
)
