package localazure

import (
	"time"

	"goldmint"
	"goldmint/emulator/servicebus"
)

// Entities are the queues, the topic and the subscriptions that infra/messaging.tf creates, with
// the same properties.
func Entities() servicebus.Config {
	c, err := servicebus.ParseConfig(goldmint.ServiceBusJSON)
	if err != nil {
		panic(err) // a file of this repository, which the tests read
	}
	return c
}

// shortLock replaces the queues' lock duration where faults leave messages locked for receivers
// that are gone, because waiting five minutes for each would take too long.
const shortLock = 5 * time.Second

// entitiesFor are the entities for an Azure with those faults.
func entitiesFor(f Faults) servicebus.Config {
	c := Entities()
	if f.losesLocks() {
		for i := range c.UserConfig.Namespaces[0].Queues {
			c.UserConfig.Namespaces[0].Queues[i].Properties.LockDuration = servicebus.Duration(shortLock)
		}
	}
	return c
}
