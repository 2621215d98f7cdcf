"""The domain set: what `domains/*.yaml` declares and the content behind it."""
