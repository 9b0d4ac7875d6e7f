// Package localazure is a whole Azure for Goldmint on loopback: Service Bus, Resource Manager,
// Event Grid's messages about VMs, a managed identity and the Functions host, wired together around
// the handler binary that is deployed.
package localazure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"goldmint"
	"goldmint/emulator/arm"
	"goldmint/emulator/blob"
	"goldmint/emulator/functions"
	"goldmint/emulator/identity"
	"goldmint/emulator/servicebus"
)

// Names of the entities and of the identity, as infra/ creates them.
const (
	Requests       = "image-requests"
	Builds         = "image-builds"
	Topic          = "image-events"
	History        = "history"
	SubscriptionID = "11111111-2222-3333-4444-555555555555" // of requests without a subscription
	ClientID       = "9b1f9a3e-7c52-4d0e-8a64-0c7f3a5d2e11" // of the function's user-assigned identity
	audience       = "https://management.azure.com"         // of the handler's tokens
)

// Options say how the local Azure behaves.
type Options struct {
	Handler      string                         // path of the handler binary
	HostJSON     []byte                         // host.json
	FunctionJSON []byte                         // function.json of both functions
	Settings     map[string]string              // more app settings for the handler
	ARM          arm.Options                    // address, durations, limits, faults
	ServiceBus   servicebus.Options             // address and key
	Identity     identity.Options               // address
	Faults       Faults                         // chances of faults; Azure.Misbehave causes those of processes and connections
	Console      func(line string, stderr bool) // the handler's console
	Log          func(line string)              // the Functions host's own lines
}

// Azure is a running local Azure.
type Azure struct {
	ServiceBus *servicebus.Server
	ARM        *arm.Server
	Identity   *identity.Server
	Storage    *blob.Server // with the container of the rate limits
	Host       *functions.Host
	more       []*functions.Host

	events  *eventGrid
	app     functions.Options
	appRoot string
	faults  Faults
	cloud   arm.Cloud
	log     func(string)
	starts  int            // of the handler, by hosts that have ended
	done    map[string]int // faults of processes and connections, by name
}

// Start starts everything and returns when the handler is ready. After an error nothing is left
// running.
func Start(ctx context.Context, o Options) (*Azure, error) {
	a := &Azure{faults: o.Faults, cloud: o.ARM.Cloud, log: o.Log, done: map[string]int{}}
	if a.log == nil {
		a.log = func(string) {}
	}
	if err := a.start(ctx, o); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *Azure) start(ctx context.Context, o Options) (err error) {
	o.ServiceBus.Config, o.ServiceBus.Faults = entitiesFor(o.Faults), o.Faults.ServiceBus
	o.Identity.ClientIDs = []string{ClientID}
	if a.ServiceBus, err = servicebus.Listen(o.ServiceBus); err != nil {
		return fmt.Errorf("local Service Bus: %w", err)
	}
	if a.Identity, err = identity.Listen(o.Identity); err != nil {
		return fmt.Errorf("local managed identity: %w", err)
	}
	if a.Storage, err = blob.Listen(blob.Options{Authorize: func(token string) bool { return a.Identity.Valid(token, "https://storage.azure.com") }}); err != nil {
		return fmt.Errorf("local storage: %w", err)
	}
	a.events = &eventGrid{log: o.Log}
	if err = a.events.subscribe(a.ServiceBus.ConnectionString()); err != nil {
		return fmt.Errorf("local Event Grid: %w", err)
	}
	o.ARM.OnAction = a.events.deliver
	if o.Faults.ARM != (arm.Faults{}) {
		o.ARM.Faults = o.Faults.ARM
	}
	o.ARM.TLS = true // for clients that accept only TLS, such as Terraform's azurerm
	o.ARM.Intercept = a.intercept(o.ARM.Intercept)
	o.ARM.Authorize = a.forResourceManager
	if a.ARM, err = arm.Listen(o.ARM); err != nil {
		return fmt.Errorf("local Resource Manager: %w", err)
	}
	if a.appRoot, err = layOut(o); err != nil {
		return fmt.Errorf("local Functions app: %w", err)
	}
	a.app = functions.Options{AppRoot: a.appRoot, Settings: a.settings(o.Settings), Output: o.Console, Log: o.Log}
	if o.Faults.Kill > 0 { // otherwise the host would end at the third death
		a.app.Timing.RestartWindow = time.Nanosecond
	}
	return a.StartHost(ctx)
}

