"""The language of the system: envelope, commands, events, topics. Imports nothing else of ours."""
