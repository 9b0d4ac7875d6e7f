package servicebus

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"goldmint/emulator/servicebus/broker"
	"goldmint/emulator/servicebus/filter"
)

// Validate checks the values against the service's own ranges and reports every
// problem.
func (c Config) Validate() error {
	// Building into a broker of no use finds all there is to find.
	return c.build(broker.New(time.Now, nil))
}

// build makes the entities.
func (c Config) build(b *broker.Broker) error {
	var problems []error
	for _, ns := range c.UserConfig.Namespaces {
		for _, q := range ns.Queues {
			problems = append(problems, q.build(b))
		}
		for _, t := range ns.Topics {
			problems = append(problems, t.build(b))
		}
	}
	for _, ns := range c.UserConfig.Namespaces {
		problems = append(problems, ns.checkForwarding(b))
	}
	return errors.Join(problems...)
}

// checkForwarding holds that messages go on to a queue or a topic that is there.
func (ns Namespace) checkForwarding(b *broker.Broker) error {
	var problems []error
	check := func(from string, p QueueProperties) {
		for member, to := range map[string]string{"ForwardTo": p.ForwardTo, "ForwardDeadLetteredMessagesTo": p.ForwardDeadLetteredMessagesTo} {
			if to == "" {
				continue
			}
			if target, err := b.Lookup(to); err != nil || !target.Sendable() {
				problems = append(problems, fmt.Errorf("%s: %s: there is no queue or topic %q", from, member, to))
			}
		}
	}
	for _, q := range ns.Queues {
		check(fmt.Sprintf("queue %q", q.Name), q.Properties)
	}
	for _, t := range ns.Topics {
		for _, s := range t.Subscriptions {
			check(fmt.Sprintf("topic %q: subscription %q", t.Name, s.Name), s.Properties)
		}
	}
	return errors.Join(problems...)
}

func (q Queue) build(b *broker.Broker) error {
	if err := errors.Join(checkName(q.Name, 260), q.Properties.check()); err != nil {
		return fmt.Errorf("queue %q: %w", q.Name, err)
	}
	_, err := b.AddQueue(q.Name, q.Properties.settings())
	return err
}

func (t Topic) build(b *broker.Broker) error {
	p := QueueProperties{
		DefaultMessageTimeToLive:            t.Properties.DefaultMessageTimeToLive,
		DuplicateDetectionHistoryTimeWindow: t.Properties.DuplicateDetectionHistoryTimeWindow,
		RequiresDuplicateDetection:          t.Properties.RequiresDuplicateDetection,
	}
	if err := errors.Join(checkName(t.Name, 260), p.check()); err != nil {
		return fmt.Errorf("topic %q: %w", t.Name, err)
	}
	if _, err := b.AddTopic(t.Name, p.settings()); err != nil {
		return err
	}
	var problems []error
	for _, s := range t.Subscriptions {
		if err := s.build(b, t.Name); err != nil {
			problems = append(problems, fmt.Errorf("topic %q: subscription %q: %w", t.Name, s.Name, err))
		}
	}
	return errors.Join(problems...)
}

func (s Subscription) build(b *broker.Broker, topic string) error {
	problems := []error{checkName(s.Name, 50), s.Properties.check()}
	if s.Properties.RequiresDuplicateDetection {
		problems = append(problems, errors.New("RequiresDuplicateDetection: a subscription has none, set it for the topic"))
	}
	var filters []broker.Filter
	for _, r := range s.Rules {
		f, err := r.Properties.filter()
		if err != nil {
			problems = append(problems, fmt.Errorf("rule %q: %w", r.Name, err))
		}
		filters = append(filters, f)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	_, err := b.AddSubscription(topic, s.Name, s.Properties.settings(), filters...)
	return err
}

func (p RuleProperties) filter() (broker.Filter, error) {
	if p.Action != nil && p.Action.SQLExpression != "" {
		return nil, errors.New("actions are not supported here; take the Action away")
	}
	kind := p.FilterType
	if kind == "" {
		switch {
		case p.CorrelationFilter != nil:
			kind = "Correlation"
		case p.SQLFilter != nil:
			kind = "Sql"
		}
	}
	switch kind {
	case "Correlation":
		if p.CorrelationFilter == nil {
			return nil, errors.New("CorrelationFilter is missing")
		}
		return p.CorrelationFilter.filter()
	case "Sql":
		if p.SQLFilter == nil {
			return nil, errors.New("SqlFilter is missing")
		}
		return filter.SQL(p.SQLFilter.SQLExpression)
	case "True", "TrueFilter":
		return filter.Constant(true), nil
	case "False", "FalseFilter":
		return filter.Constant(false), nil
	}
	return nil, fmt.Errorf("FilterType %q is none of Correlation, Sql, True, False", p.FilterType)
}

func (c CorrelationFilter) filter() (broker.Filter, error) {
	return filter.NewCorrelation(map[string]string{
		"ContentType": c.ContentType, "CorrelationId": c.CorrelationID, "Label": c.Label, "MessageId": c.MessageID,
		"ReplyTo": c.ReplyTo, "ReplyToSessionId": c.ReplyToSessionID, "SessionId": c.SessionID, "To": c.To,
	}, c.Properties)
}

func (p QueueProperties) settings() broker.Settings {
	return broker.Settings{
		LockDuration: time.Duration(p.LockDuration), TimeToLive: time.Duration(p.DefaultMessageTimeToLive),
		DeadLetterOnExpiry: p.DeadLetteringOnMessageExpiration, MaxDeliveryCount: p.MaxDeliveryCount,
		DuplicateWindow: time.Duration(p.DuplicateDetectionHistoryTimeWindow), DetectDuplicates: p.RequiresDuplicateDetection,
		RequiresSession: p.RequiresSession, ForwardTo: p.ForwardTo, ForwardDeadLettersTo: p.ForwardDeadLetteredMessagesTo,
	}
}

func (p QueueProperties) check() error {
	problems := []error{
		inRange("LockDuration", p.LockDuration, 5*time.Second, 5*time.Minute),
		inRange("DefaultMessageTimeToLive", p.DefaultMessageTimeToLive, time.Second, time.Duration(Forever)),
		inRange("DuplicateDetectionHistoryTimeWindow", p.DuplicateDetectionHistoryTimeWindow, 5*time.Second, 7*24*time.Hour),
	}
	if p.MaxDeliveryCount < 0 || p.MaxDeliveryCount > 2000 {
		problems = append(problems, fmt.Errorf("MaxDeliveryCount is %d, want 1 to 2000", p.MaxDeliveryCount))
	}
	return errors.Join(problems...)
}

// inRange checks a duration; zero stands for the default.
func inRange(name string, d Duration, low, high time.Duration) error {
	if d == 0 || time.Duration(d) >= low && time.Duration(d) <= high {
		return nil
	}
	return fmt.Errorf("%s is %s, want %s to %s", name, d, Duration(low), Duration(high))
}

var entityName = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9_])?$`)

func checkName(name string, limit int) error {
	if len(name) > limit || !entityName.MatchString(name) {
		return fmt.Errorf("the name is not valid: want 1 to %d letters, digits, '.', '-', '_' and '/', starting and ending with a letter or a digit", limit)
	}
	return nil
}
