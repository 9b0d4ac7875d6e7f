package functions

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// app is what host.json and the function.json files say.
type app struct {
	root      string
	timeout   time.Duration // of a function; 0 for no limit
	renewal   time.Duration // how long a message's lock is renewed
	calls     int           // invocations of one function at once
	retry     retryOptions
	command   command
	functions []function
}

type command struct {
	path      string
	arguments []string
	dir       string
}

// function is one folder of the app.
type function struct {
	binding
	queue      string
	connection string // a connection string
}

type hostFile struct {
	Version         string
	ExtensionBundle struct{ ID, Version string }
	FunctionTimeout *string
	Concurrency     struct{ DynamicConcurrencyEnabled bool }
	Extensions      struct{ ServiceBus serviceBusSection }
	CustomHandler   struct {
		Description struct {
			DefaultExecutablePath string
			WorkingDirectory      string
			Arguments             []string
		}
	}
}

type serviceBusSection struct {
	AutoCompleteMessages       *bool
	MaxAutoLockRenewalDuration *string
	MaxConcurrentCalls         *int
	ClientRetryOptions         retryOptions
}

type retryOptions struct {
	Delay, MaxDelay *string
	MaxRetries      *int
}

type functionFile struct {
	Disabled bool
	Bindings []struct {
		Name, Type, Direction, QueueName, Connection, DataType, Cardinality string
		IsSessionsEnabled                                                   bool
	}
}

// readApp reads the app's files and resolves its settings.
func readApp(root string, settings map[string]string) (app, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return app{}, fmt.Errorf("app root: %w", err)
	}
	var file hostFile
	if err := readJSON(filepath.Join(root, "host.json"), "host.json", &file); err != nil {
		return app{}, err
	}
	a, err := file.app(root)
	if err != nil {
		return app{}, fmt.Errorf("host.json: %w", err)
	}
	a.functions, err = readFunctions(root, settings)
	return a, err
}

// app checks what the file says and fills in the host's defaults.
func (f hostFile) app(root string) (app, error) {
	bus := f.Extensions.ServiceBus
	a := app{root: root, timeout: 30 * time.Minute, renewal: 5 * time.Minute, calls: 16 * runtime.NumCPU(), retry: bus.ClientRetryOptions}
	var err error
	switch {
	case f.Version != "2.0":
		err = fmt.Errorf(`version: %q, must be "2.0"`, f.Version)
	case f.ExtensionBundle.ID == "":
		err = errors.New("extensionBundle: missing, without it the host has no Service Bus trigger")
	case f.Concurrency.DynamicConcurrencyEnabled:
		err = errors.New("concurrency.dynamicConcurrencyEnabled: must be off, it overrides maxConcurrentCalls")
	case bus.AutoCompleteMessages != nil && !*bus.AutoCompleteMessages:
		err = errors.New("extensions.serviceBus.autoCompleteMessages: false is not supported here, the host settles by the handler's answer")
	case bus.MaxConcurrentCalls != nil && *bus.MaxConcurrentCalls < 1:
		err = fmt.Errorf("extensions.serviceBus.maxConcurrentCalls: %d, must be at least 1", *bus.MaxConcurrentCalls)
	}
	if err != nil {
		return app{}, err
	}
	if bus.MaxConcurrentCalls != nil {
		a.calls = *bus.MaxConcurrentCalls
	}
	if err := f.durations(&a); err != nil {
		return app{}, err
	}
	a.command, err = f.command(root)
	return a, err
}

func (f hostFile) durations(a *app) error {
	unbounded := f.FunctionTimeout != nil && *f.FunctionTimeout == "-1"
	if unbounded {
		a.timeout = 0
	} else if err := readTimeSpan(f.FunctionTimeout, &a.timeout); err != nil {
		return fmt.Errorf("functionTimeout: %w", err)
	}
	if a.timeout == 0 && !unbounded {
		return errors.New(`functionTimeout: must be longer than zero, "-1" is unbounded`)
	}
	if err := readTimeSpan(f.Extensions.ServiceBus.MaxAutoLockRenewalDuration, &a.renewal); err != nil {
		return fmt.Errorf("extensions.serviceBus.maxAutoLockRenewalDuration: %w", err)
	}
	return nil
}

