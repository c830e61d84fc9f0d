"""torchvision's classification networks cut into stages. Architectures only: weights are loaded elsewhere.

One maker a family. What it gets is torchvision's network with random weights; what it gives points into the same
modules, so that the keys of the trunk's state are torchvision's own and published files fit.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from medtl.errors import BadInput
from medtl.sources.builders import BUILDERS
from medtl.sources.network import Network, Stage, first_convolution
from medtl.vocabulary import Outline

Maker = Callable[[Any, int], Network]


def build(builder: str, classes: int, channels: int = 3) -> Network:
    """A network with random weights for pictures of `channels` (1 or 3). `builder` is an id of `BUILDERS`."""
    return cut(BUILDERS[builder].id, classes, channels)


def cut(id: str, classes: int, channels: int = 3) -> Network:
    """The same for any name torchvision knows, whether or not it is among `BUILDERS` already."""
    net = torchvision_net(id)
    if channels != 3:
        _look_at(net, channels)
    make = next(make for start, make in _MAKERS.items() if id.startswith(start))
    return make(net, classes)


def torchvision_net(id: str) -> Any:
    """torchvision's own network with random weights, without the auxiliary classifiers of GoogLeNet and Inception:
    they serve training from nothing only. (Their slow truncated-normal start is left out for the same reason.)"""
    bare = {"aux_logits": False, "init_weights": False} if id in ("googlenet", "inception_v3") else {}
    return getattr(torchvision.models, id)(weights=None, **bare)


@contextmanager
def hollow() -> Iterator[None]:
    """Networks made inside have shapes and no values: the largest takes no memory, and no time to draw."""
    with torch.device("meta"), _Readable():
        yield


def measure(network: Network, size: int, channels: int = 3) -> Outline:
    """The outline with the forward cost of each stage in GFLOP (a multiply-add counts as two) for one case.

    Convolutions, linear layers and attention are counted, as torchvision does for the `_ops` of its weights. A hollow
    network is enough.
    """
    network.to(next(network.parameters()).device).eval()  # a hollow network may hold small tables that have values
    x = torch.empty(1, channels, size, size, device=next(network.parameters()).device)
    stages = []
    with torch.no_grad():
        for stage, outline in zip(network.stages, network.outline().stages, strict=True):
            with FlopCounterMode(display=False) as counter:
                x = stage(x)
            stages.append(replace(outline, gflop=round(counter.get_total_flops() / 1e9, 3)))
        features = network.features_from(x, len(network.stages)).shape[1]
    return Outline(tuple(stages), features)


class _Readable(TorchFunctionMode):
    """RegNet works out its widths with tensors: these need values also where all else is hollow."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.arange, torch.tensor):
            kwargs.setdefault("device", "cpu")
        return func(*args, **kwargs)


def _look_at(net: nn.Module, channels: int) -> None:
    """Replace the first convolution by one of the same kind for `channels`."""
    if channels not in (1, 3):
        raise BadInput(f"A network for {channels} channels was asked for.", "Pictures have 1 channel (grey) or 3.")
    name, old = first_convolution(net)
    net.set_submodule(
        name,
        nn.Conv2d(
            channels,
            old.out_channels,
            old.kernel_size,  # type: ignore[arg-type]  # torch keeps as a tuple of any length what it takes as a pair
            old.stride,  # type: ignore[arg-type]
            old.padding,  # type: ignore[arg-type]
            bias=old.bias is not None,
        ),
    )


# ---- a maker a family -----------------------------------------------------------------------------------------------


def _stages(blocks: Iterable[Iterable[nn.Module]]) -> list[Stage]:
    return [Stage("stem" if i == 0 else f"stage {i}", list(modules)) for i, modules in enumerate(blocks)]


