"""What `qnt9 up` was asked for."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

DEFAULT_FOLDER = Path(".qnt9")
DEFAULT_PORT_BASE = 8000


@dataclass(frozen=True)
class Options:
    data: Path
    port_base: int = DEFAULT_PORT_BASE
    quotes: str = "sandbox"
    limits: str = "relaxed"
    scale: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self) | {"data": str(self.data)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        values: dict[str, Any] = json.loads(text)
        return cls(**(values | {"data": Path(values["data"])}))
