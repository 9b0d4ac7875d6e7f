// Submits a build request and waits for the image: node submit-and-wait.mjs request.json
// Sign-in: GOLDMINT_CONNECTION_STRING; with @azure/identity instead: new ServiceBusClient(host, new DefaultAzureCredential()).
import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { ServiceBusClient } from "@azure/service-bus";
import Long from "long";

const request = JSON.parse(await readFile(process.argv[2], "utf8"));
request.id ??= `js-${randomUUID()}`;
const body = Buffer.from(JSON.stringify(request));
const hash = createHash("sha256").update(body).digest("hex").slice(0, 12);

const client = new ServiceBusClient(process.env.GOLDMINT_CONNECTION_STRING);
const queue = client.createSender("image-requests");
// Sent twice, a message with the same id is dropped: sending again after an error is safe.
await queue.sendMessages({ body, contentType: "application/json", messageId: `${request.id}/${hash}`, correlationId: request.id });

// Peeking takes nothing: any number of programs may look at the same events.
const events = client.createReceiver("image-events", "history");
let next = Long.ZERO, rejected, ended;
while (!ended) {
  const messages = await events.peekMessages(250, { fromSequenceNumber: next });
  for (const message of messages) {
    next = message.sequenceNumber.add(1);
    if (message.applicationProperties?.buildId !== request.id) continue;
    const event = Buffer.isBuffer(message.body) ? JSON.parse(message.body) : message.body;
    if (event.type === "goldmint.build.rejected") rejected = event;
    else if (["goldmint.build.succeeded", "goldmint.build.failed"].includes(event.type)) ended = event;
  }
  if (messages.length === 0) {
    ended ??= rejected; // an end is preferred to a rejection
    if (!ended) await setTimeout(1000);
  }
}
await client.close();
if (ended.type !== "goldmint.build.succeeded") throw new Error(`${ended.type}: ${ended.data.error.code}: ${ended.data.error.message}`);
console.log(ended.data.imageId);
