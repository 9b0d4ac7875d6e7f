package namespace

import (
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// Right is what a caller wants to do with an entity.
type Right struct {
	Role  string // that grants it, of Azure's built-in ones
	Claim string // that grants it, of a shared access policy
}

// The rights that Goldmint's commands need.
var (
	Send   = Right{Role: "Azure Service Bus Data Sender", Claim: "Send"}
	Listen = Right{Role: "Azure Service Bus Data Receiver", Claim: "Listen"}
)

// What to do about errors that no role assignment fixes.
const (
	SignInHint  = "as yourself: run `az login`; in a pipeline: log in with OIDC (azure/login, AzureCLI@2); as a managed identity: run where it is assigned, and check its client id"
	ContactHint = "check the namespace's name, and that TLS connections to port 5671 (AMQP) are open from here; with private_network only its VNet gets in; a local Azure must be running"
	entityHint  = "check the queue (--request-queue, REQUEST_QUEUE), the topic (--topic, EVENT_TOPIC) and --topic-subscription; infra/ creates image-requests, image-builds, image-events and history"
)

// Entity is a queue, a topic or a subscription of a topic.
type Entity struct {
	Queue               string
	Topic, Subscription string
}

// String names the entity in a sentence.
func (e Entity) String() string {
	switch {
	case e.Queue != "":
		return "queue " + e.Queue
	case e.Subscription == "":
		return "topic " + e.Topic
	}
	return "subscription " + e.Subscription + " of topic " + e.Topic
}

// Scope is the entity's place below the namespace in a resource ID.
func (e Entity) Scope() string {
	switch {
	case e.Queue != "":
		return "/queues/" + e.Queue
	case e.Subscription == "":
		return "/topics/" + e.Topic
	}
	return "/topics/" + e.Topic + "/subscriptions/" + e.Subscription
}

// Refusal is an error of the namespace's that trying again does not help, and what does.
type Refusal struct { //nolint:errname // callers read namespace.Refusal
	Err  error
	Hint string
	Role string // whose lack it is; empty where a role would not help
}

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// Explain makes a [*Refusal] of an error that trying again does not help: no right, no such entity,
// no sign-in. Any other error comes back as it is.
func (a Address) Explain(err error, entity Entity, right Right) error {
	var refused *azservicebus.Error
	if errors.As(err, &refused) {
		switch refused.Code {
		case azservicebus.CodeUnauthorizedAccess:
			return a.unauthorized(refused, entity, right)
		case azservicebus.CodeNotFound:
			return &Refusal{Err: fmt.Errorf("%s has no %s", a.Host, entity), Hint: entityHint}
		default:
			return err
		}
	}
	var noSignIn *azidentity.AuthenticationFailedError
	if errors.As(err, &noSignIn) || strings.Contains(fmt.Sprint(err), "DefaultAzureCredential: failed to acquire a token") {
		return &Refusal{Err: fmt.Errorf("cannot sign in to Azure: %s", Brief(err)), Hint: SignInHint + "; or set " + EnvConnectionString}
	}
	return err
}

// unauthorized says which role to assign, or what is wrong with the policy.
func (a Address) unauthorized(refused error, entity Entity, right Right) *Refusal {
	r := &Refusal{Err: fmt.Errorf("%s does not let you use %s: %s", a.Host, entity, Brief(refused))}
	if a.ConnectionString != "" {
		r.Hint = fmt.Sprintf("the shared access policy of %s must be current and grant %s; or use --namespace and the role %q", a.from, right.Claim, right.Role)
		return r
	}
	name, _, _ := strings.Cut(a.Host, ".")
	r.Role = right.Role
	r.Hint = fmt.Sprintf(`assign the role %[1]q on the %[2]s to who is signed in (it takes effect within minutes):
  az role assignment create --assignee OBJECT-ID --role %[1]q \
    --scope "$(az servicebus namespace list --query "[?name=='%[3]s'].id" -o tsv)%[4]s"`, right.Role, entity, name, entity.Scope())
	return r
}

// Brief is the first line of an error that says everything, without the client's own prefixes.
func Brief(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	for _, prefix := range []string{"(unauthorized): ", "(auth): ", "(connlost): "} {
		line = strings.Replace(line, prefix, "", 1)
	}
	return line
}
