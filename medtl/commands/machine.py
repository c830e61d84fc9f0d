"""What the example and the machine are asked."""

import argparse

from medtl.commands import aloud
from medtl.commands.typed import Answer
from medtl.workspace import Workspace


def demo(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import demo
    from medtl.runs import results

    aloud.say("Making the SYNTHETIC example (a cohort and one finished run); under a minute, and only once ...")
    cohort, run = demo.ensure(ws)
    return {"cohort": cohort, "run": run, "sentence": results.describe(ws, run)["sentence"]}


def doctor(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import doctor

    report = doctor.examine(ws)
    return {**report, "exit": 0 if report["ok"] else 1}
