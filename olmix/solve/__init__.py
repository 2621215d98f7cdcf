"""The mixture problem: exact solvers, certificates, proposals and the proof by training."""
