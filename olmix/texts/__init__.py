"""The default texts (ten domains) and evaluation items, built from pinned packages; see `olmix.texts.build`."""
