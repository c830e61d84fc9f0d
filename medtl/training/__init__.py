"""Carrying out plans: devices, batches, the feature cache, the head, the loop. `machine` and `cost` need no torch."""
