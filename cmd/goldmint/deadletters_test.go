package main

import (
	"strings"
	"testing"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/emulator/servicebus"
	"goldmint/internal/localazure"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// TestDeadLettersWithoutARight: a person who may read one of the queues sees its dead letters and is told of the other.
func TestDeadLettersWithoutARight(t *testing.T) {
	bus := servicebus.Start(t, servicebus.Options{Config: localazure.Entities()})
	client, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sender, err := client.NewSender(localazure.Requests, nil)
	if err != nil {
		t.Fatal(err)
	}
	id := "text-1"
	if err := sender.SendMessage(t.Context(), &azservicebus.Message{MessageID: &id, Body: []byte("make me an image")}, nil); err != nil {
		t.Fatal(err)
	}
	receiver, err := client.NewReceiverForQueue(localazure.Requests, nil)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := receiver.ReceiveMessages(t.Context(), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	reason := "InvalidJSON"
	if err := receiver.DeadLetterMessage(t.Context(), messages[0], &azservicebus.DeadLetterOptions{Reason: &reason, ErrorDescription: &reason}); err != nil {
		t.Fatal(err)
	}
	t.Setenv(namespace.EnvConnectionString, bus.Authorize(map[string]servicebus.Rights{localazure.Requests: servicebus.RightListen}))
	var out, errOut strings.Builder
	if status := execute(t.Context(), []string{"dead-letters", "list"}, nil, &out, &errOut); status != exitOK {
		t.Fatalf("status %d: %s", status, errOut.String())
	}
	if !strings.Contains(out.String(), "text-1") || !strings.Contains(errOut.String(), "builds: no right to read") {
		t.Errorf("listed\n%s\nand said\n%s", out.String(), errOut.String())
	}
}
