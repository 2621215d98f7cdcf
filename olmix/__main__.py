"""`python -m olmix`."""

from olmix.cli import main

main()
