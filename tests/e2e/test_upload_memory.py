"""An upload leaves the server's memory as soon as it lies on disk (a clinician may walk away with the tab open)."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .conftest import App, settle

MB = 1 << 20
SIZE = 200 * MB


def resident(pid: int) -> int:
    """Bytes of memory the process holds now."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) * 1024  # type: ignore[index]


def test_a_large_upload_does_not_stay_in_memory(app: App, tab: Callable[..., Any], tmp_path: Path) -> None:
    page = tab()
    page.goto(app.url + "/data")
    settle(page)
    large = tmp_path / "large.zip"
    with large.open("wb") as file:
        for _ in range(SIZE // MB):
            file.write(os.urandom(MB))
    before = resident(app.process.pid)
    page.get_by_test_id("stFileUploader").first.locator("input[type=file]").set_input_files(large)
    page.get_by_text("lies ready").wait_for(timeout=120_000)
    settle(page)
    deadline = time.monotonic() + 15
    while resident(app.process.pid) > before + 60 * MB and time.monotonic() < deadline:
        time.sleep(0.5)
    grown = (resident(app.process.pid) - before) / MB
    assert grown < 60, f"{grown:.0f} MB of a 200 MB upload stay in memory"
