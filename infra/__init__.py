"""What every process runs on."""

import sys

# redis-py imports the metrics of OpenTelemetry's SDK wherever it is installed: a tenth of a second
# and 3 MB of each process for what nobody uses. It does without what cannot be imported.
sys.modules.setdefault("opentelemetry.sdk.metrics", None)  # type: ignore[arg-type]
