package servicebus

import (
	"fmt"
	"strings"
	"sync"

	"goldmint/emulator/servicebus/broker"
)

// Rights are what an authorization rule allows at its entity and at what is
// below it.
type Rights uint8

// The rights of Service Bus.
const (
	RightListen Rights = 1 << iota // receive, settle and peek
	RightSend                      // send, schedule and cancel what is scheduled
	RightManage                    // change the entity
	RightAll    = RightListen | RightSend | RightManage
)

func (r Rights) allow(need Rights) bool { return r&need == need }

func (r Rights) String() string {
	switch r {
	case RightListen:
		return "Listen"
	case RightSend:
		return "Send"
	case RightManage, RightAll:
		return "Manage" // which includes the others
	}
	return fmt.Sprintf("rights %03b", uint8(r))
}

// Authorize makes an authorization rule of one name at several entities, the
// empty one being the namespace, and returns the connection string of who holds
// its key.
func (s *Server) Authorize(rights map[string]Rights) string {
	rule := rule{key: randomKey(), rights: map[string]Rights{}}
	for entity, r := range rights {
		rule.rights[strings.ToLower(entity)] = r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprintf("rule-%d", len(s.rules))
	s.rules[name] = rule
	return s.connectionString(name, rule.key)
}

// rule is an authorization rule.
type rule struct {
	key    string
	rights map[string]Rights // by entity, in lower case
}

func (s *Server) rule(name string) (rule, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rules[name]
	return r, ok
}

// at are the rule's rights at a path: those of the entity, and of what that is
// below.
func (r rule) at(path string) Rights { return rightsAt(r.rights, path) }

func rightsAt(rights map[string]Rights, path string) Rights {
	var sum Rights
	for path = strings.ToLower(path); ; path = path[:max(strings.LastIndexByte(path, '/'), 0)] {
		sum |= rights[path]
		if path == "" {
			return sum
		}
	}
}

// claims are what a connection may do, by path.
type claims struct {
	mu     sync.Mutex
	rights map[string]Rights
}

// add claims rights at a path; the empty one is the whole namespace.
func (c *claims) add(path string, r Rights) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rights == nil {
		c.rights = map[string]Rights{}
	}
	c.rights[strings.ToLower(path)] = r
}

func (c *claims) at(path string) Rights {
	c.mu.Lock()
	defer c.mu.Unlock()
	return rightsAt(c.rights, path)
}

// unauthorized is what the service says without a right.
func unauthorized(need Rights, entity string) *broker.Error {
	return &broker.Error{
		Condition:   "amqp:unauthorized-access",
		Description: fmt.Sprintf("Unauthorized access. '%s' claim(s) are required to perform this operation. Resource: '%s'.", need, entity),
	}
}
