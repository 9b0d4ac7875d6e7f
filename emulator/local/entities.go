package local

import (
	"goldmint"
	"goldmint/emulator/servicebus"
)

// Entities are the queue, the topic and the subscriptions that infra/messaging.tf creates, with the same properties.
func Entities() servicebus.Config {
	c, err := servicebus.ParseConfig(goldmint.ServiceBusJSON)
	if err != nil {
		panic(err) // a file of this repository, which the tests read
	}
	return c
}
