"""How steady a model is when a text changes and its meaning does not."""
