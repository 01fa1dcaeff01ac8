"""How far a probability is to be trusted: temperatures, calibration error, and when to say nothing."""
