"""Data in: from a folder, a zip or a table of labels to a `Cohort` on disk. No torch, no screen."""
