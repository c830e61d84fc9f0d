"""The sections of the study report, a file a subject. Each takes the facts, gives `Section`s and computes no number."""
