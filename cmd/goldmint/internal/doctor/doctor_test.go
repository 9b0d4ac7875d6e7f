package doctor_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"

	"goldmint/cmd/goldmint/internal/doctor"
	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/emulator/arm"
	"goldmint/emulator/servicebus"
	"goldmint/internal/localazure"
)

const group = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-images"

// anyToken is good for the local Resource Manager.
type anyToken struct{}

func (anyToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "a-token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// role is the custom role, which does not let its holder read its own permissions.
func role() []string {
	var names []string
	for _, a := range doctor.Actions() {
		names = append(names, a.Name)
	}
	return names
}

const readPermissions = "Microsoft.Authorization/permissions/read"

func without(names []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(gone, n) })
}

type world struct {
	bus *servicebus.Server
	arm *arm.Server
}

// deployment is a local one, its ARM holding the caller to the role.
func deployment(t *testing.T, role []string) (doctor.Deployment, world) {
	t.Helper()
	w := world{servicebus.Start(t, servicebus.Options{Config: localazure.Entities()}), arm.Start(t, arm.Options{Role: role})}
	return doctor.Deployment{
		Parts: []doctor.Part{doctor.Function, doctor.Submitter, doctor.Waiter},
		Bus:   dial(t, w.bus.ConnectionString()), Namespace: namespace.Address{Host: "sb.example.net"}, Requests: localazure.Requests, Builds: localazure.Builds, Topic: localazure.Topic, History: localazure.History,
		BusCredential: anyToken{}, // what the client itself uses is the connection string
		ARMEndpoint:   w.arm.Endpoint(), ARMAudience: "https://management.azure.com", ARMCredential: anyToken{},
		ResourceGroups: []string{group},
	}, w
}

func dial(t *testing.T, connection string) *azservicebus.Client {
	t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(connection, &azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{MaxRetries: -1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(context.Background()) })
	return client
}

// onlyFor is a connection string whose signature is good for one entity.
func onlyFor(bus *servicebus.Server, entity string) string {
	_, rest, _ := strings.Cut(bus.ConnectionString(), "SharedAccessKey=")
	key, _, _ := strings.Cut(rest, ";")
	resource, expiry := url.QueryEscape("sb://"+bus.Addr()+"/"+entity), strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(resource + "\n" + expiry))
	return "Endpoint=sb://" + bus.Addr() + ";SharedAccessSignature=SharedAccessSignature sr=" + resource + "&sig=" +
		url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))) + "&se=" + expiry + "&skn=RootManageSharedAccessKey;UseDevelopmentEmulator=true"
}

// examine returns the findings in a line each: result, check and what is missing.
func examine(t *testing.T, d doctor.Deployment) []string {
	t.Helper()
	var lines []string
	d.Examine(t.Context(), func(f doctor.Finding) {
		line := string(f.Result) + " " + f.Check
		if f.Missing != nil {
			line += " <- " + strings.TrimSpace(f.Missing.Role+" "+f.Missing.Action) + " on " + f.Missing.Scope
		}
		if f.Result != doctor.OK && f.Result != doctor.Skipped && f.Hint == "" {
			t.Errorf("%s: no hint what to do: %s", f.Check, f.Detail)
		}
		lines = append(lines, line)
	})
	return lines
}

