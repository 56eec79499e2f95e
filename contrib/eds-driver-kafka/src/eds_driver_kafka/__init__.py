"""Apache Kafka as a destination of EDS."""

from .driver import KafkaDriver

__all__ = ["KafkaDriver"]
