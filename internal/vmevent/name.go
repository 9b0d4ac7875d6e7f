package vmevent

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"goldmint/internal/armid"
)

// DefaultName is the template of an image's name where the VM has no goldmint-name.
const DefaultName = "{vm}-{id}"

// DefaultVersion is the template of a gallery image version's number where the VM has no
// goldmint-name.
const DefaultVersion = "{year}.{month}{day}.{time}"

const maxName = 80

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// timeFields are the placeholders for the event's time, in UTC.
func timeFields(at time.Time) map[string]string {
	fields := map[string]string{}
	for name, layout := range map[string]string{"{date}": "20060102", "{time}": "150405", "{year}": "2006", "{month}": "01", "{day}": "02"} {
		fields[name] = at.UTC().Format(layout)
	}
	return fields
}

// versionName fills in the template of a version's number, whose numbers have no leading zeros:
// 2027.0105.000500 is 2027.105.500.
func versionName(template string, at time.Time) (string, error) {
	name, err := fill(cmp.Or(template, DefaultVersion), timeFields(at))
	if err != nil {
		return "", err
	}
	parts := strings.Split(name, ".")
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil || len(parts) != 3 {
			return "", fmt.Errorf("%s gives %q, which is no version: three numbers up to 2147483647 are needed, as by the template %s", TagName, name, DefaultVersion)
		}
		parts[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(parts, "."), nil
}

// imageName fills in the template: {vm} the VM's name, {id} the first 12 digits of its vmId,
// {date}, {time}, {year}, {month} and {day} those of the event in UTC. What ARM does not allow in a
// name becomes '-'; a name that is too long loses the end of {vm}, never of the parts that
// distinguish images.
func imageName(template, vm, vmID string, at time.Time) (string, error) {
	if template == "" {
		template = DefaultName
	}
	fields := timeFields(at)
	fields["{id}"] = strings.ToLower(strings.ReplaceAll(vmID, "-", ""))[:12]
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
		return "", fmt.Errorf("%s holds %s: the placeholders are %s", TagName, unknown, placeholders(fields))
	}
	return name, nil
}

func placeholders(fields map[string]string) string {
	return strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
}

var dots = regexp.MustCompile(`\.{2,}`)

// repair turns the text into a valid image name where that is possible.
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
