"""How the classifier of `cascade` came to be: `python -m corpus.extract.cascade.training KIT`."""
