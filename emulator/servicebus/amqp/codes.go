package amqp

// The type codes of AMQP 1.0, part 1, section 1.6.
const (
	codeDescribed  = 0x00
	codeNull       = 0x40
	codeTrue       = 0x41
	codeFalse      = 0x42
	codeUint0      = 0x43
	codeUlong0     = 0x44
	codeList0      = 0x45
	codeUbyte      = 0x50
	codeByte       = 0x51
	codeSmallUint  = 0x52
	codeSmallUlong = 0x53
	codeSmallInt   = 0x54
	codeSmallLong  = 0x55
	codeBool       = 0x56
	codeUshort     = 0x60
	codeShort      = 0x61
	codeUint       = 0x70
	codeInt        = 0x71
	codeFloat      = 0x72
	codeChar       = 0x73
	codeDecimal32  = 0x74
	codeUlong      = 0x80
	codeLong       = 0x81
	codeDouble     = 0x82
	codeTimestamp  = 0x83
	codeDecimal64  = 0x84
	codeDecimal128 = 0x94
	codeUUID       = 0x98
	codeBinary8    = 0xa0
	codeString8    = 0xa1
	codeSymbol8    = 0xa3
	codeBinary32   = 0xb0
	codeString32   = 0xb1
	codeSymbol32   = 0xb3
	codeList8      = 0xc0
	codeMap8       = 0xc1
	codeList32     = 0xd0
	codeMap32      = 0xd1
	codeArray8     = 0xe0
	codeArray32    = 0xf0
)

// The descriptors of the performatives and of what they carry: parts 2, 3, 5.
const (
	descOpen          = 0x10
	descBegin         = 0x11
	descAttach        = 0x12
	descFlow          = 0x13
	descTransfer      = 0x14
	descDisposition   = 0x15
	descDetach        = 0x16
	descEnd           = 0x17
	descClose         = 0x18
	descError         = 0x1d
	descReceived      = 0x23
	descAccepted      = 0x24
	descRejected      = 0x25
	descReleased      = 0x26
	descModified      = 0x27
	descSource        = 0x28
	descTarget        = 0x29
	descSASLMechanism = 0x40
	descSASLInit      = 0x41
	descSASLOutcome   = 0x44
	descHeader        = 0x70
	descDelivery      = 0x71
	descAnnotations   = 0x72
	descProperties    = 0x73
	descApplication   = 0x74
	descData          = 0x75
	descSequence      = 0x76
	descValue         = 0x77
	descFooter        = 0x78
)

// symbolic holds the names that a peer may use in place of the numbers above.
func symbolic(name Symbol) (uint64, bool) {
	switch name {
	case "amqp:open:list":
		return descOpen, true
	case "amqp:begin:list":
		return descBegin, true
	case "amqp:attach:list":
		return descAttach, true
	case "amqp:flow:list":
		return descFlow, true
	case "amqp:transfer:list":
		return descTransfer, true
	case "amqp:disposition:list":
		return descDisposition, true
	case "amqp:detach:list":
		return descDetach, true
	case "amqp:end:list":
		return descEnd, true
	case "amqp:close:list":
		return descClose, true
	case "amqp:error:list":
		return descError, true
	case "amqp:received:list":
		return descReceived, true
	case "amqp:accepted:list":
		return descAccepted, true
	case "amqp:rejected:list":
		return descRejected, true
	case "amqp:released:list":
		return descReleased, true
	case "amqp:modified:list":
		return descModified, true
	case "amqp:source:list":
		return descSource, true
	case "amqp:target:list":
		return descTarget, true
	case "amqp:sasl-init:list":
		return descSASLInit, true
	case "amqp:header:list":
		return descHeader, true
	case "amqp:delivery-annotations:map":
		return descDelivery, true
	case "amqp:message-annotations:map":
		return descAnnotations, true
	case "amqp:properties:list":
		return descProperties, true
	case "amqp:application-properties:map":
		return descApplication, true
	case "amqp:data:binary":
		return descData, true
	case "amqp:amqp-sequence:list":
		return descSequence, true
	case "amqp:amqp-value:*":
		return descValue, true
	case "amqp:footer:map":
		return descFooter, true
	}
	return 0, false
}

func descriptorCode(v any) (uint64, bool) {
	switch v := v.(type) {
	case uint64:
		return v, true
	case uint32:
		return uint64(v), true
	case Symbol:
		return symbolic(v)
	}
	return 0, false
}
