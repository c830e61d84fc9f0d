"""fastai's `vision_learner(...).fine_tune(...)` as its quick start has it, on images and weights it is handed.

Runs in an environment of its own (`pip install fastai safetensors`), which MedTL does not share. Reads one job a line,
{"images": ..., "labels": [...], "train": [...], "test": [...], "classes": K, "weights": ..., "seed": 0, "scores": ...},
with paths of files; writes the (n, K) scores of the test cases and prints the seconds it took.
"""

import json
import sys
import time

import numpy as np
import torch
from fastai.vision.all import (
    CategoryBlock,
    DataBlock,
    ImageBlock,
    Resize,
    default_split,
    imagenet_stats,
    model_meta,
    set_seed,
    vision_learner,
)
from safetensors.torch import load_file
from torchvision.models import mobilenet_v2

EPOCHS = 10


def scores(job: dict) -> np.ndarray:
    images = np.load(job["images"], mmap_mode="r")
    labels, train, test = job["labels"], job["train"], job["test"]

    def network(**_):
        net = mobilenet_v2()
        net.load_state_dict(load_file(job["weights"]))
        return net

    model_meta[network] = {"cut": -1, "split": default_split, "stats": imagenet_stats}
    set_seed(job["seed"], reproducible=True)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=list(range(job["classes"])))),
        get_x=lambda i: np.ascontiguousarray(images[i].transpose(1, 2, 0)),
        get_y=lambda i: labels[i],
        # Everything handed over is trained on; the part it reports on is a copy of some and changes nothing.
        splitter=lambda items: (list(range(len(items))), list(range(min(len(items), 8)))),
        item_tfms=Resize(224),
    )
    # Its default of 64 drops the last, incomplete batch, which on few images is the only one.
    data = block.dataloaders(train, bs=32 if len(train) >= 64 else min(16, len(train)), num_workers=0)
    learner = vision_learner(data, network)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(EPOCHS)
        given, _ = learner.get_preds(dl=data.test_dl(test, bs=8, num_workers=0))
    return given.numpy()


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]))
    for line in sys.stdin:
        job = json.loads(line)
        began = time.monotonic()
        np.save(job["scores"], scores(job))
        print(json.dumps({"seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main()
