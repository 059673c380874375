"""Dead letters: which there are and why, and how they are redriven or discarded."""
