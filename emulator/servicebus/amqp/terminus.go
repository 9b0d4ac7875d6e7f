package amqp

// Fields of a source that differ from a target's.
const (
	sourceFilter = 7
	sourceFields = 11
)

// Terminus is the source or the target of a link: part 3, section 3.5. It keeps
// every field, so that it can be echoed.
type Terminus struct {
	code uint64
	l    List
}

// ReadTerminus parses a source or target. A missing one (null) is the zero Terminus with an empty
// address.
func ReadTerminus(v any) (Terminus, error) {
	if v == nil {
		return Terminus{}, nil
	}
	code, l, err := split(v)
	return Terminus{code, l}, err
}

// Address is the node's name; empty when the peer gave none.
func (t Terminus) Address() string {
	if len(t.l) == 0 {
		return ""
	}
	s, _ := Text(t.l[0])
	return s
}

// Coordinator reports whether this is the target of transactions.
func (t Terminus) Coordinator() bool {
	return t.code != 0 && t.code != descSource && t.code != descTarget
}

// Filter returns a source's filter of that name without its descriptor. ok is
// false when there is none, while a filter of null is there.
func (t Terminus) Filter(name string) (v any, ok bool) {
	m := t.filters()
	v, ok = m.Get(name)
	return Plain(v), ok
}

// WithFilter returns the source with one filter's value replaced; its
// descriptor stays.
func (t Terminus) WithFilter(name string, v any) Terminus {
	m := t.filters()
	if old, ok := m.Get(name); ok {
		if d, ok := old.(Described); ok {
			v = Described{d.Descriptor, v}
		}
	}
	l := make(List, max(len(t.l), sourceFields))
	copy(l, t.l)
	l[sourceFilter] = m.With(Symbol(name), v)
	return Terminus{t.code, l}
}

func (t Terminus) filters() Map {
	if t.code != descSource || len(t.l) <= sourceFilter {
		return nil
	}
	m, _ := t.l[sourceFilter].(Map)
	return m
}

// Value is the terminus as a value, null for the zero one.
func (t Terminus) Value() any {
	if t.code == 0 {
		return nil
	}
	return Described{t.code, trim(t.l)}
}