// readTimeSpan leaves d as it is when there is no text.
func readTimeSpan(text *string, d *time.Duration) error {
	if text == nil {
		return nil
	}
	var s timeSpan
	if err := s.UnmarshalText([]byte(*text)); err != nil {
		return err
	}
	*d = time.Duration(s)
	return nil
}

// command finds the executable: in the app root if it is there, else on PATH.
func (f hostFile) command(root string) (command, error) {
	d := f.CustomHandler.Description
	if d.DefaultExecutablePath == "" {
		return command{}, errors.New("customHandler.description.defaultExecutablePath: missing, name the handler's executable")
	}
	c := command{path: d.DefaultExecutablePath, arguments: d.Arguments, dir: filepath.Join(root, d.WorkingDirectory)}
	if local := filepath.Join(root, c.path); !filepath.IsAbs(c.path) && exists(local) {
		c.path = local
	}
	return c, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readFunctions finds the functions as the host does: one in each folder of
// the app root that holds a function.json.
func readFunctions(root string, settings map[string]string) ([]function, error) {
	paths, err := filepath.Glob(filepath.Join(root, "*", "function.json"))
	if err != nil {
		return nil, fmt.Errorf("app root: %w", err)
	}
	var list []function
	for _, path := range paths {
		name := filepath.Base(filepath.Dir(path))
		shown := name + "/function.json"
		var file functionFile
		if err := readJSON(path, shown, &file); err != nil {
			return nil, err
		}
		if file.Disabled {
			continue
		}
		fn, err := file.function(name, settings)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shown, err)
		}
		list = append(list, fn)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no functions: %s holds no folder with a function.json", root)
	}
	return list, nil
}

func (f functionFile) function(name string, settings map[string]string) (function, error) {
	if len(f.Bindings) != 1 {
		return function{}, fmt.Errorf("bindings: %d of them, this host knows a serviceBusTrigger alone", len(f.Bindings))
	}
	b := f.Bindings[0]
	switch {
	case !strings.EqualFold(b.Type, "serviceBusTrigger"):
		return function{}, fmt.Errorf("bindings[0].type: %q, this host knows serviceBusTrigger", b.Type)
	case b.Name == "":
		return function{}, errors.New("bindings[0].name: missing, it names the member of Data")
	case b.Direction != "" && !strings.EqualFold(b.Direction, "in"):
		return function{}, fmt.Errorf(`bindings[0].direction: %q, a trigger is "in"`, b.Direction)
	case b.Cardinality != "" && !strings.EqualFold(b.Cardinality, "one"):
		return function{}, fmt.Errorf(`bindings[0].cardinality: %q, this host knows "one"`, b.Cardinality)
	case b.IsSessionsEnabled:
		return function{}, errors.New("bindings[0].isSessionsEnabled: this host receives from queues without sessions")
	}
	queue, err := resolve(b.QueueName, settings)
	if err != nil {
		return function{}, fmt.Errorf("bindings[0].queueName: %w", err)
	}
	fn := function{queue: queue, connection: settings[b.Connection]}
	fn.binding = binding{function: name, name: b.Name, binary: strings.EqualFold(b.DataType, "binary")}
	fn.namespace, err = namespaceOf(fn.connection)
	if err != nil {
		return function{}, fmt.Errorf("bindings[0].connection: app setting %q: %w", b.Connection, err)
	}
	return fn, nil
}

var settingName = regexp.MustCompile(`%[^%]*%`)

// resolve replaces every %NAME% by the app setting of that name.
func resolve(text string, settings map[string]string) (string, error) {
	var missing error
	text = settingName.ReplaceAllStringFunc(text, func(match string) string {
		value, ok := settings[strings.Trim(match, "%")]
		if !ok {
			missing = fmt.Errorf("%s names no app setting", match)
		}
		return value
	})
	if missing == nil && text == "" {
		missing = errors.New("empty, name a queue")
	}
	return text, missing
}

// namespaceOf is the host name in a connection string.
func namespaceOf(connection string) (string, error) {
	for part := range strings.SplitSeq(connection, ";") {
		key, endpoint, _ := strings.Cut(part, "=")
		if !strings.EqualFold(strings.TrimSpace(key), "Endpoint") {
			continue
		}
		if u, err := url.Parse(strings.TrimSpace(endpoint)); err == nil && u.Hostname() != "" {
			return u.Hostname(), nil
		}
	}
	return "", errors.New("holds no connection string with an Endpoint; a local host needs one, identity alone cannot do without TLS")
}
