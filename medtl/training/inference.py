"""Forward passes without gradients: features and scores, with batch norm folded into the convolutions before it."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from medtl.sources.network import Network
from medtl.training.device import Device
from medtl.training.head import softmax
from medtl.training.tensors import to_input
from medtl.vocabulary import InputSpec


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

    def __init__(self, network: Network, spec: InputSpec, device: Device) -> None:
        self.spec = spec
        self.device = device
        self.network = device.place(folded(_Features(network.eval())))

    def features(
        self,
        take: Callable[[np.ndarray], np.ndarray],
        indices: np.ndarray,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """`take(indices)` gives (b, C, S, S) uint8 -> (n, D) float32 for n indices."""
        rows = []
        step = self.device.chunk_forward
        with torch.inference_mode():
            for start in range(0, len(indices), step):
                chunk = indices[start : start + step]
                x = to_input(take(chunk), self.spec, self.device.where)
                with torch.autocast(
                    self.device.name, dtype=self.device.autocast, enabled=self.device.autocast is not None
                ):
                    y = self.network(x)
                rows.append(y.float().cpu().numpy())
                on_progress(start + len(chunk), len(indices))
        return np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)


def folded(module: nn.Module) -> nn.Module:
    """A copy for inference with batch norms folded into their convolutions, where the graph can be traced."""
    from torch.fx.experimental.optimization import fuse

    try:
        return fuse(module)
    except Exception:  # noqa: BLE001 - tracing fails in library-specific ways; the plain network gives the same numbers
        import copy

        return copy.deepcopy(module)


def head_scores(head: nn.Module, features: np.ndarray) -> np.ndarray:
    """(n, D) features -> (n, K) scores, rows sum to 1; on the CPU in float64, so that equal features score equally."""
    import copy

    with torch.inference_mode():
        logits = copy.deepcopy(head).cpu().double().eval()(torch.from_numpy(features.astype(np.float64)))
    return softmax(logits.numpy())
