package doctor

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// Azure's built-in roles for Service Bus, and the scope of its tokens.
const (
	sender   = "Azure Service Bus Data Sender"
	receiver = "Azure Service Bus Data Receiver"
	busScope = "https://servicebus.azure.net/.default"
)

// busNeed is one right on one entity.
type busNeed struct {
	parts  []Part
	check  string
	entity string
	path   string // below the namespace, of the role assignment
	role   string
	try    func(context.Context) error
}

func (d Deployment) busNeeds() []busNeed {
	queue, topic := "queue "+d.Queue, "topic "+d.Topic
	history := "subscription " + d.History + " of " + topic
	return []busNeed{
		{[]Part{Function, Submitter}, queue + ": send", queue, "queues/" + d.Queue, sender, d.send(d.Queue)},
		{[]Part{Function}, queue + ": listen", queue, "queues/" + d.Queue, receiver, func(ctx context.Context) error {
			return peek(ctx, func() (*azservicebus.Receiver, error) { return d.Bus.NewReceiverForQueue(d.Queue, nil) })
		}},
		{[]Part{Function}, topic + ": send", topic, "topics/" + d.Topic, sender, d.send(d.Topic)},
		{[]Part{Waiter}, history + ": peek", history, "topics/" + d.Topic + "/subscriptions/" + d.History, receiver, func(ctx context.Context) error {
			return peek(ctx, func() (*azservicebus.Receiver, error) {
				return d.Bus.NewReceiverForSubscription(d.Topic, d.History, nil)
			})
		}},
	}
}

func (d Deployment) examineBus(ctx context.Context, report func(Finding)) {
	stop := d.signIn(ctx, "sign in for Service Bus", d.BusCredential, busScope, report)
	for _, need := range d.busNeeds() {
		if !d.plays(need.parts...) {
			continue
		}
		if stop != "" {
			report(Finding{Check: need.check, Result: Skipped, Detail: stop})
			continue
		}
		f := d.examineNeed(ctx, need)
		if f.Result == Unreachable {
			stop = d.Namespace + " cannot be reached"
		}
		report(f)
	}
}

func (d Deployment) examineNeed(ctx context.Context, need busNeed) Finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := need.try(ctx)
	if err == nil {
		return Finding{Check: need.check, Result: OK}
	}
	f := Finding{Check: need.check, Result: Failed, Detail: firstLine(err)}
	var refused *azservicebus.Error
	switch errors.As(err, &refused); {
	case refused != nil && refused.Code == azservicebus.CodeUnauthorizedAccess:
		f.Missing = &Grant{Role: need.role, Scope: d.Namespace + "/" + need.path}
		f.Hint = assignHint
		if d.BusCredential == nil {
			f.Missing = nil
			f.Hint = fmt.Sprintf("the connection string's key must be current, and its policy grant Send or Listen on the %s; with managed identity that is the role %q", need.entity, need.role)
		}
	case refused != nil && refused.Code == azservicebus.CodeNotFound:
		f.Detail = d.Namespace + " has no " + need.entity
		f.Hint = "check BUILD_QUEUE and EVENT_TOPIC; infra/messaging.tf creates the entities"
	default:
		f.Result = Unreachable
		f.Hint = "check the namespace's name and that port 5671 (AMQP over TLS) is open from here; with private_network only its VNet gets in"
	}
	return f
}

const assignHint = "role assignments take up to ten minutes to reach every service; docs/deploy.md says which identity needs which"

// signIn gets a token, and says why nothing else can be asked where there is none. No credential needs no token.
func (d Deployment) signIn(ctx context.Context, check string, credential azcore.TokenCredential, scope string, report func(Finding)) (stop string) {
	if credential == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}}); err != nil {
		report(Finding{Check: check, Result: Failed, Detail: refusal(err), Hint: "as yourself: `az login`; as a managed identity: run where it is assigned, and check its client id in the settings"})
		return "nobody is signed in"
	}
	report(Finding{Check: check, Result: OK})
	return ""
}

// send opens a link to send on and sends nothing: the service refuses the link already where the right is missing.
func (d Deployment) send(entity string) func(context.Context) error {
	return func(ctx context.Context) error {
		s, err := d.Bus.NewSender(entity, nil)
		if err != nil {
			return err
		}
		_, err = s.NewMessageBatch(ctx, nil)
		return errors.Join(err, s.Close(context.WithoutCancel(ctx)))
	}
}

// peek looks at one message, which neither locks nor counts it.
func peek(ctx context.Context, open func() (*azservicebus.Receiver, error)) error {
	r, err := open()
	if err != nil {
		return err
	}
	first := int64(0)
	_, err = r.PeekMessages(ctx, 1, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &first})
	return errors.Join(err, r.Close(context.WithoutCancel(ctx)))
}

var said = regexp.MustCompile(`"(?:message|error_description)":\s*"([^"]+)"`)

// refusal is what the endpoint said that gave no token, which stands far down in the SDK's error.
func refusal(err error) string {
	if found := said.FindStringSubmatch(err.Error()); found != nil {
		return found[1]
	}
	return firstLine(err)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
