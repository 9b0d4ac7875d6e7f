package deploy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// local/ holds the entities of messaging.tf in the configuration format of Microsoft's Service Bus
// emulator: once as they are, for emulators that take the whole range, once within the limits of
// Microsoft's container.
//
//	go test ./internal/deploy -run TestEmulatorFiles -update
var update = flag.Bool("update", false, "write infra/local anew from messaging.tf")

const clampedNote = `// Generated from messaging.tf (go test ./internal/deploy -run TestEmulatorFiles -update) for Microsoft's Service Bus emulator.
// Its limits are lower than the service's: duplicates are detected for 5 minutes instead of 7 days, so once-only holds
// for 5 minutes, a message lives for an hour at most, and it is dead-lettered at its tenth delivery instead of its hundredth.
`

type emulatorConfig struct {
	UserConfig struct {
		Namespaces []emulatorNamespace
		Logging    struct{ Type string }
	}
}

type emulatorNamespace struct {
	Name   string
	Queues []emulatorQueue
	Topics []emulatorTopic
}

type emulatorQueue struct {
	Name       string
	Properties struct {
		DeadLetteringOnMessageExpiration    bool
		DefaultMessageTimeToLive            string
		DuplicateDetectionHistoryTimeWindow string
		ForwardDeadLetteredMessagesTo       string
		ForwardTo                           string
		LockDuration                        string
		MaxDeliveryCount                    int
		RequiresDuplicateDetection          bool
		RequiresSession                     bool
	}
}

type emulatorTopic struct {
	Name       string
	Properties struct {
		DefaultMessageTimeToLive            string
		DuplicateDetectionHistoryTimeWindow string
		RequiresDuplicateDetection          bool
	}
	Subscriptions []emulatorSubscription
}

type emulatorSubscription struct {
	Name       string
	Properties struct {
		DeadLetteringOnMessageExpiration bool
		DefaultMessageTimeToLive         string
		ForwardDeadLetteredMessagesTo    string
		ForwardTo                        string
		LockDuration                     string
		MaxDeliveryCount                 int
		RequiresSession                  bool
	}
	Rules []emulatorRule `json:",omitempty"` // none: everything
}

type emulatorRule struct {
	Name       string
	Properties struct {
		FilterType        string
		CorrelationFilter struct{ Label string }
	}
}

func TestEmulatorFiles(t *testing.T) {
	entities := entitiesOf(t, readModule(t))
	for name, want := range map[string][]byte{
		"local/servicebus.json":          encode(t, entities),
		"local/servicebus-emulator.json": append([]byte(clampedNote), encode(t, clamp(t, entities))...),
	} {
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what messaging.tf says (go test ./internal/deploy -run TestEmulatorFiles -update) (-want +got):\n%s", name, diff)
		}
	}
}

// Microsoft's container refuses to start on a file outside its limits.
func TestClampedFileIsWithinTheContainersLimits(t *testing.T) {
	var config emulatorConfig
	text, err := os.ReadFile("local/servicebus-emulator.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte(clampedNote)), &config); err != nil {
		t.Fatal(err)
	}
	within := func(what, text string, least, most time.Duration) {
		if d := duration(t, text); d < least || d > most {
			t.Errorf("%s is %s, the container allows %s to %s", what, text, least, most)
		}
	}
	namespace := config.UserConfig.Namespaces[0]
	if namespace.Name != "sbemulatorns" || len(namespace.Queues) != 2 || len(namespace.Topics) != 1 || len(namespace.Topics[0].Subscriptions) != 2 {
		t.Fatalf("unexpected entities: %+v", namespace)
	}
	for _, q := range namespace.Queues {
		queue := q.Properties
		within(q.Name+"'s window", queue.DuplicateDetectionHistoryTimeWindow, 5*time.Second, 5*time.Minute)
		within(q.Name+"'s time to live", queue.DefaultMessageTimeToLive, 5*time.Minute, time.Hour)
		within(q.Name+"'s lock", queue.LockDuration, 5*time.Second, 5*time.Minute)
		if queue.MaxDeliveryCount < 1 || queue.MaxDeliveryCount > 10 {
			t.Errorf("%s's delivery count is %d, the container allows 1 to 10", q.Name, queue.MaxDeliveryCount)
		}
	}
	topic := namespace.Topics[0].Properties
	within("the topic's window", topic.DuplicateDetectionHistoryTimeWindow, 5*time.Second, 5*time.Minute)
	within("the topic's time to live", topic.DefaultMessageTimeToLive, 5*time.Minute, time.Hour)
	for _, subscription := range namespace.Topics[0].Subscriptions {
		within(subscription.Name+"'s time to live", subscription.Properties.DefaultMessageTimeToLive, 5*time.Minute, time.Hour)
		within(subscription.Name+"'s lock", subscription.Properties.LockDuration, 5*time.Second, 5*time.Minute)
	}
}

