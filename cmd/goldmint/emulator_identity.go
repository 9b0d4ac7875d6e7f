package main

import (
	"github.com/spf13/cobra"

	"goldmint/emulator/identity"
)

func newEmulatorIdentity() *cobra.Command {
	var o identity.Options
	c := &cobra.Command{
		Use:   "identity",
		Short: "The managed identity of a Functions app, on loopback",
		Long: `Runs the managed-identity endpoint that Azure gives a Functions app. The handler, and every other client of the Azure
SDKs, takes its tokens from it when IDENTITY_ENDPOINT and IDENTITY_HEADER say so. The tokens are worth nothing in Azure.
The first line on stdout is {"ready":true,"endpoint":"…","secret":"…"}: the values of those two settings.`,
		Example: "  goldmint emulator identity --listen 127.0.0.1:8081",
		Args:    arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := identity.Listen(o)
			if err != nil {
				return err
			}
			return serve(c.Context(), c.OutOrStdout(), s, map[string]any{"ready": true, "endpoint": s.Endpoint(), "secret": s.Secret()})
		},
	}
	c.Flags().StringVar(&o.Addr, "listen", "127.0.0.1:0", "address to listen on")
	c.Flags().StringSliceVar(&o.ClientIDs, "client-id", nil, "user-assigned identities that the app has (default: any)")
	return c
}
