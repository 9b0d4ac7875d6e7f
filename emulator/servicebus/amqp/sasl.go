package amqp

// SASLMechanisms offers ways to authenticate: part 5, section 5.3.3.1.
type SASLMechanisms struct{ Mechanisms []Symbol }

func (*SASLMechanisms) code() uint64 { return descSASLMechanism }
func (p *SASLMechanisms) list() List {
	names := make(Array, len(p.Mechanisms))
	for i, m := range p.Mechanisms {
		names[i] = m
	}
	return List{names}
}

func (p *SASLMechanisms) read(f *fields) {
	switch v := f.next().(type) {
	case Symbol:
		p.Mechanisms = []Symbol{v}
	case Array:
		for _, e := range v {
			if s, ok := e.(Symbol); ok {
				p.Mechanisms = append(p.Mechanisms, s)
			}
		}
	}
}

// SASLInit chooses one: section 5.3.3.2.
type SASLInit struct {
	Mechanism       string
	InitialResponse []byte
	Hostname        string
}

func (*SASLInit) code() uint64 { return descSASLInit }
func (p *SASLInit) list() List {
	return List{Symbol(p.Mechanism), p.InitialResponse, textOrNil(p.Hostname)}
}

func (p *SASLInit) read(f *fields) {
	f.text(&p.Mechanism)
	field(f, &p.InitialResponse)
	f.text(&p.Hostname)
}

// SASL outcomes.
const (
	SASLOK   = uint8(0)
	SASLAuth = uint8(1) // the credentials are wrong
)

// SASLOutcome ends the exchange: section 5.3.3.6.
type SASLOutcome struct{ Code uint8 }

func (*SASLOutcome) code() uint64     { return descSASLOutcome }
func (p *SASLOutcome) list() List     { return List{p.Code} }
func (p *SASLOutcome) read(f *fields) { field(f, &p.Code) }
