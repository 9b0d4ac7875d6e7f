package filter

import (
	"regexp"
	"strings"

	"goldmint/emulator/servicebus/amqp"
)

// like matches text against a pattern: % stands for any text, _ for one
// character, and the escape character makes the next one plain.
func like(a, pattern, escape node) node {
	return func(m *amqp.Message) any {
		text, ok1 := a(m).(string)
		p, ok2 := pattern(m).(string)
		if !ok1 || !ok2 {
			return nil
		}
		esc := ""
		if escape != nil {
			esc, _ = escape(m).(string)
		}
		re, err := regexp.Compile(wildcards(p, esc))
		if err != nil {
			return nil
		}
		return re.MatchString(text)
	}
}

func wildcards(pattern, escape string) string {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	plain := false
	for _, r := range pattern {
		switch {
		case !plain && string(r) == escape:
			plain = true
			continue
		case !plain && r == '%':
			b.WriteString(".*")
		case !plain && r == '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
		plain = false
	}
	b.WriteString(`\z`)
	return b.String()
}
