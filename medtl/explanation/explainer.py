"""One finished network, ready to say where it looked in a picture, for any class, by any method, with its badges.

Pictures come as they are prepared for the network, (n, C, S, S) uint8; see `modalities.image.pictures_for`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medtl.errors import BadInput
from medtl.explanation import badges, checks
from medtl.explanation.gradcam import Maps
from medtl.explanation.methods import DEFAULT, METHODS
from medtl.sources.network import Network
from medtl.training import meaning
from medtl.training.tensors import to_input
from medtl.vocabulary import HeatMap, InputSpec, MapCheck, Task

RANDOMS = 7  # random regions one picture's region is held against


@dataclass(frozen=True)
class Way:
    """A method as this network offers it. `passes`: forward passes for one map at the last layer, 1 in closed form."""

    id: str
    title: str
    says: str
    limits: str
    reference: str
    passes: float
    live: bool
    exact: bool
    any_layer: bool
    of_class: bool


class Explainer:
    def __init__(
        self, network: Network, spec: InputSpec, classes: Sequence[str], task: Task = "single-label",
        where: torch.device | None = None, step: int = 8,
    ) -> None:  # fmt: skip
        self.network, self.spec, self.classes, self.task = network.eval(), spec, tuple(classes), task
        self.where = where or torch.device("cpu")
        self.step = step  # pictures in hand at once
        nothing = np.zeros((1, spec.channels, spec.size, spec.size), np.uint8)
        self._black = to_input(nothing, spec, self.where)
        self.maps = Maps(network, self._black, lambda out, k: meaning.evidence(out, k, task), self._black)

    @property
    def layers(self) -> tuple[str, ...]:
        """The stages at whose end a map can be made, input side first; the last is taken unless another is chosen."""
        return tuple(layer.name for layer in self.maps.layers)

    def ways(self) -> tuple[Way, ...]:
        """The catalogue as it stands for this network, with what each costs here."""
        channels = self.maps.layers[-1].channels
        return tuple(
            Way(
                m.id, m.title, m.card.says, m.card.limits, m.card.reference,
                1.0 if self.maps.exact(m.id) else round(m.takes(channels), 1),
                self.maps.exact(m.id) or m.takes(channels) <= 10, self.maps.exact(m.id), m.any_layer, m.of_class,
            )
            for m in METHODS
        )  # fmt: skip

    def one(self, shown: np.ndarray, label: str, method: str = DEFAULT, layer: str = "") -> HeatMap:
        """Where it looked for one class. Said to be the "same" where the closed form gives all classes for nothing."""
        k = self._number(label)
        if self.maps.exact(method, layer):
            return self.every(shown, method, layer)[k]
        return self.maps.maps(self.input(shown), self.classes, method, layer, only=k)[0]

    def every(self, shown: np.ndarray, method: str = DEFAULT, layer: str = "") -> tuple[HeatMap, ...]:
        """The maps of all classes, in their order: one forward pass where the closed form holds."""
        return self.maps.maps(self.input(shown), self.classes, method, layer)

    def signed(self, shown: np.ndarray, method: str = DEFAULT, layer: str = "") -> np.ndarray:
        """(n, C, S, S) -> (n, K, h, w) raw maps of many pictures."""
        found = [
            self.maps.raw(self.input(shown[i : i + self.step]), range(len(self.classes)), method, layer)
            for i in range(0, len(shown), self.step)
        ]
        return np.concatenate(found)

    def scores(self, x: Tensor) -> np.ndarray:
        """(n, C, S, S) normalised -> (n, K)."""
        with torch.inference_mode():
            parts = [self.network(x[i : i + self.step]).double().cpu().numpy() for i in range(0, len(x), self.step)]
        return meaning.scores(np.concatenate(parts), self.task)

    # ---- badges ------------------------------------------------------------------------------------------------------

    def check(
        self, shown: np.ndarray, label: str, method: str = DEFAULT, layer: str = "", seed: int = 0
    ) -> tuple[MapCheck, ...]:
        """The badges of one picture's map: some 60 forward passes where the closed form holds. Empty where there is no
        map to check."""
        k = self._number(label)
        x = self.input(shown)
        values = np.maximum(self.maps.raw(x, [k], method, layer)[0, 0], 0)
        if not np.isfinite(values).all() or values.max() <= 0:
            return ()
        lost = checks.shuffled(self.maps, x, [k], method, layer, seed)
        found = self.regions(x, k, values, RANDOMS, seed)
        stays = float(checks.steady(self.maps, x, [k], method, layer, seed).mean())
        made = [
            badges.of_one("shuffled-head", float(lost.kept[0, 0])),
            badges.of_one("shuffled", float(lost.kept[0, -1])),
        ]
        for id, region in found.items():
            beaten = float((region.than_random > 0).mean())
            made.append(badges.of_one(id, float(region.than_random.mean()), beaten, region.than_centre))
        return (*made, badges.of_one("steady", stays))

    def regions(
        self, x: Tensor, k: int, values: np.ndarray, randoms: int = 1, seed: int = 0
    ) -> dict[str, checks.Region]:
        return checks.regions(lambda many: self.scores(many)[:, k], x, values, randoms, seed)

    def input(self, shown: np.ndarray) -> Tensor:
        return to_input(shown, self.spec, self.where)

    def _number(self, label: str) -> int:
        if label not in self.classes:
            raise BadInput(f"This run knows no class '{label}'.", f"Its classes: {', '.join(self.classes)}.")
        return self.classes.index(label)
