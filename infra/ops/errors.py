"""What can go wrong, in an operator's words."""


class OpsError(Exception):
    """It did not work, or not to the end; nothing is lost, and it can be run again."""


class NotAllowedError(OpsError):
    """What was asked for is never done, whatever the state of the system."""
