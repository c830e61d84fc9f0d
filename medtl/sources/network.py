"""A network as ordered stages and a head: all that a strategy, the engine and an explainer may rely on.

Letters: B cases, C channels, H and W pixels, D width of the features, K classes. Knows no file and no image format.
"""

import math
from collections.abc import Callable, Iterator, Sequence

from torch import Tensor, nn

from medtl.sources.values import as_matrix, biases, norm_values, wide_layers
from medtl.vocabulary import Outline, StageOutline


class Stage:
    """A named run of modules that belong to a trunk (which registers them; a stage only points).

    `also` are modules that train with the stage but run elsewhere (the norm after ConvNeXt's pooling).
    """

    def __init__(self, name: str, modules: Sequence[nn.Module], also: Sequence[nn.Module] = ()) -> None:
        self.name = name
        self.modules = tuple(modules)
        self.also = tuple(also)

    def __call__(self, x: Tensor) -> Tensor:
        for module in self.modules:
            x = module(x)
        return x

    def parameters(self) -> Iterator[nn.Parameter]:
        for module in self.modules + self.also:
            yield from module.parameters()

    def members(self) -> Iterator[nn.Module]:
        """Every module in it, inner ones included, each once."""
        seen: set[nn.Module] = set()
        for top in self.modules + self.also:
            for module in top.modules():
                if module not in seen:
                    seen.add(module)
                    yield module

    def outline(self) -> StageOutline:
        """What is in it, counted; without the cost."""
        return StageOutline(
            self.name,
            parameters=sum(p.numel() for p in self.parameters()),
            norms=sum(p.numel() for p in norm_values(self.members())),
            biases=sum(p.numel() for p in biases(self.members())),
            low_rank=sum(sum(as_matrix(getattr(layer, name))) for layer, name in wide_layers(self.members())),
        )

    def train(self, mode: bool) -> None:
        for module in self.modules + self.also:
            module.train(mode)


class Network(nn.Module):
    """`stages` in order, input side first, then pooling to features (B, D), then `head` to logits (B, K).

    `trunk` is the original model (without its classifier), so that the keys of `state_dict` are those of its library.
    `map_layer` is the module whose output is the last picture-like map; `map_reshape` turns tokens into a grid where
    the output is not (B, D, h, w) already.
    """

    def __init__(
        self,
        trunk: nn.Module,
        stages: Sequence[Stage],
        pool: Sequence[nn.Module],
        features: int,
        classes: int,
        map_layer: nn.Module | None = None,
        map_reshape: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.width = features
        self.head: nn.Module = linear_head(features, classes)
        # Plain tuples: the trunk owns the modules, these only point at them (a deep copy keeps that true).
        self._stages = tuple(stages)
        self._pool = tuple(pool)
        self._map_layer = (map_layer,)
        self.map_reshape = map_reshape

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self._stages

    @property
    def pool(self) -> tuple[nn.Module, ...]:
        """What makes features of the last stage's output."""
        return self._pool

    @property
    def map_layer(self) -> nn.Module | None:
        return self._map_layer[0]

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) normalised input -> (B, D) pooled features."""
        return self.features_from(x, 0)

    def features_from(self, x: Tensor, start: int) -> Tensor:
        """Output of stage `start - 1` (or the input, for 0) -> (B, D)."""
        for stage in self._stages[start:]:
            x = stage(x)
        for module in self._pool:
            x = module(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) normalised input -> (B, K) logits."""
        return self.head(self.features(x))

    def outline(self) -> Outline:
        """What strategies see; without the cost, which `image_nets.measure` adds."""
        return Outline(tuple(stage.outline() for stage in self._stages), self.width)


def first_convolution(net: nn.Module) -> tuple[str, nn.Conv2d]:
    """The layer that looks at the picture, with its name: torchvision registers it first in all its networks."""
    return next((name, module) for name, module in net.named_modules() if isinstance(module, nn.Conv2d))


def linear_head(features: int, classes: int) -> nn.Linear:
    return nn.Linear(features, classes)


def hidden_head(features: int, hidden: int, classes: int, dropout: float) -> nn.Sequential:
    """The head of the classical recipe: one hidden layer, ReLU, dropout, then the classes."""
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes))


def reinitialise(network: Network) -> None:
    """Make every weight random again, as its library does before training; draws from torch's generator."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=min(0.02, 1 / math.sqrt(module.in_features)))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.modules.batchnorm._BatchNorm) or (
            isinstance(module, nn.LayerNorm) and module.elementwise_affine
        ):
            module.reset_parameters()
        elif isinstance(module, nn.MultiheadAttention):
            module._reset_parameters()
        elif callable(begin := getattr(module, "start_over", None)):  # it knows itself how it begins
            begin()
    for name, parameter in network.named_parameters():
        if name.endswith(("class_token", "pos_embedding", "relative_position_bias_table")):
            nn.init.trunc_normal_(parameter, std=0.02)
        elif name.endswith("logit_scale"):  # Swin V2's temperature of attention: arXiv:2111.09883, 3.2
            nn.init.constant_(parameter, math.log(10))
        elif name.endswith("layer_scale"):
            nn.init.constant_(parameter, 1e-6)
