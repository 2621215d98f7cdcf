"""Data mixing by experiment, as a reproducible build graph (Olmix, arXiv 2602.12237)."""
