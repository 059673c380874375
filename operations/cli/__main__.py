"""`python -m operations.cli`: the same as `qnt9`."""

from operations.cli import main

main()
