package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint"
	"goldmint/cmd/goldmint/internal/requestfile"
	"goldmint/emulator/arm"
	"goldmint/internal/event"
	"goldmint/internal/localazure"

	// What the handler binary is made of: go test must not take a result from its cache when that
	// has changed.
	_ "goldmint/internal/azure"
	_ "goldmint/internal/config"
	_ "goldmint/internal/worker"
)

// quick is a local Azure whose images take a moment, with the real handler in it.
func quick() localazure.Options {
	return localazure.Options{
		Handler: os.Getenv(handlerVariable), HostJSON: goldmint.HostJSON, FunctionJSON: goldmint.FunctionJSON,
		ARM: arm.Options{ImageDuration: 100 * time.Millisecond, Limits: arm.Off()},
		Settings: map[string]string{
			"LOOK_AT": "PT0.1S", "LOOK_MIN": "PT0.1S", "LOOK_MAX": "PT0.5S",
		},
	}
}

// startAzure starts it until cleanup.
func startAzure(ctx context.Context, o localazure.Options, cleanup func(func())) (*localazure.Azure, error) {
	azure, err := localazure.Start(ctx, o)
	if err == nil {
		cleanup(func() { _ = azure.Close() })
	}
	return azure, err
}

// makeSources makes what the request in a file is to be made from.
func makeSources(azure *localazure.Azure, name string, text []byte, settings ...string) error {
	var parsed []requestfile.Setting
	for _, text := range settings {
		s, err := requestfile.ParseSetting(text)
		if err != nil {
			return err
		}
		parsed = append(parsed, s)
	}
	r, err := requestfile.Read(name, text, parsed)
	if err != nil {
		return err
	}
	azure.MakeSources(r)
	return nil
}

// publish sends events to the topic as the handler does.
func publish(ctx context.Context, connectionString string, events ...event.Event) error {
	client, err := azservicebus.NewClientFromConnectionString(connectionString, nil)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close(context.WithoutCancel(ctx)) }()
	sender, err := client.NewSender(localazure.Topic, nil)
	if err != nil {
		return err
	}
	for _, e := range events {
		body, err := e.MarshalJSON()
		if err != nil {
			return err
		}
		if err := sender.SendMessage(ctx, &azservicebus.Message{Body: body, MessageID: &e.ID, ApplicationProperties: e.Properties()}, nil); err != nil {
			return fmt.Errorf("publish %s: %w", e.ID, err)
		}
	}
	return nil
}

// vmRequest is a request in YAML for an image of a virtual machine of its own.
func vmRequest(name string) []byte {
	return fmt.Appendf(nil, `resourceGroup: golden
name: %[1]s
image:
  location: westeurope
  properties:
    sourceVirtualMachine:
      id: /subscriptions/%[2]s/resourceGroups/golden/providers/Microsoft.Compute/virtualMachines/%[1]s
`, name, localazure.SubscriptionID)
}
