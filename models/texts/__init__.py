"""The texts that training sees: which rows, how often, and what is done to them."""
