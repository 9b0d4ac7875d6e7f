package servicebus

import (
	"strings"
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

// FuzzToken: no token brings the server down, and none without the key's signature is accepted.
func FuzzToken(f *testing.F) {
	s, err := Listen(Options{SharedAccessKey: "key"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	good := SignForTest("key", "amqp%3a%2f%2flocalhost%2fqueue", "4102444800", defaultKeyName)
	f.Add(good, "queue")
	f.Add(SignForTest("key", "localhost", "946684800", defaultKeyName), "queue/$management")
	f.Add("SharedAccessSignature sr=%zz&&=&sig=%00&se=-1&skn=", "")
	f.Fuzz(func(t *testing.T, token, path string) {
		_, err := s.verify(tokenTypeSAS, token, path)
		if err == nil && !strings.Contains(token, "sig=") {
			t.Errorf("%q was accepted for %q", token, path)
		}
	})
}
