"""Which settings would suit the runs at hand: the paper's comparison of design choices (section 3) on any swarm."""
