package deploy_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"goldmint/internal/build"
	"goldmint/internal/config"
	"goldmint/internal/request"
)

// Limits of Service Bus; the handler's own are read from its code.
const (
	longestWindow  = 7 * 24 * time.Hour // it detects duplicates for P7D at most
	longestLock    = 5 * time.Minute    // it locks a message for PT5M at most
	longestHistory = 7 * 24 * time.Hour // history_ttl is P7D at most
)

// A build's messages, waiting and working together, must live and be distinguished for longer than
// the build.
func TestMessagesOutliveTheLongestBuild(t *testing.T) {
	m := readModule(t)
	longestBuild := duration(t, azureSettings(t)["MAX_WAIT"]) + request.MaxTimeout
	for _, limit := range []struct{ address, attribute string }{
		{"azurerm_servicebus_queue.builds", "default_message_ttl"},
		{"azurerm_servicebus_queue.builds", "duplicate_detection_history_time_window"},
		{"azurerm_servicebus_topic.events", "duplicate_detection_history_time_window"},
	} {
		if got := duration(t, m.text(t, limit.address, limit.attribute)); got <= longestBuild {
			t.Errorf("%s.%s is %s, but a build can last %s", limit.address, limit.attribute, got, longestBuild)
		}
	}
}

// TestDuplicatesAreFoundForTheLongestBuild: with every allowed MAX_WAIT and timeout, a build ends
// while duplicates of its messages and events are still detected. A version's default timeout is
// within the bounds as well.
func TestDuplicatesAreFoundForTheLongestBuild(t *testing.T) {
	m := readModule(t)
	longest := build.LongestWait + max(request.MaxTimeout, request.DefaultVersionTimeout)
	for _, address := range []string{"azurerm_servicebus_queue.builds", "azurerm_servicebus_topic.events"} {
		if window := duration(t, m.text(t, address, "duplicate_detection_history_time_window")); window < longest+12*time.Hour {
			t.Errorf("%s finds duplicates for %s, but a build can last %s", address, window, longest)
		}
	}
	if request.DefaultVersionTimeout > request.MaxTimeout {
		t.Errorf("a version's timeout is %s by default, of %s at most", request.DefaultVersionTimeout, request.MaxTimeout)
	}
}

func TestServiceBusLimits(t *testing.T) {
	m := readModule(t)
	for _, limit := range []struct {
		address, attribute string
		most               time.Duration
	}{
		{"azurerm_servicebus_queue.builds", "lock_duration", longestLock},
		{"azurerm_servicebus_subscription.downstream", "lock_duration", longestLock},
		{"azurerm_servicebus_queue.builds", "duplicate_detection_history_time_window", longestWindow},
		{"azurerm_servicebus_topic.events", "duplicate_detection_history_time_window", longestWindow},
	} {
		if got := duration(t, m.text(t, limit.address, limit.attribute)); got > limit.most {
			t.Errorf("%s.%s is %s, Service Bus allows %s", limit.address, limit.attribute, got, limit.most)
		}
	}
	if got := duration(t, m.text(t, "azurerm_servicebus_topic.events", "default_message_ttl")); got < longestHistory {
		t.Errorf("the topic drops events after %s, history may keep them for %s", got, longestHistory)
	}
	most, err := strconv.Atoi(m.text(t, "azurerm_servicebus_queue.builds", "max_delivery_count"))
	if err != nil {
		t.Fatal(err)
	}
	if poison := defaults(t).PoisonDelivery; most <= 2*poison {
		t.Errorf("the handler steps in at delivery %d, but the queue dead-letters at %d", poison, most)
	}
}

// An event that Event Grid delivers at its last attempt must still be recognized as the one it
// delivered at first.
func TestEventGridRetriesInsideTheDuplicateWindow(t *testing.T) {
	m := readModule(t)
	minutes, err := strconv.Atoi(m.nested(t, "azurerm_eventgrid_system_topic_event_subscription.vms", "retry_policy", "event_time_to_live"))
	if err != nil {
		t.Fatal(err)
	}
	window := duration(t, m.text(t, "azurerm_servicebus_queue.builds", "duplicate_detection_history_time_window"))
	if ttl := time.Duration(minutes) * time.Minute; ttl >= window {
		t.Errorf("Event Grid tries for %s, duplicates are detected for %s", ttl, window)
	}
}

