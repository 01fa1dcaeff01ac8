"""Which words moved a score, and whether that is true of the model."""
