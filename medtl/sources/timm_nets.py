"""timm's image networks cut into stages, by the family they are of. Architectures only: weights come from elsewhere."""

from typing import Any

import torch
from torch import Tensor, nn

from medtl.sources import optional
from medtl.sources.foreign import need
from medtl.sources.network import Network, Stage


def build(builder: str, classes: int) -> Network:
    """A network with random weights. `builder` is an id of `optional.TIMM`: no other name reaches timm, which would
    fetch from anywhere by name."""
    name = optional.TIMM[builder].name
    need("timm", "This source")
    net = made(name, pretrained=False)
    family = type(net).__name__
    return {"VisionTransformer": _vit, "ConvNeXt": _convnext, "MobileNetV3": _mobilenet}[family](net, name, classes)


def made(name: str, pretrained: bool, **more: Any) -> Any:
    """timm's own network without its last layer, for 224 px."""
    import timm

    size = {"img_size": 224} if name.startswith("vit") else {}
    return timm.create_model(name, pretrained=pretrained, num_classes=0, **size, **more)


class _Trunk(nn.Module):
    """timm's network under its own keys, made anew where it has to forget what it learned."""

    def __init__(self, net: Any, name: str) -> None:
        super().__init__()
        self.net: nn.Module = net
        self.name = name

    def start_over(self) -> None:
        self.net.load_state_dict(made(self.name, pretrained=False).state_dict())


class _Start(nn.Module):
    """A ViT up to its first block. Shares the parameters of its ViT, whose keys stay as they are."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.patch_embed: nn.Module = net.patch_embed
        self.norm_pre: nn.Module = net.norm_pre
        self.cls_token: Tensor = net.cls_token
        self.pos_embed: Tensor = net.pos_embed

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 224, 224) -> (B, 1 + N, D)."""
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        return self.norm_pre(x)


class _ClassToken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]


def _grid(tokens: Tensor) -> Tensor:
    """(B, 1 + N, D) -> (B, D, h, w)."""
    patches = tokens[:, 1:]
    side = int(patches.shape[1] ** 0.5)
    return patches.transpose(1, 2).reshape(len(tokens), -1, side, side)


def _vit(net: Any, name: str, classes: int) -> Network:
    blocks = list(net.blocks)
    stages = [Stage("patches", [_Start(net)])]
    for i in range(0, len(blocks), 3):
        end = min(i + 3, len(blocks))
        last = [net.norm] if end == len(blocks) else []
        stages.append(Stage(f"blocks {i + 1}-{end}", [*blocks[i:end], *last]))
    # With a class-token head the patches of the last block get no gradient; its first norm does.
    return Network(_Trunk(net, name), stages, [_ClassToken()], net.num_features, classes, blocks[-1].norm1, _grid)


def _convnext(net: Any, name: str, classes: int) -> Network:
    blocks = list(net.stages)
    stages = [Stage("stem", [net.stem]), *(Stage(f"stage {i}", [block]) for i, block in enumerate(blocks, start=1))]
    stages[-1] = Stage(stages[-1].name, [blocks[-1], net.norm_pre], also=[net.head.norm])
    pool = [nn.AdaptiveAvgPool2d(1), net.head.norm, nn.Flatten(1)]
    return Network(_Trunk(net, name), stages, pool, net.num_features, classes, blocks[-1])


def _mobilenet(net: Any, name: str, classes: int) -> Network:
    blocks = list(net.blocks)
    after = [module for module in (net.conv_head, net.norm_head, net.act2) if isinstance(module, nn.Module)]
    stages = [
        Stage("stem", [net.conv_stem, net.bn1]),
        *(Stage(f"stage {i}", [block]) for i, block in enumerate(blocks, start=1)),
    ]
    stages[-1] = Stage(stages[-1].name, [blocks[-1]], also=after)
    pool = [nn.AdaptiveAvgPool2d(1), *after, nn.Flatten(1)]
    return Network(_Trunk(net, name), stages, pool, net.head_hidden_size, classes, blocks[-1])
