package namespace_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/emulator/servicebus"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

const text = "Endpoint=sb://bus.example.net/;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0"

func TestFind(t *testing.T) {
	for name, test := range map[string]struct {
		connection, host string
		env              map[string]string
		want             string // the host
		err              string
	}{
		"flag":                    {connection: text, env: map[string]string{"GOLDMINT_NAMESPACE": "other"}, want: "bus.example.net"},
		"bare name":               {host: "mybus", want: "mybus.servicebus.windows.net"},
		"host":                    {host: "mybus.servicebus.chinacloudapi.cn", want: "mybus.servicebus.chinacloudapi.cn"},
		"namespace over the env":  {host: "mybus", env: map[string]string{"GOLDMINT_CONNECTION_STRING": text}, want: "mybus.servicebus.windows.net"},
		"env":                     {env: map[string]string{"GOLDMINT_CONNECTION_STRING": text, "ServiceBusConnection": "x"}, want: "bus.example.net"},
		"the function's settings": {env: map[string]string{"ServiceBusConnection__fullyQualifiedNamespace": "app.servicebus.windows.net"}, want: "app.servicebus.windows.net"},
		"loopback":                {connection: "Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0;UseDevelopmentEmulator=true", want: "127.0.0.1:5672"},
		"nothing":                 {err: "which Service Bus namespace?"},
		"both":                    {connection: text, host: "mybus", err: "keep one"},
		"a URL":                   {host: "https://mybus.servicebus.windows.net", err: "--namespace is"},
		"malformed":               {connection: "SharedAccessKey=c2VjcmV0", err: "--connection-string is no connection string"},
		"malformed in the env":    {env: map[string]string{"ServiceBusConnection": "sb://x;SharedAccessKey=c2VjcmV0"}, err: "ServiceBusConnection is no connection string"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := namespace.Find(test.connection, test.host, func(k string) string { return test.env[k] })
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "c2VjcmV0") {
					t.Errorf("got %v, want …%s…, without the key", err, test.err)
				}
				return
			}
			if err != nil || got.Host != test.want {
				t.Errorf("got %q, %v, want %q", got.Host, err, test.want)
			}
		})
	}
}

// What the real client says of a wrong key and of an entity that is not there becomes a hint.
func TestExplain(t *testing.T) {
	bus := servicebus.Start(t, servicebus.Options{})
	good := bus.ConnectionString()
	bad := strings.Replace(good, "SharedAccessKey=", "SharedAccessKey=AAAA", 1)
	for name, test := range map[string]struct{ connection, error, hint string }{
		"wrong key": {bad, "does not let you use queue builds", "shared access policy of --connection-string must be current and grant Send"},
		"no entity": {good, "has no queue builds", "check the queue"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := namespace.Find(test.connection, "", nothing)
			if err != nil {
				t.Fatal(err)
			}
			err = a.Explain(send(t, a), namespace.Entity{Queue: "builds"}, namespace.Send)
			var refusal *namespace.Refusal
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), test.error) || !strings.Contains(refusal.Hint, test.hint) {
				t.Errorf("got %v, %+v", err, refusal)
			}
		})
	}
}

// Signed in without a role: the hint names the role and where to assign it.
func TestExplainRole(t *testing.T) {
	a, err := namespace.Find("", "mybus", nothing)
	if err != nil {
		t.Fatal(err)
	}
	refused := &azservicebus.Error{Code: azservicebus.CodeUnauthorizedAccess}
	for _, test := range []struct {
		entity namespace.Entity
		right  namespace.Right
		want   []string
	}{
		{namespace.Entity{Queue: "image-builds"}, namespace.Send, []string{`"Azure Service Bus Data Sender"`, "/queues/image-builds"}},
		{namespace.Entity{Topic: "image-events"}, namespace.Send, []string{`"Azure Service Bus Data Sender" on the topic image-events`, `/topics/image-events"`}},
		{namespace.Entity{Topic: "image-events", Subscription: "history"}, namespace.Listen, []string{`"Azure Service Bus Data Receiver"`, "/topics/image-events/subscriptions/history"}},
	} {
		var refusal *namespace.Refusal
		if err := a.Explain(refused, test.entity, test.right); !errors.As(err, &refusal) {
			t.Fatal(err)
		}
		if refusal.Role != test.right.Role {
			t.Errorf("role %q, want %q", refusal.Role, test.right.Role)
		}
		for _, want := range append(test.want, "name=='mybus'") {
			if !strings.Contains(refusal.Hint, want) {
				t.Errorf("the hint lacks %s: %s", want, refusal.Hint)
			}
		}
	}
}

// A network error may pass, so it is no refusal, and its text is shown without the client's
// prefixes.
func TestNoAnswerIsNoRefusal(t *testing.T) {
	bus, err := servicebus.Listen(servicebus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := namespace.Find(bus.ConnectionString(), "", nothing)
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Close(); err != nil {
		t.Fatal(err)
	}
	err = a.Explain(send(t, a), namespace.Entity{Queue: "builds"}, namespace.Send)
	var refusal *namespace.Refusal
	if errors.As(err, &refusal) || !strings.HasPrefix(namespace.Brief(err), "dial tcp ") {
		t.Errorf("got %v", err)
	}
}

func send(t *testing.T, a namespace.Address) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	client, err := a.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close(ctx) }()
	sender, err := client.NewSender("builds", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err = sender.SendMessage(ctx, &azservicebus.Message{}, nil); err == nil {
		t.Fatal("it was sent")
	}
	return err
}

func nothing(string) string { return "" }
