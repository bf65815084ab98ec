"""What the method needs to hear from the training loop."""

from equipoise.doctor.findings.seen import Seen
from equipoise.monitor import line_for


def of_feedback(seen: Seen) -> list[str]:
    """Each call that the method needs, and whether it came so far."""
    balancer = seen.balancer
    found = []
    for call in sorted(balancer.method.needs):
        if call in balancer.heard:
            found.append(f"the method needs to hear balancer.{call}(); heard so far: yes")
        else:
            found.append(
                f"the method needs to hear balancer.{call}(), not heard so far: {line_for(call, balancer.names)}"
            )
    return found
