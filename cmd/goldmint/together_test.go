package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/sync/errgroup"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/internal/localazure"
)

// Fifty builds and fifty waiters run together, two of the waiters on one build: each waiter gets
// its own build's image. Half of the waiters start before their build is submitted. Meanwhile every
// connection is cut once.
func TestFiftyTogether(t *testing.T) {
	const n = 50
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	o := quick()
	o.Faults = localazure.Faults{Cut: time.Hour} // it is cut below; what is then locked for a receiver that is gone comes back in seconds
	azure, err := startAzure(ctx, o, t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(namespace.EnvConnectionString, azure.ServiceBus.ConnectionString())
	dir := t.TempDir()
	var builds, waiters errgroup.Group
	start := func(i int) {
		id := fmt.Sprintf("build-%02d", i)
		if i == n-1 {
			id = "build-00" // two wait for this one, nobody for the last
		}
		waiters.Go(func() error {
			return expect(ctx, fmt.Sprintf("/images/image-%s\n", id[len("build-"):]), "wait", id, "--timeout", "5m")
		})
	}
	for i := range n {
		name := fmt.Sprintf("image-%02d", i)
		file := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(file, vmRequest(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := makeSources(azure, file, vmRequest(name)); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			start(i)
		}
		builds.Go(func() error {
			id := fmt.Sprintf("build-%02d", i)
			return expect(ctx, id+"\n", "submit", file, "--id", id)
		})
		if i%2 == 1 {
			start(i)
		}
	}
	if err := builds.Wait(); err != nil {
		t.Error(err)
	}
	azure.ServiceBus.DropConnections()
	if err := waiters.Wait(); err != nil {
		t.Error(err)
	}
	keepContract(ctx, t, 2*n)
}

var news = regexp.MustCompile(`"type":"goldmint\.build\.(queued|asked|delayed)"`)

// keepContract holds every event that was published against the schema.
func keepContract(ctx context.Context, t *testing.T, want int) {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	contract, err := compiler.Compile("../../schema/event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if status := execute(ctx, []string{"events", "--output", "json"}, nil, &out, io.Discard); status != exitOK {
		t.Fatalf("events: exit status %d", status)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	turns := 0 // beginnings and ends; a build also says that it is queued and that Azure is asked, and may say that it waits
	for _, line := range lines {
		if !news.MatchString(line) {
			turns++
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := contract.Validate(v); err != nil {
			t.Errorf("%s\n%v", line, err)
		}
	}
	if turns != want {
		t.Errorf("%d beginnings and ends, want %d", turns, want)
	}
}

// expect runs the command in this process; its standard output must end in what is expected and be
// one line.
func expect(ctx context.Context, want string, args ...string) error {
	var out, errOut strings.Builder
	if status := execute(ctx, args, nil, &out, &errOut); status != exitOK {
		return fmt.Errorf("%v: exit status %d: %s", args, status, errOut.String())
	}
	if got := out.String(); !strings.HasSuffix(got, want) || strings.Count(got, "\n") != 1 {
		return fmt.Errorf("%v printed %q, want …%s", args, got, want)
	}
	return nil
}
