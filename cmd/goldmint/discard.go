package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"goldmint/cmd/goldmint/internal/deadletter"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func newDeadLettersDiscard(conn *connection) *cobra.Command {
	var o choice
	var yes bool
	var output string
	c := &cobra.Command{
		Use:   "discard NUMBER...|--all",
		Short: "Remove messages for good",
		Long: `Removes messages for good. On a terminal it asks first; elsewhere it wants --yes. With --output json each message is
written, with its body, before it is removed: a file of these lines is a copy of what is gone.`,
		Example: `  goldmint dead-letters discard 42
  goldmint dead-letters discard --all --reason InvalidRequest --yes --output json > discarded.jsonl`,
		RunE: func(c *cobra.Command, args []string) error {
			b, all, err := conn.letters(c)
			if err != nil {
				return err
			}
			defer b.close(c.Context())
			chosen, err := o.of(all, args)
			if err != nil {
				return err
			}
			if !yes && len(chosen) > 0 {
				if err := confirm(c, fmt.Sprintf("Remove %s for good?", count(len(chosen), "message"))); err != nil {
					return err
				}
			}
			n, err := b.remove(c.Context(), chosen, func(_ context.Context, _ letterQueue, l deadletter.Letter) error {
				if output == "json" {
					return writeLetter(c.OutOrStdout(), l)
				}
				return nil
			})
			_, _ = fmt.Fprintf(c.ErrOrStderr(), "Discarded %s.\n", outOf(n, len(chosen)))
			return err
		},
	}
	o.add(c)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	addOutput(c.Flags(), &output, "nothing, or each message as a JSON line before it is removed", "text", "json")
	return c
}

// outOf says how many of all messages were handled.
func outOf(n, all int) string {
	if n == all {
		return count(n, "message")
	}
	return fmt.Sprintf("%d of %s", n, count(all, "message"))
}

// confirm asks on a terminal. Anything but y or yes is no.
func confirm(c *cobra.Command, question string) error {
	in, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return &exitError{error: errors.New("this removes messages for good, and there is no terminal to ask"), status: exitUsage, hint: "give --yes"}
	}
	_, _ = fmt.Fprintf(c.ErrOrStderr(), "%s [y/N] ", question)
	answer, _ := bufio.NewReader(in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return &exitError{error: errors.New("nothing was removed"), status: exitUsage}
}
