"""Adapting a model to a user's own labels, so that it does not forget the old ones."""
