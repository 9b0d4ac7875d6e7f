package amqp

import "fmt"

// Performative is the body of a frame.
type Performative interface {
	code() uint64
	list() List
	read(*fields)
}

// composite is a performative as a value. Nulls at the end are left out.
func composite(p Performative) Described {
	return Described{p.code(), trim(p.list())}
}

func trim(l List) List {
	for len(l) > 0 && l[len(l)-1] == nil {
		l = l[:len(l)-1]
	}
	return l
}

// fields reads the fields of a composite value in order. A field of the wrong
// type is an error; one that is null or missing leaves its default.
type fields struct {
	l   List
	err error
}

func (f *fields) next() any {
	if len(f.l) == 0 {
		return nil
	}
	v := f.l[0]
	f.l = f.l[1:]
	return v
}

func field[T any](f *fields, into *T) {
	v := f.next()
	if v == nil {
		return
	}
	t, ok := v.(T)
	if !ok {
		f.fail(v, *into)
		return
	}
	*into = t
}

func optional[T any](f *fields, into **T) {
	v := f.next()
	if v == nil {
		return
	}
	t, ok := v.(T)
	if !ok {
		f.fail(v, t)
		return
	}
	*into = &t
}

// text reads a string or a symbol: clients mix them up.
func (f *fields) text(into *string) {
	v := f.next()
	if v == nil {
		return
	}
	s, ok := Text(v)
	if !ok {
		f.fail(v, s)
		return
	}
	*into = s
}

func (f *fields) fail(got, want any) {
	if f.err == nil {
		f.err = fmt.Errorf("amqp: a field is %T, want %T", got, want)
	}
}

// split separates the descriptor and the fields of a described list.
func split(v any) (code uint64, l List, err error) {
	d, ok := v.(Described)
	if !ok {
		return 0, nil, fmt.Errorf("amqp: %T where a described list must be", v)
	}
	code, ok = descriptorCode(d.Descriptor)
	if !ok {
		return 0, nil, fmt.Errorf("amqp: unknown descriptor %v", d.Descriptor)
	}
	l, ok = d.Value.(List)
	if !ok {
		return 0, nil, fmt.Errorf("amqp: descriptor %#x on %T, want a list", code, d.Value)
	}
	return code, l, nil
}

func performative(v any) (Performative, error) {
	code, l, err := split(v)
	if err != nil {
		return nil, err
	}
	p := empty(code)
	if p == nil {
		return nil, fmt.Errorf("amqp: descriptor %#x is no performative", code)
	}
	f := fields{l: l}
	p.read(&f)
	return p, f.err
}

func empty(code uint64) Performative {
	switch code {
	case descOpen:
		return &Open{}
	case descBegin:
		return &Begin{}
	case descAttach:
		return &Attach{}
	case descFlow:
		return &Flow{}
	case descTransfer:
		return &Transfer{}
	case descDisposition:
		return &Disposition{}
	case descDetach:
		return &Detach{}
	case descEnd:
		return &End{}
	case descClose:
		return &Close{}
	case descSASLMechanism:
		return &SASLMechanisms{}
	case descSASLInit:
		return &SASLInit{}
	case descSASLOutcome:
		return &SASLOutcome{}
	}
	return nil
}

func value[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
