package azure

import (
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"goldmint/internal/config"
)

// Identity is the managed identity of the function app: the user-assigned one of the client id, else the system's.
func Identity(clientID string) (azcore.TokenCredential, error) {
	options := &azidentity.ManagedIdentityCredentialOptions{}
	if clientID != "" {
		options.ID = azidentity.ClientID(clientID)
	}
	c, err := azidentity.NewManagedIdentityCredential(options)
	if err != nil {
		return nil, fmt.Errorf("managed identity: %w", err)
	}
	return c, nil
}

// DialServiceBus makes a client from the settings of the host's own trigger.
func DialServiceBus(c config.ServiceBus) (*azservicebus.Client, error) {
	options := &azservicebus.ClientOptions{ApplicationID: "goldmint", RetryOptions: busRetry}
	if c.ConnectionString != "" {
		client, err := azservicebus.NewClientFromConnectionString(c.ConnectionString, options)
		if err != nil {
			return nil, fmt.Errorf("ServiceBusConnection: %w", err)
		}
		return client, nil
	}
	credential, err := Identity(c.ClientID)
	if err != nil {
		return nil, err
	}
	return azservicebus.NewClient(c.Namespace, credential, options)
}
