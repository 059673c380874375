"""What can go wrong, in an operator's words."""


class OpsError(Exception):
    """It did not work, or not to the end; nothing is lost, and it can be run again."""


class NotAllowedError(OpsError):
    """What was asked for is never done, whatever the state of the system."""


class TurnedRoundError(OpsError):
    """A range ends before it begins."""


class CutOffError(OpsError):
    """The broker went away in the middle of it."""

    def __init__(self, topic: str, error: BaseException) -> None:
        super().__init__(
            f"{topic}: Kafka did not answer for everything ({type(error).__name__}); what it "
            "acknowledged is kept: run the same command again to continue"
        )
