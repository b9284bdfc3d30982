"""Corpusmill: staged jobs that turn raw crawls into token shards, with a verdict for every document."""

__version__ = "0.1.0"
