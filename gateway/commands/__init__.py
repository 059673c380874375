"""Commands on their way to Kafka and their results on the way back."""
