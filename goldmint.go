// Package goldmint holds the files of the Functions app that the toolchain expects at the
// repository's root, and the deployment's Service Bus entities, so that the local Azure runs the
// very files that are deployed.
package goldmint

import (
	"bytes"
	_ "embed" // for the files below
)

// HostJSON is host.json, the settings of the Functions host.
//
//go:embed host.json
var HostJSON []byte

// FunctionJSON is function.json, the trigger of the function take-request.
//
//go:embed function.json
var FunctionJSON []byte

// ServiceBusJSON is the queues, the topic and its subscriptions as infra/messaging.tf creates them,
// in the configuration format of Microsoft's Service Bus emulator. It is generated from there.
//
//go:embed infra/local/servicebus.json
var ServiceBusJSON []byte

// Functions are the app's functions, by the folder in which the host wants each: the function.json
// of the one that takes requests as it is, and of the one that builds images with its own queue in
// the place of the requests'.
func Functions(functionJSON []byte) map[string][]byte {
	return map[string][]byte{
		"take-request": functionJSON,
		"build-image":  bytes.Replace(functionJSON, []byte("%REQUEST_QUEUE%"), []byte("%BUILD_QUEUE%"), 1),
	}
}
