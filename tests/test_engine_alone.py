"""The engine works without the screen, the readers and the explainer: scripts and clusters need not install them."""

from pathlib import Path

from tests.builders import python

# `sys.meta_path` is asked before anything is found: whoever imports one of these is refused.
CODE = """
import sys

BLOCKED = {"streamlit", "pydicom", "pytorch_grad_cam", "gdcm", "plotly"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Refuse())

import importlib, pathlib, pkgutil
import medtl

for package in ("training", "sources", "strategies", "evaluation", "runs", "modalities", "explanation", "cohorts"):
    top = importlib.import_module(f"medtl.{package}")
    for found in pkgutil.iter_modules(top.__path__):
        importlib.import_module(f"{top.__name__}.{found.name}")
for name in ("start", "worker", "consultant", "prediction", "cli", "doctor", "demo"):
    importlib.import_module(f"medtl.{name}")

from medtl import strategies
from tests.builders import Heard, easy_examples, engine, image_network

network, heard = image_network(), Heard()
strategy = strategies.make("fine-tune", {"epochs": 2, "augmentation": "mild"})
fitted = engine(easy_examples(n=40), heard=heard).carry_out(network, strategy.plan(network.outline(), 2))
assert not fitted.stopped and len(heard.epochs) == 2
assert not BLOCKED & {name.split(".")[0] for name in sys.modules}
print("done")
"""


def test_a_plan_is_carried_out_where_nothing_but_the_engine_is_installed(tmp_path: Path) -> None:
    answer = python(CODE, MEDTL_HOME=str(tmp_path))
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert answer.stdout.strip().endswith("done")
