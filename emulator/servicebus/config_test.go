package servicebus_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"goldmint/emulator/servicebus"
)

func TestParseConfig(t *testing.T) {
	file, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := servicebus.ParseConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	ns := c.UserConfig.Namespaces[0]
	queue, topic := ns.Queues[0], ns.Topics[0]
	if queue.Name != "queue.1" || queue.Properties.LockDuration != servicebus.Duration(time.Minute) || queue.Properties.MaxDeliveryCount != 3 ||
		queue.Properties.DuplicateDetectionHistoryTimeWindow != servicebus.Duration(7*24*time.Hour) {
		t.Errorf("queue %+v", queue)
	}
	if got := topic.Subscriptions[0].Rules[0].Properties.CorrelationFilter; got.Label != "http://not/a/comment" || got.Properties["prop"] != "value" {
		t.Errorf("correlation filter %+v", got)
	}
	if got := topic.Subscriptions[1].Rules[0].Properties.SQLFilter.SQLExpression; got != "sys.MessageId = '123456' AND userProp1 = 'value1'" {
		t.Errorf("SQL filter %q", got)
	}
	b := start(t, servicebus.Options{Config: c})
	b.send("queue.1", "a")
	b.counts("queue.1", 1, 0, 0, 0)
	again, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := servicebus.ParseConfig(again); err != nil {
		t.Errorf("what was written cannot be read: %v\n%s", err, again)
	}
}

// Every problem is named, and where it is.
func TestConfigErrors(t *testing.T) {
	for file, want := range map[string]string{
		`{`:                                 "unexpected EOF",
		`{} {}`:                             "after the end",
		`{"UserConfig":{"Nam":[]}}`:         `unknown field "Nam"`,
		queues(`{"Name":"q"},{"Name":"Q"}`): "twice",
		queues(`{"Name":""}`):               "not valid",
		queues(`{"Name":"$q"}`):             "not valid",
		queues(`{"Name":"q","Properties":{"LockDuration":"PT6M"}}`):                                              "LockDuration is PT6M, want PT5S to PT5M",
		queues(`{"Name":"q","Properties":{"LockDuration":"1m"}}`):                                                "no ISO 8601 duration",
		queues(`{"Name":"q","Properties":{"LockDuration":"P1M"}}`):                                               "no ISO 8601 duration",
		queues(`{"Name":"q","Properties":{"MaxDeliveryCount":2001}}`):                                            "want 1 to 2000",
		queues(`{"Name":"q","Properties":{"DuplicateDetectionHistoryTimeWindow":"P8D"}}`):                        "want PT5S to P7D",
		topics(`"Subscriptions":[{"Name":"s","Properties":{"RequiresDuplicateDetection":true}}]`):                "set it for the topic",
		topics(`"Subscriptions":[{"Name":"s","Rules":[{"Name":"r","Properties":{}}]}]`):                          "none of Correlation, Sql",
		topics(`"Subscriptions":[{"Name":"s","Rules":[{"Name":"r","Properties":{"FilterType":"Sql"}}]}]`):        "SqlFilter is missing",
		topics(`"Subscriptions":[{"Name":"s","Rules":[{"Properties":{"SqlFilter":{"SqlExpression":"a ="}}}]}]`):  "where a value must be",
		topics(`"Subscriptions":[{"Name":"s","Rules":[{"Properties":{"Action":{"SqlExpression":"SET a=1"}}}]}]`): "actions are not supported",
	} {
		_, err := servicebus.ParseConfig([]byte(file))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", file, err, want)
		}
	}
}

func queues(list string) string {
	return `{"UserConfig":{"Namespaces":[{"Name":"sbemulatorns","Queues":[` + list + `]}]}}`
}

func topics(rest string) string {
	return `{"UserConfig":{"Namespaces":[{"Name":"sbemulatorns","Topics":[{"Name":"t",` + rest + `}]}]}}`
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT5S": 5 * time.Second, "PT1.5S": 1500 * time.Millisecond, "PT1H30M": 90 * time.Minute, "P7D": 7 * 24 * time.Hour, "P1DT2H": 26 * time.Hour,
		"P10675199DT2H48M5.4775807S": time.Duration(servicebus.Forever), "PT0S": 0,
	} {
		got, err := servicebus.ParseDuration(text)
		if err != nil || time.Duration(got) != want || got.String() != text {
			t.Errorf("%s is %v (%v), written %s, want %v", text, time.Duration(got), err, got, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "P1DT", "1M", "PT1", "PT-1S", "P1Y"} {
		if d, err := servicebus.ParseDuration(text); err == nil {
			t.Errorf("%q was read as %s", text, d)
		}
	}
}
