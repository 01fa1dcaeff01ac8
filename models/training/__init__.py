"""Learning: linear heads on frozen features, and fine-tuning with its techniques."""
