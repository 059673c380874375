"""Benchmarks that anyone can run: ratios taken side by side in one run."""
