"""Five updates of a domain set, made by every reuse strategy and judged at target size (paper, section 5)."""
