"""torchvision's classification networks cut into stages. Architectures only: weights are loaded elsewhere."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from medtl.sources.builders import BUILDERS
from medtl.sources.network import Network, Stage
from medtl.vocabulary import Outline, StageOutline


def build(builder: str, classes: int) -> Network:
    """A network with random weights. `builder` is an id of `BUILDERS`."""
    make = _MAKERS[BUILDERS[builder].id]
    return make(classes)


def measure(network: Network, size: int = 224) -> Outline:
    """The outline with the forward cost of each stage in GFLOP (a multiply-add counts as two) for one case."""
    cost: dict[nn.Module, int] = {}
    hooks = []

    def count(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            per_value = module.in_channels // module.groups * module.kernel_size[0] * module.kernel_size[1]
            cost[module] = cost.get(module, 0) + 2 * per_value * output.numel()
        elif isinstance(module, nn.Linear):
            cost[module] = cost.get(module, 0) + 2 * module.in_features * output.numel()

    for module in network.trunk.modules():
        hooks.append(module.register_forward_hook(count))
    # The fast path of attention bypasses the linear layers; training mode without dropout walks through them.
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    stages = []
    for stage, outline in zip(network.stages, network.outline().stages, strict=True):
        flops = sum(cost.get(m, 0) for module in stage.modules for m in module.modules())
        stages.append(StageOutline(outline.name, outline.parameters, round(flops / 1e9, 3)))
    return Outline(tuple(stages), network.width)


def _resnet(make: Callable[..., Any]) -> Callable[[int], Network]:
    def build_resnet(classes: int) -> Network:
        net = make(weights=None)
        width = net.fc.in_features
        net.fc = nn.Identity()
        stages = [
            Stage("stem", [net.conv1, net.bn1, net.relu, net.maxpool]),
            *(Stage(f"layer {i}", [getattr(net, f"layer{i}")]) for i in range(1, 5)),
        ]
        return Network(net, stages, [net.avgpool, nn.Flatten(1)], width, classes, net.layer4)

    return build_resnet


def _densenet121(classes: int) -> Network:
    net = torchvision.models.densenet121(weights=None)
    width = net.classifier.in_features
    net.classifier = nn.Identity()
    f = net.features
    final = nn.ReLU()  # torchvision applies it in place inside forward; as a module its output can be looked at
    stages = [
        Stage("stem", [f.conv0, f.norm0, f.relu0, f.pool0]),
        Stage("block 1", [f.denseblock1, f.transition1]),
        Stage("block 2", [f.denseblock2, f.transition2]),
        Stage("block 3", [f.denseblock3, f.transition3]),
        Stage("block 4", [f.denseblock4, f.norm5, final]),
    ]
    return Network(_with(net, final), stages, [nn.AdaptiveAvgPool2d(1), nn.Flatten(1)], width, classes, final)


def _features_net(
    make: Callable[..., Any], cuts: Iterable[int], width: int, pool_norm: bool = False
) -> Callable[[int], Network]:
    """Networks whose trunk is one `features` sequence, cut before the given indices."""

    def build_features_net(classes: int) -> Network:
        net = make(weights=None)
        blocks = list(net.features)
        edges = [0, *cuts, len(blocks)]
        stages = [
            Stage("stem" if i == 0 else f"stage {i}", blocks[a:b]) for i, (a, b) in enumerate(itertools.pairwise(edges))
        ]
        # ConvNeXt normalises after pooling: that norm belongs to the features, the rest of the classifier does not.
        net.classifier = nn.Sequential(*([net.classifier[0]] if pool_norm else []))
        stages[-1] = Stage(stages[-1].name, stages[-1].modules, also=[net.classifier])
        pool = [nn.AdaptiveAvgPool2d(1), net.classifier, nn.Flatten(1)]
        return Network(net, stages, pool, width, classes, blocks[-1])

    return build_features_net


class _Patches(nn.Module):
    """ViT's input: patches, class token, positions. Shares the parameters of its ViT, whose keys stay as they are."""

    def __init__(self, vit: Any) -> None:
        super().__init__()
        self.conv_proj: nn.Module = vit.conv_proj
        self.class_token: Tensor = vit.class_token
        self.pos_embedding: Tensor = vit.encoder.pos_embedding

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 224, 224) -> (B, 1 + 196, 768)."""
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)
        return torch.add(x, self.pos_embedding)


class _ClassToken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]


def _grid(tokens: Tensor) -> Tensor:
    """(B, 1 + 196, D) -> (B, D, 14, 14)."""
    patches = tokens[:, 1:]
    side = int(patches.shape[1] ** 0.5)
    return patches.transpose(1, 2).reshape(len(tokens), -1, side, side)


def _vit_b_16(classes: int) -> Network:
    net = torchvision.models.vit_b_16(weights=None)
    net.heads = nn.Identity()
    blocks = list(net.encoder.layers)
    stages = [
        Stage("patches", [_Patches(net)]),
        Stage("blocks 1-3", blocks[0:3]),
        Stage("blocks 4-6", blocks[3:6]),
        Stage("blocks 7-9", blocks[6:9]),
        Stage("blocks 10-12", [*blocks[9:12], net.encoder.ln]),
    ]
    # With a class-token head the patches of the last block get no gradient; its first norm does (methods.md, 16).
    return Network(net, stages, [_ClassToken()], 768, classes, blocks[-1].ln_1, _grid)


def _with(net: nn.Module, extra: nn.Module) -> nn.Module:
    """Register a parameterless module on the trunk so that it follows train(), eval() and to()."""
    net.extra = extra
    return net


_MAKERS: dict[str, Callable[[int], Network]] = {
    "mobilenet_v2": _features_net(torchvision.models.mobilenet_v2, (2, 4, 7, 14), 1280),
    "mobilenet_v3_small": _features_net(torchvision.models.mobilenet_v3_small, (1, 2, 4, 9), 576),
    "mobilenet_v3_large": _features_net(torchvision.models.mobilenet_v3_large, (2, 4, 7, 13), 960),
    "squeezenet1_0": _features_net(torchvision.models.squeezenet1_0, (3, 7, 10), 512),
    "efficientnet_b0": _features_net(torchvision.models.efficientnet_b0, (2, 3, 4, 6), 1280),
    "resnet18": _resnet(torchvision.models.resnet18),
    "resnet50": _resnet(torchvision.models.resnet50),
    "densenet121": _densenet121,
    "convnext_tiny": _features_net(torchvision.models.convnext_tiny, (2, 4, 6), 768, pool_norm=True),
    "vit_b_16": _vit_b_16,
}
