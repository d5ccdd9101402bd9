"""librdkafka, as one member of a group and as the one who makes topics and records.

Consuming it prints what Kafka's VerifiableConsumer prints, one JSON object a line.
"""

import json
import signal
import sys
import time

import confluent_kafka
from confluent_kafka import admin


def say(event, **fields):
    now = time.time_ns() // 1_000_000
    print(json.dumps({"timestamp": now, "name": event, **fields}), flush=True)


def places(partitions):
    return [{"topic": it.topic, "partition": it.partition} for it in partitions]


def consume(bootstrap, topic, group, strategy):
    running = True

    def stop(*_):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap,
        "client.id": "librdkafka",
        "group.id": group,
        "partition.assignment.strategy": strategy,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 10000,
        "heartbeat.interval.ms": 500,
    })
    consumer.subscribe(
        [topic],
        on_assign=lambda _, partitions: say("partitions_assigned", partitions=places(partitions)),
        on_revoke=lambda _, partitions: say("partitions_revoked", partitions=places(partitions)),
    )
    while running:
        message = consumer.poll(0.1)
        if message is None:
            continue
        if message.error():
            print(message.error(), file=sys.stderr, flush=True)
            continue
        say("records_consumed", count=1, partitions=[{
            "topic": message.topic(),
            "partition": message.partition(),
            "count": 1,
            "minOffset": message.offset(),
            "maxOffset": message.offset(),
        }])
    consumer.close()
    say("shutdown_complete")


def create(bootstrap, topic, partitions):
    client = admin.AdminClient({"bootstrap.servers": bootstrap})
    made = client.create_topics([admin.NewTopic(topic, int(partitions), 1)])
    made[topic].result(30)


def produce(bootstrap, topic, partitions, count):
    failures = []
    producer = confluent_kafka.Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "compression.type": "lz4",
    })
    for number in range(int(count)):
        for partition in range(int(partitions)):
            producer.produce(
                topic,
                str(number),
                partition=partition,
                on_delivery=lambda error, _: failures.append(error) if error else None,
            )
    if producer.flush(60) or failures:
        sys.exit(f"records were not taken: {failures[:3]}")


def trickle(bootstrap, topic, partitions, milliseconds):
    """Sends a record to every partition each time so many milliseconds are over, until it is told to end."""
    running = True

    def stop(*_):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    due = time.monotonic()
    while running:
        for partition in range(int(partitions)):
            producer.produce(topic, "a record", partition=partition)
        producer.poll(0)
        due += int(milliseconds) / 1000
        time.sleep(max(0, due - time.monotonic()))
    producer.flush(60)


{"consume": consume, "create": create, "produce": produce, "trickle": trickle}[sys.argv[1]](*sys.argv[2:])
