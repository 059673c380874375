"""Make and check a release: version, changelog, wheel, image, bills of materials, commit messages.

Run in a checkout as `python -m operations.release`; the targets of the Makefile do.
docs/releasing.md has the procedure.
"""
