"""What can be said of a finished run, and how sure: one `Judgement` for the Trust page, the papers, Use and the CLI."""
