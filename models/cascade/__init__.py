"""Cheap models before the encoder: who answers which text."""
