"""The default extractor: a classifier of text blocks over a parser without a tree. See `extractor.py`."""

# Any change of what comes out raises it; documents carry it, with the first digits of the model's digest.
VERSION = "1"
