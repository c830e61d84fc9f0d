"""Is this the kind of image the model was trained on? Asked before any score is believed. Numpy only."""
