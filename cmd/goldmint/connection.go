package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/internal/history"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/spf13/pflag"
)

// connection is the flags that say which Service Bus namespace, and which entities of it.
type connection struct {
	connectionString, namespace string
	queue, builds               string // of requests, and of the function's own messages
	topic, subscription         string
}

func (c *connection) addFlags(f *pflag.FlagSet) {
	f.StringVar(&c.connectionString, "connection-string", "", "Service Bus connection string (better given as "+namespace.EnvConnectionString+": others can see a command line)")
	f.StringVar(&c.namespace, "namespace", "", "`name` or host of the Service Bus namespace, to sign in to Azure instead; see \"goldmint help environment\"")
}

func (c *connection) addQueueFlag(f *pflag.FlagSet) {
	f.StringVar(&c.queue, "request-queue", environment("REQUEST_QUEUE", "image-requests"), "queue of build requests")
}

func (c *connection) addBuildQueueFlag(f *pflag.FlagSet) {
	f.StringVar(&c.builds, "build-queue", environment("BUILD_QUEUE", "image-builds"), "queue of the function's own messages about builds")
}

func (c *connection) addTopicFlags(f *pflag.FlagSet) {
	f.StringVar(&c.topic, "topic", environment("EVENT_TOPIC", "image-events"), "topic of events")
	f.StringVar(&c.subscription, "topic-subscription", history.Subscription, "subscription of the topic that keeps the events")
}

func environment(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// bus is a namespace that is dialled.
type bus struct {
	connection
	address namespace.Address
	client  *azservicebus.Client
}

// find uses the flags, otherwise the variables that lookup returns.
func (c connection) find(lookup func(name string) string) (namespace.Address, error) {
	address, err := namespace.Find(c.connectionString, c.namespace, lookup)
	if errors.Is(err, namespace.ErrNoAddress) {
		err = &exitError{error: err, status: exitUsage, hint: "`goldmint help environment` lists all ways; `goldmint local` runs a Service Bus on this machine"}
	}
	return address, err
}

func (c connection) dial() (*bus, error) {
	address, err := c.find(os.Getenv)
	if local, none := namespace.Find("", "", localSetting); none == nil && errors.Is(err, namespace.ErrNoAddress) {
		address, err = local, nil
	}
	if err != nil {
		return nil, err
	}
	client, err := address.Dial()
	if err != nil {
		return nil, &exitError{error: err, status: exitUnreachable}
	}
	return &bus{connection: c, address: address, client: client}, nil
}

// close is quick: there is nothing to save.
func (b *bus) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = b.client.Close(ctx)
}

func (b *bus) historyEntity() namespace.Entity {
	return namespace.Entity{Topic: b.topic, Subscription: b.subscription}
}

// explain is an error of the namespace's with its exit status and hint.
func (b *bus) explain(err error, entity namespace.Entity, right namespace.Right) error {
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	err = b.address.Explain(err, entity, right)
	var refusal *namespace.Refusal
	if errors.As(err, &refusal) {
		return &exitError{error: err, status: exitUnreachable, hint: refusal.Hint}
	}
	return &exitError{
		error: fmt.Errorf("cannot reach %s: %s", b.address.Host, namespace.Brief(err)), status: exitUnreachable, hint: namespace.ContactHint,
	}
}

// errInterrupted is the error after Ctrl-C.
var errInterrupted = &exitError{error: errors.New("interrupted"), status: exitTimeout}

// firstContact is how long to try to reach a namespace for the first time.
const firstContact = 10 * time.Second

// reach tries until it succeeds, is refused, or firstContact is over.
func (b *bus) reach(ctx context.Context, entity namespace.Entity, right namespace.Right, try func(context.Context) error) error {
	outer, deadline := ctx, time.Now().Add(firstContact)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		var refusal *namespace.Refusal
		if last == nil || time.Now().Before(deadline) {
			last = err // keep the earlier error: a dial reports the end of the time before the context does
		}
		if outer.Err() != nil {
			return errInterrupted
		}
		if ctx.Err() != nil || errors.As(b.address.Explain(err, entity, right), &refusal) {
			return b.explain(last, entity, right)
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}