func compare(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

var healthy = []string{
	"ok sign in for Service Bus",
	"ok queue image-requests: send", "ok queue image-requests: listen",
	"ok queue image-builds: send", "ok queue image-builds: listen", "ok topic image-events: send", "ok subscription history of topic image-events: peek",
	"ok sign in for Resource Manager", "ok resource group rg-images",
}

func TestHealthy(t *testing.T) {
	d, w := deployment(t, append(role(), readPermissions))
	compare(t, healthy, examine(t, d))
	t.Run("and nothing changed", func(t *testing.T) {
		for _, entity := range []string{localazure.Builds, localazure.Topic + "/Subscriptions/" + localazure.History} {
			if active, scheduled, dead, deferred := w.bus.Counts(entity); active+scheduled+dead+deferred != 0 {
				t.Errorf("%s holds %d, %d, %d, %d messages", entity, active, scheduled, dead, deferred)
			}
		}
		for _, call := range w.arm.Calls() {
			if call.Method != http.MethodGet {
				t.Errorf("%s %s", call.Method, call.Path)
			}
		}
	})
}

// Each right that is missing is named with its role and scope, and no other.
func TestMissingRights(t *testing.T) {
	const listenOnHistory = " <- Azure Service Bus Data Receiver on sb.example.net/topics/image-events/subscriptions/history"
	for _, tt := range []struct{ entity, check, grant string }{
		{localazure.Builds, "topic image-events: send", " <- Azure Service Bus Data Sender on sb.example.net/topics/image-events"},
		{localazure.Topic, "queue image-builds: send", " <- Azure Service Bus Data Sender on sb.example.net/queues/image-builds"},
		{localazure.Topic, "queue image-builds: listen", " <- Azure Service Bus Data Receiver on sb.example.net/queues/image-builds"},
		{localazure.Builds, "subscription history of topic image-events: peek", listenOnHistory},
	} {
		d, w := deployment(t, nil)
		d.Bus = dial(t, onlyFor(w.bus, tt.entity))
		if got, want := examine(t, d), "failed "+tt.check+tt.grant; !slices.Contains(got, want) {
			t.Errorf("with rights on %s alone: no %q in %q", tt.entity, want, got)
		}
	}
	for _, a := range doctor.Actions() {
		d, _ := deployment(t, append(without(role(), a.Name), readPermissions))
		want := append(slices.Clone(healthy[:8]), "failed resource group rg-images <- Goldmint image builder "+a.Name+" on "+group)
		compare(t, want, examine(t, d))
	}
}

// An identity without the right to read its permissions, like the function's own, gets a finding
// that names what was not checked.
func TestPermissionsThatCannotBeRead(t *testing.T) {
	d, _ := deployment(t, role())
	compare(t, append(slices.Clone(healthy[:8]), "unknown resource group rg-images", "ok resource group rg-images"), examine(t, d))
}

// A role may be granted with stars and taken back in part.
func TestPermissionsWithStars(t *testing.T) {
	d, _ := deployment(t, []string{"*/read", "Microsoft.Compute/images/*", "Microsoft.Compute/*/generalize/action"})
	compare(t, healthy, examine(t, d))
	d, _ = deployment(t, []string{"*/read", "Microsoft.Compute/images/write"})
	if got := examine(t, d); len(got) != len(healthy)+1 {
		t.Errorf("delete and generalize are missing, found %q", got)
	}
}

// What is not there, and who cannot be reached.
func TestBroken(t *testing.T) {
	for name, tt := range map[string]struct {
		breakIt func(*doctor.Deployment, world)
		want    []string
	}{
		"no such queue": {func(d *doctor.Deployment, _ world) { d.Builds = "builds" }, []string{"failed queue builds: send", "failed queue builds: listen"}},
		"no such topic": {func(d *doctor.Deployment, _ world) { d.Topic = "events" }, []string{"failed topic events: send", "failed subscription history of topic events: peek"}},
		"no history":    {func(d *doctor.Deployment, _ world) { d.History = "h" }, []string{"failed subscription h of topic image-events: peek"}},
		"no Service Bus": {func(_ *doctor.Deployment, w world) { _ = w.bus.Close() }, []string{
			"unreachable queue image-requests: send", "skipped queue image-requests: listen", "skipped queue image-builds: send",
			"skipped queue image-builds: listen", "skipped topic image-events: send",
			"skipped subscription history of topic image-events: peek",
		}},
		"no Resource Manager": {func(d *doctor.Deployment, w world) {
			d.ResourceGroups = []string{group, group + "2"}
			_ = w.arm.Close()
		}, []string{
			"unreachable resource group rg-images", "skipped resource group rg-images2",
		}},
		"no such subscription": {func(d *doctor.Deployment, _ world) { d.ResourceGroups = []string{"/subscriptions/x/resourceGroups/g"} }, []string{"failed resource group g"}},
		"no group named":       {func(d *doctor.Deployment, _ world) { d.ResourceGroups = nil }, []string{"skipped resource groups"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, w := deployment(t, nil)
			tt.breakIt(&d, w)
			got := examine(t, d)
			compare(t, tt.want, slices.DeleteFunc(slices.Clone(got), func(line string) bool { return strings.HasPrefix(line, "ok ") }))
		})
	}
}

// A part needs its own rights and no others.
func TestParts(t *testing.T) {
	for part, want := range map[doctor.Part][]string{
		doctor.Submitter: {healthy[0], healthy[1]},
		doctor.Waiter:    {healthy[0], healthy[6]},
		doctor.Function:  {healthy[0], healthy[2], healthy[3], healthy[4], healthy[5], healthy[7], healthy[8]},
	} {
		d, _ := deployment(t, nil)
		d.Parts = []doctor.Part{part}
		compare(t, want, examine(t, d))
	}
}
