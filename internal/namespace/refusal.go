package namespace

import (
	"context"
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

// Entity is a queue, or a subscription of a topic.
type Entity struct {
	Queue               string
	Topic, Subscription string
}

// String names the entity in a sentence.
func (e Entity) String() string {
	if e.Queue != "" {
		return "queue " + e.Queue
	}
	return "subscription " + e.Subscription + " of topic " + e.Topic
}

// scope is the entity's place below the namespace in a resource ID.
func (e Entity) scope() string {
	if e.Queue != "" {
		return "/queues/" + e.Queue
	}
	return "/topics/" + e.Topic + "/subscriptions/" + e.Subscription
}

// Refusal is an error of the namespace's that trying again does not help, and what does.
type Refusal struct { //nolint:errname // callers read namespace.Refusal
	Err  error
	Hint string
}

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// Explain makes a [*Refusal] of an error that trying again does not help: no right, no such entity, no sign-in. Any other
// error comes back as it is.
func (a Address) Explain(err error, entity Entity, right Right) error {
	var refused *azservicebus.Error
	if errors.As(err, &refused) {
		switch refused.Code {
		case azservicebus.CodeUnauthorizedAccess:
			return &Refusal{fmt.Errorf("%s does not let you use %s: %s", a.Host, entity, brief(refused)), a.grant(entity, right)}
		case azservicebus.CodeNotFound:
			return &Refusal{fmt.Errorf("%s has no %s", a.Host, entity), "check --queue, --topic and --subscription; infra/ creates image-builds, image-events and history"}
		default:
			return err
		}
	}
	var noSignIn *azidentity.AuthenticationFailedError
	if errors.As(err, &noSignIn) || strings.Contains(fmt.Sprint(err), "DefaultAzureCredential: failed to acquire a token") {
		return &Refusal{
			fmt.Errorf("cannot sign in to Azure: %s", brief(err)),
			"run `az login`; in a pipeline log in with OIDC (azure/login, AzureCLI@2) or give the machine a managed identity; or set " + EnvConnectionString,
		}
	}
	return err
}

// grant says which role to assign, or what is wrong with the policy.
func (a Address) grant(entity Entity, right Right) string {
	if a.ConnectionString != "" {
		return fmt.Sprintf("the shared access policy of %s must be current and grant %s; or use --namespace and the role %q", a.from, right.Claim, right.Role)
	}
	name, _, _ := strings.Cut(a.Host, ".")
	return fmt.Sprintf(`assign the role %[1]q on the %[2]s to who is signed in (it takes effect within minutes):
      az role assignment create --assignee OBJECT-ID --role %[1]q \
        --scope "$(az servicebus namespace list --query "[?name=='%[3]s'].id" -o tsv)%[4]s"`, right.Role, entity, name, entity.scope())
}

// brief is the first line of an error that tells its whole story, without the client's own prefixes.
func brief(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	for _, prefix := range []string{"(unauthorized): ", "(auth): "} {
		line = strings.TrimPrefix(line, prefix)
	}
	return line
}

// Unreachable reports whether the error says that the namespace did not answer, rather than that it refused.
func Unreachable(err error) bool {
	var refusal *Refusal
	return err != nil && !errors.As(err, &refusal) && !errors.Is(err, context.Canceled)
}
