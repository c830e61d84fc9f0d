"""Forward passes without gradients: features and scores, with batch norm folded into the convolutions before it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from medtl.sources.network import Network
from medtl.training import meaning
from medtl.training.device import Device
from medtl.training.policies import narrowed, wide
from medtl.training.tensors import look, normalise, to_unit
from medtl.vocabulary import InputSpec, Policy, Task


@dataclass(frozen=True)
class Looks:
    """How often a picture is looked at besides as it is, each time a little changed; features are the mean."""

    times: int = 0
    kind: str = "mild"


ONE_LOOK = Looks()


class _Features(nn.Module):
    """A network whose forward is its features, so that it can be folded as a whole."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        # Pooling (and ViT's patches) belong to no trunk; a module that is not registered cannot be traced.
        self.parts = nn.ModuleList([*(m for stage in network.stages for m in stage.modules), *network.pool])

    def forward(self, x: Tensor) -> Tensor:
        return self.network.features(x)


class Eye:
    """What a network sees in pictures. A frozen copy: later training does not change it."""

    def __init__(self, network: Network, spec: InputSpec, device: Device, looks: Looks = ONE_LOOK) -> None:
        self.spec = spec
        self.device = device
        self.looks = looks
        self.network = device.place(folded(_Features(network.eval())))

    def features(
        self,
        take: Callable[[np.ndarray], np.ndarray],
        indices: np.ndarray,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """`take(indices)` gives (b, C, S, S) uint8 -> (n, D) float32 for n indices: the mean over all looks."""
        each = self.each(take, indices, range(1 + self.looks.times), on_progress)
        return each[0] if len(each) == 1 else np.asarray(each.mean(axis=0))

    def each(
        self,
        take: Callable[[np.ndarray], np.ndarray],
        indices: np.ndarray,
        numbers: Sequence[int],
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """(len(numbers), n, D) float32: look number 0 is the picture as it is, the others its changes."""
        rows: list[list[np.ndarray]] = [[] for _ in numbers]
        step = self.device.chunk_forward
        with torch.inference_mode():
            for start in range(0, len(indices), step):
                chunk = indices[start : start + step]
                x = to_unit(take(chunk), self.spec, self.device.where)
                for at, number in enumerate(numbers):
                    changed = look(x, self.looks.kind, number) if number else x
                    rows[at].append(self._see(normalise(changed, self.spec)))
                on_progress(start + len(chunk), len(indices))
        return np.stack([np.concatenate(of) if of else np.zeros((0, 0), np.float32) for of in rows])

    def _see(self, x: Tensor) -> np.ndarray:
        with torch.autocast(self.device.name, dtype=self.device.autocast, enabled=self.device.autocast is not None):
            y = self.network(x)
        return np.asarray(y.float().cpu().numpy())


def folded(module: nn.Module) -> nn.Module:
    """A copy for inference with batch norms folded into their convolutions, where the graph can be traced."""
    from torch.fx.experimental.optimization import fuse

    try:
        return fuse(module)
    except Exception:  # noqa: BLE001 - tracing fails in library-specific ways; the plain network gives the same numbers
        import copy

        return copy.deepcopy(module)


def head_scores(
    head: nn.Module, features: np.ndarray, task: Task = "single-label", policies: Sequence[Policy] = ()
) -> np.ndarray:
    """(n, D) features -> (n, K) scores as `task` has them; on the CPU in float64: equal features score equally.

    `policies` are those of findings that still have three outputs, as while a plan is carried out.
    """
    import copy

    with torch.inference_mode():
        logits = copy.deepcopy(head).cpu().double().eval()(torch.from_numpy(features.astype(np.float64))).numpy()
    if wide(policies):
        logits = narrowed(logits.T, policies).T
    return meaning.scores(logits, task)
