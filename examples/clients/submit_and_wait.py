"""Submits a build request and waits for the image: python3 submit_and_wait.py request.json (pip install azure-servicebus)

Sign-in: GOLDMINT_CONNECTION_STRING; with azure-identity instead: ServiceBusClient(host, DefaultAzureCredential()).
"""
import hashlib
import json
import os
import sys
import time
import uuid

from azure.servicebus import ServiceBusClient, ServiceBusMessage

with open(sys.argv[1], "rb") as file:
    request = json.load(file)
build_id = request.setdefault("id", f"py-{uuid.uuid4()}")
body = json.dumps(request).encode()

with ServiceBusClient.from_connection_string(os.environ["GOLDMINT_CONNECTION_STRING"]) as client:
    with client.get_queue_sender("image-requests") as queue:
        # Sent twice, a message with the same id is dropped: sending again after an error is safe.
        message_id = f"{build_id}/{hashlib.sha256(body).hexdigest()[:12]}"
        queue.send_messages(ServiceBusMessage(body, content_type="application/json", message_id=message_id, correlation_id=build_id))

    # Peeking takes nothing: any number of programs may look at the same events.
    ended, rejected, following = None, None, 0
    with client.get_subscription_receiver("image-events", "history") as events:
        while not ended:
            messages = events.peek_messages(250, sequence_number=following)
            for message in messages:
                following = message.sequence_number + 1
                event = json.loads(b"".join(message.body))
                if event["data"]["buildId"] == build_id and event["type"].endswith(("rejected", "succeeded", "failed")):
                    rejected, ended = (event, ended) if event["type"].endswith("rejected") else (rejected, event)
            if not messages and not (ended := ended or rejected):  # an end is preferred to a rejection
                time.sleep(1)

if ended["type"] != "goldmint.build.succeeded":
    sys.exit(f"{ended['type']}: {ended['data']['error']['code']}: {ended['data']['error']['message']}")
print(ended["data"]["imageId"])
