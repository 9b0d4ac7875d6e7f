package amqp

import "fmt"

// Error says why a link, a session, a connection or a delivery failed.
type Error struct {
	Condition   string
	Description string
	Info        Map
}

func (e *Error) Error() string { return e.Condition + ": " + e.Description }

func (e *Error) value() any {
	if e == nil {
		return nil
	}
	l := List{Symbol(e.Condition), textOrNil(e.Description), nil}
	if e.Info != nil {
		l[2] = e.Info
	}
	return Described{uint64(descError), trim(l)}
}

func (f *fields) error(into **Error) {
	v := f.next()
	if v == nil || f.err != nil {
		return
	}
	*into, f.err = readError(v)
}

func readError(v any) (*Error, error) {
	code, l, err := split(v)
	if err != nil {
		return nil, err
	}
	if code != descError {
		return nil, fmt.Errorf("amqp: descriptor %#x where an error must be", code)
	}
	e, f := &Error{}, fields{l: l}
	f.text(&e.Condition)
	f.text(&e.Description)
	field(&f, &e.Info)
	return e, f.err
}

// Accepted is the outcome of a delivery that was dealt with.
func Accepted() any { return Described{uint64(descAccepted), List{}} }

// Rejected is the outcome of a delivery that was refused. Without an error it
// confirms the peer's own rejection.
func Rejected(e *Error) any { return Described{uint64(descRejected), trim(List{e.value()})} }

// Outcomes of a delivery.
type (
	// OutcomeAccepted says that it was dealt with.
	OutcomeAccepted struct{}
	// OutcomeReleased says that it was not looked at.
	OutcomeReleased struct{}
	// OutcomeRejected says that it is no good.
	OutcomeRejected struct{ Error *Error }
	// OutcomeModified asks for another attempt, here or elsewhere.
	OutcomeModified struct {
		Failed      bool
		NotHere     bool
		Annotations Map
	}
	// OutcomePending says that the transfer is under way.
	OutcomePending struct{}
)

// Outcome reads the state of a disposition. The result is one of the Outcome
// types, or nil for a disposition without state.
func Outcome(state any) (any, error) {
	if state == nil {
		return nil, nil
	}
	code, l, err := split(state)
	if err != nil {
		return nil, err
	}
	f := fields{l: l}
	switch code {
	case descAccepted:
		return OutcomeAccepted{}, nil
	case descReleased:
		return OutcomeReleased{}, nil
	case descReceived:
		return OutcomePending{}, nil
	case descRejected:
		o := OutcomeRejected{}
		f.error(&o.Error)
		return o, f.err
	case descModified:
		o := OutcomeModified{}
		field(&f, &o.Failed)
		field(&f, &o.NotHere)
		field(&f, &o.Annotations)
		return o, f.err
	}
	return nil, fmt.Errorf("amqp: descriptor %#x is no outcome", code)
}
