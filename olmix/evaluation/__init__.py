"""What proxies are evaluated on, and their scores in bits per byte."""
