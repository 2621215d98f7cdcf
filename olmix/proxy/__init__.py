"""Proxy runs: a small language model trained on one mixture."""
