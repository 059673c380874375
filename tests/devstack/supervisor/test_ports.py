from collections import Counter

from devstack.supervisor.ports import MAX_INSTANCES, SCALABLE, Ports


def test_no_two_processes_share_a_port_however_far_they_are_scaled() -> None:
    ports = Ports(8000)
    taken = Counter(
        [
            *(ports.exchange, ports.inbox, ports.smtp, ports.postgres, ports.valkey),
            *(ports.kafka, ports.kafka_controller, ports.web, ports.web_health),
        ]
    )
    for instance in range(1, MAX_INSTANCES + 1):
        taken[ports.gateway(instance)] += 1
        taken.update(ports.health(role, instance) for role in SCALABLE)
    assert set(taken.values()) == {1}
