"""What each command does, from the words typed to one JSON-ready answer: a module a subject, a function a command.

Grammar is in `medtl.cli`, printing in `medtl.printing`. Everything heavy is imported where it is used, so that `--help`
and small commands answer at once.
"""

from medtl.commands import asking, cohorts, machine, pacs, papers, runs, sources, training, trust
from medtl.commands.typed import Answer

__all__ = ["Answer", "asking", "cohorts", "machine", "pacs", "papers", "runs", "sources", "training", "trust"]
