// Package doctor examines a deployment from the outside: it asks for everything that the function,
// a submitter or a waiter needs, names each role that is missing, and changes nothing. No message
// is sent, received or locked, and Resource Manager is only read.
package doctor

import (
	"context"
	"time"

	"goldmint/cmd/goldmint/internal/namespace"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// Result is the result of one check.
type Result string

// The results.
const (
	OK          Result = "ok"
	Failed      Result = "failed"      // refused, or not there
	Unreachable Result = "unreachable" // no answer
	Unknown     Result = "unknown"     // cannot be checked without changing something
	Skipped     Result = "skipped"     // an earlier check covers it, or there is nothing to check
)

// Finding is one check and its result.
type Finding struct {
	Check   string `json:"check"`
	Result  Result `json:"result"`
	Detail  string `json:"detail,omitempty"`
	Missing *Grant `json:"missing,omitempty"` // what to assign
	Hint    string `json:"hint,omitempty"`
}

// Grant is a role at a scope.
type Grant struct {
	Role   string `json:"role"`
	Action string `json:"action,omitempty"` // of a custom role
	Scope  string `json:"scope"`
}

// Part is what an identity does in a deployment.
type Part string

// The parts: the function itself, those who send requests, those who wait for events.
const (
	Function  Part = "function"
	Submitter Part = "submitter"
	Waiter    Part = "waiter"
)

// Deployment is what is examined, and as whom.
type Deployment struct {
	Parts []Part // whose rights are looked for

	Bus                              *azservicebus.Client // with few retries: a check waits for each
	Namespace                        namespace.Address
	Requests, Builds, Topic, History string
	BusCredential                    azcore.TokenCredential // nil with a connection string

	ARMEndpoint, ARMAudience string
	ARMCredential            azcore.TokenCredential
	ResourceGroups           []string // ids of those that hold images

	App      string            // id of the function app, to look at what Azure holds of it; empty: not looked at
	Settings map[string]string // the app settings, as far as they are known
	VMEvents string            // the policy of that name

	Galleries      []string // ids of galleries, or of image definitions in them
	GallerySources []string // ids of what versions are made from
	VMGalleryImage string   // the setting of that name: gallery/definition
}

// checkTimeout bounds one check.
const checkTimeout = 20 * time.Second

// Examine makes every check and reports each as it is done.
func (d Deployment) Examine(ctx context.Context, report func(Finding)) {
	d.examineBus(ctx, report)
	if d.plays(Function) {
		d.examineARM(ctx, report)
	}
	if d.App != "" {
		d.examineApp(ctx, report)
	}
}

func (d Deployment) plays(parts ...Part) bool {
	for _, part := range parts {
		for _, p := range d.Parts {
			if p == part {
				return true
			}
		}
	}
	return false
}
