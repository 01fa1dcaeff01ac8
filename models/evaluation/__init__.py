"""Measuring a model on labelled text, and the model card that tells the figures."""
