"""What to run: generations of the domain set, mixture reuse, the prior and the swarm. Pure functions only."""
