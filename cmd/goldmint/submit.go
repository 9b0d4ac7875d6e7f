package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"time"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/cmd/goldmint/internal/pipeline"
	"goldmint/internal/request"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/spf13/cobra"
)

type submitOptions struct {
	connection
	requestFlags
	waitFlags
	flagged             flagRequest
	wait, again, dryRun bool
}

func newSubmit() *cobra.Command {
	var o submitOptions
	c := &cobra.Command{
		Use:   "submit FILE|DIR|-...",
		Short: "Send build requests",
		Long: `Checks requests as "goldmint validate" does and, when all are valid, sends them to the queue. A file is YAML, or JSON with
comments; - is the standard input, and a folder stands for all *.json, *.jsonc, *.yaml and *.yml in it. For each the build
id is printed; with --wait the image id instead, once the image is there.

In place of a file, --vm, --disk, --snapshot or --blob names the source of an image, or with --gallery and --definition of
a version; -g, -n and -l say what it is to be.

A build is its id and its request. Sent again, the same request under the same id is the same build: nothing happens twice,
and --wait gives its answer. With --again it is built again.
Another request under the id, such as a corrected one, is another build. Without an id, in
the request or by --id, each submit is a build of its own.

The exit status is that of "goldmint wait"; of several the highest.`,
		Example: `  goldmint submit web.yaml
  goldmint submit web.yaml --set name=web-$(date +%Y%m%d) --set image.location=westeurope --wait
  image=$(goldmint submit web.yaml --id "web-$GITHUB_RUN_ID" --wait --timeout 90m)
  goldmint submit images/ --wait
  jq .request job.json | goldmint submit -
  goldmint submit --vm /subscriptions/…/virtualMachines/web -g golden -n web-1 -l westeurope --wait
  goldmint submit --snapshot /subscriptions/…/snapshots/web -g golden --gallery corp --definition web -n 1.0.7 -l westeurope`,
		Args: func(c *cobra.Command, args []string) error {
			if o.flagged.given() {
				return arguments(0, 0)(c, args)
			}
			return arguments(1, endless)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error { return submit(c, &o, args) },
	}
	f := c.Flags()
	o.addSet(c)
	f.StringVar(&o.id, "id", "", "the build's id, in place of the request's (default: one is made up)")
	f.BoolVarP(&o.wait, "wait", "w", false, "wait for the end, as \"goldmint wait\" does")
	f.BoolVar(&o.again, "again", false, "build it again although this very request was submitted before (writes a metadata "+againName+")")
	f.BoolVar(&o.dryRun, "dry-run", false, "check and print what would be sent, and send nothing")
	o.flagged.add(f)
	o.add(f)
	o.addFlags(f)
	o.addQueueFlag(f)
	o.addTopicFlags(f)
	return c
}

func submit(c *cobra.Command, o *submitOptions, paths []string) error {
	var requests []request.Request
	if err := o.flagged.settings(&o.requestFlags); err != nil {
		return err
	}
	if err := o.readAll(c, paths, func(_ string, r request.Request) {
		if r.ID == "" {
			r.ID = newID(r.Name)
		}
		if o.again {
			r = renewed(r)
		}
		requests = append(requests, r)
	}); err != nil {
		return err
	}
	if o.dryRun {
		return o.show(c, requests)
	}
	b, err := o.dial()
	if err != nil {
		return err
	}
	defer b.close(c.Context())
	at := time.Now()
	for _, r := range requests {
		if err := b.send(c.Context(), requestMessage(r)); err != nil {
			return err
		}
		if !o.wait {
			if err := submitted(c, r, o.output); err != nil {
				return err
			}
		}
	}
	if !o.wait {
		return nil
	}
	var targets []target
	for _, r := range requests {
		targets = append(targets, target{id: r.ID, digest: r.Digest(), submitted: at, request: &r})
	}
	return waitFor(c, b, o.waitFlags, targets)
}

// againName is the metadata that makes a repeated request a new one.
const againName = "goldmint-again"

// renewed is the request with a random value in its metadata, so that it is built again under the
// same id.
func renewed(r request.Request) request.Request {
	r.Metadata = maps.Clone(r.Metadata)
	if r.Metadata == nil {
		r.Metadata = map[string]string{}
	}
	r.Metadata[againName] = strings.ToLower(rand.Text()[:12])
	return r
}

// show prints the requests as they would be sent.
func (o *submitOptions) show(c *cobra.Command, requests []request.Request) error {
	for _, r := range requests {
		if _, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", r.Canonical()); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "%s would be sent to the queue %s with the digest %s\n", r.ID, o.queue, r.Digest())
	}
	return nil
}

// submitted reports that a request was sent.
func submitted(c *cobra.Command, r request.Request, output string) error {
	if err := pipeline.Detect(os.Getenv, c.ErrOrStderr()).Submitted(r.ID); err != nil {
		return err
	}
	if output == "json" {
		return json.NewEncoder(c.OutOrStdout()).Encode(map[string]string{"buildId": r.ID, "digest": r.Digest()})
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), r.ID)
	return err
}

// newID makes a unique id: the image's name and a random part.
func newID(name string) string {
	const most, random = 48, 8
	return name[:min(len(name), most-random-1)] + "-" + strings.ToLower(rand.Text()[:random])
}

// requestMessage is a request as it is sent. Its MessageId names the build and the whole digest, so
// that even a message that cannot be read is rejected under the name that its submitter waits for.
func requestMessage(r request.Request) *azservicebus.Message {
	return &azservicebus.Message{
		Body: r.Canonical(), ContentType: to.Ptr("application/json"),
		MessageID: to.Ptr(r.ID + "/" + r.Digest()), CorrelationID: &r.ID,
	}
}

// send sends a message to the queue of requests.
func (b *bus) send(ctx context.Context, m *azservicebus.Message) error {
	return b.sendTo(ctx, b.queue, m)
}

// sendTo sends a message. It is safe to repeat, because duplicate detection drops a second message
// with the MessageId.
func (b *bus) sendTo(ctx context.Context, queue string, m *azservicebus.Message) error {
	entity := namespace.Entity{Queue: queue}
	sender, err := b.client.NewSender(queue, nil)
	if err != nil {
		return b.explain(err, entity, namespace.Send)
	}
	defer func() { _ = sender.Close(context.WithoutCancel(ctx)) }()
	return b.reach(ctx, entity, namespace.Send, func(ctx context.Context) error {
		return sender.SendMessage(ctx, m, nil)
	})
}
