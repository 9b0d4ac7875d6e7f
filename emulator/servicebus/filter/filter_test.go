package filter_test

import (
	"strings"
	"testing"

	"goldmint/emulator/servicebus/amqp"
	"goldmint/emulator/servicebus/filter"
)

func sample() *amqp.Message {
	m := &amqp.Message{Application: amqp.Map{
		{Key: "attempt", Value: int32(3)},
		{Key: "price", Value: 2.5},
		{Key: "color", Value: "red"},
		{Key: "urgent", Value: true},
		{Key: "odd name", Value: "it's"},
		{Key: "rate", Value: "100%"},
		{Key: "symbol", Value: amqp.Symbol("sym")},
		{Key: "bytes", Value: []byte("b")},
	}}
	m.Properties[amqp.PropMessageID] = "id-7"
	m.Properties[amqp.PropSubject] = "goldmint.build.failed"
	m.Properties[amqp.PropCorrelationID] = "build-1"
	return m
}

func TestSQL(t *testing.T) {
	for expression, want := range map[string]bool{
		"1 = 1": true, "1=0": false, "TRUE": true, "false": false, "NULL": false,
		"sys.Label = 'goldmint.build.failed'": true, "sys.label <> 'x'": true, "sys.MessageId != 'id-7'": false,
		"SYS.CorrelationId = 'build-1' AND color = 'red'": true, "color = 'RED'": false, "user.color = 'red'": true,
		"attempt > 2": true, "attempt >= 3 AND attempt <= 3": true, "attempt < 3": false, "attempt = 3.0": true, "price > 2": true, "price = 2.5e0": true,
		"attempt + 1 = 4 AND attempt - 1 = 2 AND attempt * 2 = 6 AND attempt / 2 = 1 AND attempt % 2 = 1": true,
		"price * 2 = 5": true, "-attempt = -3": true, "color + '!' = 'red!'": true, "1 + 2 * 3 = 7": true, "(1 + 2) * 3 = 9": true, "attempt / 0 = 1": false,
		"sys.Label LIKE 'goldmint.%'": true, "sys.Label LIKE '%failed'": true, "color LIKE 'r_d'": true, "color LIKE 'r_'": false, "color NOT LIKE 'x%'": true,
		"rate LIKE '100!%' ESCAPE '!'": true, "rate LIKE '1!%' ESCAPE '!'": false, "color LIKE 'r.d'": false,
		"color IN ('green', 'red')": true, "color NOT IN ('green', 'blue')": true, "attempt IN (1, 2)": false, "missing IN (1)": false, "missing NOT IN (1)": false,
		"missing IS NULL": true, "color IS NULL": false, "color IS NOT NULL": true, "EXISTS(color)": true, "EXISTS(missing)": false, "NOT EXISTS(missing)": true,
		"missing = 1": false, "missing <> 1": false, "NOT missing = 1": false, "missing = 1 OR color = 'red'": true, "missing = 1 AND color = 'red'": false,
		"color = 'blue' OR color = 'red' AND attempt = 9": false, "(color = 'blue' OR color = 'red') AND attempt = 3": true, "NOT (color = 'blue')": true, "NOT NOT urgent": true,
		"urgent": true, "urgent = true": true, "urgent = FALSE": false, "[odd name] = 'it''s'": true, `"odd name" = 'it''s'`: true, "symbol = 'sym'": true,
		"color = 1": false, "color <> 1": true, "color > 1": false, "bytes IS NULL": true, "sys.SessionId IS NULL": true,
	} {
		f, err := filter.SQL(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got := f.Match(sample()); got != want {
			t.Errorf("%s is %t, want %t", expression, got, want)
		}
	}
}

func TestSQLErrors(t *testing.T) {
	for _, expression := range []string{
		"", "color =", "= 1", "color = 'red", "color IN 'red'", "color IN (", "(color = 1", "color = 1)", "sys.Nonsense = 1", "other.color = 1",
		"color NOT 1", "color IS 1", "AND", "a = 1 b = 2", "color = ?", "[color = 1", "1.2.3 = 1", "EXISTS color", "sys.1 = 1", "color LIKE",
		strings.Repeat("(", 1000) + "1=1" + strings.Repeat(")", 1000), strings.Repeat("-", 1000) + "1 = 1",
	} {
		if _, err := filter.SQL(expression); err == nil {
			t.Errorf("%.40s was accepted", expression)
		}
	}
}

func TestCorrelation(t *testing.T) {
	for _, c := range []struct {
		system map[string]string
		user   map[string]any
		want   bool
	}{
		{system: map[string]string{"Label": "goldmint.build.failed"}, want: true},
		{system: map[string]string{"Label": "goldmint.build.failed", "CorrelationId": "build-2"}, want: false},
		{system: map[string]string{"CorrelationId": "build-1", "To": ""}, user: map[string]any{"color": "red"}, want: true},
		{user: map[string]any{"attempt": 3.0}, want: true},
		{user: map[string]any{"attempt": "3"}, want: false},
		{user: map[string]any{"missing": "x"}, want: false},
		{user: map[string]any{"urgent": true}, want: true},
	} {
		f, err := filter.NewCorrelation(c.system, c.user)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Match(sample()); got != c.want {
			t.Errorf("%v %v is %t, want %t", c.system, c.user, got, c.want)
		}
	}
	if _, err := filter.NewCorrelation(nil, nil); err == nil {
		t.Error("an empty correlation filter was accepted")
	}
	if _, err := filter.NewCorrelation(map[string]string{"Colour": "red"}, nil); err == nil {
		t.Error("an unknown system property was accepted")
	}
}

func FuzzSQL(f *testing.F) {
	f.Add("sys.Label LIKE 'a%' AND (color IN ('x', 1) OR NOT EXISTS([b])) AND -1 <> 2.5e3")
	f.Fuzz(func(t *testing.T, expression string) {
		e, err := filter.SQL(expression)
		if (e == nil) == (err == nil) {
			t.Fatalf("%q: expression %v and error %v", expression, e, err)
		}
		if e != nil {
			e.Match(sample())
		}
	})
}
