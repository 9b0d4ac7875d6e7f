package servicebus

import (
	"maps"
	"net/url"
	"slices"

	"goldmint/emulator/servicebus/amqp"
)

// SignForTest makes a shared access signature.
func SignForTest(key, resource, expiry, name string) string {
	return "SharedAccessSignature sr=" + resource + "&sig=" + url.QueryEscape(sign(key, resource, expiry)) + "&se=" + expiry + "&skn=" + name
}

// AddForTest adds entities to a server that runs.
func (s *Server) AddForTest(c Config) error { return c.build(s.broker) }

// DetachForTest ends every link to an entity and to what is below it, as the service does when the
// entity is changed.
func (s *Server) DetachForTest(entity string) {
	s.mu.Lock()
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range conns {
		c.mu.Lock()
		var detach []func()
		for _, ch := range c.channels {
			for handle, l := range ch.links {
				if below(pathOf(l), entity) {
					detach = append(detach, func() {
						ch.detachWith(handle, &amqp.Error{Condition: "amqp:link:detach-forced", Description: "The link is force detached: '" + entity + "' was changed."})
					})
				}
			}
		}
		c.mu.Unlock()
		for _, f := range detach {
			f()
		}
	}
}

func pathOf(l link) string {
	switch l := l.(type) {
	case *sendLink:
		return l.path
	case *receiveLink:
		return l.path
	}
	return ""
}
