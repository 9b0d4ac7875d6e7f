package vmevent

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"goldmint/internal/armid"
)

// DefaultName is the template of an image's name where the VM has no goldmint-name.
const DefaultName = "{vm}-{id}"

const maxName = 80

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// imageName fills in the template: {vm} the VM's name, {id} the first 12 digits of its vmId, {date} and {time} those of
// the event in UTC. What ARM does not allow in a name becomes '-'; a name that is too long loses the end of {vm}, never
// of what tells one image from another.
func imageName(template, vm, vmID string, at time.Time) (string, error) {
	if template == "" {
		template = DefaultName
	}
	fields := map[string]string{
		"{id}":   strings.ToLower(strings.ReplaceAll(vmID, "-", ""))[:12],
		"{date}": at.UTC().Format("20060102"),
		"{time}": at.UTC().Format("150405"),
	}
	for {
		fields["{vm}"] = vm
		name, err := fill(template, fields)
		if err != nil {
			return "", err
		}
		name = repair(name)
		switch {
		case armid.ValidName(name):
			return name, nil
		case len(name) <= maxName:
			return "", fmt.Errorf("%s gives no name for an image: 1 to 80 letters, digits, '_', '.' or '-' are needed", TagName)
		case len(vm) <= 1 || !strings.Contains(template, "{vm}"):
			return "", fmt.Errorf("%s gives a name of %d characters: an image's name has at most %d", TagName, len(name), maxName)
		}
		vm = vm[:len(vm)-1]
	}
}

func fill(template string, fields map[string]string) (string, error) {
	var unknown string
	name := placeholder.ReplaceAllStringFunc(template, func(p string) string {
		value, ok := fields[p]
		if !ok && unknown == "" {
			unknown = p
		}
		return value
	})
	if unknown != "" {
		return "", fmt.Errorf("%s holds %s: the placeholders are {vm}, {id}, {date} and {time}", TagName, unknown)
	}
	return name, nil
}

var dots = regexp.MustCompile(`\.{2,}`)

// repair makes an image's name of the text where that is possible.
func repair(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < 128 && (r == '_' || r == '.' || alphanumeric(r)) {
			return r
		}
		return '-'
	}, name)
	name = dots.ReplaceAllString(name, ".")
	name = strings.TrimLeftFunc(name, func(r rune) bool { return !alphanumeric(r) })
	return strings.TrimRight(name, ".-")
}

func alphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}
