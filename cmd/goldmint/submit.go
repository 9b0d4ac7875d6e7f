package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
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
	wait bool
}

func newSubmit() *cobra.Command {
	var o submitOptions
	c := &cobra.Command{
		Use:   "submit FILE|DIR|-...",
		Short: "Send build requests",
		Long: `Checks requests as "goldmint validate" does and, when all are valid, sends them to the queue. A file is YAML, or JSON with
comments; - is the standard input, and a folder stands for all *.json, *.jsonc, *.yaml and *.yml in it. For each the build
id is printed; with --wait the image id instead, once the image is there.

A build is its id and its request. Sent again, the same request under the same id is the same build: nothing happens twice,
and --wait gives its answer. Another request under the id, such as a corrected one, is another build. Without an id, in
the request or by --id, each submit is a build of its own.

The exit status is that of "goldmint wait"; of several the highest.`,
		Example: `  goldmint submit web.yaml
  goldmint submit web.yaml --set name=web-$(date +%Y%m%d) --set image.location=westeurope --wait
  image=$(goldmint submit web.yaml --id "web-$GITHUB_RUN_ID" --wait --timeout 90m)
  goldmint submit images/ --wait
  jq .request job.json | goldmint submit -`,
		Args: arguments(1, endless),
		RunE: func(c *cobra.Command, args []string) error { return submit(c, &o, args) },
	}
	f := c.Flags()
	o.addSet(c)
	f.StringVar(&o.id, "id", "", "the build's id, in place of the request's (default: one is made up)")
	f.BoolVarP(&o.wait, "wait", "w", false, "wait for the end, as \"goldmint wait\" does")
	o.add(f)
	o.addFlags(f)
	o.addQueueFlag(f)
	o.addTopicFlags(f)
	return c
}

func submit(c *cobra.Command, o *submitOptions, paths []string) error {
	var requests []request.Request
	if err := o.readAll(c, paths, func(_ string, r request.Request) {
		if r.ID == "" {
			r.ID = newID(r.Name)
		}
		requests = append(requests, r)
	}); err != nil {
		return err
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
	var ended []error
	for _, r := range requests {
		if err := waitFor(c, b, o.waitFlags, target{id: r.ID, digest: r.Digest(), submitted: at, request: &r}); err != nil {
			ended = append(ended, err)
		}
		if c.Context().Err() != nil {
			break
		}
	}
	return together(ended, len(requests), "builds")
}

// submitted tells that a request was sent.
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

// newID makes an id that nobody else makes: the image's name and something random.
func newID(name string) string {
	const most, random = 48, 8
	return name[:min(len(name), most-random-1)] + "-" + strings.ToLower(rand.Text()[:random])
}

// requestMessage is a request as it is sent. Its MessageId is the build's key: sent twice, it is dropped as a duplicate.
func requestMessage(r request.Request) *azservicebus.Message {
	return &azservicebus.Message{
		Body: r.Canonical(), ContentType: to.Ptr("application/json"),
		MessageID: to.Ptr(request.Key(r.ID, r.Digest())), CorrelationID: &r.ID,
	}
}

// send sends a message to the queue. It is safe to repeat, for its MessageId is its own.
func (b *bus) send(ctx context.Context, m *azservicebus.Message) error {
	sender, err := b.client.NewSender(b.queue, nil)
	if err != nil {
		return b.trouble(err, b.queueEntity(), namespace.Send)
	}
	defer func() { _ = sender.Close(context.WithoutCancel(ctx)) }()
	return b.reach(ctx, b.queueEntity(), namespace.Send, func(ctx context.Context) error {
		return sender.SendMessage(ctx, m, nil)
	})
}
