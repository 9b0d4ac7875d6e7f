package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"goldmint/cmd/goldmint/internal/secret"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// oneOf is a flag's value that is one of a few words.
type oneOf struct {
	value *string
	words []string
}

// addOneOf adds a flag that is one of the words; the first is its default.
func addOneOf(f *pflag.FlagSet, value *string, name, shorthand, usage string, words ...string) {
	*value = words[0]
	if len(strings.Join(words, "|")) > 30 {
		usage += ": " + or(words)
	}
	f.VarP(oneOf{value, words}, name, shorthand, usage)
}

// addOutput adds --output as every command has it.
func addOutput(f *pflag.FlagSet, value *string, usage string, words ...string) {
	addOneOf(f, value, "output", "o", usage, words...)
}

func (o oneOf) String() string { return *o.value }

// Type names the value in the help.
func (o oneOf) Type() string {
	if all := strings.Join(o.words, "|"); len(all) <= 30 {
		return all
	}
	return "name"
}

// Set takes one of the words.
func (o oneOf) Set(s string) error {
	if !slices.Contains(o.words, s) {
		return fmt.Errorf("use %s", or(o.words))
	}
	*o.value = s
	return nil
}

// or lists words as a sentence does.
func or(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// endless is a number of arguments without an upper bound.
const endless = 1 << 30

// arguments allows so many of them.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usageError(c, errors.New("an argument is missing"))
		case len(args) > most:
			return usageError(c, fmt.Errorf("%q is an argument too many", args[most]))
		}
		return nil
	}
}

// usageError is an error with the way to use the command.
func usageError(c *cobra.Command, err error) error {
	return &exitError{error: err, status: exitUsage, hint: fmt.Sprintf("usage: %s; `%s --help` says more", c.UseLine(), c.CommandPath())}
}

// noSecrets refuses keys and passwords in flags that want something else. The values of some may
// come from variables.
func noSecrets(flags *pflag.FlagSet) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		name := "--" + f.Name
		switch f.Name {
		case "connection-string", "namespace", "servicebus-key", "set", "blob": // these hold a secret, or check it themselves
			return
		case "request-queue", "build-queue", "topic", "arm-endpoint", "arm-audience":
			name += " (" + variableOf(f.Name) + ")"
		}
		if err == nil {
			err = secret.Check(name, f.Value.String())
		}
	})
	return err
}

// variableOf is the environment variable that holds a flag's default.
func variableOf(flag string) string {
	if flag == "topic" {
		return "EVENT_TOPIC"
	}
	return strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// asGroup sets up a command that only has subcommands: alone it shows its help, and an unknown
// subcommand is an error.
func asGroup(c *cobra.Command) *cobra.Command {
	c.DisableFlagsInUseLine = true
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var names []string
		for _, sub := range c.Commands() {
			names = append(names, sub.Name())
		}
		return fmt.Errorf("%s has no command %q: use %s", c.CommandPath(), args[0], or(names))
	}
	return c
}

// newHelp is `goldmint help`: unlike cobra's own it fails when there is no such command.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(c *cobra.Command, args []string) error {
			found, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return &exitError{error: fmt.Errorf("there is no command or topic %q", strings.Join(args, " ")), status: exitUsage, hint: "`goldmint help` lists what there is"}
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

// completeValues completes the flags, of the command and of all below it, that are one of a few
// words.
func completeValues(c *cobra.Command) {
	complete := func(f *pflag.Flag) {
		if one, ok := f.Value.(oneOf); ok {
			_ = c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(one.words, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	c.Flags().VisitAll(complete)
	c.PersistentFlags().VisitAll(complete)
	for _, sub := range c.Commands() {
		completeValues(sub)
	}
}
