"""Outcomes of verification commands."""

INVALID = {"status": "failed", "code": "invalid-token", "detail": None}


PROOF_REQUIRED = INVALID | {"code": "proof-required"}


DONE = {"status": "succeeded", "result": None, "created": False}
