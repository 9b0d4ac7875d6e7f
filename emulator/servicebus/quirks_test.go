package servicebus

import (
	"testing"

	"goldmint/emulator/servicebus/amqp"
)

// The JavaScript client sends a session's id back as the described value that it
// got with its link.
func TestSessionIDMayBeDescribed(t *testing.T) {
	for _, id := range []any{"s", amqp.Symbol("s"), amqp.Described{Descriptor: uint64(0x137000000c), Value: "s"}} {
		if got := sessionID(amqp.Map{{Key: "session-id", Value: id}}); got != "s" {
			t.Errorf("session id %q of %v, want s", got, id)
		}
	}
}
