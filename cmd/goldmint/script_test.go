package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/rogpeppe/go-internal/testscript"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/emulator/arm"
	"goldmint/emulator/identity"
	"goldmint/emulator/servicebus"
	"goldmint/internal/event"
	"goldmint/internal/localazure"
)

// The scripts of testdata/script are the command's specification, to read and to run. $HANDLER is
// the handler's binary. Beside testscript's own commands:
//
//	azure                   start a local Azure, the connection string in the environment
//	bus                     start a Service Bus alone
//	sources FILE            make what the request in the file is to be made from
//	running VM-ID           make a virtual machine that runs, and so cannot be captured
//	send MESSAGE-ID FILE    send whatever is in the file to the queue
//	publish ID DIGEST TYPE  publish an event; the digest is one letter
//	gallery                 start a Resource Manager with a gallery that has versions of each kind, and an identity
//	left VERSION…           hold that of its versions these are left
//	cut                     cut every connection to the Service Bus
//	exits STATUS COMMAND…   run a command that ends with this status
//	until PATTERN COMMAND…  run a command again and again until its standard output has the pattern
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[stageKey{}] = new(stage)
			e.Setenv("HANDLER", os.Getenv(handlerVariable))
			e.Setenv("GORACE", noExitSleep)
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, ".cache")) // no script finds another's local Azure
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"azure":   cmdAzure,
			"bus":     cmdBus,
			"sources": cmdSources,
			"running": cmdRunning,
			"send":    cmdSend,
			"publish": cmdPublish,
			"gallery": cmdGallery,
			"left":    cmdLeft,
			"cut":     cmdCut,
			"exits":   cmdExits,
			"until":   cmdUntil,
		},
	})
}

// stage is what a script has started.
type stage struct {
	azure   *localazure.Azure
	bus     *servicebus.Server
	gallery *gallery
}

type stageKey struct{}

func stageOf(ts *testscript.TestScript) *stage {
	s, ok := ts.Value(stageKey{}).(*stage)
	if !ok {
		ts.Fatalf("the script has no stage")
	}
	return s
}

func cmdAzure(ts *testscript.TestScript, _ bool, _ []string) {
	azure, err := startAzure(context.Background(), quick(), ts.Defer)
	ts.Check(err)
	*stageOf(ts) = stage{azure: azure, bus: azure.ServiceBus}
	ts.Setenv(namespace.EnvConnectionString, azure.ServiceBus.ConnectionString())
}

func cmdBus(ts *testscript.TestScript, _ bool, _ []string) {
	bus, err := servicebus.Listen(servicebus.Options{Config: localazure.Entities()})
	ts.Check(err)
	ts.Defer(func() { _ = bus.Close() })
	stageOf(ts).bus = bus
	ts.Setenv(namespace.EnvConnectionString, bus.ConnectionString())
}

func cmdGallery(ts *testscript.TestScript, _ bool, _ []string) {
	msi, err := identity.Listen(identity.Options{ClientIDs: []string{localazure.ClientID}})
	ts.Check(err)
	ts.Defer(func() { _ = msi.Close() })
	for name, value := range identityOf(msi) {
		ts.Setenv(name, value)
	}
	g, err := listenGallery(quickly)
	ts.Check(err)
	ts.Defer(func() { _ = g.Close() })
	ts.Setenv("ARM_ENDPOINT", g.Endpoint())
	g.fill(nil)
	stageOf(ts).gallery = g
}

func cmdLeft(ts *testscript.TestScript, _ bool, want []string) {
	if got := stageOf(ts).gallery.left(); got != strings.Join(want, " ") {
		ts.Fatalf("left are %s", got)
	}
}

func cmdSources(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(makeSources(stageOf(ts).azure, args[0], []byte(ts.ReadFile(args[0]))))
}

func cmdRunning(ts *testscript.TestScript, _ bool, args []string) {
	stageOf(ts).azure.ARM.PutVM(arm.VM{ID: args[0], Location: "westeurope", Power: arm.Running})
}

func cmdSend(ts *testscript.TestScript, _ bool, args []string) {
	client, err := azservicebus.NewClientFromConnectionString(stageOf(ts).bus.ConnectionString(), nil)
	ts.Check(err)
	ctx := context.Background()
	defer func() { _ = client.Close(ctx) }()
	sender, err := client.NewSender(localazure.Requests, nil)
	ts.Check(err)
	ts.Check(sender.SendMessage(ctx, &azservicebus.Message{MessageID: &args[0], Body: []byte(ts.ReadFile(args[1]))}, nil))
}

func cmdPublish(ts *testscript.TestScript, _ bool, args []string) {
	id, digest, eventType := args[0], strings.Repeat(args[1], 64), "goldmint.build."+args[2]
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	run := int64(args[1][0]) // a later letter is a later build
	e := event.Event{
		ID: event.ID(id+"/"+digest[:32], eventType, run), Source: "/goldmint", Type: eventType, Subject: "/subscriptions/s/images/" + id, Time: at,
		Data: event.Data{BuildID: id, Digest: digest, Run: run, ImageID: "/subscriptions/s/images/" + id + "-" + args[1], Name: id, Location: "westeurope", RequestedAt: at, StartedAt: at},
	}
	switch eventType {
	case event.Delayed:
		e.Data.StartedAt = time.Time{}
		e.Data.Delay = &event.Delay{Reason: "Refused", Code: "NotFound", Message: "Azure says 404 NotFound for VM web-builder; trying again", Until: at}
	case event.Failed:
		e.Data.Error = &event.Error{Code: "ImageBlobNotFound", Message: "Unable to find VHD blob."}
	case event.Rejected:
		e.Data.Error = &event.Error{Code: "InvalidRequest", Message: "InvalidRequest: name: is missing"}
		e.Data.Problems = []event.Problem{{Pointer: "/name", Path: "name", Message: "is missing"}}
	}
	ts.Check(publish(context.Background(), stageOf(ts).bus.ConnectionString(), e))
}

func cmdCut(ts *testscript.TestScript, _ bool, _ []string) { stageOf(ts).bus.DropConnections() }

func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d\nstderr:\n%s", got, want, ts.ReadFile("stderr"))
	}
}

func cmdUntil(ts *testscript.TestScript, _ bool, args []string) {
	giveUp := time.After(5 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ts.Exec(args[1], args[2:]...) == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		select {
		case <-tick.C:
		case <-giveUp:
			ts.Fatalf("%q did not come:\n%s%s", args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
	}
}
