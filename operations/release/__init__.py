"""What a release carries besides its code: a bill of materials, an audit, images by digest.

Run in a checkout as `python -m operations.release`, as `make sbom`, `make audit` and `make
pin-images` do.
"""
