"""BUSI, breast ultrasound: strategies x sources, with seconds and memory, through the command line a user has.

    python benchmarks/busi.py                 # linear probe on three sources, and a second probe from the cache
    python benchmarks/busi.py --all           # every strategy on them too (takes long on a CPU)
    python benchmarks/busi.py --paint         # first paint of the app in a real browser as well

Needs the folder `shared` beside the project (images and the ImageNet file); prints a Markdown table. The start of a
process (importing torch) is told apart from its work. Not a test: figures depend on the computer.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
SHARED = PROJECT.parent / "shared"
BUSI = SHARED / "data/images/breast-ultrasound-busi-256"
IMAGENET = SHARED / "weights/mobilenet_v2-imagenet1k.safetensors"
SOURCES = {"random weights": "random-weights", "chest-xray": "chest-xray", "ImageNet file": "imagenet-file"}
OTHERS = ("fine-tune", "freeze-first")
TARGETS = {"auroc": 0.93, "whole": 60, "second": 3, "start": 8, "memory": 1500, "paint": 3}


def medtl(home: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "medtl", "--json", "--home", str(home), *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout))


def random_weights(folder: Path) -> Path:
    """MobileNetV2 as torchvision initialises it: what the architecture gives without any source.

    Batch norms take their statistics from noise; without any, the signal dies on its way through the network.
    """
    path = folder / "random.safetensors"
    code = (
        "import sys, torch; from safetensors.torch import save_file; from torchvision.models import mobilenet_v2; "
        "torch.manual_seed(0); net = mobilenet_v2(); "
        "[setattr(m, 'momentum', None) for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]; "
        "torch.no_grad().__enter__(); net(torch.rand(16, 3, 224, 224)); save_file(net.state_dict(), sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], cwd=PROJECT, check=True)
    return path


def train(home: Path, cohort: str, source: str, strategy: str) -> dict[str, Any]:
    return dict(medtl(home, "train", cohort, "--source", source, "--strategy", strategy)["runs"][0])


def row(name: str, strategy: str, run: dict[str, Any]) -> str:
    auroc = next(e for e in run["estimates"] if e["name"] == "auroc")
    s = run["seconds"]
    difference = run["control"]["difference"]
    return (
        f"| {strategy} | {name} | {auroc['value']:.3f} ({auroc['low']:.3f} to {auroc['high']:.3f}) | {auroc['n']} | "
        f"{difference['value']:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f}) | {s['start']:.1f} | "
        f"{s['read']:.1f} | {s['features']:.1f} | {s['fit']:.1f} | {s['evaluate']:.1f} | {run['peak_memory_mb']} |"
    )


def first_paint(home: Path) -> float:
    """Seconds from opening the page to its heading, in Chromium, server already up, browser cache empty."""
    from playwright.sync_api import sync_playwright

    port = 8790
    environment = {**os.environ, "MEDTL_HOME": str(home)}
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
        cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        import urllib.request

        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        with sync_playwright() as p:
            arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
            browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
            page = browser.new_page()
            began = time.monotonic()
            page.goto(f"http://127.0.0.1:{port}")
            page.get_by_role("heading").first.wait_for()
            seconds = time.monotonic() - began
            browser.close()
        return seconds
    finally:
        server.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="fine-tuning, frozen stages and from scratch as well")
    parser.add_argument("--paint", action="store_true", help="first paint of the app in Chromium")
    options = parser.parse_args()
    if not BUSI.is_dir():
        sys.exit(f"This benchmark needs {BUSI}; it is not part of the project.")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        cohort = medtl(home, "cohort", "add", str(BUSI), "--name", "BUSI", "--exclude-findings", "label-conflict")
        added = time.monotonic() - began
        medtl(home, "source", "add", str(IMAGENET), "--builder", "mobilenet_v2", "--title", "ImageNet file")
        noise = random_weights(Path(folder))
        medtl(home, "source", "add", str(noise), "--builder", "mobilenet_v2", "--title", "random weights")
        print(f"BUSI, {cohort['cases']} cases, {cohort['split']['rule']}; {datetime.date.today()}; "
              f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores\n")  # fmt: skip
        print("| strategy | source | macro AUROC (95 %) | n | over thumbnails (95 %) | start s | read s | features s "
              "| fit s | evaluate s | peak MB |")  # fmt: skip
        print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
        probes = {}
        for name, source in SOURCES.items():
            probes[name] = train(home, cohort["id"], source, "linear-probe")
            print(row(name, "linear-probe", probes[name]), flush=True)
        second = train(home, cohort["id"], SOURCES["ImageNet file"], "linear-probe")
        print(row("ImageNet file, second run", "linear-probe", second), flush=True)
        whole = time.monotonic() - began
        if options.all:
            for strategy in OTHERS:
                for name in ("chest-xray", "ImageNet file"):
                    print(row(name, strategy, train(home, cohort["id"], SOURCES[name], strategy)), flush=True)
            scratch = train(home, cohort["id"], SOURCES["ImageNet file"], "from-scratch")
            print(row("none", "from-scratch", scratch), flush=True)
        auroc = next(e["value"] for e in probes["ImageNet file"]["estimates"] if e["name"] == "auroc")
        work = second["seconds"]["total"] - second["seconds"]["start"]
        memory = max(run["peak_memory_mb"] for run in probes.values())
        measured = {
            "probe on the ImageNet file, macro AUROC": (auroc, ">=", TARGETS["auroc"]),
            "whole command without --all, s": (whole, "<=", TARGETS["whole"]),
            "second probe, work, s": (work, "<=", TARGETS["second"]),
            "second probe, start of the process, s": (second["seconds"]["start"], "<=", TARGETS["start"]),
            "peak memory of the worker, MB": (memory, "<=", TARGETS["memory"]),
        }
        if options.paint:
            measured["first paint of the app, s"] = (first_paint(home), "<=", TARGETS["paint"])
        print(f"\nAdding the cohort (reading, checks, split): {added:.1f} s.\n")
        print("| target | measured | wanted | |\n|---|---|---|---|")
        for name, (value, sign, wanted) in measured.items():
            met = value >= wanted if sign == ">=" else value <= wanted
            print(f"| {name} | {value:.3g} | {sign} {wanted} | {'met' if met else 'MISSED'} |")


if __name__ == "__main__":
    main()
