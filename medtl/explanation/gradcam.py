"""Where a network looked, for one class or all of them: in closed form where that holds, else through the library."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from medtl.explanation import fast, layers, library, states
from medtl.explanation.fast import Evidence, FastMaps
from medtl.explanation.methods import DEFAULT, METHODS
from medtl.sources.network import Network
from medtl.vocabulary import HeatMap


class Maps:
    """Makes the maps of one network; knows whether the closed form holds for it, which it finds out once.

    `evidence(outputs, k)` makes of the outputs (O,) of one picture what speaks for class k; without it, output k.
    `black` is a black picture (1, C, S, S), normalised.
    """

    def __init__(self, network: Network, x: Tensor, evidence: Evidence | None = None, black: Tensor | None = None):
        self.network, self.black = network, black
        self.evidence: Evidence = evidence or (lambda outputs, k: outputs[k])
        self.layers = layers.layers(network, x)
        self.fast: FastMaps | None = fast.of(network, x, self.layers[-1])

    @property
    def last(self) -> str:
        return self.layers[-1].name

    def exact(self, method: str = DEFAULT, layer: str = "") -> bool:
        """Whether this map is had in closed form. Where places are averaged, HiResCAM equals Grad-CAM."""
        return self.fast is not None and method in ("gradcam", "hirescam") and layer in ("", self.last)

    def raw(self, x: Tensor, classes: Sequence[int], method: str = DEFAULT, layer: str = "") -> np.ndarray:
        """(B, C, S, S) -> (B, len(classes), h, w), not scaled."""
        if self.fast is not None and self.exact(method, layer):
            return self.fast.signed(x, classes, self.evidence)[0]
        METHODS[method]  # an unknown one is said with those that exist
        at = layers.named(self.network, x, layer)
        return np.stack([self._of_one(x[i : i + 1], classes, method, at) for i in range(len(x))])

    def maps(
        self, x: Tensor, labels: Sequence[str], method: str = DEFAULT, layer: str = "", only: int | None = None
    ) -> tuple[HeatMap, ...]:
        """Maps of one picture (1, C, S, S) for every class in `labels`, or for number `only` of them."""
        way = METHODS[method]
        classes = list(range(len(labels))) if only is None else [only]
        found = self.raw(x, classes, method, layer)[0]
        name = layer or self.last
        if way.kind == "pixels":
            name = "the picture itself"
        made = tuple(
            states.heat_map(
                values, labels[k], name, way.title, way.id, signed=way.signed, exact=self.exact(method, layer)
            )
            for k, values in zip(classes, found, strict=True)
        )
        return states.told_apart(made) if only is None and way.of_class else made

    def _of_one(self, x: Tensor, classes: Sequence[int], method: str, at: layers.Layer) -> np.ndarray:
        once = None
        found = []
        for k in classes:
            if once is None or METHODS[method].of_class:
                once = library.raw(method, self.network, at, x, self._target(k), self.black)
            found.append(once)
        return np.stack(found)

    def _target(self, k: int) -> Callable[[Tensor], Tensor]:
        return lambda outputs: self.evidence(outputs, k)


def explain(
    network: Network, x: Tensor, k: int, label: str, evidence: Callable[[Tensor], Tensor] | None = None
) -> HeatMap:
    """Where the network looked for class `k` in one input (1, C, S, S), already normalised. `evidence` makes of its
    outputs (O,) what speaks for the class; where none is given it is output `k`.

    Selvaraju et al. 2017, arXiv:1610.02391 eq. 1 and 2, at the network's last map.
    """
    maps = Maps(network, x, None if evidence is None else lambda outputs, _: evidence(outputs))
    return states.heat_map(maps.raw(x, [k])[0, 0], label, maps.last, exact=maps.exact())
