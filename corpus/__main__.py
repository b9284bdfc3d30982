"""`python -m corpus`: the command line."""

from corpus.cli.main import main

if __name__ == "__main__":
    main()
