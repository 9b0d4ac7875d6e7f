// Package namespace is how a person or a pipeline reaches Goldmint's Service Bus namespace: by
// connection string, or as the identity that is signed in to Azure. Its errors say what to do.
package namespace

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"goldmint/cmd/goldmint/internal/secret"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// Address says where the namespace is and how to sign in. One of the first two is set.
type Address struct {
	ConnectionString string
	Host             string // NAME.servicebus.windows.net
	from             string // the flag or variable that it came from
}

// The environment variables that are looked at, in this order, where no flag is given. The last two
// are the settings of the function app itself.
const (
	EnvConnectionString = "GOLDMINT_CONNECTION_STRING"
	EnvNamespace        = "GOLDMINT_NAMESPACE"
	AppConnectionString = "ServiceBusConnection"
	AppNamespace        = "ServiceBusConnection__fullyQualifiedNamespace"
)

// ErrNoAddress says that nothing names a namespace.
var ErrNoAddress = errors.New("which Service Bus namespace? Give --namespace NAME to sign in to Azure as az, a workload identity or a managed identity does, or set " + EnvConnectionString)

// Find makes the address of the flags, else of the environment. A connection string that is
// malformed is an error that does not repeat it: it holds a key.
func Find(connectionString, host string, getenv func(string) string) (Address, error) {
	if connectionString != "" && host != "" {
		return Address{}, errors.New("--connection-string and --namespace are both given: keep one")
	}
	for _, a := range []Address{
		{ConnectionString: connectionString, from: "--connection-string"},
		{Host: host, from: "--namespace"},
		{ConnectionString: getenv(EnvConnectionString), from: EnvConnectionString},
		{Host: getenv(EnvNamespace), from: EnvNamespace},
		{ConnectionString: getenv(AppConnectionString), from: AppConnectionString},
		{Host: getenv(AppNamespace), from: AppNamespace},
	} {
		if a.ConnectionString != "" || a.Host != "" {
			return a.check()
		}
	}
	return Address{}, ErrNoAddress
}

// OfApp reports whether nothing but the settings of the function app name the namespace.
func (a Address) OfApp() bool { return a.from == AppConnectionString || a.from == AppNamespace }

// check completes a bare name and refuses what is neither.
func (a Address) check() (Address, error) {
	if strings.HasSuffix(a.ConnectionString+a.Host, "\r") {
		return Address{}, secret.Check(a.from, "\r")
	}
	if a.ConnectionString != "" {
		_, rest, ok := strings.Cut(a.ConnectionString, "Endpoint=sb://")
		if _, err := azservicebus.NewClientFromConnectionString(a.ConnectionString, nil); err != nil || !ok {
			return Address{}, fmt.Errorf("%s is no connection string (Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…)", a.from)
		}
		a.Host = rest[:min(len(rest), max(0, strings.IndexAny(rest+";", "/;")))]
		return a, nil
	}
	if err := secret.Check(a.from, a.Host); err != nil {
		return Address{}, err
	}
	if strings.ContainsAny(a.Host, "/:; ") {
		return Address{}, fmt.Errorf("%s is %q: give the namespace's name or its host, such as NAME.servicebus.windows.net", a.from, a.Host)
	}
	if !strings.Contains(a.Host, ".") {
		a.Host += ".servicebus.windows.net"
	}
	return a, nil
}

// retry is short, because the callers decide how long to go on trying.
var retry = azservicebus.RetryOptions{MaxRetries: 2, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 2 * time.Second}

// Dial makes a client. Nothing is sent before its first use.
func (a Address) Dial() (*azservicebus.Client, error) {
	options := &azservicebus.ClientOptions{ApplicationID: "goldmint", RetryOptions: retry}
	if a.ConnectionString != "" {
		client, err := azservicebus.NewClientFromConnectionString(a.ConnectionString, options)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.from, err)
		}
		return client, nil
	}
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("sign in to Azure: %w", err)
	}
	return azservicebus.NewClient(a.Host, credential, options)
}