// intercept lets the identity answer for Entra ID, as Resource Manager's metadata says that clients
// sign in there. Everything else follows the caller's options.
func (a *Azure) intercept(own func(*http.Request) http.Handler) func(*http.Request) http.Handler {
	return func(r *http.Request) http.Handler {
		if h := a.Identity.Directory(r); h != nil || own == nil {
			return h
		}
		return own(r)
	}
}

// forResourceManager reports whether a token is meant for this Resource Manager: its audience is
// one of the cloud's names for it, or its own address, as Terraform's azurerm wants it.
func (a *Azure) forResourceManager(token string) bool {
	audiences := append(a.cloud.Audiences(), audience, a.ARM.Endpoint(), a.ARM.PlainEndpoint())
	return slices.ContainsFunc(audiences, func(resource string) bool { return a.Identity.Valid(token, resource) })
}

// StartHost starts the Functions host, again after its Stop.
func (a *Azure) StartHost(ctx context.Context) (err error) {
	if a.Host, err = functions.Start(ctx, a.app); err != nil {
		return fmt.Errorf("local Functions host: %w", err)
	}
	return nil
}

// AddHost starts another Functions host beside the first, with its own handler on the same queues,
// like another instance in Azure. It ends with the local Azure.
func (a *Azure) AddHost(ctx context.Context) (*functions.Host, error) {
	h, err := functions.Start(ctx, a.app)
	if err != nil {
		return nil, fmt.Errorf("another local Functions host: %w", err)
	}
	a.more = append(a.more, h)
	return h, nil
}

// Starts counts how often the handler was started, by this host and those before it.
func (a *Azure) Starts() int { return a.starts + a.Host.Starts() }

// Settings are the app settings of the running function app.
func (a *Azure) Settings() map[string]string { return maps.Clone(a.app.Settings) }

// settings are the app settings that infra/ sets on the function app. Only the connection string
// differs, because the Service Bus client cannot use a token without TLS.
func (a *Azure) settings(more map[string]string) map[string]string {
	settings := map[string]string{
		"ServiceBusConnection":  a.ServiceBus.ConnectionString(),
		"REQUEST_QUEUE":         Requests,
		"BUILD_QUEUE":           Builds,
		"EVENT_TOPIC":           Topic,
		"AZURE_SUBSCRIPTION_ID": SubscriptionID,
		"AZURE_CLIENT_ID":       ClientID,
		"ARM_ENDPOINT":          a.ARM.PlainEndpoint(),
		"RATE_LIMIT_STORE":      a.Storage.CreateContainer("ratelimit"),
		"IDENTITY_ENDPOINT":     a.Identity.Endpoint(),
		"IDENTITY_HEADER":       a.Identity.Secret(),
	}
	for k, v := range more {
		settings[k] = v
	}
	return settings
}

// Close stops everything. It waits for what is in flight for a few seconds.
func (a *Azure) Close() error {
	var errs []error
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, h := range append(a.more, a.Host) {
		if h != nil {
			errs = append(errs, h.Stop(ctx))
		}
	}
	if a.ARM != nil {
		errs = append(errs, a.ARM.Close())
	}
	if a.events != nil {
		errs = append(errs, a.events.close())
	}
	if a.Storage != nil {
		errs = append(errs, a.Storage.Close())
	}
	if a.Identity != nil {
		errs = append(errs, a.Identity.Close())
	}
	if a.ServiceBus != nil {
		errs = append(errs, a.ServiceBus.Close())
	}
	if a.appRoot != "" {
		errs = append(errs, os.RemoveAll(a.appRoot))
	}
	return errors.Join(errs...)
}

// layOut makes the app's folder in the layout that the host needs: host.json, the handler, and a
// folder for each function.
func layOut(o Options) (string, error) {
	handler, err := filepath.Abs(o.Handler)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(handler); err != nil {
		return "", fmt.Errorf("handler binary: %w (build it with `make build`)", err)
	}
	root, err := os.MkdirTemp("", "goldmint-app-")
	if err != nil {
		return "", err
	}
	errs := []error{
		os.WriteFile(filepath.Join(root, "host.json"), o.HostJSON, 0o600),
		os.Symlink(handler, filepath.Join(root, "handler")),
	}
	for name, function := range goldmint.Functions(o.FunctionJSON) {
		errs = append(errs, os.Mkdir(filepath.Join(root, name), 0o700),
			os.WriteFile(filepath.Join(root, name, "function.json"), function, 0o600))
	}
	return root, errors.Join(errs...)
}
