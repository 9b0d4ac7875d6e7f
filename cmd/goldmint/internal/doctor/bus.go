package doctor

import (
	"context"
	"errors"
	"regexp"

	"goldmint/cmd/goldmint/internal/namespace"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// busScope is that of Service Bus' tokens.
const busScope = "https://servicebus.azure.net/.default"

// busNeed is one right on one entity.
type busNeed struct {
	parts  []Part
	verb   string
	entity namespace.Entity
	right  namespace.Right
	try    func(context.Context) error
}

func (n busNeed) check() string { return n.entity.String() + ": " + n.verb }

func (d Deployment) busNeeds() []busNeed {
	requests, builds, topic := namespace.Entity{Queue: d.Requests}, namespace.Entity{Queue: d.Builds}, namespace.Entity{Topic: d.Topic}
	listen := func(queue string) func(context.Context) error {
		return func(ctx context.Context) error {
			return peek(ctx, func() (*azservicebus.Receiver, error) { return d.Bus.NewReceiverForQueue(queue, nil) })
		}
	}
	history := namespace.Entity{Topic: d.Topic, Subscription: d.History}
	return []busNeed{
		{[]Part{Submitter}, "send", requests, namespace.Send, d.send(d.Requests)},
		{[]Part{Function}, "listen", requests, namespace.Listen, listen(d.Requests)},
		{[]Part{Function}, "send", builds, namespace.Send, d.send(d.Builds)},
		{[]Part{Function}, "listen", builds, namespace.Listen, listen(d.Builds)},
		{[]Part{Function}, "send", topic, namespace.Send, d.send(d.Topic)},
		{[]Part{Waiter}, "peek", history, namespace.Listen, func(ctx context.Context) error {
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
			report(Finding{Check: need.check(), Result: Skipped, Detail: stop})
			continue
		}
		f := d.examineNeed(ctx, need)
		if f.Result == Unreachable {
			stop = d.Namespace.Host + " cannot be reached"
		}
		report(f)
	}
}

func (d Deployment) examineNeed(ctx context.Context, need busNeed) Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := need.try(ctx)
	if err == nil {
		return Finding{Check: need.check(), Result: OK}
	}
	err = d.Namespace.Explain(err, need.entity, need.right)
	var refusal *namespace.Refusal
	if !errors.As(err, &refusal) {
		return Finding{Check: need.check(), Result: Unreachable, Detail: namespace.Brief(err), Hint: namespace.ContactHint}
	}
	f := Finding{Check: need.check(), Result: Failed, Detail: refusal.Error(), Hint: refusal.Hint}
	if refusal.Role != "" {
		f.Missing = &Grant{Role: refusal.Role, Scope: d.Namespace.Host + need.entity.Scope()}
	}
	return f
}

// signIn gets a token. Without one it reports why nothing else can be checked. No credential needs
// no token.
func (d Deployment) signIn(ctx context.Context, check string, credential azcore.TokenCredential, scope string, report func(Finding)) (stop string) {
	if credential == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if _, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}}); err != nil {
		report(Finding{Check: check, Result: Failed, Detail: signInError(err), Hint: namespace.SignInHint})
		return "nobody is signed in"
	}
	report(Finding{Check: check, Result: OK})
	return ""
}

// send opens a link to send on and sends nothing: the service refuses the link already where the
// right is missing.
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

// signInError is what the endpoint said that gave no token, which stands far down in the SDK's
// error.
func signInError(err error) string {
	if found := said.FindStringSubmatch(err.Error()); found != nil {
		return found[1]
	}
	return namespace.Brief(err)
}
