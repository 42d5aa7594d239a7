"""Benchmarks: ratios and CPU times of one run, never a test. `python -m bench` runs all."""
