"""Can MedTL work here? Versions, device, decoders, disk and limits, each with a word on what to do when it is wrong."""

import json
import subprocess
import sys
from typing import Any

from medtl.cohorts import limits
from medtl.errors import MedtlError
from medtl.sources import limits as source_limits
from medtl.sources.optional import installed
from medtl.start import versions
from medtl.training import hindsight
from medtl.training.machine import machine
from medtl.workspace import Workspace

_DECODERS = {"gdcm": "python-gdcm", "openjpeg": "pylibjpeg-openjpeg", "rle": "pylibjpeg-rle"}
_EXTRAS = {
    "nibabel": "NIfTI volumes",
    "cleanlab": "likely wrong labels",
    "rapidocr": "text in pictures",
    "medmnist": "MedMNIST sets by name",
}
_LEAST_DISK = 2e9


def examine(workspace: Workspace) -> dict[str, Any]:
    """{"ok": bool, "problems": [sentences], ...facts}; "ok" False means that the app could not work."""
    problems = []
    try:
        workspace.ensure()
    except MedtlError as error:
        problems.append(str(error))
    pair = _torch_pair()
    if "error" in pair:
        problems.append(
            f"PyTorch and torchvision do not load together ({pair['error']}). Install both from the same place: "
            "pip install -r requirements.txt."
        )
    return {
        "ok": not problems,
        "problems": problems,
        "versions": versions(),
        "torch": pair,
        "device": machine().describe(),
        "estimates": hindsight.typical(workspace),
        "decoders": {name: installed(module) for module, name in _DECODERS.items()},
        "extras": {f"{name} ({what})": installed(name) for name, what in _EXTRAS.items()},
        "home": str(workspace.home),
        "disk_free_gb": round(workspace.free() / 1e9, 1),
        "disk_low": workspace.free() < _LEAST_DISK,
        "limits": dict((*limits.describe(), *source_limits.describe())),
    }


def _torch_pair() -> dict[str, Any]:
    """Asked of a process of its own: a torch that does not match its torchvision fails at import."""
    code = (
        "import json, torch, torchvision; from torchvision.ops import nms; "
        "print(json.dumps({'torch': torch.__version__, 'torchvision': torchvision.__version__, "
        "'cuda': torch.cuda.is_available()}))"
    )
    try:
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return {"error": "no answer in two minutes"}
    if answer.returncode:
        return {"error": answer.stderr.strip().splitlines()[-1] if answer.stderr.strip() else "no reason given"}
    return dict(json.loads(answer.stdout))
