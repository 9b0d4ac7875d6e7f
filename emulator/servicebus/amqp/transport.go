package amqp

// Open starts a connection: part 2, section 2.7.1.
type Open struct {
	ContainerID  string
	Hostname     string
	MaxFrameSize *uint32
	ChannelMax   *uint16
	IdleTimeout  *uint32 // milliseconds
	rest         List
}

func (*Open) code() uint64 { return descOpen }
func (p *Open) list() List {
	return append(List{p.ContainerID, textOrNil(p.Hostname), value(p.MaxFrameSize), value(p.ChannelMax), value(p.IdleTimeout)}, p.rest...)
}

func (p *Open) read(f *fields) {
	f.text(&p.ContainerID)
	f.text(&p.Hostname)
	optional(f, &p.MaxFrameSize)
	optional(f, &p.ChannelMax)
	optional(f, &p.IdleTimeout)
	p.rest = f.l
}

// Begin starts a session on a channel: section 2.7.2.
type Begin struct {
	RemoteChannel  *uint16
	NextOutgoingID uint32
	IncomingWindow uint32
	OutgoingWindow uint32
	HandleMax      *uint32
}

func (*Begin) code() uint64 { return descBegin }
func (p *Begin) list() List {
	return List{value(p.RemoteChannel), p.NextOutgoingID, p.IncomingWindow, p.OutgoingWindow, value(p.HandleMax)}
}

func (p *Begin) read(f *fields) {
	optional(f, &p.RemoteChannel)
	field(f, &p.NextOutgoingID)
	field(f, &p.IncomingWindow)
	field(f, &p.OutgoingWindow)
	optional(f, &p.HandleMax)
}

// Roles of a link's end.
const (
	RoleSender   = false
	RoleReceiver = true
)

// Settle modes of senders; receivers have first (0) and second (1).
const (
	SenderUnsettled = uint8(0)
	SenderSettled   = uint8(1)
	SenderMixed     = uint8(2)
)

// Attach starts a link: section 2.7.3. Source and Target stay undecoded but for what [Terminus]
// returns.
type Attach struct {
	Name                 string
	Handle               uint32
	Role                 bool
	SenderSettleMode     *uint8
	ReceiverSettleMode   *uint8
	Source               any
	Target               any
	Unsettled            any
	IncompleteUnsettled  *bool
	InitialDeliveryCount *uint32
	MaxMessageSize       *uint64
	OfferedCapabilities  any
	DesiredCapabilities  any
	Properties           Map
}

func (*Attach) code() uint64 { return descAttach }
func (p *Attach) list() List {
	l := List{
		p.Name, p.Handle, p.Role, value(p.SenderSettleMode), value(p.ReceiverSettleMode), p.Source, p.Target, p.Unsettled,
		value(p.IncompleteUnsettled), value(p.InitialDeliveryCount), value(p.MaxMessageSize), p.OfferedCapabilities, p.DesiredCapabilities, nil,
	}
	if p.Properties != nil {
		l[13] = p.Properties
	}
	return l
}

func (p *Attach) read(f *fields) {
	f.text(&p.Name)
	field(f, &p.Handle)
	field(f, &p.Role)
	optional(f, &p.SenderSettleMode)
	optional(f, &p.ReceiverSettleMode)
	p.Source, p.Target, p.Unsettled = f.next(), f.next(), f.next()
	optional(f, &p.IncompleteUnsettled)
	optional(f, &p.InitialDeliveryCount)
	optional(f, &p.MaxMessageSize)
	p.OfferedCapabilities, p.DesiredCapabilities = f.next(), f.next()
	field(f, &p.Properties)
}

// Flow updates a session's windows and, with a handle, a link's credit: section
// 2.7.4.
type Flow struct {
	NextIncomingID *uint32
	IncomingWindow uint32
	NextOutgoingID uint32
	OutgoingWindow uint32
	Handle         *uint32
	DeliveryCount  *uint32
	LinkCredit     *uint32
	Available      *uint32
	Drain          bool
	Echo           bool
}

func (*Flow) code() uint64 { return descFlow }
func (p *Flow) list() List {
	return List{
		value(p.NextIncomingID), p.IncomingWindow, p.NextOutgoingID, p.OutgoingWindow, value(p.Handle),
		value(p.DeliveryCount), value(p.LinkCredit), value(p.Available), p.Drain, p.Echo,
	}
}

func (p *Flow) read(f *fields) {
	optional(f, &p.NextIncomingID)
	field(f, &p.IncomingWindow)
	field(f, &p.NextOutgoingID)
	field(f, &p.OutgoingWindow)
	optional(f, &p.Handle)
	optional(f, &p.DeliveryCount)
	optional(f, &p.LinkCredit)
	optional(f, &p.Available)
	field(f, &p.Drain)
	field(f, &p.Echo)
}

// Transfer carries a message or a part of one: section 2.7.5.
type Transfer struct {
	Handle        uint32
	DeliveryID    *uint32
	DeliveryTag   []byte
	MessageFormat *uint32
	Settled       *bool
	More          bool
	rcvSettleMode *uint8
	state         any
	resume        bool
	Aborted       bool
}

func (*Transfer) code() uint64 { return descTransfer }
func (p *Transfer) list() List {
	l := List{p.Handle, value(p.DeliveryID), nil, value(p.MessageFormat), value(p.Settled), p.More}
	if p.DeliveryTag != nil {
		l[2] = p.DeliveryTag
	}
	if p.Aborted {
		l = append(l, nil, nil, nil, true)
	}
	return l
}

func (p *Transfer) read(f *fields) {
	field(f, &p.Handle)
	optional(f, &p.DeliveryID)
	field(f, &p.DeliveryTag)
	optional(f, &p.MessageFormat)
	optional(f, &p.Settled)
	field(f, &p.More)
	optional(f, &p.rcvSettleMode)
	p.state = f.next()
	field(f, &p.resume)
	field(f, &p.Aborted)
}

// Disposition reports the state of the deliveries First to Last: section 2.7.6.
type Disposition struct {
	Role    bool
	First   uint32
	Last    *uint32
	Settled bool
	State   any // an [Outcome] as a value
}

func (*Disposition) code() uint64 { return descDisposition }
func (p *Disposition) list() List {
	return List{p.Role, p.First, value(p.Last), p.Settled, p.State}
}

func (p *Disposition) read(f *fields) {
	field(f, &p.Role)
	field(f, &p.First)
	optional(f, &p.Last)
	field(f, &p.Settled)
	p.State = f.next()
}

// Detach ends a link: section 2.7.7.
type Detach struct {
	Handle uint32
	Closed bool
	Error  *Error
}

func (*Detach) code() uint64 { return descDetach }
func (p *Detach) list() List { return List{p.Handle, p.Closed, p.Error.value()} }
func (p *Detach) read(f *fields) {
	field(f, &p.Handle)
	field(f, &p.Closed)
	f.error(&p.Error)
}

// End ends a session: section 2.7.8.
type End struct{ Error *Error }

func (*End) code() uint64     { return descEnd }
func (p *End) list() List     { return List{p.Error.value()} }
func (p *End) read(f *fields) { f.error(&p.Error) }

// Close ends a connection: section 2.7.9.
type Close struct{ Error *Error }

func (*Close) code() uint64     { return descClose }
func (p *Close) list() List     { return List{p.Error.value()} }
func (p *Close) read(f *fields) { f.error(&p.Error) }
