"""Proofs that a run of the real API tells the truth, on servers that are not the real API."""
