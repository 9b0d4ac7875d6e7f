package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"goldmint/emulator/arm"
	"goldmint/emulator/servicebus"
	"goldmint/internal/localazure"

	"github.com/spf13/cobra"
)

func newEmulator() *cobra.Command {
	c := asGroup(&cobra.Command{
		Use:   "emulator",
		Short: "Run one part of the local Azure alone, for other clients",
	})
	c.AddCommand(newEmulatorServiceBus(), newEmulatorARM(), newEmulatorIdentity())
	return c
}

func newEmulatorServiceBus() *cobra.Command {
	var listen, file string
	c := &cobra.Command{
		Use:   "servicebus",
		Short: "A Service Bus on loopback, configured like the official emulator",
		Long: `Runs a Service Bus that speaks AMQP 1.0 without TLS. The first line on stdout is
{"ready":true,"connectionString":"…"}. Without --config it has Goldmint's own queue, topic and subscription.`,
		Example: "  goldmint emulator servicebus --listen 127.0.0.1:5672 --config config.json",
		Args:    arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			config := localazure.Entities()
			if file != "" {
				text, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				if config, err = servicebus.ParseConfig(text); err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
			}
			s, err := servicebus.Listen(servicebus.Options{Addr: listen, Config: config})
			if err != nil {
				return err
			}
			return serve(c.Context(), c.OutOrStdout(), s, map[string]any{"ready": true, "connectionString": s.ConnectionString()})
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on")
	c.Flags().StringVar(&file, "config", "", "entities, in the official emulator's format")
	return c
}

func newEmulatorARM() *cobra.Command {
	var o arm.Options
	var limits string
	c := &cobra.Command{
		Use:   "arm",
		Short: "Resource Manager's compute part on loopback",
		Long: `Runs the images, virtual machines, disks and snapshots of Azure Resource Manager, with its timing, errors and
limits as recorded. Any bearer token is taken. The first line on stdout is {"ready":true,"endpoint":"…","caFile":"…"}.`,
		Example: "  goldmint emulator arm --listen 127.0.0.1:8443 --tls --image-duration 1s --limits bucket",
		Args:    arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			o.Limits = limitsOf(limits)
			s, err := arm.Listen(o)
			if err != nil {
				return err
			}
			return serve(c.Context(), c.OutOrStdout(), s, map[string]any{"ready": true, "endpoint": s.Endpoint(), "caFile": s.CAFile()})
		},
	}
	c.Flags().StringVar(&o.Addr, "listen", "127.0.0.1:0", "address to listen on")
	c.Flags().BoolVar(&o.TLS, "tls", false, "answer https too, with a certificate of a CA made for this run")
	armFlags(c, &o, &limits)
	c.Flags().BoolVar(&o.AnyBlob, "any-blob", true, "every blob that a request names exists")
	return c
}

// armFlags are the flags of the local Resource Manager.
func armFlags(c *cobra.Command, o *arm.Options, limits *string) {
	o.PutLatency = arm.RecordedLatency
	c.Flags().DurationVar(&o.ImageDuration, "image-duration", 0, "what creating an image takes, from its PUT to its end (default as recorded: 5.15s, from blobs 10.3s)")
	c.Flags().Float64Var(&o.Speed, "speed", 1, "divides the recorded durations: with 60 a minute of Azure's takes a second")
	addOneOf(c.Flags(), (*string)(&o.Cloud), "cloud", "", "whose regions there are", string(arm.PublicCloud), string(arm.ChinaCloud), string(arm.USGovernmentCloud))
	addOneOf(c.Flags(), limits, "limits", "", "how image creations are limited: windows (40 in 3 min, 200 in 30), bucket (60, refilled 20 a minute) or off", "windows", "bucket", "off")
}

func limitsOf(name string) arm.Limits {
	switch name {
	case "bucket":
		return arm.Bucket(60, 20)
	case "off":
		return arm.Off()
	}
	return arm.Windows(40, 200)
}

// serve prints the ready line and runs until the context ends.
func serve(ctx context.Context, out io.Writer, s io.Closer, ready map[string]any) error {
	if err := json.NewEncoder(out).Encode(ready); err != nil {
		return err
	}
	<-ctx.Done()
	return s.Close()
}
