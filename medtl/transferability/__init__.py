"""How well a source suits a target, before any training: scores, distances, overlap, a short race. numpy; no files of
cohorts, no screen; only the race trains."""
