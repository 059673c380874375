"""Makes `jgo.lock.toml` anew, for a person to review: `python -m devstack.supervisor.lock`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from jgo.env import LockFile
from jgo.maven import MavenContext
from jgo.parse import Coordinate

from devstack.supervisor.jars import LOCK

WANTED = (
    "org.apache.kafka:kafka_2.13:4.3.1",
    # Kafka logs through slf4j 1.7 and brings log4j 2.25.4 along: this binds the two
    # (and "!" keeps its own management of versions out of Kafka's).
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
)


def main() -> None:
    with TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=60)
        roots = [context.create_dependency(Coordinate.parse(name)) for name in WANTED]
        inputs, transitive = context.resolver.resolve(roots)
        found = [*inputs, *(each for each in transitive if each.scope in {"compile", "runtime"})]
        found.sort(key=lambda each: (each.groupId, each.artifactId))
        LockFile.from_resolved_dependencies(found, environment_name="kafka").save(LOCK)
    sys.stdout.write(f"{len(found)} jars locked in {LOCK}\n")


if __name__ == "__main__":
    main()