// entitiesOf reads queue, topic and subscriptions out of messaging.tf.
func entitiesOf(t *testing.T, m *module) emulatorConfig {
	t.Helper()
	text := func(address, attribute string) string { return m.text(t, address, attribute) }
	flag := func(address, attribute string) bool { return text(address, attribute) == "true" }
	count := func(address string) int {
		n, err := strconv.Atoi(text(address, "max_delivery_count"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	var queues []emulatorQueue
	for _, address := range []string{"azurerm_servicebus_queue.requests", "azurerm_servicebus_queue.builds"} {
		var queue emulatorQueue
		queue.Name = text(address, "name")
		queue.Properties.DeadLetteringOnMessageExpiration = flag(address, "dead_lettering_on_message_expiration")
		queue.Properties.DefaultMessageTimeToLive = text(address, "default_message_ttl")
		queue.Properties.DuplicateDetectionHistoryTimeWindow = "PT10M" // the service's default, where none is detected
		queue.Properties.LockDuration = text(address, "lock_duration")
		queue.Properties.MaxDeliveryCount = count(address)
		queue.Properties.RequiresDuplicateDetection = flag(address, "requires_duplicate_detection")
		queue.Properties.RequiresSession = flag(address, "requires_session")
		if queue.Properties.RequiresDuplicateDetection {
			queue.Properties.DuplicateDetectionHistoryTimeWindow = text(address, "duplicate_detection_history_time_window")
		}
		queues = append(queues, queue)
	}

	var topic emulatorTopic
	const events = "azurerm_servicebus_topic.events"
	topic.Name = text(events, "name")
	topic.Properties.DefaultMessageTimeToLive = text(events, "default_message_ttl")
	topic.Properties.DuplicateDetectionHistoryTimeWindow = text(events, "duplicate_detection_history_time_window")
	topic.Properties.RequiresDuplicateDetection = flag(events, "requires_duplicate_detection")

	for _, name := range []string{"history", "downstream"} {
		address, rule := "azurerm_servicebus_subscription."+name, "azurerm_servicebus_subscription_rule."+name
		var subscription emulatorSubscription
		subscription.Name = text(address, "name")
		subscription.Properties.DeadLetteringOnMessageExpiration = flag(address, "dead_lettering_on_message_expiration")
		subscription.Properties.DefaultMessageTimeToLive = text(address, "default_message_ttl")
		subscription.Properties.LockDuration = text(address, "lock_duration")
		subscription.Properties.MaxDeliveryCount = count(address)
		subscription.Properties.RequiresSession = flag(address, "requires_session")
		subscription.Rules = rulesOf(t, m, rule)
		topic.Subscriptions = append(topic.Subscriptions, subscription)
	}

	var config emulatorConfig
	config.UserConfig.Namespaces = []emulatorNamespace{{Name: "sbemulatorns", Queues: queues, Topics: []emulatorTopic{topic}}}
	config.UserConfig.Logging.Type = "File"
	return config
}

// rulesOf is a subscription's one rule; without a rule a subscription of the emulator takes
// everything.
func rulesOf(t *testing.T, m *module, address string) []emulatorRule {
	t.Helper()
	if m.text(t, address, "filter_type") == "SqlFilter" {
		if filter := m.text(t, address, "sql_filter"); filter != "1=1" {
			t.Fatalf("%s filters by %q: write it into the emulator's file too", address, filter)
		}
		return nil
	}
	var rule emulatorRule
	rule.Name = m.text(t, address, "name")
	rule.Properties.FilterType = "Correlation"
	rule.Properties.CorrelationFilter.Label = m.nested(t, address, "correlation_filter", "label")
	return []emulatorRule{rule}
}

// clamp brings entities within the limits of Microsoft's container.
func clamp(t *testing.T, config emulatorConfig) emulatorConfig {
	t.Helper()
	namespace := config.UserConfig.Namespaces[0]
	most := func(text *string, limit string) {
		if duration(t, *text) > duration(t, limit) {
			*text = limit
		}
	}
	queues, topic := slices.Clone(namespace.Queues), namespace.Topics[0]
	for i := range queues {
		p := &queues[i].Properties
		most(&p.DefaultMessageTimeToLive, "PT1H")
		most(&p.DuplicateDetectionHistoryTimeWindow, "PT5M")
		p.MaxDeliveryCount = min(p.MaxDeliveryCount, 10)
	}
	most(&topic.Properties.DefaultMessageTimeToLive, "PT1H")
	most(&topic.Properties.DuplicateDetectionHistoryTimeWindow, "PT5M")
	topic.Subscriptions = append([]emulatorSubscription(nil), topic.Subscriptions...)
	for i := range topic.Subscriptions {
		most(&topic.Subscriptions[i].Properties.DefaultMessageTimeToLive, "PT1H")
	}
	config.UserConfig.Namespaces = []emulatorNamespace{{Name: namespace.Name, Queues: queues, Topics: []emulatorTopic{topic}}}
	return config
}

func encode(t *testing.T, config emulatorConfig) []byte {
	t.Helper()
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(config); err != nil {
		t.Fatal(err)
	}
	return []byte(text.String())
}
