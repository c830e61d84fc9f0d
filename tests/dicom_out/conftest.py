"""A finished run and what its answers became, made once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from medtl import dicom_out
from medtl.workspace import Workspace
from tests.builders import finished_run
from tests.dicom_out.originals import answer, original

Made = dict[str, Dataset]
KINDS = ("CT", "CR", "US", "CLIP")


@pytest.fixture(scope="session")
def office_ws(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    ws = Workspace(tmp_path_factory.mktemp("dicom") / "home").ensure()
    y = np.arange(60) % 2
    high = np.clip(0.3 + 0.4 * y + np.random.default_rng(0).normal(0, 0.2, 60), 0.01, 0.99)
    finished_run(ws, "r-1", y, np.stack([1 - high, high], axis=1), title="Lumps")
    return ws, "r-1"


@pytest.fixture(scope="session")
def made(
    office_ws: tuple[Workspace, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], tuple[Path, Dataset, dict[str, Any]]]:
    """(kind of original, identity) -> folder of the objects, the original, what `make` said; made when first asked."""
    ws, run = office_ws
    known: dict[tuple[str, str], tuple[Path, Dataset, dict[str, Any]]] = {}

    def of(kind: str, identity: str = "keep") -> tuple[Path, Dataset, dict[str, Any]]:
        if (kind, identity) not in known:
            place = tmp_path_factory.mktemp(f"{kind}-{identity}")
            (place / "original.dcm").write_bytes(original(kind))
            said = dicom_out.make(
                ws,
                run,
                [(place / "original.dcm", answer())],
                place / "out",
                identity=identity,  # type: ignore[arg-type]
            )
            known[kind, identity] = place / "out", dcmread(place / "original.dcm"), said
        return known[kind, identity]

    return of
