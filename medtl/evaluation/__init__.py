"""What the test part says of a model: estimates with intervals, threshold, comparison, curves, words. Numpy only."""
