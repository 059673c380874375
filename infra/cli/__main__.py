"""`python -m infra.cli`: the same as `qnt9`."""

from infra.cli import main

main()
