"""The report: one self-contained page, and a picture for the README, from plain values."""