// host.json: the lock outlasts every invocation, the host settles, and nothing but the handler
// limits its concurrency.
func TestHostLimits(t *testing.T) {
	var host struct {
		FunctionTimeout string
		Retry           any
		Extensions      struct {
			ServiceBus struct {
				AutoCompleteMessages       bool
				MaxAutoLockRenewalDuration string
				MaxConcurrentCalls         int
			}
		}
		Concurrency struct{ DynamicConcurrencyEnabled bool }
	}
	readJSON(t, "../host.json", &host)
	timeout, renewal := clock(t, host.FunctionTimeout), clock(t, host.Extensions.ServiceBus.MaxAutoLockRenewalDuration)
	lock := duration(t, readModule(t).text(t, "azurerm_servicebus_queue.builds", "lock_duration"))
	if timeout <= config.LongestLife {
		t.Errorf("functionTimeout is %s: the host would kill the handler before an invocation of %s ends", timeout, config.LongestLife)
	}
	if timeout > lock && timeout > renewal {
		t.Errorf("functionTimeout is %s, but a message stays locked for %s, renewed for %s", timeout, lock, renewal)
	}
	if !host.Extensions.ServiceBus.AutoCompleteMessages {
		t.Error("autoCompleteMessages must be on: a custom handler cannot complete a message, and the host would stop pulling")
	}
	if calls := host.Extensions.ServiceBus.MaxConcurrentCalls; calls < 1 || calls > 16 {
		t.Errorf("maxConcurrentCalls is %d, want a low one", calls)
	}
	if host.Concurrency.DynamicConcurrencyEnabled || host.Retry != nil {
		t.Error("dynamicConcurrencyEnabled overrides maxConcurrentCalls, and retry is not supported for this trigger: leave both out")
	}
}

// Durations are ISO 8601 and, for alerts, one of the few that Azure Monitor takes; Terraform checks
// neither everywhere.
func TestDurations(t *testing.T) {
	m := readModule(t)
	monitor := []string{"PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"}
	isDuration := regexp.MustCompile(`^(lock_duration|default_message_ttl|\w*time_window|auto_delete_on_idle|frequency|evaluation_frequency|window_size|window_duration)$`)
	seen := 0
	for _, address := range slices.Sorted(maps.Keys(m.resources)) {
		for name, attribute := range m.resources[address].Body.Attributes {
			value := m.value(attribute.Expr)
			if !isDuration.MatchString(name) || !value.IsKnown() {
				continue
			}
			seen++
			duration(t, asText(t, address+"."+name, value))
		}
	}
	if seen < 8 {
		t.Errorf("only %d durations were found in the resources", seen)
	}
	for _, alerts := range []string{"metric_alerts", "log_alerts"} {
		for name, alert := range m.local(t, alerts).AsValueMap() {
			if window := alert.GetAttr("window"); !slices.Contains(monitor, window.AsString()) {
				t.Errorf("alert %s looks at %s, want one of %v", name, window.AsString(), monitor)
			}
		}
	}
}

// Metrics as Azure Monitor lists them, with the dimensions and aggregations they have; a wrong name
// makes an alert that never fires.
func TestMetrics(t *testing.T) {
	supported := map[string][]string{
		"Microsoft.ServiceBus/namespaces DeadletteredMessages EntityName":          {"Average", "Minimum", "Maximum"},
		"Microsoft.ServiceBus/namespaces ActiveMessages EntityName":                {"Average", "Minimum", "Maximum"},
		"Microsoft.EventGrid/systemTopics DeadLetteredCount EventSubscriptionName": {"Total"},
		"Microsoft.EventGrid/systemTopics DroppedEventCount EventSubscriptionName": {"Total"},
	}
	for name, alert := range readModule(t).local(t, "metric_alerts").AsValueMap() {
		member := func(key string) string { return asText(t, name+"."+key, alert.GetAttr(key)) }
		metric := member("namespace") + " " + member("metric") + " " + member("dimension")
		if !slices.Contains(supported[metric], member("aggregation")) {
			t.Errorf("alert %s: Azure Monitor has no %s of %s", name, member("aggregation"), metric)
		}
		want := "image" + name[strings.LastIndexByte(name, '-'):]
		if strings.HasSuffix(name, "-vm-events") {
			want = "goldmint-test"
		}
		if entity := member("entity"); entity != want {
			t.Errorf("alert %s watches %s, want %s", name, entity, want)
		}
	}
}

var isoDuration = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

// duration reads an ISO 8601 duration of days, hours, minutes and seconds.
func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	parts := isoDuration.FindStringSubmatch(text)
	if parts == nil {
		t.Fatalf("%q is no ISO 8601 duration such as PT5M or P7D", text)
	}
	var total time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		count, _ := strconv.Atoi(parts[i+1])
		total += time.Duration(count) * unit
	}
	if total == 0 {
		t.Fatalf("%q is no time at all", text)
	}
	return total
}

// clock reads the hh:mm:ss of host.json.
func clock(t *testing.T, text string) time.Duration {
	t.Helper()
	var hours, minutes, seconds int
	if _, err := fmt.Sscanf(text, "%d:%d:%d", &hours, &minutes, &seconds); err != nil {
		t.Fatalf("%q is not hh:mm:ss: %v", text, err)
	}
	return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second
}
