package arm

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// listPage is how many entries a list answers at once. Azure's number is not recorded.
const listPage = 100

// page lists what lies directly below the target, a hundred at a time. The token of the next page
// is the last id.
func page[T any](s *Server, rq *request, all map[string]T, show func(T) (any, bool)) answer {
	after, err := base64.RawURLEncoding.DecodeString(rq.query.Get("$skiptoken"))
	if err != nil {
		return invalidValue("$skiptoken").answer()
	}
	var ids []string
	below := rq.target.lists()
	for id := range all {
		if id > string(after) && below(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	value := []any{}
	body := map[string]any{}
	for i, id := range ids {
		if len(value) == listPage {
			q := url.Values{"api-version": {rq.apiVersion}, "$skiptoken": {base64.RawURLEncoding.EncodeToString([]byte(ids[i-1]))}}
			body["nextLink"] = s.endpointOf(rq) + rq.http.URL.Path + "?" + q.Encode()
			break
		}
		if v, ok := show(all[id]); ok {
			value = append(value, v)
		}
	}
	body["value"] = value
	return answer{status: http.StatusOK, body: body}
}

// lists returns a function that reports whether a list of the target has a folded id: those of its
// type directly below it, in its group or in the whole subscription.
func (t target) lists() func(id string) bool {
	if t.group == "" {
		prefix, depth := fold("/subscriptions/"+t.subscription+"/"), len(t.types)
		return func(id string) bool {
			other, bad := parseTarget(id)
			return strings.HasPrefix(id, prefix) && bad == nil && len(other.names) == depth
		}
	}
	prefix := fold(t.nested() + "/" + t.types[len(t.types)-1] + "/")
	return func(id string) bool {
		name, ok := strings.CutPrefix(id, prefix)
		return ok && !strings.Contains(name, "/")
	}
}
