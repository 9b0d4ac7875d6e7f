package local

import (
	"time"

	"goldmint/emulator/servicebus"
)

// Entities are the queue, the topic and the subscription that infra/messaging.tf creates, with the same properties.
func Entities() servicebus.Config {
	c, err := servicebus.ParseConfig([]byte(entities))
	if err != nil {
		panic(err) // the text below; a test reads it
	}
	return c
}

// shortLock replaces the queue's lock duration where faults leave messages locked for receivers that are gone: five
// minutes are long to wait for each.
const shortLock = 5 * time.Second

// entitiesFor are the entities for an Azure with such faults.
func entitiesFor(f Faults) servicebus.Config {
	c := Entities()
	if f.losesLocks() {
		c.UserConfig.Namespaces[0].Queues[0].Properties.LockDuration = servicebus.Duration(shortLock)
	}
	return c
}

const entities = `{"UserConfig": {"Namespaces": [{"Name": "goldmint",
  "Queues": [{"Name": "image-builds", "Properties": {
    "LockDuration": "PT5M", "MaxDeliveryCount": 10, "RequiresDuplicateDetection": true,
    "DuplicateDetectionHistoryTimeWindow": "P7D", "DefaultMessageTimeToLive": "P3D", "DeadLetteringOnMessageExpiration": true}}],
  "Topics": [{"Name": "image-events", "Properties": {
    "RequiresDuplicateDetection": true, "DuplicateDetectionHistoryTimeWindow": "P7D", "DefaultMessageTimeToLive": "P7D"},
    "Subscriptions": [{"Name": "history", "Properties": {
      "DefaultMessageTimeToLive": "P1D", "DeadLetteringOnMessageExpiration": false, "LockDuration": "PT1M", "MaxDeliveryCount": 10}}]}]
}]}}`
