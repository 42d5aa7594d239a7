"""The real API: where it is, whether it answers, what a run of it will cost."""