def _mean() -> list[nn.Module]:
    """(B, D, h, w) -> (B, D)."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(1)]


def _resnet(net: Any, classes: int) -> Network:
    """Also ResNeXt and Wide ResNet: the same layers, grouped or wider."""
    width = net.fc.in_features
    net.fc = nn.Identity()
    stages = [
        Stage("stem", [net.conv1, net.bn1, net.relu, net.maxpool]),
        *(Stage(f"layer {i}", [getattr(net, f"layer{i}")]) for i in range(1, 5)),
    ]
    return Network(net, stages, [net.avgpool, nn.Flatten(1)], width, classes, net.layer4)


def _regnet(net: Any, classes: int) -> Network:
    width = net.fc.in_features
    net.fc = nn.Identity()
    blocks = list(net.trunk_output)
    return Network(net, _stages([[net.stem], *([b] for b in blocks)]), _mean(), width, classes, blocks[-1])


def _densenet(net: Any, classes: int) -> Network:
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
    return Network(_with(net, final), stages, _mean(), width, classes, final)


def _sequence(cuts: Iterable[int], width: int = 0, pool_norm: bool = False) -> Maker:
    """Networks whose trunk is one `features` sequence, cut before the given indices.

    `width` where the classifier does not begin with a linear layer on the pooled features.
    """

    def make(net: Any, classes: int) -> Network:
        blocks = list(net.features)
        stages = _stages(blocks[a:b] for a, b in itertools.pairwise([0, *cuts, len(blocks)]))
        features = width or next(m.in_features for m in net.classifier if isinstance(m, nn.Linear))
        # ConvNeXt normalises after pooling: that norm belongs to the features, the rest of the classifier does not.
        net.classifier = nn.Sequential(*([net.classifier[0]] if pool_norm else []))
        stages[-1] = Stage(stages[-1].name, stages[-1].modules, also=[net.classifier])
        pool = [nn.AdaptiveAvgPool2d(1), net.classifier, nn.Flatten(1)]
        return Network(net, stages, pool, features, classes, blocks[-1])

    return make


def _pooled_sequence(width: int) -> Maker:
    """AlexNet and VGG: a stage up to each pooling. Features are the mean of the last map, 256 or 512 wide: the three
    linear layers that follow are most of the network (124 of 138 million values in VGG-16) and dropped."""

    def make(net: Any, classes: int) -> Network:
        blocks = list(net.features)
        ends = [i + 1 for i, module in enumerate(blocks) if isinstance(module, nn.MaxPool2d)]
        stages = _stages(blocks[a:b] for a, b in itertools.pairwise([0, *ends]))
        net.classifier = nn.Identity()
        # The map before the last pooling is twice as fine; it is the one Grad-CAM's paper uses (arXiv:1610.02391).
        return Network(net, stages, _mean(), width, classes, blocks[-2])

    return make


def _mnasnet(net: Any, classes: int) -> Network:
    width = net.classifier[-1].in_features
    layers = list(net.layers)
    stages = _stages([layers[:8], layers[8:9], layers[9:10], layers[10:12], layers[12:]])
    trunk = nn.Module()  # not torchvision's own, which refuses states that do not carry a version
    trunk.layers = net.layers
    return Network(trunk, stages, _mean(), width, classes, layers[-1])


def _shufflenet(net: Any, classes: int) -> Network:
    width = net.fc.in_features
    net.fc = nn.Identity()
    stages = _stages([[net.conv1, net.maxpool], [net.stage2], [net.stage3], [net.stage4, net.conv5]])
    return Network(net, stages, _mean(), width, classes, net.conv5)


def _googlenet(net: Any, classes: int) -> Network:
    width = net.fc.in_features
    net.fc = nn.Identity()
    blocks = [
        [net.conv1, net.maxpool1, net.conv2, net.conv3, net.maxpool2],
        [net.inception3a, net.inception3b, net.maxpool3],
        [net.inception4a, net.inception4b, net.inception4c, net.inception4d, net.inception4e, net.maxpool4],
        [net.inception5a, net.inception5b],
    ]
    return Network(net, _stages(blocks), _mean(), width, classes, net.inception5b)


def _inception(net: Any, classes: int) -> Network:
    width = net.fc.in_features
    net.fc = nn.Identity()
    stem = [net.Conv2d_1a_3x3, net.Conv2d_2a_3x3, net.Conv2d_2b_3x3, net.maxpool1, net.Conv2d_3b_1x1, net.Conv2d_4a_3x3]
    blocks = [
        [*stem, net.maxpool2],
        [net.Mixed_5b, net.Mixed_5c, net.Mixed_5d],
        [net.Mixed_6a, net.Mixed_6b, net.Mixed_6c, net.Mixed_6d, net.Mixed_6e],
        [net.Mixed_7a, net.Mixed_7b, net.Mixed_7c],
    ]
    return Network(net, _stages(blocks), _mean(), width, classes, net.Mixed_7c)


def _swin(net: Any, classes: int) -> Network:
    """Swin and Swin V2. Maps are (B, h, w, D) inside, also the one Grad-CAM looks at, after the last norm."""
    width = net.head.in_features
    net.head = nn.Identity()
    f = list(net.features)  # patches, then blocks and mergings by turns: each merging begins the next stage
    stages = _stages([f[:1], f[1:2], f[2:4], f[4:6], [*f[6:], net.norm]])
    return Network(net, stages, [net.permute, *_mean()], width, classes, net.norm, _channels_first)


def _channels_first(map: Tensor) -> Tensor:
    """(B, h, w, D) -> (B, D, h, w)."""
    return map.permute(0, 3, 1, 2)


def _maxvit(net: Any, classes: int) -> Network:
    """Features are what its last layer is given: pooled, normalised, once more mixed by a linear layer and tanh."""
    width = net.classifier[-1].in_features
    net.classifier = net.classifier[:-1]
    stages = _stages([[net.stem], *([block] for block in net.blocks)])
    stages[-1] = Stage(stages[-1].name, stages[-1].modules, also=[net.classifier])
    return Network(net, stages, [net.classifier], width, classes, net.blocks[-1])


class _Patches(nn.Module):
    """ViT's input: patches, class token, positions. Shares the parameters of its ViT, whose keys stay as they are."""

    def __init__(self, vit: Any) -> None:
        super().__init__()
        self.conv_proj: nn.Module = vit.conv_proj
        self.class_token: Tensor = vit.class_token
        self.pos_embedding: Tensor = vit.encoder.pos_embedding

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, 224, 224) -> (B, 1 + 196, 768), as an example."""
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


def _vit(net: Any, classes: int) -> Network:
    """A quarter of the blocks is a stage: 3 of the base network's 12, 6 of the large one's 24."""
    net.heads = nn.Identity()
    blocks = list(net.encoder.layers)
    step = len(blocks) // 4
    stages = [Stage("patches", [_Patches(net)])]
    stages += [Stage(f"blocks {a + 1}-{a + step}", blocks[a : a + step]) for a in range(0, len(blocks), step)]
    stages[-1] = Stage(stages[-1].name, [*stages[-1].modules, net.encoder.ln])
    # With a class-token head the patches of the last block get no gradient; its first norm does (methods.md, 16).
    return Network(net, stages, [_ClassToken()], net.hidden_dim, classes, blocks[-1].ln_1, _grid)


def _with(net: nn.Module, extra: nn.Module) -> nn.Module:
    """Register a parameterless module on the trunk so that it follows train(), eval() and to()."""
    net.extra = extra
    return net


_MAKERS: dict[str, Maker] = {  # by how the name begins
    "alexnet": _pooled_sequence(256),
    "convnext": _sequence((2, 4, 6), pool_norm=True),
    "densenet": _densenet,
    "efficientnet": _sequence((2, 3, 4, 6)),
    "googlenet": _googlenet,
    "inception": _inception,
    "maxvit": _maxvit,
    "mnasnet": _mnasnet,
    "mobilenet_v2": _sequence((2, 4, 7, 14)),
    "mobilenet_v3_large": _sequence((2, 4, 7, 13)),
    "mobilenet_v3_small": _sequence((1, 2, 4, 9)),
    "regnet": _regnet,
    "resnet": _resnet,
    "resnext": _resnet,
    "shufflenet": _shufflenet,
    "squeezenet1_0": _sequence((3, 7, 10), width=512),
    "squeezenet1_1": _sequence((3, 6, 9), width=512),
    "swin": _swin,
    "vgg": _pooled_sequence(512),
    "vit": _vit,
    "wide_resnet": _resnet,
}
