"""A run is a folder: recipe, events, proof of life, result. Standard library only; nothing is kept in memory."""
