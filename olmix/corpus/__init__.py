"""From files to tokens: readers, the tokenizer and the token arrays of leaves."""
