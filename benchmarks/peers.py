"""What a user would pick instead of MedTL, as such a user would write it: nothing of MedTL's engine is in here.

Every peer is handed the labelled images of a draw and may learn from all of them; it answers with scores of the test
cases. Letters: N cases, n cases in hand, K classes.
"""

import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional
from torchvision.models import mobilenet_v2

EPOCHS, BATCH = 10, 32
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def plain_loop(
    images: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray, weights: Path | None, seed: int,
    frozen_norms: bool = False, rate: float = 1e-4, epochs: int = EPOCHS,
) -> np.ndarray:  # fmt: skip
    """Adam over all layers, a new last layer, no augmentation: the loop of every tutorial. `weights` None: from
    scratch. `frozen_norms`: batch norms stay in eval mode."""
    torch.manual_seed(seed)
    net = mobilenet_v2()
    if weights:
        net.load_state_dict(load_file(weights))
    net.classifier[1] = nn.Linear(net.last_channel, int(labels.max()) + 1)
    net = net.to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in range(epochs):
        order = train[torch.randperm(len(train)).numpy()]
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            if len(batch) == 1:
                continue  # batch norm cannot learn from one
            net.train()
            if frozen_norms:
                for module in net.modules():
                    if isinstance(module, nn.BatchNorm2d):
                        module.eval()
            optimiser.zero_grad()
            # Batch norms in eval mode let the gradient be summed over small parts, which is faster on a CPU.
            for part in np.array_split(batch, max(1, len(batch) // 8)) if frozen_norms else [batch]:
                loss = functional.cross_entropy(net(_shown(images[part])), torch.from_numpy(labels[part]))
                (loss * len(part) / len(batch)).backward()
            optimiser.step()
    return _scores(net, images, test)


def scikit(features: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Logistic regression on frozen features with the settings scikit-learn has (rounds raised, so that it ends)."""
    from sklearn.linear_model import LogisticRegression

    return np.asarray(
        LogisticRegression(max_iter=1000).fit(features[train], labels[train]).predict_proba(features[test])
    )


def frozen_features(images: np.ndarray, weights: Path) -> np.ndarray:
    """(N, 1280): what the network sees, average pooled."""
    net = mobilenet_v2()
    net.load_state_dict(load_file(weights))
    net.classifier = nn.Identity()
    return _outputs(net, images, np.arange(len(images)))


class Fastai:
    """A process in fastai's own environment that answers one job after the other."""

    def __init__(self, python: Path, threads: int) -> None:
        script = Path(__file__).parent / "fastai_peer.py"
        self.process = subprocess.Popen(
            [str(python), str(script), str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(
        self, file: Path, labels: np.ndarray, train: np.ndarray, test: np.ndarray, weights: Path, seed: int
    ) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder) / "scores.npy"
            job = {
                "images": str(file), "labels": labels.tolist(), "train": train.tolist(), "test": test.tolist(),
                "classes": int(labels.max()) + 1, "weights": str(weights), "seed": seed, "scores": str(answer),
            }  # fmt: skip
            assert self.process.stdin and self.process.stdout
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            if not self.process.stdout.readline():
                raise SystemExit("fastai's process ended; what it said stands above.")
            return np.asarray(np.load(answer))

    def close(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(10)


def _shown(pixels: np.ndarray) -> torch.Tensor:
    x = torch.from_numpy(np.ascontiguousarray(pixels)).float().div_(255)
    x = (x - x.new_tensor(_MEAN).view(1, 3, 1, 1)) / x.new_tensor(_STD).view(1, 3, 1, 1)
    return x.contiguous(memory_format=torch.channels_last)


def _outputs(net: nn.Module, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    net.eval()
    with torch.inference_mode():
        parts = [net(_shown(images[rows[i : i + 8]])).numpy() for i in range(0, len(rows), 8)]
    return np.concatenate(parts)


def _scores(net: nn.Module, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return torch.softmax(torch.from_numpy(_outputs(net, images, rows)), dim=1).numpy()


Peer = Callable[..., np.ndarray]
