package main

import (
	"context"
	"strings"
	"testing"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/emulator/servicebus"
	"goldmint/internal/localazure"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// TestDeadLettersWithoutARight: a person with access to one of the queues sees its dead letters and
// a note about the other.
func TestDeadLettersWithoutARight(t *testing.T) {
	bus := servicebus.Start(t, servicebus.Options{Config: localazure.Entities()})
	bury(t, bus, localazure.Requests, "text-1", "make me an image")
	t.Setenv(namespace.EnvConnectionString, bus.Authorize(map[string]servicebus.Rights{localazure.Requests: servicebus.RightListen}))
	var out, errOut strings.Builder
	if status := execute(t.Context(), []string{"dead-letters", "list"}, nil, &out, &errOut); status != exitOK {
		t.Fatalf("status %d: %s", status, errOut.String())
	}
	if !strings.Contains(out.String(), "text-1") || !strings.Contains(errOut.String(), "builds: no right to read") {
		t.Errorf("listed\n%s\nand said\n%s", out.String(), errOut.String())
	}
}

// TestResubmitWithoutARight: what a build sent itself only operators may send again. The others are
// sent, each that is not stays, and the command says how far it came.
func TestResubmitWithoutARight(t *testing.T) {
	bus := servicebus.Start(t, servicebus.Options{Config: localazure.Entities()})
	bury(t, bus, localazure.Requests, "web-1", `{"resourceGroup":"golden","name":"web","image":{"location":"westeurope","properties":{"sourceVirtualMachine":
		{"id":"/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/golden/providers/Microsoft.Compute/virtualMachines/web"}}}}`)
	bury(t, bus, localazure.Builds, "web-2/x/2/1", `{"specversion":"1.0","type":"goldmint.build.continuation","data":{}}`)
	t.Setenv(namespace.EnvConnectionString, bus.Authorize(map[string]servicebus.Rights{
		localazure.Requests: servicebus.RightListen | servicebus.RightSend, localazure.Builds: servicebus.RightListen,
	}))
	var out, errOut strings.Builder
	if status := execute(t.Context(), []string{"dead-letters", "resubmit", "--all"}, nil, &out, &errOut); status != exitUnreachable {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"Sent 1 of 2 messages again.\n", "does not let you use queue image-builds", "operator_principal_ids"} {
		if !strings.Contains(errOut.String(), want) {
			t.Errorf("%q is not said:\n%s", want, errOut.String())
		}
	}
	if !strings.HasPrefix(out.String(), "1  web-1/") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("sent:\n%s", out.String())
	}
	out.Reset()
	execute(t.Context(), []string{"dead-letters", "list"}, nil, &out, &errOut)
	if !strings.Contains(out.String(), "continuation") || strings.Contains(out.String(), "web-1") {
		t.Errorf("left:\n%s", out.String())
	}
}

// bury dead-letters a message in the queue.
func bury(t *testing.T, bus *servicebus.Server, queue, id, body string) {
	t.Helper()
	check := func(err error) {
		if t.Helper(); err != nil {
			t.Fatal(err)
		}
	}
	client, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), nil)
	check(err)
	defer func() { _ = client.Close(context.Background()) }()
	sender, err := client.NewSender(queue, nil)
	check(err)
	check(sender.SendMessage(t.Context(), &azservicebus.Message{MessageID: &id, Body: []byte(body)}, nil))
	receiver, err := client.NewReceiverForQueue(queue, nil)
	check(err)
	messages, err := receiver.ReceiveMessages(t.Context(), 1, nil)
	check(err)
	reason := "InvalidJSON"
	check(receiver.DeadLetterMessage(t.Context(), messages[0], &azservicebus.DeadLetterOptions{Reason: &reason, ErrorDescription: &reason}))
}
