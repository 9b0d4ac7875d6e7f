package arm

import (
	"net/http"
	"path"
	"regexp"
	"strings"
)

const computeNamespace = "Microsoft.Compute"

var (
	nameRule         = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$`)
	subscriptionRule = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	groupRule        = regexp.MustCompile(`^[-\w.()]*[-\w()]$`)
)

// target is the parsed path of a request. Types keep the caller's spelling; compare them folded.
type target struct {
	subscription string
	group        string
	namespace    string
	types        []string
	names        []string // as long as types, or one shorter where a collection or an action is named
}

// parseTarget parses a path the way ARM's front end does: decoded, dots resolved, without regard to
// case.
func parseTarget(urlPath string) (target, *armError) {
	segments := strings.Split(strings.Trim(path.Clean("/"+urlPath), "/"), "/")
	var t target
	if len(segments) < 2 || !strings.EqualFold(segments[0], "subscriptions") {
		return t, invalidPath(urlPath)
	}
	t.subscription = segments[1]
	segments = segments[2:]
	if len(segments) >= 1 && strings.EqualFold(segments[0], "resourceGroups") && (len(segments) < 3 || strings.EqualFold(segments[2], "providers")) {
		if len(segments) > 1 {
			t.group = segments[1]
		}
		if len(segments) < 3 {
			t.types = []string{"resourceGroups"}
			return t, nil
		}
		segments = segments[2:]
	}
	if len(segments) == 2 && strings.EqualFold(segments[0], "operationresults") {
		t.types, t.names = segments[:1], segments[1:]
		return t, nil
	}
	if len(segments) < 3 || !strings.EqualFold(segments[0], "providers") {
		return t, invalidPath(urlPath)
	}
	t.namespace = segments[1]
	for i, segment := range segments[2:] {
		if i%2 == 0 {
			t.types = append(t.types, segment)
		} else {
			t.names = append(t.names, segment)
		}
	}
	return t, nil
}

func invalidPath(p string) *armError {
	return gatewayError(http.StatusNotFound, "InvalidResourceType", "The resource path '%s' does not name a resource.", p)
}

// key finds the target's route: types with a star for each name, and an @ before what is asked of a
// whole subscription.
func (t target) key() string {
	var b strings.Builder
	if t.group == "" && t.namespace != "" {
		b.WriteByte('@')
	}
	for i, typ := range t.types {
		b.WriteString(strings.ToLower(typ))
		if i < len(t.names) {
			b.WriteString("/*")
		}
		if i < len(t.types)-1 {
			b.WriteByte('/')
		}
	}
	if t.namespace == "" && t.group != "" {
		b.WriteString("/*")
	}
	return b.String()
}

func (t target) name() string {
	if len(t.names) == 0 {
		return ""
	}
	return t.names[0]
}

func (t target) resourceType() string { return t.namespace + "/" + strings.Join(t.types, "/") }

// id is the resource's own, without an action behind it. Its type's spelling is Azure's.
func (t target) id(typ string) string {
	return "/subscriptions/" + t.subscription + "/resourceGroups/" + t.group + "/providers/" + computeNamespace + "/" + typ + "/" + t.name()
}

// fold makes ids comparable.
func fold(id string) string { return strings.ToLower(id) }

// parseID parses the id of one compute resource of the type; ok reports whether it is one.
func parseID(id, typ string) (target, bool) {
	t, bad := parseTarget(id)
	ok := bad == nil && path.Clean(id) == id && strings.EqualFold(t.namespace, computeNamespace) &&
		t.key() == strings.ToLower(typ)+"/*"
	return t, ok
}

// validName is compute's rule for the names of its resources, the rule's own words being
// ^[^_\W][\w-._]{0,79}(?<![-.])$.
func validName(name string) bool {
	return nameRule.MatchString(name)
}

func invalidName(parameter string) *armError {
	return invalidParameter(parameter, `The entity name '%s' is invalid according to its validation rule: ^[^_\W][\w-._]{0,79}(?<![-.])$.`, parameter)
}

func validSubscription(id string) bool {
	return subscriptionRule.MatchString(id)
}

func validGroup(name string) bool {
	return len(name) <= 90 && groupRule.MatchString(name)
}

// covers reports whether a list asked for at t has what lives at other.
func (t target) covers(other target) bool {
	return fold(t.subscription) == fold(other.subscription) && (t.group == "" || fold(t.group) == fold(other.group))
}
