package functions

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// queue is what the host needs of a Service Bus queue; an
// *azservicebus.Receiver in peek-lock mode is one.
type queue interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
	RenewMessageLock(context.Context, *azservicebus.ReceivedMessage, *azservicebus.RenewMessageLockOptions) error
	CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error
	AbandonMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.AbandonMessageOptions) error
}

// openQueue connects to a function's queue. The second result closes it.
func openQueue(fn function, retry retryOptions) (queue, func(context.Context), error) {
	options, err := retry.clientOptions()
	if err != nil {
		return nil, nil, fmt.Errorf("host.json: extensions.serviceBus.clientRetryOptions.%w", err)
	}
	client, err := azservicebus.NewClientFromConnectionString(fn.connection, options)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to Service Bus: %w", err)
	}
	receiver, err := client.NewReceiverForQueue(fn.queue, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("receive from queue %q: %w", fn.queue, err)
	}
	return receiver, func(ctx context.Context) { _ = client.Close(ctx) }, nil
}

func (o retryOptions) clientOptions() (*azservicebus.ClientOptions, error) {
	delay, maxDelay := 800*time.Millisecond, time.Minute
	if err := readTimeSpan(o.Delay, &delay); err != nil {
		return nil, fmt.Errorf("delay: %w", err)
	}
	if err := readTimeSpan(o.MaxDelay, &maxDelay); err != nil {
		return nil, fmt.Errorf("maxDelay: %w", err)
	}
	options := azservicebus.RetryOptions{MaxRetries: 3, RetryDelay: delay, MaxRetryDelay: maxDelay}
	if o.MaxRetries != nil {
		options.MaxRetries = int32(*o.MaxRetries)
	}
	if options.MaxRetries == 0 {
		options.MaxRetries = -1 // the Go client takes 0 for its default
	}
	return &azservicebus.ClientOptions{RetryOptions: options}, nil
}
