"""`python -m hdrmodel.cli`, as torchrun calls it."""

from hdrmodel.cli.root import main

if __name__ == "__main__":
    main()
