"""What differs between kinds of data: how cases reach a network."""
