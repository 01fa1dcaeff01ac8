"""Small models that learn from the large one."""
