// Package goldmint holds the files of the Functions app that the toolchain expects at the repository's root, and the
// deployment's Service Bus entities, so that the local Azure runs the very files that are deployed.
package goldmint

import _ "embed" // for the files below

// HostJSON is host.json, the settings of the Functions host.
//
//go:embed host.json
var HostJSON []byte

// FunctionJSON is function.json, the trigger of the function build-image.
//
//go:embed function.json
var FunctionJSON []byte

// ServiceBusJSON is the queue, the topic and its subscriptions as infra/messaging.tf creates them, in the configuration
// format of Microsoft's Service Bus emulator. It is generated from there.
//
//go:embed infra/local/servicebus.json
var ServiceBusJSON []byte
