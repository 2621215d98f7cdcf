"""Laws: families of regressions from mixture to score, cross-validation, and the fit of a swarm."""
